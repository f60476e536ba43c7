//! Connections: the pool everybody uses, and single raw ones for bulk import.

use super::url::reason;
use super::{DatabaseUrl, DbError};
use diesel::IntoSql as _;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel::sql_types::Integer;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection as _, RecyclingMethod, bb8,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// For so long after a connection of the pool answered, the others are lent without a question.
const BELIEVED: Duration = Duration::from_millis(200);

/// Opens the pool of a migrated database; one connection is tried at once.
///
/// # Errors
/// [`DbError::Unreachable`] when that first connection fails.
pub async fn connect(url: &DatabaseUrl) -> Result<Pool, DbError> {
    drop(open_client(url).await?);
    let question = Arc::<Question>::default();
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::CustomFunction(Box::new(move |conn| {
        let question = question.clone();
        Box::pin(async move { question.put(conn).await })
    }));
    let manager = AsyncDieselConnectionManager::new_with_config(url.as_str(), config);
    let pool = bb8::Pool::builder()
        .max_size(POOL_SIZE)
        .connection_timeout(WAIT_MAX)
        .build(manager)
        .await
        .map_err(|error| DbError::Unreachable { place: url.to_string(), reason: error.to_string() })?;
    Ok(pool)
}

/// Whether a connection lives, which is asked before it is lent. A busy server asks a few times a second and not for
/// each page: a connection that was closed is known without asking, and one that is found closed has all the others
/// asked.
#[derive(Default)]
struct Question {
    /// When one last answered; `None`: the next one is asked.
    answered: Mutex<Option<Instant>>,
}

impl Question {
    async fn put(&self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        let answer = if conn.is_broken() {
            let closed = Box::new("the connection is closed".to_owned());
            Err(Error::DatabaseError(DatabaseErrorKind::ClosedConnection, closed))
        } else if self.is_believed() {
            return Ok(());
        } else {
            diesel::select(1.into_sql::<Integer>()).get_result::<i32>(conn).await
        };
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = answer.is_ok().then(Instant::now);
        answer.map(drop)
    }

    fn is_believed(&self) -> bool {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.is_some_and(|moment| moment.elapsed() < BELIEVED)
    }
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
