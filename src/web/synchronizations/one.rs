//! One run and its story.

use askama::Template;
use chrono::Utc;
use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use rocket::get;

use super::{RunView, options};
use crate::sync::owed::{self, OwedRevision};
use crate::sync::runs;
use crate::web::moment::Moment;
use crate::web::{Db, PageError, Reply, Reporter, Shell};

/// Revisions named that are owed.
const OWED_MAX: i64 = 100;
/// Log lines shown.
const LOG_MAX: i64 = 500;

/// A line of the log as shown.
pub struct Line {
    pub at: Moment,
    pub level: String,
    pub message: String,
}

#[derive(Template)]
#[template(path = "synchronizations/one.html")]
struct RunPage {
    shell: Shell,
    run: RunView,
    owed: Vec<OwedRevision>,
    log: Vec<Line>,
    /// Set when the person asked for a run and this one was at work already.
    joined: bool,
    can_operate: bool,
    csrf: String,
}

/// The part of the page that changes while the run is at work.
#[derive(Template)]
#[template(path = "synchronizations/live.html")]
pub(in crate::web) struct LiveFragment {
    pub run: RunView,
    /// What the source owes now; only for a run that could not store something.
    pub owed: Vec<OwedRevision>,
    pub log: Vec<Line>,
    pub can_operate: bool,
    pub csrf: String,
}

impl LiveFragment {
    /// The state of a run now; `None` when there is no such run.
    pub async fn load(
        conn: &mut AsyncPgConnection,
        run_id: i64,
        zone: Tz,
        shell: &Shell,
    ) -> Result<Option<Self>, PageError> {
        let Some(run) = runs::get(conn, run_id).await? else { return Ok(None) };
        let owed = if run.failed > 0 { owed::of_run(conn, run_id, OWED_MAX).await? } else { Vec::new() };
        let run = RunView::new(&run, zone, Utc::now());
        let log = if run.is_active { Vec::new() } else { log(conn, run_id, zone).await? };
        Ok(Some(Self { run, owed, log, can_operate: shell.can_operate(), csrf: shell.csrf.clone() }))
    }
}

async fn log(conn: &mut AsyncPgConnection, run_id: i64, zone: Tz) -> Result<Vec<Line>, PageError> {
    let lines = runs::log(conn, run_id, LOG_MAX).await?;
    let line = |line: runs::LogLine| Line {
        at: Moment::new(line.at, zone),
        level: line.level,
        message: line.message,
    };
    Ok(lines.into_iter().map(line).collect())
}

#[get("/synchronizations/<id>?<joined>")]
pub(super) async fn show_run(
    reporter: Reporter,
    mut db: Db,
    id: i64,
    joined: Option<bool>,
) -> Result<Reply, PageError> {
    let zone = options(&mut db.0).await?.schedule.time_zone;
    let live = LiveFragment::load(&mut db.0, id, zone, &reporter.shell).await?;
    let LiveFragment { run, owed, log, can_operate, csrf } =
        live.ok_or(PageError::NotFound { what: "synchronization" })?;
    let joined = joined == Some(true) && run.is_active;
    Reply::ok(&RunPage { shell: reporter.shell, run, owed, log, joined, can_operate, csrf })
}

#[get("/synchronizations/<id>/progress")]
pub(super) async fn show_progress(reporter: Reporter, mut db: Db, id: i64) -> Result<Reply, PageError> {
    let zone = options(&mut db.0).await?.schedule.time_zone;
    let live = LiveFragment::load(&mut db.0, id, zone, &reporter.shell).await?;
    Reply::ok(&live.ok_or(PageError::NotFound { what: "synchronization" })?)
}
