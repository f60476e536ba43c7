//! Starts runs at their time.
//!
//! The next moment is a row that is compared with the wall clock every few seconds, because timers do not count the
//! time a machine sleeps. `decide` says what a look at the clock leads to and does no I/O; this file carries it out
//! in one transaction. What became of a moment is a row as well, whose key makes it happen once on any number of
//! servers.

mod decide;
mod facts;
mod keeper;
mod moments;

pub use facts::{ATTEMPTS_MAX, CATCH_UP_AFTER, DELAY_MAX, RETRY_AFTER, Retry, next_due, pending_retry};
pub use keeper::keep;
pub use moments::{MomentRow, Outcome, list_moments};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::SyncError;
use super::runs::{self, Requested, Trigger};
use crate::db::schema::{run_log, schedule_due, schedule_moments};
use decide::{Decision, Moment, decide};
use facts::{Facts, STEP_BACK_MAX};

/// Who started a scheduled run, as shown.
pub const STARTED_BY: &str = "schedule";

/// What a look at the clock led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tick {
    /// Nothing is due.
    Nothing,
    /// The row did not fit the options or the clock, and was drawn anew.
    Planned(Option<DateTime<Utc>>),
    /// A run was started.
    Started(Requested),
    /// A run was active at that moment; the moment is noted there and passed over.
    Skipped { run_id: i64 },
    /// The moment went by while nobody looked, and what it was for had been done.
    Passed,
}

/// Compares the due moment with `now`, and starts a run when it has come. Safe to call from many processes.
///
/// # Errors
/// [`SyncError::Query`] and [`SyncError::Settings`] when the database fails.
pub async fn tick(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<Tick, SyncError> {
    if decide(&Facts::load(conn, false).await?, now) == Decision::Wait {
        return Ok(Tick::Nothing);
    }
    // Again under the row's lock, where what was read cannot change.
    conn.transaction(async |conn| {
        let facts = Facts::load(conn, true).await?;
        let decision = decide(&facts, now);
        carry_out(conn, &facts, decision, now).await
    })
    .await
}

async fn carry_out(
    conn: &mut AsyncPgConnection,
    facts: &Facts,
    decision: Decision,
    now: DateTime<Utc>,
) -> Result<Tick, SyncError> {
    match decision {
        Decision::Wait => Ok(Tick::Nothing),
        Decision::Plan => plan(conn, facts, None, now).await.map(Tick::Planned),
        Decision::Retry(moment) => begin(conn, moment, Outcome::Started).await,
        Decision::Begin { moment, late } => {
            plan(conn, facts, Some(moment.moment), now).await?;
            begin(conn, moment, if late { Outcome::Late } else { Outcome::Started }).await
        }
        Decision::Skip { moment, run_id } => {
            plan(conn, facts, Some(moment.moment), now).await?;
            if note(conn, moment, Outcome::Skipped, Some(run_id)).await? {
                let text = "A scheduled synchronization was due while this one was at work, and was skipped.";
                log(conn, run_id, "notice", text).await?;
            }
            Ok(Tick::Skipped { run_id })
        }
        Decision::Pass(moment) => {
            plan(conn, facts, Some(moment.moment), now).await?;
            note(conn, moment, Outcome::Passed, None).await?;
            Ok(Tick::Passed)
        }
    }
}

/// Draws the next moment, with its random delay, and writes it down. `decided` is the moment just dealt with.
async fn plan(
    conn: &mut AsyncPgConnection,
    facts: &Facts,
    decided: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, SyncError> {
    // Moments far in the future were decided by a clock that was wrong.
    let wrong = schedule_moments::table.filter(schedule_moments::moment.gt(now + STEP_BACK_MAX));
    diesel::delete(wrong).execute(conn).await?;
    let moment = facts.next_after(decided, now);
    let delay_s = if facts.is_delayed { rand::random_range(0..=DELAY_MAX.num_seconds()) } else { 0 };
    let due_at = moment.map(|moment| moment + chrono::TimeDelta::seconds(delay_s));
    diesel::update(schedule_due::table)
        .set((
            schedule_due::moment.eq(moment),
            schedule_due::due_at.eq(due_at),
            schedule_due::options_version.eq(facts.version),
        ))
        .execute(conn)
        .await?;
    Ok(due_at)
}

async fn begin(conn: &mut AsyncPgConnection, moment: Moment, outcome: Outcome) -> Result<Tick, SyncError> {
    if !note(conn, moment, outcome, None).await? {
        return Ok(Tick::Nothing);
    }
    let requested = runs::request(conn, Trigger::Schedule, STARTED_BY).await?;
    let row = schedule_moments::table.find((moment.moment, moment.attempt));
    let (outcome, run_id) = (if requested.joined { Outcome::Skipped } else { outcome }, requested.run_id);
    diesel::update(row)
        .set((schedule_moments::run_id.eq(run_id), schedule_moments::outcome.eq(outcome.as_str())))
        .execute(conn)
        .await?;
    if requested.joined {
        return Ok(Tick::Skipped { run_id });
    }
    let planned = moment.moment.format("%-d %b %Y, %H:%M UTC");
    let text = match (moment.attempt, outcome) {
        (1, Outcome::Late) => format!("Planned for {planned}, which had passed while Weir was not at work."),
        (1, _) => format!("Planned for {planned}."),
        (attempt, _) => {
            format!(
                "Attempt {attempt} of {ATTEMPTS_MAX} for {planned}, because the update source could not be reached."
            )
        }
    };
    log(conn, run_id, "info", &text).await?;
    Ok(Tick::Started(requested))
}

/// Writes down what becomes of a moment. `false`: that was decided before.
async fn note(
    conn: &mut AsyncPgConnection,
    moment: Moment,
    outcome: Outcome,
    run_id: Option<i64>,
) -> Result<bool, SyncError> {
    let written = diesel::insert_into(schedule_moments::table)
        .values((
            schedule_moments::moment.eq(moment.moment),
            schedule_moments::attempt.eq(moment.attempt),
            schedule_moments::due_at.eq(moment.due_at),
            schedule_moments::outcome.eq(outcome.as_str()),
            schedule_moments::run_id.eq(run_id),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(written == 1)
}

async fn log(conn: &mut AsyncPgConnection, run_id: i64, level: &str, text: &str) -> Result<(), SyncError> {
    diesel::insert_into(run_log::table)
        .values((run_log::run_id.eq(run_id), run_log::level.eq(level), run_log::message.eq(text)))
        .execute(conn)
        .await?;
    Ok(())
}
