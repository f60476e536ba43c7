//! Connections: the pool everybody uses, and single raw ones for bulk import.

use super::url::reason;
use super::{DatabaseUrl, DbError};
use diesel::IntoSql as _;
use diesel::result::QueryResult;
use diesel::sql_types::Integer;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, bb8};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
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

tokio::task_local! {
    /// Set while a connection is lent without asking whether it lives.
    static UNASKED: ();
}

/// Opens the pool of a migrated database; one connection is tried at once. A connection is asked whether it lives before
/// it is lent, but for [`first_read`].
///
/// # Errors
/// [`DbError::Unreachable`] when that first connection fails.
pub async fn connect(url: &DatabaseUrl) -> Result<Pool, DbError> {
    drop(open_client(url).await?);
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::CustomFunction(Box::new(|conn| Box::pin(ask(conn))));
    let manager = AsyncDieselConnectionManager::new_with_config(url.as_str(), config);
    let pool = bb8::Pool::builder()
        .max_size(POOL_SIZE)
        .connection_timeout(WAIT_MAX)
        .build(manager)
        .await
        .map_err(|error| DbError::Unreachable { place: url.to_string(), reason: error.to_string() })?;
    Ok(pool)
}

async fn ask(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    if UNASKED.try_get().is_ok() {
        return Ok(());
    }
    diesel::select(1.into_sql::<Integer>()).get_result::<i32>(conn).await.map(drop)
}

/// Something that is read from the database, and may be read twice.
pub trait Reading: Sync {
    type Answer: Send;
    type Error: Send;

    fn read(
        &self,
        conn: &mut AsyncPgConnection,
    ) -> impl Future<Output = Result<Self::Answer, Self::Error>> + Send;
}

/// Lends a connection and reads with it, without asking first whether it lives: the reading shows. Where it fails, or has
/// no answer within 5 seconds, it is done once more with a connection that was asked. It saves the busiest pages one of
/// two journeys to the database.
///
/// # Errors
/// [`PoolError`] when no connection could be lent in time; inside, what the reading says.
pub async fn first_read<R: Reading>(
    pool: &Pool,
    what: &R,
) -> Result<(PooledConnection<'static>, Result<R::Answer, R::Error>), PoolError> {
    let mut conn = UNASKED.scope((), pool.get_owned()).await?;
    if let Ok(Ok(answer)) = tokio::time::timeout(WAIT_MAX, what.read(&mut conn)).await {
        return Ok((conn, Ok(answer)));
    }
    drop(conn);
    let mut conn = pool.get_owned().await?;
    let answer = what.read(&mut conn).await;
    Ok((conn, answer))
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
