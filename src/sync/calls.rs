//! The calls of a run: kept up to a limit, and read again one by one or summed up.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::SyncError;
use crate::db::schema::run_calls;
use crate::upstream::CallRecord;

/// Good calls kept of one run: about 200,000 revisions.
const GOOD_MAX: usize = 2_500;
/// Calls kept that went wrong.
const BAD_MAX: usize = 1_500;

/// One call as stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = run_calls, check_for_backend(diesel::pg::Pg))]
pub struct Call {
    /// When it began.
    pub at: DateTime<Utc>,
    pub operation: String,
    pub duration_ms: i64,
    /// Of the answer, unpacked.
    pub bytes: i64,
    /// Empty: good. Else what went wrong, a sentence.
    pub outcome: String,
}

/// All kept calls of one operation together.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Summary {
    #[diesel(sql_type = Text)]
    pub operation: String,
    #[diesel(sql_type = BigInt)]
    pub calls: i64,
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    #[diesel(sql_type = BigInt)]
    pub longest_ms: i64,
}

/// Calls that are to be kept and not written yet.
#[derive(Default)]
pub(super) struct Ledger {
    waiting: Vec<Call>,
    good: usize,
    bad: usize,
}

impl Ledger {
    /// Takes a call in while there is room for its kind.
    pub fn note(&mut self, record: CallRecord) {
        let (seen, max) = match record.outcome {
            Ok(()) => (&mut self.good, GOOD_MAX),
            Err(_) => (&mut self.bad, BAD_MAX),
        };
        *seen += 1;
        if *seen <= max {
            self.waiting.push(Call {
                at: record.at,
                operation: record.operation.to_owned(),
                duration_ms: i64::try_from(record.duration.as_millis()).unwrap_or(i64::MAX),
                bytes: i64::try_from(record.bytes).unwrap_or(i64::MAX),
                outcome: record.outcome.err().unwrap_or_default(),
            });
        }
    }

    pub fn take(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.waiting)
    }

    /// Puts back what could not be written.
    pub fn put_back(&mut self, mut calls: Vec<Call>) {
        calls.append(&mut self.waiting);
        self.waiting = calls;
    }
}

/// The last calls of a run, oldest first; at most `limit`.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn of_run(conn: &mut AsyncPgConnection, run_id: i64, limit: i64) -> Result<Vec<Call>, SyncError> {
    let mut calls: Vec<Call> = run_calls::table
        .filter(run_calls::run_id.eq(run_id))
        .order(run_calls::at.desc())
        .limit(limit)
        .select(Call::as_select())
        .load(conn)
        .await?;
    calls.reverse();
    Ok(calls)
}

/// The calls of a run by operation, in the order in which the operations were first used.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn summary(conn: &mut AsyncPgConnection, run_id: i64) -> Result<Vec<Summary>, SyncError> {
    Ok(diesel::sql_query(
        "SELECT operation, count(*) AS calls, count(*) FILTER (WHERE outcome <> '') AS failed,
                sum(bytes)::bigint AS bytes, max(duration_ms) AS longest_ms
         FROM run_calls WHERE run_id = $1 GROUP BY operation ORDER BY min(at)",
    )
    .bind::<BigInt, _>(run_id)
    .load(conn)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i9_calls_beyond_the_limit_are_not_kept_and_bad_ones_have_their_own() {
        let mut ledger = Ledger::default();
        let record = |outcome| CallRecord {
            at: Utc::now(),
            operation: "GetUpdateData",
            duration: std::time::Duration::from_millis(7),
            bytes: 10,
            outcome,
        };
        for _ in 0..GOOD_MAX + 10 {
            ledger.note(record(Ok(())));
        }
        ledger.note(record(Err("It broke off.".to_owned())));
        let kept = ledger.take();
        assert_eq!((kept.len(), kept.last().unwrap().outcome.as_str()), (GOOD_MAX + 1, "It broke off."));
        assert_eq!((kept[0].duration_ms, kept[0].bytes), (7, 10));
        assert!(ledger.take().is_empty());
    }
}
