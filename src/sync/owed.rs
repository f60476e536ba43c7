//! What a source listed and could not be stored, as people read it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::SyncError;
use crate::db::schema::{owed_revisions, sync_runs};

/// A revision that is asked for again by every synchronization with its source.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct OwedRevision {
    pub update_id: Uuid,
    pub revision: i32,
    /// Why it could not be stored the last time.
    pub reason: String,
    /// Synchronizations that tried.
    pub attempts: i32,
}

/// What the source of the run `run_id` owes now, oldest first; at most `limit`.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn of_run(
    conn: &mut AsyncPgConnection,
    run_id: i64,
    limit: i64,
) -> Result<Vec<OwedRevision>, SyncError> {
    let source: Option<Option<i64>> =
        sync_runs::table.find(run_id).select(sync_runs::source_id).first(conn).await.optional()?;
    let Some(source_id) = source.flatten() else { return Ok(Vec::new()) };
    Ok(owed_revisions::table
        .filter(owed_revisions::source_id.eq(source_id))
        .order((owed_revisions::since, owed_revisions::update_id, owed_revisions::revision_number))
        .limit(limit)
        .select((
            owed_revisions::update_id,
            owed_revisions::revision_number,
            owed_revisions::reason,
            owed_revisions::attempts,
        ))
        .load(conn)
        .await?)
}

/// What sources have owed since some moment in this time, with that moment, oldest first; at most `limit`.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn between(
    conn: &mut AsyncPgConnection,
    from: DateTime<Utc>,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(DateTime<Utc>, OwedRevision)>, SyncError> {
    let columns = (
        owed_revisions::update_id,
        owed_revisions::revision_number,
        owed_revisions::reason,
        owed_revisions::attempts,
    );
    Ok(owed_revisions::table
        .filter(owed_revisions::since.ge(from).and(owed_revisions::since.lt(before)))
        .order((owed_revisions::since, owed_revisions::update_id, owed_revisions::revision_number))
        .limit(limit)
        .select((owed_revisions::since, columns))
        .load(conn)
        .await?)
}
