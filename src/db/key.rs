//! The database remembers which key its secrets were sealed with: all servers on it must have the same.

use super::DbError;
use super::schema::server_identity;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// Writes the fingerprint of the first key that comes; any other key is refused from then on.
///
/// # Errors
/// [`DbError::OtherKey`] for another key, [`DbError::Query`] when the database fails.
pub async fn claim_key(conn: &mut AsyncPgConnection, fingerprint: [u8; 32]) -> Result<(), DbError> {
    diesel::update(server_identity::table)
        .filter(server_identity::key_fingerprint.is_null())
        .set(server_identity::key_fingerprint.eq(fingerprint.to_vec()))
        .execute(conn)
        .await?;
    let known: Option<Vec<u8>> =
        server_identity::table.select(server_identity::key_fingerprint).first(conn).await?;
    if known.as_deref() == Some(fingerprint.as_slice()) { Ok(()) } else { Err(DbError::OtherKey) }
}

/// Makes the key of this fingerprint the one that counts. Call it only when the former key is lost and nobody works with
/// it any more.
///
/// # Errors
/// [`DbError::Query`] when the database fails.
pub async fn replace_key(conn: &mut AsyncPgConnection, fingerprint: [u8; 32]) -> Result<(), DbError> {
    diesel::update(server_identity::table)
        .set(server_identity::key_fingerprint.eq(fingerprint.to_vec()))
        .execute(conn)
        .await?;
    Ok(())
}
