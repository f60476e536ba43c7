//! The database remembers which key its secrets were sealed with: all servers on it must have the same.
//!
//! Who works with the key holds a shared session lock, from before the key is looked at until the end. A key can be
//! replaced only under the exclusive lock, so never between another process's look and its first words.

use super::{DatabaseUrl, DbError, Lock, open_client};
use tokio_postgres::Client;

/// Shared by everyone who works with the key.
const KEY_LOCK: i64 = Lock::SecretKey.key();

/// A key at work: until this is dropped, no other key takes its place.
pub struct KeyClaim {
    _session: Client,
    /// The former key was lost, and this one took its place.
    pub replaced: bool,
}

/// Writes the fingerprint of the first key that comes; any other key is refused from then on. With `may_replace`
/// (this key was made a moment ago) another one takes its place if nobody works with that.
///
/// # Errors
/// [`DbError::OtherKey`] for another key, [`DbError::Statement`] when the database fails.
pub async fn claim_key(
    url: &DatabaseUrl,
    fingerprint: [u8; 32],
    may_replace: bool,
) -> Result<KeyClaim, DbError> {
    let session = open_client(url).await?;
    session.execute("SELECT pg_advisory_lock_shared($1)", &[&KEY_LOCK]).await?;
    let fingerprint = fingerprint.as_slice();
    let claim = "UPDATE server_identity SET key_fingerprint = $1 WHERE key_fingerprint IS NULL";
    session.execute(claim, &[&fingerprint]).await?;
    let known: Option<Vec<u8>> =
        session.query_one("SELECT key_fingerprint FROM server_identity", &[]).await?.get(0);
    if known.as_deref() == Some(fingerprint) {
        return Ok(KeyClaim { _session: session, replaced: false });
    }
    if !may_replace {
        return Err(DbError::OtherKey);
    }
    session.execute("SELECT pg_advisory_unlock_shared($1)", &[&KEY_LOCK]).await?;
    let alone: bool = session.query_one("SELECT pg_try_advisory_lock($1)", &[&KEY_LOCK]).await?.get(0);
    if !alone {
        return Err(DbError::OtherKey);
    }
    session.execute("UPDATE server_identity SET key_fingerprint = $1", &[&fingerprint]).await?;
    session.execute("SELECT pg_advisory_lock_shared($1)", &[&KEY_LOCK]).await?;
    session.execute("SELECT pg_advisory_unlock($1)", &[&KEY_LOCK]).await?;
    Ok(KeyClaim { _session: session, replaced: true })
}
