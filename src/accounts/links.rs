//! Links with which a person sets a password, once: for the first one, and for one that was forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{AccountError, PasswordHashText, audit, sessions};
use crate::db::schema::{accounts, password_links};

/// A link works for so long.
pub const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// A link that was just made. The token is not stored and cannot be shown again.
pub struct NewLink {
    /// The last part of its address: 64 hexadecimal digits.
    pub token: String,
    pub ends_at: DateTime<Utc>,
}

/// Makes a link for the account; one that was made before no longer works.
///
/// # Errors
/// [`AccountError::Unknown`] for an account that is not there or may not sign in, [`AccountError::Database`].
pub async fn make(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    by: audit::Entry<'_>,
) -> Result<NewLink, AccountError> {
    let token = sessions::new_token();
    let ends_at = Utc::now() + LIFETIME;
    conn.transaction(async |conn| {
        let name: Option<String> = accounts::table
            .filter(accounts::id.eq(account_id))
            .filter(accounts::disabled.eq(false))
            .select(accounts::name)
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let name = name.ok_or(AccountError::Unknown)?;
        diesel::delete(password_links::table.find(account_id)).execute(conn).await?;
        diesel::insert_into(password_links::table)
            .values((
                password_links::account_id.eq(account_id),
                password_links::token_hash.eq(sessions::hash(&token)),
                password_links::made_by.eq(by.actor),
                password_links::ends_at.eq(ends_at),
            ))
            .execute(conn)
            .await?;
        audit::record(conn, audit::Entry { action: "user.link", object: &name, ..by }).await?;
        Ok(NewLink { token, ends_at })
    })
    .await
}

/// Whose link this is; `None`: it is none, was used, or is over.
///
/// # Errors
/// [`AccountError::Database`].
pub async fn owner(conn: &mut AsyncPgConnection, token: &str) -> Result<Option<String>, AccountError> {
    let found = accounts::table
        .inner_join(password_links::table.on(password_links::account_id.eq(accounts::id)))
        .filter(password_links::token_hash.eq(sessions::hash(token)))
        .filter(password_links::ends_at.gt(Utc::now()))
        .filter(accounts::disabled.eq(false))
        .select(accounts::name);
    Ok(found.first(conn).await.optional()?)
}

/// Sets the password and uses the link up; every session of the person ends.
///
/// # Errors
/// [`AccountError::LinkOver`] when somebody was faster or the link is over, [`AccountError::Database`].
pub async fn redeem(
    conn: &mut AsyncPgConnection,
    token: &str,
    hash: &PasswordHashText,
    by: audit::Entry<'_>,
) -> Result<(), AccountError> {
    conn.transaction(async |conn| {
        let used: Option<i64> = diesel::delete(password_links::table)
            .filter(password_links::token_hash.eq(sessions::hash(token)))
            .filter(password_links::ends_at.gt(Utc::now()))
            .returning(password_links::account_id)
            .get_result(conn)
            .await
            .optional()?;
        let account_id = used.ok_or(AccountError::LinkOver)?;
        let name: String = diesel::update(accounts::table.find(account_id))
            .filter(accounts::disabled.eq(false))
            .set(accounts::password_hash.eq(hash.as_str()))
            .returning(accounts::name)
            .get_result(conn)
            .await
            .optional()?
            .ok_or(AccountError::LinkOver)?;
        sessions::end_all(conn, account_id).await?;
        let entry = audit::Entry {
            actor: &name,
            account_id: Some(account_id),
            action: "password.set",
            object: &name,
            ..by
        };
        audit::record(conn, entry).await?;
        Ok(())
    })
    .await
}
