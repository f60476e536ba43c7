//! How many questions of servers below use the database at once. Pages and jobs borrow from the same pool, so many servers
//! that synchronize together must leave them some of it.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Refusal, Services};
use crate::db::{POOL_SIZE, PooledConnection};
use crate::protocol::soap::ErrorCode;

/// Connections of the pool that are never lent to servers below.
const KEPT: u32 = 5;
/// Longest wait for a place; then the server below is told to come again.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Places for questions that need the database.
pub struct Places(Semaphore);

impl Default for Places {
    fn default() -> Self {
        Self(Semaphore::new((POOL_SIZE - KEPT) as usize))
    }
}

/// A connection for one question, and its place.
pub(super) struct Lent<'s> {
    conn: PooledConnection<'s>,
    _place: SemaphorePermit<'s>,
}

impl Deref for Lent<'_> {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        &self.conn
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.conn
    }
}

impl Services {
    /// Borrows a connection of the database.
    ///
    /// # Errors
    /// ServerBusy when no place or no connection is free in time.
    pub(super) async fn borrow(&self) -> Result<Lent<'_>, Refusal> {
        let place = match tokio::time::timeout(WAIT_MAX, self.places.0.acquire()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("servers below ask for more at once than this server answers");
                return Err(Refusal::plain(ErrorCode::ServerBusy));
            }
        };
        Ok(Lent { conn: self.pool.get().await?, _place: place })
    }
}
