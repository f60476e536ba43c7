//! `/updates`: what can be approved, newest first.

use askama::Template;
use rocket::{Route, get, routes};
use uuid::Uuid;

use super::address::{Address, Query};
use super::done::Done;
use super::severity;
use crate::approvals::Side;
use crate::approvals::state::{self, Summary};
use crate::catalog::categories::{self, Choice};
use crate::catalog::updates::{self, Count, Cut, UpdateLine, UpdatePage};
use crate::web::{Db, PageError, Reply, Reporter, Shell, Wants, words};

/// Choices of the filter: word in the address, and label.
const APPROVALS: [(&str, &str); 7] = [
    ("", "All but declined"),
    ("not-approved", "Not approved"),
    ("detect", "Detect only"),
    ("install", "Install"),
    ("remove", "Remove"),
    ("declined", "Declined"),
    ("all", "All updates"),
];

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
    approvals: Vec<(&'static str, &'static str)>,
    /// What was just done, in words; or empty.
    done: String,
    /// Name of the server that decides; this one is its replica.
    decided_by: Option<String>,
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
    /// The address of this list, to come back to.
    back: String,
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
    approval: String,
    id: Uuid,
    expired: bool,
    superseded: bool,
}

#[get("/updates?<done>&<query..>")]
async fn show_updates(
    reporter: Reporter,
    wants: Wants,
    mut db: Db,
    query: Query,
    done: Option<Done>,
) -> Result<Reply, PageError> {
    let side = Side::now(&mut db.0).await?;
    let mut address = Address::read(query);
    address.filter.mirrored = side.mirrored();
    let results = find(&mut db, &address, side).await?;
    let page = ListPage {
        shell: reporter.shell,
        products: categories::products(&mut db.0).await?,
        classifications: categories::classifications(&mut db.0).await?,
        approvals: APPROVALS.to_vec(),
        done: done.map(Done::words).unwrap_or_default(),
        decided_by: super::decided_by(&mut db.0, side).await?,
        address,
        results,
    };
    let reply = match wants {
        Wants::Page => Reply::ok(&page)?,
        Wants::Fragment => Reply::ok(&page.as_results())?,
    };
    Ok(reply.header("Vary", "HX-Request"))
}

async fn find(db: &mut Db, address: &Address, side: Side) -> Result<Results, PageError> {
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
    let ids: Vec<Uuid> = found.lines.iter().map(|line| line.update_id).collect();
    let decisions = state::summaries(&mut db.0, side, &ids).await?;
    Ok(Results {
        count: counted(count),
        newer: first.unwrap_or_default(),
        older: last.unwrap_or_default(),
        lines: found
            .lines
            .into_iter()
            .map(|line| {
                let summary = decisions.get(&line.update_id).copied().unwrap_or_default();
                Line::new(line, summary)
            })
            .collect(),
        back: address.at(address.cut),
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

impl Line {
    fn new(line: UpdateLine, summary: Summary) -> Self {
        Self {
            href: format!("/updates/{}", line.update_id),
            id: line.update_id,
            title: line.title,
            approval: summary.words(),
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
