//! The story of every run: what is stored of it, and how it ends.
//!
//! [`RunState`] says what may become of what.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Jsonb, Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::SyncError;
use super::error::RunError;
use super::progress::Figures;
pub use super::requests::{Requested, Trigger, request, request_categories, stop};
pub use super::state::{Phase, RunState};
use crate::catalog::publish::PublishCounts;
use crate::db::Keep;
use crate::db::schema::{run_log, sync_runs};

/// The kind of a run's job in the queue.
pub(super) const JOB_KIND: &str = "synchronize";

/// The states of a run that is not over.
pub(super) const ACTIVE: [&str; 3] = ["queued", "running", "stopping"];
/// The condition on `sync_runs` for the run that ended last.
pub(super) const ENDED_LAST: &str =
    "sync_runs.id = (SELECT max(id) FROM sync_runs WHERE state NOT IN ('queued', 'running', 'stopping'))";

/// One run as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sync_runs, check_for_backend(diesel::pg::Pg))]
pub struct Run {
    pub id: i64,
    #[diesel(column_name = state)]
    state_word: String,
    pub trigger: String,
    pub started_by: String,
    pub requested_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// As shown: `wsus01.example:8530`, or empty before the run knows.
    pub source_name: String,
    #[diesel(column_name = phase)]
    phase_word: String,
    /// Of this phase.
    pub done: i64,
    pub total: Option<i64>,
    pub new: i64,
    pub revised: i64,
    pub expired: i64,
    pub revisions: i64,
    pub failed: i64,
    pub files: i64,
    pub bytes: i64,
    error: Option<serde_json::Value>,
    notices: serde_json::Value,
    pub continues: Option<i64>,
    settings: serde_json::Value,
    /// `done` a second in this phase; `None` while that is not steady.
    pub rate: Option<f64>,
    /// Calls of the update source, repetitions included.
    pub calls: i64,
    /// Bytes of its answers, unpacked.
    pub received: i64,
    /// It brings products and classifications, and no updates.
    pub categories_only: bool,
}

impl Run {
    /// Where the run is in its life. An unknown word counts as interrupted.
    pub fn state(&self) -> RunState {
        RunState::from_word(&self.state_word).unwrap_or(RunState::Interrupted)
    }

    /// What it is doing; `None` before it has begun and after its end.
    pub fn phase(&self) -> Option<Phase> {
        Phase::from_word(&self.phase_word)
    }

    /// Time that the rest of this phase takes at the present pace; `None` while nobody can know.
    pub fn time_left(&self) -> Option<chrono::TimeDelta> {
        let (rate, total) = (self.rate.filter(|rate| *rate > 0.0)?, self.total?);
        let seconds = (total - self.done).max(0) as f64 / rate;
        chrono::TimeDelta::try_seconds(seconds.ceil() as i64)
    }

    /// Why it did not succeed.
    pub fn error(&self) -> Option<RunError> {
        serde_json::from_value(self.error.clone()?).ok()
    }

    /// Sentences that a person should see.
    pub fn notices(&self) -> Vec<String> {
        serde_json::from_value(self.notices.clone()).unwrap_or_default()
    }

    /// Were the options saved again after the run began with its own? `version` is the one in force.
    pub fn has_older_options(&self, version: i64) -> bool {
        let began_with = self.settings.get("options_version").and_then(serde_json::Value::as_i64);
        began_with.is_some_and(|began_with| began_with != version)
    }

    /// Did this server follow its upstream server's approvals when the run began?
    pub fn is_of_replica(&self) -> bool {
        self.settings.get("replica").and_then(serde_json::Value::as_bool).unwrap_or_default()
    }

    /// Name and port of the proxy server that the run went through; `None` when it went directly, or never began.
    pub fn proxy(&self) -> Option<&str> {
        self.settings.get("proxy").and_then(serde_json::Value::as_str).filter(|proxy| !proxy.is_empty())
    }

