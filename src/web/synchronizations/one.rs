//! One run and its story.

use askama::Template;
use chrono::Utc;
use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use rocket::get;

use super::{RunView, options};
use crate::sync::calls;
use crate::sync::owed::{self, OwedRevision};
use crate::sync::runs;
use crate::web::moment::Moment;
use crate::web::words::{grouped, size};
use crate::web::{Db, PageError, Reply, Reporter, Shell};

/// Revisions named that are owed.
const OWED_MAX: i64 = 100;
/// Log lines shown.
const LOG_MAX: i64 = 500;
/// Calls shown one by one.
const CALLS_MAX: i64 = 200;

/// A line of the log as shown.
pub struct Line {
    pub at: Moment,
    pub level: String,
    pub message: String,
}

/// The calls of a run as shown: summed up, and the last ones.
#[derive(Default)]
pub struct Calls {
    pub operations: Vec<Operation>,
    pub last: Vec<OneCall>,
}

/// All calls of one operation.
pub struct Operation {
    pub name: String,
    pub calls: String,
    pub failed: String,
    pub received: String,
    pub longest: String,
}

/// One call.
pub struct OneCall {
    pub at: Moment,
    pub operation: String,
    pub took: String,
    pub received: String,
    /// `good`, or what went wrong.
    pub outcome: String,
}

#[derive(Template)]
#[template(path = "synchronizations/one.html")]
struct RunPage {
    shell: Shell,
    run: RunView,
    options_changed: bool,
    owed: Vec<OwedRevision>,
    log: Vec<Line>,
    calls: Calls,
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
    /// The options were saved again after the run, which is at work, had begun.
    pub options_changed: bool,
    /// What the source owes now; only for a run that could not store something.
    pub owed: Vec<OwedRevision>,
    pub log: Vec<Line>,
    pub calls: Calls,
    pub can_operate: bool,
    pub csrf: String,
}

impl LiveFragment {
    /// The state of a run now; `None` when there is no such run.
    pub async fn load(
        conn: &mut AsyncPgConnection,
        run_id: i64,
        shell: &Shell,
    ) -> Result<Option<Self>, PageError> {
        let Some(run) = runs::get(conn, run_id).await? else { return Ok(None) };
        let options = options(conn).await?;
        let zone = shell.zone;
        let options_changed = run.state().is_active() && run.has_older_options(options.version);
        let owed = if run.failed > 0 { owed::of_run(conn, run_id, OWED_MAX).await? } else { Vec::new() };
        let run = RunView::new(&run, zone, Utc::now());
        let (log, calls) = if run.is_active {
            Default::default()
        } else {
            (log(conn, run_id, zone).await?, calls_of(conn, run_id, zone).await?)
        };
        let (can_operate, csrf) = (shell.can_operate(), shell.csrf.clone());
        Ok(Some(Self { run, options_changed, owed, log, calls, can_operate, csrf }))
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

async fn calls_of(conn: &mut AsyncPgConnection, run_id: i64, zone: Tz) -> Result<Calls, PageError> {
    let seconds = |ms: i64| format!("{:.1} s", ms as f64 / 1e3);
    let operation = |all: calls::Summary| Operation {
        name: all.operation,
        calls: grouped(all.calls),
        failed: grouped(all.failed),
        received: size(all.bytes),
        longest: seconds(all.longest_ms),
    };
    let one = |call: calls::Call| OneCall {
        at: Moment::new(call.at, zone),
        operation: call.operation,
        took: seconds(call.duration_ms),
        received: size(call.bytes),
        outcome: if call.outcome.is_empty() { "good".to_owned() } else { call.outcome },
    };
    let operations = calls::summary(conn, run_id).await?.into_iter().map(operation).collect();
    let last = calls::of_run(conn, run_id, CALLS_MAX).await?.into_iter().map(one).collect();
    Ok(Calls { operations, last })
}

#[get("/synchronizations/<id>?<joined>")]
pub(super) async fn show_run(
    reporter: Reporter,
    mut db: Db,
    id: i64,
    joined: Option<bool>,
) -> Result<Reply, PageError> {
    let live = LiveFragment::load(&mut db.0, id, &reporter.shell).await?;
    let LiveFragment { run, options_changed, owed, log, calls, can_operate, csrf } =
        live.ok_or(PageError::NotFound { what: "synchronization" })?;
    let joined = joined == Some(true) && run.is_active;
    let shell = reporter.shell;
    Reply::ok(&RunPage { shell, run, options_changed, owed, log, calls, joined, can_operate, csrf })
}

#[get("/synchronizations/<id>/progress")]
pub(super) async fn show_progress(reporter: Reporter, mut db: Db, id: i64) -> Result<Reply, PageError> {
    let live = LiveFragment::load(&mut db.0, id, &reporter.shell).await?;
    Reply::ok(&live.ok_or(PageError::NotFound { what: "synchronization" })?)
}
