//! The audit entry of a save, written in the transaction of that save. The log is append-only, so
//! each module that changes something adds its own entries.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Map, Value};

use super::actor::Actor;
use super::changes::Change;
use crate::db::schema::audit;

/// Writes one entry with the values before and after of the changed keys only.
pub(super) async fn record(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    changes: &[Change],
) -> QueryResult<()> {
    let side = |pick: fn(&Change) -> &Value| -> Value {
        let entries: Map<String, Value> =
            changes.iter().map(|one| (one.key.name().to_owned(), pick(one).clone())).collect();
        Value::Object(entries)
    };
    insert(conn, actor, "settings.save", side(|one| &one.before), side(|one| &one.after)).await
}

/// Writes the entry of a refused request that tried to change something locked.
///
/// # Errors
/// The database's.
pub async fn record_refusal(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    sentences: &[String],
) -> QueryResult<()> {
    let reasons = serde_json::json!({ "reasons": sentences });
    insert(conn, actor, "settings.refused", Value::Null, reasons).await
}

async fn insert(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    action: &str,
    before: Value,
    after: Value,
) -> QueryResult<()> {
    diesel::insert_into(audit::table)
        .values((
            audit::actor.eq(&actor.name),
            audit::account_id.eq(actor.account_id),
            audit::peer.eq(&actor.peer),
            audit::action.eq(action),
            audit::object.eq("synchronization options"),
            audit::before.eq(before),
            audit::after.eq(after),
            audit::request_id.eq(&actor.request_id),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
