//! Brings the schema up to date at start: one program at a time, and never by a program that is too old.

use super::url::reason;
use super::{DatabaseUrl, DbError, Lock, open_client};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

const LOCK_WAIT_S: u32 = 120;

/// Oldest server version that works, as `server_version_num` tells it: 13.0.
const SERVER_VERSION_MIN: i32 = 130_000;

/// Runs the pending migrations under a lock, after checking that server and program are new enough.
///
/// Needs a multi-thread runtime, and must not share a task with other futures, because the migration
/// harness blocks its thread.
///
/// # Errors
/// Every variant of [`DbError`] but `BadUrl` and `Pool`; the schema is unchanged or complete in each case.
pub async fn migrate(url: &DatabaseUrl) -> Result<(), DbError> {
    let client = open_client(url).await?;
    check_server(&client).await?;
    lock(&client).await?;
    check_program(&client, env!("CARGO_PKG_VERSION")).await?;
    let connection = AsyncPgConnection::establish(url.as_str())
        .await
        .map_err(|error| DbError::Unreachable { place: url.to_string(), reason: error.to_string() })?;
    let done = AsyncMigrationHarness::new(connection)
        .run_pending_migrations(MIGRATIONS)
        .map(|versions| versions.len())
        .map_err(|error| DbError::Migration { reason: error.to_string() })?;
    if done > 0 {
        tracing::info!(migrations = done, "the database schema was brought up to date");
    }
    client.execute("SELECT pg_advisory_unlock($1)", &[&Lock::Migration.key()]).await?;
    Ok(())
}

async fn check_server(client: &Client) -> Result<(), DbError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
            &[],
        )
        .await?;
    if row.get::<_, i32>(0) < SERVER_VERSION_MIN {
        return Err(DbError::ServerTooOld { found: row.get(1) });
    }
    Ok(())
}

async fn lock(client: &Client) -> Result<(), DbError> {
    client.batch_execute(&format!("SET lock_timeout = '{LOCK_WAIT_S}s'")).await?;
    match client.execute("SELECT pg_advisory_lock($1)", &[&Lock::Migration.key()]).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            Err(DbError::MigrationBusy { waited_s: LOCK_WAIT_S })
        }
        Err(error) => Err(DbError::Migration { reason: reason(&error) }),
    }
}

/// A schema changed by a newer program names the oldest one that may still work on it.
async fn check_program(client: &Client, ours: &str) -> Result<(), DbError> {
    let known = client.query_one("SELECT to_regclass('schema_floor') IS NOT NULL", &[]).await?;
    if !known.get::<_, bool>(0) {
        return Ok(());
    }
    let Some(row) = client.query_opt("SELECT oldest_program FROM schema_floor", &[]).await? else {
        return Ok(());
    };
    let needed: String = row.get(0);
    if version_parts(&needed) > version_parts(ours) {
        return Err(DbError::ProgramTooOld { needed, ours: ours.to_owned() });
    }
    Ok(())
}

/// `0.10.2` as numbers that compare rightly; what is not a number counts as 0.
fn version_parts(version: &str) -> [u32; 3] {
    let mut parts = [0; 3];
    for (part, text) in parts.iter_mut().zip(version.split(['.', '-'])) {
        *part = text.parse().unwrap_or(0);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::version_parts;

    #[test]
    fn versions_compare_by_number() {
        assert!(version_parts("0.10.0") > version_parts("0.9.9"));
        assert!(version_parts("1.0.0") > version_parts("0.99.0"));
        assert_eq!(version_parts("0.1.0"), version_parts("0.1.0"));
        assert!(version_parts("0.2") > version_parts("0.1.9"));
    }
}
