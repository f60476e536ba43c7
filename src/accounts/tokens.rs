//! Tokens with which a program asks in a person's name: made once, stored as a hash, always with an end.
//!
//! What a token may do is the least of its own role and the role its owner has now, so it shrinks with the owner.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::{Account, AccountError, Role, audit, sessions};
use crate::db::schema::{accounts, api_tokens};

/// Longest name, in characters. Ours.
pub const NAME_CHARS_MAX: usize = 60;
/// Most tokens of one person. Ours.
pub const TOKENS_MAX: i64 = 20;
/// Longest life of a token, in days. Ours.
pub const DAYS_MAX: i64 = 366;
/// What every token begins with, so that it is known for one where it must not be.
const PREFIX: &str = "weir_";
/// Characters after the prefix: 256 bits in hexadecimal digits.
const DIGITS: usize = 64;
/// `last_used_at` is written at most this often.
const TOUCH_AFTER: TimeDelta = TimeDelta::seconds(60);

/// A token as the pages list it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: i64,
    pub name: String,
    /// What it may do now.
    pub role: Role,
    pub created_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// `None`: never used.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a person asks for.
pub struct Wanted<'a> {
    /// As typed; blanks around it are removed.
    pub name: &'a str,
    pub role: Role,
    /// 1 to [`DAYS_MAX`].
    pub days: i64,
}

/// Why a token was not made. The sentences are for the person at the keyboard.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("Enter a name of 1 to {NAME_CHARS_MAX} characters, such as the program that will use it.")]
    Name,
    #[error("You have a token of this name already.")]
    NameTaken,
    #[error("You have {TOKENS_MAX} tokens already. End one first.")]
    Count,
    #[error("A token cannot do more than you may.")]
    Role,
    #[error("A token works for 1 to {DAYS_MAX} days.")]
    Days,
    #[error("the database failed")]
    Database(#[from] DieselError),
}

/// Makes a token and returns it: the only copy there is. Tokens of the person that are over are removed.
///
/// # Errors
/// [`TokenError`].
pub async fn make(
    conn: &mut AsyncPgConnection,
    owner: &Account,
    wanted: Wanted<'_>,
    by: audit::Entry<'_>,
) -> Result<String, TokenError> {
    let name = wanted.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(TokenError::Name);
    }
    if !(1..=DAYS_MAX).contains(&wanted.days) {
        return Err(TokenError::Days);
    }
    let token = format!("{PREFIX}{}", sessions::new_token());
    let ends_at = Utc::now() + TimeDelta::days(wanted.days);
    conn.transaction(async |conn| {
        // The row of the owner is locked, so that two requests at once cannot pass the count together, and a
        // demotion comes before or after.
        let role: Option<String> = accounts::table
            .filter(accounts::id.eq(owner.id).and(accounts::disabled.eq(false)))
            .select(accounts::role)
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let role: Option<Role> = role.and_then(|role| role.parse().ok());
        if role.is_none_or(|role| wanted.role > role) {
            return Err(TokenError::Role);
        }
        let own = api_tokens::account_id.eq(owner.id);
        diesel::delete(api_tokens::table.filter(own).filter(api_tokens::ends_at.lt(Utc::now())))
            .execute(conn)
            .await?;
        let count: i64 = api_tokens::table.filter(own).count().get_result(conn).await?;
        if count >= TOKENS_MAX {
            return Err(TokenError::Count);
        }
        diesel::insert_into(api_tokens::table)
            .values((
                own,
                api_tokens::name.eq(name),
                api_tokens::role.eq(wanted.role.as_str()),
                api_tokens::token_hash.eq(sessions::hash(&token)),
                api_tokens::ends_at.eq(ends_at),
            ))
            .execute(conn)
            .await
            .map_err(|error| match error {
                DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => TokenError::NameTaken,
                other => TokenError::Database(other),
            })?;
        let after = Some(json!({ "role": wanted.role.as_str(), "ends_at": ends_at }));
        audit::record(conn, audit::Entry { action: "token.add", object: name, after, ..by }).await?;
        Ok(token)
    })
    .await
}

/// In whose name `token` asks, with what it may do; `None` when it is none, is over, or its owner may not sign in.
///
/// # Errors
/// [`AccountError::Database`]; [`AccountError::UnknownRole`] for a role of a newer program.
pub async fn caller(conn: &mut AsyncPgConnection, token: &str) -> Result<Option<Account>, AccountError> {
    let digits = token.strip_prefix(PREFIX).unwrap_or_default();
    if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let now = Utc::now();
    type Row = (i64, Option<DateTime<Utc>>, String, i64, String, String);
    let row: Option<Row> = api_tokens::table
        .inner_join(accounts::table.on(accounts::id.eq(api_tokens::account_id)))
        .filter(api_tokens::token_hash.eq(sessions::hash(token)))
        .filter(api_tokens::ends_at.gt(now))
        .filter(accounts::disabled.eq(false))
        .select((
            api_tokens::id,
            api_tokens::last_used_at,
            api_tokens::role,
            accounts::id,
            accounts::name,
            accounts::role,
        ))
        .first(conn)
        .await
        .optional()?;
    let Some((token_id, used_at, scope, id, name, role)) = row else { return Ok(None) };
    if used_at.is_none_or(|at| now - at > TOUCH_AFTER) {
        let touched = api_tokens::last_used_at.eq(now);
        diesel::update(api_tokens::table.find(token_id)).set(touched).execute(conn).await?;
    }
    Ok(Some(Account { id, name, role: scope.parse::<Role>()?.min(role.parse()?) }))
}

/// The tokens of an account that are not over, by name.
///
/// # Errors
/// As [`caller`].
pub async fn list(conn: &mut AsyncPgConnection, account_id: i64) -> Result<Vec<Listed>, AccountError> {
    type Row = (i64, String, String, String, DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>);
    let rows: Vec<Row> = api_tokens::table
        .inner_join(accounts::table.on(accounts::id.eq(api_tokens::account_id)))
        .filter(api_tokens::account_id.eq(account_id))
        .filter(api_tokens::ends_at.gt(Utc::now()))
        .order(api_tokens::name)
        .limit(TOKENS_MAX)
        .select((
            api_tokens::id,
            api_tokens::name,
            api_tokens::role,
            accounts::role,
            api_tokens::created_at,
            api_tokens::ends_at,
            api_tokens::last_used_at,
        ))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(id, name, scope, role, created_at, ends_at, last_used_at)| {
            let role = scope.parse::<Role>()?.min(role.parse()?);
            Ok(Listed { id, name, role, created_at, ends_at, last_used_at })
        })
        .collect()
}

/// Ends one token of the account. `false`: it has ended already, or is somebody else's; then nothing is written.
///
/// # Errors
/// The database's.
pub async fn end(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    id: i64,
    by: audit::Entry<'_>,
) -> QueryResult<bool> {
    conn.transaction(async |conn| {
        let own = api_tokens::table.filter(api_tokens::account_id.eq(account_id).and(api_tokens::id.eq(id)));
        let ended: Option<String> =
            diesel::delete(own).returning(api_tokens::name).get_result(conn).await.optional()?;
        let Some(name) = ended else { return Ok(false) };
        let owner: String = accounts::table.find(account_id).select(accounts::name).first(conn).await?;
        let object = format!("{name}, of {owner}");
        audit::record(conn, audit::Entry { action: "token.end", object: &object, ..by }).await?;
        Ok(true)
    })
    .await
}

/// Ends every token of the account.
pub(super) async fn end_all(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<usize> {
    diesel::delete(api_tokens::table.filter(api_tokens::account_id.eq(account_id))).execute(conn).await
}
