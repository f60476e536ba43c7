//! What was typed or chosen and is not saved yet, kept between the page and its dialogs. A draft
//! belongs to one account; it never holds a password.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::keys::Key;
use crate::db::schema::option_drafts;

/// A draft is forgotten after a day without use (ours).
const LIFETIME: TimeDelta = TimeDelta::days(1);
/// Drafts kept for one account; the oldest go first (ours).
const PER_ACCOUNT_MAX: i64 = 20;

/// Unsaved values on top of one version of the options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The version of the options the person was looking at.
    pub version: i64,
    /// As typed, by key; no entry for the password.
    pub values: BTreeMap<Key, String>,
    /// A password was typed too. It is not kept, and the page says so.
    pub password_lost: bool,
}

impl Draft {
    fn to_json(&self) -> Value {
        let values: Map<String, Value> = self
            .values
            .iter()
            .filter(|(key, _)| **key != Key::ProxyPassword)
            .map(|(key, value)| (key.name().to_owned(), json!(value)))
            .collect();
        json!({ "version": self.version, "values": values, "password_lost": self.password_lost })
    }

    /// Entries that this program does not know are passed over.
    fn from_json(json: &Value) -> Self {
        let values = json["values"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((Key::parse(name)?, value.as_str()?.to_owned())));
        Self {
            version: json["version"].as_i64().unwrap_or(0),
            values: values.collect(),
            password_lost: json["password_lost"] == true,
        }
    }
}

/// The account's draft of this id; `None`: there is none, or it is somebody else's.
///
/// # Errors
/// The database's.
pub async fn load(conn: &mut AsyncPgConnection, account_id: i64, id: Uuid) -> QueryResult<Option<Draft>> {
    let json: Option<Value> = option_drafts::table
        .filter(option_drafts::id.eq(id))
        .filter(option_drafts::account_id.eq(account_id))
        .select(option_drafts::typed)
        .first(conn)
        .await
        .optional()?;
    Ok(json.as_ref().map(Draft::from_json))
}

/// Keeps a draft: in place of the account's own draft `id`, else as a new one. Returns its id.
///
/// # Errors
/// The database's.
pub async fn store(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    id: Option<Uuid>,
    draft: &Draft,
) -> QueryResult<Uuid> {
    if let Some(id) = id {
        let changed = diesel::update(option_drafts::table)
            .filter(option_drafts::id.eq(id))
            .filter(option_drafts::account_id.eq(account_id))
            .set((option_drafts::typed.eq(draft.to_json()), option_drafts::updated_at.eq(diesel::dsl::now)))
            .execute(conn)
            .await?;
        if changed > 0 {
            return Ok(id);
        }
    }
    forget_old(conn, account_id).await?;
    diesel::insert_into(option_drafts::table)
        .values((option_drafts::account_id.eq(account_id), option_drafts::typed.eq(draft.to_json())))
        .returning(option_drafts::id)
        .get_result(conn)
        .await
}

/// Forgets one draft of the account; it is fine if there is none.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut AsyncPgConnection, account_id: i64, id: Uuid) -> QueryResult<()> {
    diesel::delete(option_drafts::table)
        .filter(option_drafts::id.eq(id))
        .filter(option_drafts::account_id.eq(account_id))
        .execute(conn)
        .await?;
    Ok(())
}

async fn forget_old(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<()> {
    diesel::delete(option_drafts::table)
        .filter(option_drafts::updated_at.lt(Utc::now() - LIFETIME))
        .execute(conn)
        .await?;
    let kept: Vec<Uuid> = option_drafts::table
        .filter(option_drafts::account_id.eq(account_id))
        .order(option_drafts::updated_at.desc())
        .limit(PER_ACCOUNT_MAX)
        .select(option_drafts::id)
        .load(conn)
        .await?;
    diesel::delete(option_drafts::table)
        .filter(option_drafts::account_id.eq(account_id))
        .filter(option_drafts::id.ne_all(kept))
        .execute(conn)
        .await?;
    Ok(())
}
