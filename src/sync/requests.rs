//! Asking for a run, and asking one to stop.
//!
//! One run at a time is a unique index of the database; a second request joins the run that is there.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::SyncError;
use super::runs::{ACTIVE, JOB_KIND, RunState};
use crate::db::schema::{run_log, sync_runs};
use crate::jobs;

/// Why a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// In the browser.
    Manual,
    Schedule,
    /// `weir sync`.
    Command,
}

impl Trigger {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Command => "command",
        }
    }
}

/// The answer to a request for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    pub run_id: i64,
    /// A run was there already; nothing was started.
    pub joined: bool,
    /// Who began the run.
    pub started_by: String,
    pub requested_at: DateTime<Utc>,
}

/// Asks for a run. When one is active the answer is that one; if it was to bring categories only, it now brings
/// everything.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn request(
    conn: &mut AsyncPgConnection,
    trigger: Trigger,
    started_by: &str,
) -> Result<Requested, SyncError> {
    ask(conn, trigger, started_by, false).await
}

/// Asks for a run that brings products and classifications and no updates. When any run is active the answer is that
/// one.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn request_categories(
    conn: &mut AsyncPgConnection,
    started_by: &str,
) -> Result<Requested, SyncError> {
    ask(conn, Trigger::Manual, started_by, true).await
}

async fn ask(
    conn: &mut AsyncPgConnection,
    trigger: Trigger,
    started_by: &str,
    categories_only: bool,
) -> Result<Requested, SyncError> {
    // A run may end between the two looks; then the next attempt starts one.
    for _ in 0..10 {
        let once = async |conn: &mut AsyncPgConnection| {
            request_once(conn, trigger, started_by, categories_only).await
        };
        let requested = conn.transaction(once).await?;
        if let Some(requested) = requested {
            return Ok(requested);
        }
    }
    Err(SyncError::Query(diesel::result::Error::NotFound))
}

async fn request_once(
    conn: &mut AsyncPgConnection,
    trigger: Trigger,
    started_by: &str,
    categories_only: bool,
) -> Result<Option<Requested>, SyncError> {
    let columns = (sync_runs::id, sync_runs::started_by, sync_runs::requested_at);
    let started: Option<(i64, String, DateTime<Utc>)> = diesel::insert_into(sync_runs::table)
        .values((
            sync_runs::state.eq(RunState::Queued.as_str()),
            sync_runs::trigger.eq(trigger.as_str()),
            sync_runs::started_by.eq(started_by),
            sync_runs::categories_only.eq(categories_only),
        ))
        .on_conflict_do_nothing()
        .returning(columns)
        .get_result(conn)
        .await
        .optional()?;
    if let Some((run_id, started_by, requested_at)) = started {
        jobs::enqueue(conn, JOB_KIND, &dedup_key(run_id), json!({ "run_id": run_id })).await?;
        return Ok(Some(Requested { run_id, joined: false, started_by, requested_at }));
    }
    if !categories_only {
        let narrow = sync_runs::table.filter(sync_runs::state.eq_any(ACTIVE).and(sync_runs::categories_only));
        diesel::update(narrow).set(sync_runs::categories_only.eq(false)).execute(conn).await?;
    }
    let there: Option<(i64, String, DateTime<Utc>)> = sync_runs::table
        .filter(sync_runs::state.eq_any(ACTIVE))
        .select(columns)
        .first(conn)
        .await
        .optional()?;
    Ok(there.map(|(run_id, started_by, requested_at)| Requested {
        run_id,
        joined: true,
        started_by,
        requested_at,
    }))
}

fn dedup_key(run_id: i64) -> String {
    format!("synchronize {run_id}")
}

/// Asks a run to stop. `false`: it has ended already, or does not exist.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn stop(conn: &mut AsyncPgConnection, run_id: i64, stopped_by: &str) -> Result<bool, SyncError> {
    conn.transaction(async |conn| {
        let state: Option<String> = sync_runs::table
            .find(run_id)
            .filter(sync_runs::state.eq_any(ACTIVE))
            .select(sync_runs::state)
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let Some(state) = state else { return Ok(false) };
        if state == RunState::Queued.as_str() && jobs::cancel_waiting(conn, &dedup_key(run_id)).await? {
            let error = serde_json::to_value(SyncError::Canceled.story(0)).unwrap_or_default();
            diesel::update(sync_runs::table.find(run_id))
                .set((
                    sync_runs::state.eq(RunState::Canceled.as_str()),
                    sync_runs::finished_at.eq(diesel::dsl::now),
                    sync_runs::error.eq(error),
                ))
                .execute(conn)
                .await?;
        } else {
            diesel::update(sync_runs::table.find(run_id))
                .set(sync_runs::state.eq(RunState::Stopping.as_str()))
                .execute(conn)
                .await?;
        }
        diesel::insert_into(run_log::table)
            .values((
                run_log::run_id.eq(run_id),
                run_log::level.eq("info"),
                run_log::message.eq(format!("{stopped_by} asked to stop.")),
            ))
            .execute(conn)
            .await?;
        Ok(true)
    })
    .await
}
