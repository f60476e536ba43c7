//! The downstream servers we have seen. The only table this module writes.

use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::schema::downstream_servers::dsl;

/// Most downstream servers that are remembered; a made-up GUID costs nothing, a row does. Ours.
pub const SERVERS_MAX: i64 = 10_000;

/// Remembers a server by its id, with its newest name. `false`: it is new and there is no room for it.
///
/// # Errors
/// When the database fails.
pub async fn remember(conn: &mut AsyncPgConnection, id: Uuid, name: &str) -> QueryResult<bool> {
    let known = diesel::update(dsl::downstream_servers.find(id))
        .set((dsl::name.eq(name), dsl::last_seen_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    if known > 0 {
        return Ok(true);
    }
    let count: i64 = dsl::downstream_servers.count().get_result(conn).await?;
    if count >= SERVERS_MAX {
        return Ok(false);
    }
    diesel::insert_into(dsl::downstream_servers)
        .values((dsl::server_id.eq(id), dsl::name.eq(name)))
        .on_conflict(dsl::server_id)
        .do_update()
        .set(dsl::name.eq(excluded(dsl::name)))
        .execute(conn)
        .await?;
    Ok(true)
}

/// Notes which protocol version a server speaks.
///
/// # Errors
/// When the database fails.
pub async fn note_version(conn: &mut AsyncPgConnection, id: Uuid, version: &str) -> QueryResult<()> {
    diesel::update(dsl::downstream_servers.find(id))
        .set((dsl::protocol.eq(version), dsl::last_seen_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(())
}