    /// Time from start to end, or to `now` while it runs; zero when it never started.
    pub fn duration(&self, now: DateTime<Utc>) -> chrono::TimeDelta {
        match self.started_at {
            Some(start) => (self.finished_at.unwrap_or(now) - start).max(chrono::TimeDelta::zero()),
            None => chrono::TimeDelta::zero(),
        }
    }
}

/// One line of a run's log.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = run_log, check_for_backend(diesel::pg::Pg))]
pub struct LogLine {
    pub at: DateTime<Utc>,
    pub level: String,
    pub message: String,
}

/// One run.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn get(conn: &mut AsyncPgConnection, run_id: i64) -> Result<Option<Run>, SyncError> {
    Ok(sync_runs::table.find(run_id).select(Run::as_select()).first(conn).await.optional()?)
}

/// The run that goes on from an interrupted one.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn successor(conn: &mut AsyncPgConnection, run_id: i64) -> Result<Option<i64>, SyncError> {
    let query = sync_runs::table.filter(sync_runs::continues.eq(run_id)).select(sync_runs::id);
    Ok(query.order(sync_runs::id.desc()).first(conn).await.optional()?)
}

/// Runs, newest first, those below `before` when given; at most `limit`.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Run>, SyncError> {
    let mut query =
        sync_runs::table.select(Run::as_select()).order(sync_runs::id.desc()).limit(limit).into_boxed();
    if let Some(before) = before {
        query = query.filter(sync_runs::id.lt(before));
    }
    Ok(query.load(conn).await?)
}

/// Runs that ended from one moment on and before another, newest first; at most `limit`.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn between(
    conn: &mut AsyncPgConnection,
    from: DateTime<Utc>,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Run>, SyncError> {
    let query = sync_runs::table
        .filter(sync_runs::finished_at.ge(from).and(sync_runs::finished_at.lt(before)))
        .order(sync_runs::id.desc())
        .limit(limit)
        .select(Run::as_select());
    Ok(query.load(conn).await?)
}

/// The run that is queued, running or stopping.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn active(conn: &mut AsyncPgConnection) -> Result<Option<Run>, SyncError> {
    let query = sync_runs::table.filter(sync_runs::state.eq_any(ACTIVE)).select(Run::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// The run that ended last.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn last_finished(conn: &mut AsyncPgConnection) -> Result<Option<Run>, SyncError> {
    let query = sync_runs::table
        .filter(sync_runs::state.ne_all(ACTIVE))
        .order(sync_runs::id.desc())
        .select(Run::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// What [`active`] and [`last_finished`] tell, in one statement.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn active_and_last_finished(
    conn: &mut AsyncPgConnection,
) -> Result<(Option<Run>, Option<Run>), SyncError> {
    let of_either = sync_runs::state.eq_any(ACTIVE).or(sql::<Bool>(ENDED_LAST));
    let found: Vec<Run> =
        sync_runs::table.filter(of_either).select(Run::as_select()).kept().load(conn).await?;
    let (active, finished): (Vec<Run>, Vec<Run>) = found.into_iter().partition(|run| run.state().is_active());
    Ok((active.into_iter().next(), finished.into_iter().next()))
}

/// When a run last brought updates with success, with problems or without; `None`: never.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn last_succeeded_at(conn: &mut AsyncPgConnection) -> Result<Option<DateTime<Utc>>, SyncError> {
    let query = sync_runs::table
        .filter(
            sync_runs::state
                .eq_any([RunState::Succeeded, RunState::SucceededWithProblems].map(RunState::as_str)),
        )
        .filter(sync_runs::categories_only.eq(false))
        .select(diesel::dsl::max(sync_runs::finished_at));
    Ok(query.first(conn).await?)
}

/// The last lines of a run's log, oldest first; at most `limit`.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn log(conn: &mut AsyncPgConnection, run_id: i64, limit: i64) -> Result<Vec<LogLine>, SyncError> {
    let mut lines: Vec<LogLine> = run_log::table
        .filter(run_log::run_id.eq(run_id))
        .order(run_log::at.desc())
        .limit(limit)
        .select(LogLine::as_select())
        .load(conn)
        .await?;
    lines.reverse();
    Ok(lines)
}

