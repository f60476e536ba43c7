//! Failed attempts to sign in as a person, told to that person afterwards. They are lines of the audit log.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::audit::SIGN_IN_FAILED;
use crate::db::schema::{accounts, audit, sessions};

/// Attempts counted; beyond that there are "so many or more". Ours.
pub const COUNT_MAX: i64 = 1_000;

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Failure {
    pub at: DateTime<Utc>,
    /// The address it came from; empty when unknown.
    pub peer: String,
}

/// Failed attempts that the person has not seen yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    /// 1 to [`COUNT_MAX`].
    pub count: i32,
    pub first_at: DateTime<Utc>,
    pub last: Failure,
}

/// The newest failed attempts, newest first.
///
/// # Errors
/// The database's.
pub async fn newest(conn: &mut AsyncPgConnection, account_id: i64, limit: i64) -> QueryResult<Vec<Failure>> {
    after(conn, account_id, 0, limit).await
}

/// Those that the person has not seen; `None`: none.
///
/// # Errors
/// The database's.
pub(super) async fn unseen(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<Option<Failures>> {
    let seen: i64 = accounts::table.find(account_id).select(accounts::failures_seen_id).first(conn).await?;
    let found = after(conn, account_id, seen, COUNT_MAX).await?;
    let count = i32::try_from(found.len()).unwrap_or(i32::MAX);
    let first_at = found.last().map(|oldest| oldest.at);
    let newest = found.into_iter().next();
    Ok(newest.zip(first_at).map(|(last, first_at)| Failures { count, first_at, last }))
}

async fn after(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    seen: i64,
    limit: i64,
) -> QueryResult<Vec<Failure>> {
    audit::table
        .filter(audit::account_id.eq(account_id))
        .filter(audit::action.eq(SIGN_IN_FAILED))
        .filter(audit::id.gt(seen))
        .order(audit::id.desc())
        .limit(limit)
        .select((audit::at, audit::peer))
        .load(conn)
        .await
}

/// Notes that the person has seen what there is, in all sessions. The lines of the log stay.
///
/// # Errors
/// The database's.
pub async fn mark_seen(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<()> {
    conn.transaction(async |conn| {
        let newest: Option<i64> =
            audit::table.select(audit::id).order(audit::id.desc()).first(conn).await.optional()?;
        diesel::update(accounts::table.find(account_id))
            .set(accounts::failures_seen_id.eq(newest.unwrap_or_default()))
            .execute(conn)
            .await?;
        diesel::update(sessions::table.filter(sessions::account_id.eq(account_id)))
            .set(sessions::failed_count.eq(0))
            .execute(conn)
            .await?;
        Ok(())
    })
    .await
}
