//! Home: what needs a person first, then the state of things, then the last synchronizations as a picture.

mod history;
mod start;
mod todo;

use askama::Template;
use chrono::{TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rocket::{Route, State, get, routes};

use self::history::History;
use self::start::Step;
use self::todo::{Facts, ToDo};
use super::shell::Shell;
use super::synchronizations::{RunView, StatusBox, options};
use super::{Db, PageError, Reply, Reporter, words};
use crate::approvals::Side;
use crate::catalog::updates::{self, ApprovalFilter, Count, UpdateFilter};
use crate::content::{Store, limits, overview};
use crate::sync::runs;

/// Synchronizations in the picture.
const RUNS_SHOWN: i64 = 30;
/// What arrived in the last week is new.
const NEW_FOR: TimeDelta = TimeDelta::days(7);

pub(super) fn routes() -> Vec<Route> {
    routes![show_home]
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
    todo: Vec<ToDo>,
    /// The way to the first updates; empty once there are some.
    steps: Vec<Step>,
    status: StatusBox,
    /// Label, number in words, and the list it counts.
    catalogue: Vec<(&'static str, String, &'static str)>,
    history: History,
}

#[get("/")]
async fn show_home(reporter: Reporter, mut db: Db, store: &State<Store>) -> Result<Reply, PageError> {
    let conn = &mut db.0;
    let (options, now) = (options(conn).await?, Utc::now());
    let zone = reporter.shell.zone;
    let status = StatusBox::load(conn, zone).await?;
    let mirrored = Side::now(conn).await?.mirrored();
    let has_updates = updates::any(conn).await?;
    let open = count(conn, UpdateFilter { mirrored, ..only(ApprovalFilter::NotApproved) }).await?;
    let catalogue = if has_updates { catalogue(conn, mirrored, &open).await? } else { Vec::new() };
    let rows = runs::list(conn, None, RUNS_SHOWN).await?;
    let ended = rows.iter().filter(|run| !run.state().is_active());
    let bars = ended.rev().map(|run| (run.new, RunView::new(run, zone, now))).collect();
    let amounts = overview::amounts(conn).await?;
    let files_failed = amounts.iter().find(|one| one.state == "failed").map_or(0, |one| one.files);
    let store = store.with_reserve(limits::load(conn).await?.reserve);
    let page = HomePage {
        todo: todo::list(&Facts {
            status: &status,
            options: &options,
            has_updates,
            mirrored,
            open: &open,
            succeeded_at: runs::last_succeeded_at(conn).await?,
            files_failed,
            disk_is_full: store.space().await.is_ok_and(|space| space.free <= space.reserve),
            now,
            zone,
        }),
        steps: if has_updates { Vec::new() } else { start::steps(&options, status.last.is_some()) },
        history: History::new(bars),
        shell: reporter.shell,
        status,
        catalogue,
    };
    Reply::ok(&page)
}

/// A filter by nothing but the decision.
fn only(approval: ApprovalFilter) -> UpdateFilter {
    UpdateFilter { approval, ..UpdateFilter::default() }
}

/// `61,204`, or `more than 2,000`; `None` for none.
async fn count(conn: &mut AsyncPgConnection, filter: UpdateFilter) -> Result<Option<String>, PageError> {
    let Count { at_least, more } = updates::count(conn, &filter).await?;
    let number = words::grouped(at_least);
    Ok((at_least > 0).then(|| if more { format!("more than {number}") } else { number }))
}

async fn catalogue(
    conn: &mut AsyncPgConnection,
    mirrored: bool,
    open: &Option<String>,
) -> Result<Vec<(&'static str, String, &'static str)>, PageError> {
    let week = UpdateFilter { arrived_from: Some(Utc::now() - NEW_FOR), mirrored, ..UpdateFilter::default() };
    let declined = UpdateFilter { mirrored, ..only(ApprovalFilter::Declined) };
    let shown = |number: Option<String>| number.unwrap_or_else(|| "0".to_owned());
    Ok(vec![
        ("Updates", shown(count(conn, only(ApprovalFilter::Any)).await?), "/updates?approval=all"),
        ("Not approved", shown(open.clone()), "/updates?approval=not-approved"),
        ("Declined", shown(count(conn, declined).await?), "/updates?approval=declined"),
        ("New in the last 7 days", shown(count(conn, week).await?), "/updates"),
    ])
}
