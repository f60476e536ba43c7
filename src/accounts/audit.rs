//! The audit log: who did what, from where, and what it changed. Rows are only ever added.

use crate::db::schema::audit;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

/// Longest text kept in one column, in characters; the rest is cut. Ours.
const TEXT_CHARS_MAX: usize = 1_024;

/// The action of a failed sign-in.
pub const SIGN_IN_FAILED: &str = "sign-in.failed";

/// One line of the audit log. Secrets never go into `before` or `after`; write `"changed"` instead.
#[derive(Debug, Clone, Default)]
pub struct Entry<'a> {
    /// Account name, or `command line`, `schedule`, `weir`.
    pub actor: &'a str,
    /// The account, where there is one.
    pub account_id: Option<i64>,
    /// The peer's address, empty when there is none.
    pub peer: &'a str,
    /// What was done, as `area.verb`: `settings.save`, `sign-in.failed`.
    pub action: &'a str,
    /// What it was done to, in words or by id.
    pub object: &'a str,
    /// The values before, where that means something.
    pub before: Option<Value>,
    /// The values after, where that means something.
    pub after: Option<Value>,
    /// The request it came with.
    pub request_id: &'a str,
}

/// Adds one line. Call it in the transaction of the change it describes.
///
/// # Errors
/// The database's.
pub async fn record(conn: &mut AsyncPgConnection, entry: Entry<'_>) -> QueryResult<()> {
    diesel::insert_into(audit::table)
        .values((
            audit::actor.eq(cut(entry.actor)),
            audit::account_id.eq(entry.account_id),
            audit::peer.eq(cut(entry.peer)),
            audit::action.eq(cut(entry.action)),
            audit::object.eq(cut(entry.object)),
            audit::before.eq(entry.before),
            audit::after.eq(entry.after),
            audit::request_id.eq(cut(entry.request_id)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// At most [`TEXT_CHARS_MAX`] characters, without NUL, which PostgreSQL refuses.
fn cut(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT_CHARS_MAX).collect()
}
