//! Connections: the pool everybody uses, and single raw ones for bulk import.

use super::url::reason;
use super::{DatabaseUrl, DbError};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, bb8};
use std::time::Duration;

/// The pool of one process.
pub type Pool = bb8::Pool<AsyncPgConnection>;
/// A connection borrowed from a [`Pool`]; dereferences to [`AsyncPgConnection`].
pub type PooledConnection<'a> = bb8::PooledConnection<'a, AsyncPgConnection>;
/// Why a pool could not lend a connection.
pub type PoolError = bb8::RunError;

/// Most connections one process holds through its pool.
pub const POOL_SIZE: u32 = 12;

/// Longest wait for a connection from the pool, and for opening one.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Opens the pool of a migrated database; one connection is tried at once.
///
/// # Errors
/// [`DbError::Unreachable`] when that first connection fails.
pub async fn connect(url: &DatabaseUrl) -> Result<Pool, DbError> {
    drop(open_client(url).await?);
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(url.as_str());
    let pool = bb8::Pool::builder()
        .max_size(POOL_SIZE)
        .connection_timeout(WAIT_MAX)
        .build(manager)
        .await
        .map_err(|error| DbError::Unreachable { place: url.to_string(), reason: error.to_string() })?;
    Ok(pool)
}

/// Opens one connection outside the pool, for bulk import and for session locks.
///
/// The connection's task ends when the client is dropped.
///
/// # Errors
/// [`DbError::Unreachable`], also when the server does not answer within 5 seconds.
pub async fn open_client(url: &DatabaseUrl) -> Result<tokio_postgres::Client, DbError> {
    let unreachable = |reason: String| DbError::Unreachable { place: url.to_string(), reason };
    let opening = tokio_postgres::connect(url.as_str(), tokio_postgres::NoTls);
    let (client, connection) = tokio::time::timeout(WAIT_MAX, opening)
        .await
        .map_err(|_| unreachable(format!("no answer within {} seconds", WAIT_MAX.as_secs())))?
        .map_err(|error| unreachable(reason(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a database connection ended");
        }
    });
    Ok(client)
}