/// Whether a run is to bring categories only, as asked for until now; the answer holds until the transaction ends.
pub(super) async fn is_categories_only(conn: &mut AsyncPgConnection, run_id: i64) -> QueryResult<bool> {
    sync_runs::table.find(run_id).select(sync_runs::categories_only).for_update().first(conn).await
}

/// Adds what a commit point made visible to a run's figures.
pub(super) async fn add_counts(
    conn: &mut AsyncPgConnection,
    run_id: i64,
    counts: &PublishCounts,
) -> QueryResult<()> {
    diesel::update(sync_runs::table.find(run_id))
        .set((
            sync_runs::new.eq(sync_runs::new + counts.new),
            sync_runs::revised.eq(sync_runs::revised + counts.revised),
            sync_runs::expired.eq(sync_runs::expired + counts.expired),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends a run, once: a run that has ended already stays as it is.
pub(super) async fn finish(
    conn: &mut AsyncPgConnection,
    run_id: i64,
    state: RunState,
    figures: &Figures,
    counts: &PublishCounts,
    error: Option<&RunError>,
) -> QueryResult<bool> {
    let error = error.map(|error| serde_json::to_value(error).unwrap_or_default());
    let name = (!figures.source_name.is_empty()).then_some(figures.source_name.as_str());
    let ending = sync_runs::table.find(run_id).filter(sync_runs::state.eq_any(state.words_before()));
    let changed = diesel::update(ending)
        .set((
            (
                sync_runs::state.eq(state.as_str()),
                // Not `now`, which is when this transaction began: the publishing in it takes the longest of all.
                sync_runs::finished_at.eq(sql::<Nullable<Timestamptz>>("clock_timestamp()")),
                sync_runs::phase.eq(figures.phase.map_or("", Phase::as_str)),
                sync_runs::rate.eq(None::<f64>),
                sync_runs::done.eq(figures.done),
                sync_runs::total.eq(figures.total),
                sync_runs::new.eq(sync_runs::new + counts.new),
                sync_runs::revised.eq(sync_runs::revised + counts.revised),
                sync_runs::expired.eq(sync_runs::expired + counts.expired),
            ),
            (
                sync_runs::revisions.eq(figures.revisions),
                sync_runs::bytes.eq(figures.bytes),
                sync_runs::calls.eq(figures.calls),
                sync_runs::received.eq(figures.received),
                sync_runs::failed.eq(figures.failed),
                sync_runs::notices.eq(json!(figures.notices)),
                figures.source_id.map(|id| sync_runs::source_id.eq(id)),
                name.map(|name| sync_runs::source_name.eq(name)),
                sync_runs::error.eq(error),
            ),
        ))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// What a run that begins now keeps of the options in force, as SQL for `settings`.
pub(super) fn present_settings() -> SqlLiteral<Jsonb> {
    sql("(SELECT jsonb_build_object('options_version', version, 'replica', replica, 'proxy', \
         CASE WHEN proxy_enabled THEN proxy_server || ':' || proxy_port ELSE '' END) FROM sync_options)")
}

/// Closes runs that nobody works on and nobody will: their job is gone. Returns how many.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub(super) async fn close_orphans(conn: &mut AsyncPgConnection) -> Result<usize, SyncError> {
    Ok(diesel::sql_query(
        "UPDATE sync_runs r SET state = 'interrupted', finished_at = now()
         WHERE r.state IN ('queued', 'running', 'stopping') AND NOT EXISTS
               (SELECT 1 FROM jobs j WHERE j.kind = $1 AND j.state IN ('waiting', 'running')
                  AND (j.args->>'run_id')::bigint = r.id)",
    )
    .bind::<diesel::sql_types::Text, _>(JOB_KIND)
    .execute(conn)
    .await?)
}
