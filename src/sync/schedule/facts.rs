//! What a look at the clock needs to know, and what pages tell about it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::moments::Outcome;
use crate::db::schema::{schedule_due, schedule_moments, sync_runs};
use crate::settings::schedule::next_moment;
use crate::settings::{self, Schedule, ScheduleMode, SourceKind};
use crate::sync::SyncError;
use crate::sync::runs::{self, RunState};

/// Longest random delay of a run from Microsoft Update. Source: WSUS, which says so on its page.
pub const DELAY_MAX: TimeDelta = TimeDelta::minutes(30);
/// A moment that is so long past was missed: the machine slept, or Weir did not run. Ours.
pub const CATCH_UP_AFTER: TimeDelta = TimeDelta::minutes(5);
/// Between the end of a run that could not reach the update source and the next attempt. Source: WSUS.
pub const RETRY_AFTER: TimeDelta = TimeDelta::minutes(15);
/// Attempts for one moment, the first included. Source: WSUS.
pub const ATTEMPTS_MAX: i16 = 3;
/// A clock that was set back by up to so much runs through decided moments without a second run; a greater step is
/// believed to repair a clock that was wrong.
pub(super) const STEP_BACK_MAX: TimeDelta = TimeDelta::days(1);
/// Kinds of error that another attempt may cure: the update source or the way to it did not answer.
const NETWORK_CODES: [&str; 4] = ["UssNotFound", "UssCommunicationError", "UssBusy", "ProxyError"];

/// An attempt that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub moment: DateTime<Utc>,
    /// 2 or 3.
    pub attempt: i16,
    pub due_at: DateTime<Utc>,
}

/// The newest run, when it belongs to the schedule and failed on the way to the update source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unreached {
    pub moment: DateTime<Utc>,
    pub attempt: i16,
    pub ended_at: DateTime<Utc>,
}

/// Everything a decision depends on.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub schedule: Schedule,
    /// Of the options in force, and of those that the plan was made for.
    pub version: i64,
    pub planned_for: i64,
    /// The next moment, and the same with its delay.
    pub planned: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Runs start with a random delay.
    pub is_delayed: bool,
    /// The latest moment that was decided.
    pub last_decided: Option<DateTime<Utc>>,
    /// When the last run that succeeded was asked for.
    pub last_success: Option<DateTime<Utc>>,
    pub active_run: Option<i64>,
    pub unreached: Option<Unreached>,
}

impl Facts {
    /// Reads them; `locked` holds the row of the plan until the end of the transaction.
    pub async fn load(conn: &mut AsyncPgConnection, locked: bool) -> Result<Self, SyncError> {
        let columns = (schedule_due::moment, schedule_due::due_at, schedule_due::options_version);
        let query = schedule_due::table.select(columns);
        type Row = (Option<DateTime<Utc>>, Option<DateTime<Utc>>, i64);
        let (moment, due_at, planned_for): Row =
            if locked { query.for_update().first(conn).await? } else { query.first(conn).await? };
        let options = settings::load(conn).await?;
        let last_decided: Option<DateTime<Utc>> = schedule_moments::table
            .select(schedule_moments::moment)
            .order(schedule_moments::moment.desc())
            .first(conn)
            .await
            .optional()?;
        let succeeded = [RunState::Succeeded.as_str(), RunState::SucceededWithProblems.as_str()];
        let last_success: Option<DateTime<Utc>> = sync_runs::table
            .filter(sync_runs::state.eq_any(succeeded))
            .select(sync_runs::requested_at)
            .order(sync_runs::id.desc())
            .first(conn)
            .await
            .optional()?;
        Ok(Self {
            schedule: options.schedule,
            version: options.version,
            planned_for,
            // A program that knows no delay writes only the one.
            planned: due_at.map(|due_at| (moment.unwrap_or(due_at), due_at)),
            is_delayed: options.source.kind == SourceKind::MicrosoftUpdate,
            last_decided,
            last_success,
            active_run: runs::active(conn).await?.map(|run| run.id),
            unreached: unreached(conn).await?,
        })
    }

    /// The moment to plan at `now`, after the one just `decided`.
    pub fn next_after(&self, decided: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let decided = decided.into_iter().chain(self.last_decided);
        let believed = decided.filter(|moment| *moment <= now + STEP_BACK_MAX);
        next_moment(&self.schedule, believed.fold(now, DateTime::max))
    }

    /// Time between two moments, on average.
    pub fn interval(&self) -> TimeDelta {
        TimeDelta::days(1) / i32::from(self.schedule.per_day.max(1))
    }

    /// The attempt that is still to come.
    pub fn retry(&self) -> Option<Retry> {
        let Unreached { moment, attempt, ended_at } = self.unreached?;
        let wanted = self.schedule.mode == ScheduleMode::Daily && self.active_run.is_none();
        (wanted && attempt < ATTEMPTS_MAX).then(|| Retry {
            moment,
            attempt: attempt + 1,
            due_at: ended_at + RETRY_AFTER,
        })
    }
}

async fn unreached(conn: &mut AsyncPgConnection) -> Result<Option<Unreached>, SyncError> {
    type Newest = (String, String, Option<serde_json::Value>, Option<DateTime<Utc>>);
    let newest: Option<Newest> = sync_runs::table
        .select((sync_runs::trigger, sync_runs::state, sync_runs::error, sync_runs::finished_at))
        .order(sync_runs::id.desc())
        .first(conn)
        .await
        .optional()?;
    let Some((trigger, state, Some(error), Some(ended_at))) = newest else { return Ok(None) };
    let code = error.get("code").and_then(serde_json::Value::as_str).unwrap_or_default();
    let is_ours = trigger == runs::Trigger::Schedule.as_str() && state == RunState::Failed.as_str();
    if !is_ours || !NETWORK_CODES.contains(&code) {
        return Ok(None);
    }
    let started = [Outcome::Started.as_str(), Outcome::Late.as_str()];
    let last: Option<(DateTime<Utc>, i16)> = schedule_moments::table
        .filter(schedule_moments::outcome.eq_any(started))
        .select((schedule_moments::moment, schedule_moments::attempt))
        .order((schedule_moments::run_id.desc(), schedule_moments::attempt.desc()))
        .first(conn)
        .await
        .optional()?;
    Ok(last.map(|(moment, attempt)| Unreached { moment, attempt, ended_at }))
}

/// The next planned start, a further attempt included; `None` when synchronizing manually.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn next_due(conn: &mut AsyncPgConnection) -> Result<Option<DateTime<Utc>>, SyncError> {
    let facts = Facts::load(conn, false).await?;
    if facts.schedule.mode == ScheduleMode::Manual {
        return Ok(None);
    }
    let planned = match facts.planned {
        Some((_, due_at)) if facts.planned_for == facts.version => Some(due_at),
        // Just saved, not looked at yet: the same function says what the row will hold.
        _ => facts.next_after(None, Utc::now()),
    };
    Ok(planned.into_iter().chain(facts.retry().map(|retry| retry.due_at)).min())
}

/// The further attempt that is to come before the next moment.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn pending_retry(conn: &mut AsyncPgConnection) -> Result<Option<Retry>, SyncError> {
    let facts = Facts::load(conn, false).await?;
    let next = facts.planned.map(|(_, due_at)| due_at);
    Ok(facts.retry().filter(|retry| next.is_none_or(|next| retry.due_at < next)))
}
