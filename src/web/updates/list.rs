//! `/updates`: what can be approved, newest first.

use askama::Template;
use rocket::{Route, get, routes};

use super::address::{Address, Query};
use super::severity;
use crate::catalog::categories::{self, Choice};
use crate::catalog::updates::{self, Count, Cut, UpdateLine, UpdatePage};
use crate::web::{Db, PageError, Reply, Reporter, Shell, Wants, words};

/// Updates on one page.
const PAGE_SIZE: i64 = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![show_updates]
}

#[derive(Template)]
#[template(path = "updates/list.html", blocks = ["results"])]
struct ListPage {
    shell: Shell,
    address: Address,
    products: Vec<Choice>,
    classifications: Vec<Choice>,
    results: Results,
}

/// The part below the filters.
struct Results {
    lines: Vec<Line>,
    count: String,
    newer: String,
    older: String,
    /// Nothing was ever synchronized.
    nothing_yet: bool,
}

/// One update, in words.
struct Line {
    href: String,
    title: String,
    classification: String,
    released: String,
    released_iso: String,
    severity: &'static str,
    kb: String,
    expired: bool,
    superseded: bool,
}

#[get("/updates?<query..>")]
async fn show_updates(
    reporter: Reporter,
    wants: Wants,
    mut db: Db,
    query: Query,
) -> Result<Reply, PageError> {
    let address = Address::read(query);
    let results = find(&mut db, &address).await?;
    let page = ListPage {
        shell: reporter.shell,
        products: categories::products(&mut db.0).await?,
        classifications: categories::classifications(&mut db.0).await?,
        address,
        results,
    };
    let reply = match wants {
        Wants::Page => Reply::ok(&page)?,
        Wants::Fragment => Reply::ok(&page.as_results())?,
    };
    Ok(reply.header("Vary", "HX-Request"))
}

async fn find(db: &mut Db, address: &Address) -> Result<Results, PageError> {
    let found = if address.strange {
        UpdatePage::default()
    } else {
        updates::list(&mut db.0, &address.filter, address.cut, PAGE_SIZE).await?
    };
    let count = match address.strange {
        true => Count { at_least: 0, more: false },
        false => updates::count(&mut db.0, &address.filter).await?,
    };
    let first =
        found.lines.first().filter(|_| found.has_before).map(|line| address.at(Cut::Before(line.key)));
    let last = found.lines.last().filter(|_| found.has_after).map(|line| address.at(Cut::After(line.key)));
    let nothing_yet = found.lines.is_empty() && !updates::any(&mut db.0).await?;
    Ok(Results {
        count: counted(count),
        newer: first.unwrap_or_default(),
        older: last.unwrap_or_default(),
        lines: found.lines.into_iter().map(Line::from).collect(),
        nothing_yet,
    })
}

fn counted(count: Count) -> String {
    if count.more {
        format!("more than {} updates", words::grouped(count.at_least))
    } else {
        words::counted(count.at_least, "update", "updates")
    }
}

impl From<UpdateLine> for Line {
    fn from(line: UpdateLine) -> Self {
        Self {
            href: format!("/updates/{}", line.update_id),
            title: line.title,
            classification: line.classifications.join(", "),
            released: words::day(line.key.created),
            released_iso: words::iso(line.key.created),
            severity: severity(line.severity),
            kb: line.kb.iter().map(|number| format!("KB{number}")).collect::<Vec<_>>().join(", "),
            expired: line.expired,
            superseded: line.superseded,
        }
    }
}
