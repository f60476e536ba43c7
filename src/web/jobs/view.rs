//! Jobs and moments of the schedule in words.

use chrono_tz::Tz;

use crate::jobs::{JobRow, JobState};
use crate::sync::schedule::{ATTEMPTS_MAX, MomentRow, Outcome, Retry};
use crate::web::moment::Moment;

/// One job as shown.
pub(super) struct JobView {
    pub id: i64,
    pub what: String,
    /// Of the synchronization it carries out.
    pub run_id: Option<i64>,
    /// Kind of the badge, and its word.
    pub kind: &'static str,
    pub word: &'static str,
    pub can_cancel: bool,
    pub can_retry: bool,
    pub attempts: i32,
    pub last_error: String,
    /// What the moment means: `Since`, `Not before`, `Ended`.
    pub when: &'static str,
    pub at: Moment,
    /// The server that works on it; empty: none.
    pub server: String,
}

impl JobView {
    pub fn new(job: &JobRow, zone: Tz) -> Self {
        let state = job.state();
        let (kind, word) = match state {
            JobState::Waiting => ("idle", "Waiting"),
            JobState::Running if job.cancel_requested => ("info", "Stopping"),
            JobState::Running => ("info", "Running"),
            JobState::Succeeded => ("ok", "Done"),
            JobState::Failed => ("bad", "Failed"),
            JobState::Canceled => ("warn", "Canceled"),
        };
        let (when, at) = match state {
            JobState::Waiting if job.run_after > job.created_at => ("Not before", job.run_after),
            JobState::Waiting => ("Since", job.created_at),
            JobState::Running => ("Since", job.started_at.unwrap_or(job.created_at)),
            _ => ("Ended", job.finished_at.unwrap_or(job.created_at)),
        };
        let run_id = run_of(job);
        Self {
            id: job.id,
            what: what(&job.kind).to_owned(),
            run_id,
            kind,
            word,
            can_cancel: state.is_active() && !job.cancel_requested,
            can_retry: matches!(state, JobState::Failed | JobState::Canceled),
            attempts: job.attempts,
            last_error: job.last_error.clone(),
            when,
            at: Moment::new(at, zone),
            server: job.owner_name.clone().unwrap_or_default(),
        }
    }
}

fn what(kind: &str) -> &str {
    match kind {
        "synchronize" => "Synchronization",
        "retention" => "Daily upkeep",
        "download" => "Getting files",
        "content_check" => "Looking after stored files",
        other => other,
    }
}

/// The synchronization that a job carries out.
pub(super) fn run_of(job: &JobRow) -> Option<i64> {
    (job.kind == "synchronize").then(|| job.args.get("run_id").and_then(serde_json::Value::as_i64))?
}

/// One moment of the schedule as shown.
pub(super) struct MomentView {
    pub at: Moment,
    /// `2 of 3`, or empty for the first.
    pub attempt: String,
    pub kind: &'static str,
    pub word: &'static str,
    pub run_id: Option<i64>,
}

impl MomentView {
    pub fn new(row: &MomentRow, zone: Tz) -> Self {
        let (kind, word) = match row.outcome() {
            Outcome::Started => ("ok", "Started"),
            Outcome::Late => ("ok", "Started late, because no server was at work"),
            Outcome::Skipped => ("warn", "Skipped, because a synchronization was at work"),
            Outcome::Passed => ("idle", "Missed, and not needed any more"),
        };
        let attempt =
            if row.attempt > 1 { format!("{} of {ATTEMPTS_MAX}", row.attempt) } else { String::new() };
        Self { at: Moment::new(row.moment, zone), attempt, kind, word, run_id: row.run_id }
    }
}

/// The attempt that is to come: `2 of 3`.
pub(super) fn attempt_words(retry: &Retry) -> String {
    format!("{} of {ATTEMPTS_MAX}", retry.attempt)
}
