//! The wake-up call between processes: who changes the queue notifies, every worker listens.
//!
//! A call that is lost does no harm, because workers also look for themselves.

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// The channel's name in PostgreSQL.
pub(super) const CHANNEL: &str = "weir_jobs";

/// Calls the workers when the caller's transaction commits.
pub(super) async fn wake_workers(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify($1, '')").bind::<Text, _>(CHANNEL).execute(conn).await?;
    Ok(())
}
