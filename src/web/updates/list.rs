//! `/updates`: what can be approved, newest first unless another order is chosen.

use std::sync::Arc;

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::{Route, State, get, routes};
use uuid::Uuid;

use super::address::{Address, Query, sort_word};
use super::choices::{self, ProductChoice};
use super::done::Done;
use super::severity;
use crate::accounts::views::{self, View};
use crate::approvals::Side;
use crate::approvals::state::{self, Summary};
use crate::catalog::Kind;
use crate::catalog::categories::{self, Choice};
use crate::catalog::updates::{self, Column, Count, Cut, FileState, Sort, UpdateLine, UpdatePage};
use crate::settings::synchronized::Synchronized;
use crate::settings::tree::CategoryTree;
use crate::settings::{self, KnownTrees};
use crate::web::{Db, PageError, Reply, Reporter, Shell, Wants, words};

/// Choices of the filter: word in the address, and label.
const APPROVALS: [(&str, &str); 8] = [
    ("", "All but declined"),
    ("not-approved", "Not approved"),
    ("waits-for-license", "Waiting for license terms"),
    ("detect", "Detect only"),
    ("install", "Install"),
    ("remove", "Remove"),
    ("declined", "Declined"),
    ("all", "All updates"),
];

/// The same for the state of the current revision.
const STATES: [(&str, &str); 5] = [
    ("", "All but expired"),
    ("current", "Current"),
    ("superseded", "Superseded"),
    ("expired", "Expired"),
    ("all", "All states"),
];

/// Columns of the table, and what they are called.
const COLUMNS: [(Column, &str); 7] = [
    (Column::Title, "Title"),
    (Column::Classification, "Classification"),
    (Column::Released, "Released"),
    (Column::Severity, "Severity"),
    (Column::Kb, "KB"),
    (Column::Approval, "Approval"),
    (Column::Files, "Files"),
];

/// Orders for those who have no table to click on.
const SORTS: [(Column, bool, &str); 9] = [
    (Column::Released, true, "Newest first"),
    (Column::Released, false, "Oldest first"),
    (Column::Title, false, "Title, from A to Z"),
    (Column::Title, true, "Title, from Z to A"),
    (Column::Classification, false, "Classification"),
    (Column::Severity, true, "Severity, critical first"),
    (Column::Kb, false, "KB number"),
    (Column::Approval, false, "Approval"),
    (Column::Files, false, "Files"),
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
    approvals: Vec<(String, &'static str)>,
    states: Vec<(String, &'static str)>,
    file_states: Vec<(String, &'static str)>,
    sorts: Vec<(String, &'static str)>,
    columns: Vec<(Column, &'static str)>,
    /// What was just done, in words; or empty.
    done: String,
    /// The last change of approvals can be undone by this person.
    can_undo: bool,
    /// Name of the server that decides; this one is its replica.
    decided_by: Option<String>,
    products: Vec<ProductChoice>,
    classifications: Vec<Choice>,
    views: Vec<View>,
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
    /// Its filter and order, to export and to save.
    query: String,
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
    files: String,
    id: Uuid,
    expired: bool,
    superseded: bool,
    /// Kept, but its product or classification is not chosen any more.
    kept: bool,
}

#[get("/updates?<done>&<query..>")]
async fn show_updates(
    reporter: Reporter,
    wants: Wants,
    mut db: Db,
    trees: &State<Arc<KnownTrees>>,
    query: Query,
    done: Option<Done>,
) -> Result<Reply, PageError> {
    let side = Side::now(&mut db.0).await?;
    let mut address = Address::read(query);
    address.filter.mirrored = side.mirrored();
    let tree = trees.now(&mut db.0).await?;
    let results = find(&mut db.0, &address, side, &tree).await?;
    let page = ListPage {
        products: choices::products(&tree),
        classifications: categories::classifications(&mut db.0).await?,
        approvals: choices(APPROVALS),
        states: choices(STATES),
        file_states: choices(FileState::ALL.map(|state| (state.key(), state.label()))),
        sorts: SORTS
            .map(|(column, descending, label)| (sort_word(Sort { column, descending }), label))
            .to_vec(),
        columns: COLUMNS.to_vec(),
        can_undo: done.is_some_and(Done::can_be_undone) && reporter.shell.can_operate(),
        done: done.map(Done::words).unwrap_or_default(),
        decided_by: super::decided_by(&mut db.0, side).await?,
        views: views::list(&mut db.0, reporter.account.id).await?,
        shell: reporter.shell,
        address,
        results,
    };
    let reply = match wants {
        Wants::Page => Reply::ok(&page)?,
        Wants::Fragment => Reply::ok(&page.as_results())?,
    };
    Ok(reply.header("Vary", "HX-Request"))
}

async fn find(
    conn: &mut AsyncPgConnection,
    address: &Address,
    side: Side,
    tree: &CategoryTree,
) -> Result<Results, PageError> {
    let (found, count) = if address.strange {
        (UpdatePage::default(), Count { at_least: 0, more: false })
    } else {
        updates::page(conn, &address.filter, address.sort, address.cut, PAGE_SIZE).await?
    };
    let first =
        found.lines.first().filter(|_| found.has_before).map(|line| address.at(Cut::Before(line.key)));
    let last = found.lines.last().filter(|_| found.has_after).map(|line| address.at(Cut::After(line.key)));
    let nothing_yet = found.lines.is_empty() && !updates::any(conn).await?;
    let ids: Vec<Uuid> = found.lines.iter().map(|line| line.update_id).collect();
    let decisions = state::summaries(conn, side, &ids).await?;
    let options = settings::load(conn).await.map_err(PageError::internal)?;
    let synchronized = Synchronized::of(&options, tree);
    Ok(Results {
        count: counted(count),
        newer: first.unwrap_or_default(),
        older: last.unwrap_or_default(),
        lines: found
            .lines
            .into_iter()
            .map(|line| {
                let summary = decisions.get(&line.update_id).copied().unwrap_or_default();
                Line::new(line, summary, &synchronized)
            })
            .collect(),
        back: address.at(address.cut),
        query: address.query(),
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
    fn new(line: UpdateLine, summary: Summary, synchronized: &Synchronized) -> Self {
        let of = |kind| line.categories.iter().filter(move |one| one.kind == kind).map(|one| one.id);
        let size = if line.bytes > 0 { format!(", {}", words::size(line.bytes)) } else { String::new() };
        Self {
            href: format!("/updates/{}", line.update_id),
            id: line.update_id,
            approval: summary.words(),
            classification: line.classifications(),
            released: words::day(line.created),
            released_iso: words::iso(line.created),
            severity: severity(line.severity),
            kb: line.kb.iter().map(|number| format!("KB{number}")).collect::<Vec<_>>().join(", "),
            files: format!("{}{size}", line.files.label()),
            expired: line.expired,
            superseded: line.superseded,
            kept: !synchronized.takes(of(Kind::Category), of(Kind::Classification)),
            title: line.title,
        }
    }
}

fn choices<const N: usize>(pairs: [(&str, &'static str); N]) -> Vec<(String, &'static str)> {
    pairs.map(|(word, label)| (word.to_owned(), label)).to_vec()
}
