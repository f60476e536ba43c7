//! What became of the moments of the schedule: rows that are written once.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::schema::schedule_moments;
use crate::sync::SyncError;

/// What became of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Started,
    /// Started later, because it had been missed.
    Late,
    /// A run was at work.
    Skipped,
    /// Missed, with nothing to catch up.
    Passed,
}

impl Outcome {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Late => "late",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
        }
    }
}

/// What became of one moment of the schedule, for one attempt.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = schedule_moments, check_for_backend(diesel::pg::Pg))]
pub struct MomentRow {
    pub moment: DateTime<Utc>,
    /// 1 to [`super::ATTEMPTS_MAX`].
    pub attempt: i16,
    #[diesel(column_name = outcome)]
    outcome_word: String,
    /// The run it started, or the one that was in its way.
    pub run_id: Option<i64>,
}

impl MomentRow {
    /// What became of it. An unknown word counts as passed.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let all = [Outcome::Started, Outcome::Late, Outcome::Skipped];
        all.into_iter().find(|one| one.as_str() == self.outcome_word).unwrap_or(Outcome::Passed)
    }
}

/// What became of the last moments, the latest first; at most `limit`.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn list_moments(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<MomentRow>, SyncError> {
    let query = schedule_moments::table.select(MomentRow::as_select()).limit(limit);
    let latest = (schedule_moments::moment.desc(), schedule_moments::attempt.desc());
    Ok(query.order(latest).load(conn).await?)
}
