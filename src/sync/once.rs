//! One-time keys: a form carries one, and a form that is sent again leads to the run it asked for before.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::SyncError;
use super::runs::{self, Requested, Trigger};
use crate::db::schema::{sync_request_keys, sync_runs};

/// Asks for a run as [`runs::request`] does, unless `key` asked for one before: then the answer is that one,
/// also when it has ended.
///
/// Two requests with one key at the same time are told apart by nobody: the second joins the active run.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn request(
    conn: &mut AsyncPgConnection,
    key: Uuid,
    trigger: Trigger,
    started_by: &str,
) -> Result<Requested, SyncError> {
    let before = sync_request_keys::table
        .inner_join(sync_runs::table.on(sync_runs::id.eq(sync_request_keys::run_id)))
        .filter(sync_request_keys::key.eq(key))
        .select((sync_runs::id, sync_runs::started_by, sync_runs::requested_at))
        .first(conn)
        .await
        .optional()?;
    if let Some((run_id, started_by, requested_at)) = before {
        return Ok(Requested { run_id, joined: true, started_by, requested_at });
    }
    let requested = runs::request(conn, trigger, started_by).await?;
    diesel::insert_into(sync_request_keys::table)
        .values((sync_request_keys::key.eq(key), sync_request_keys::run_id.eq(requested.run_id)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(requested)
}
