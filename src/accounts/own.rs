//! What a person changes about their own account: the password.

use std::net::IpAddr;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::signin::borrow;
use super::throttle::{Gate, Key};
use super::{Account, AccountError, AccountName, PasswordHashText, Pool, audit, passwords, sessions, store};
use crate::db::schema::accounts;

/// A change of one's own password.
pub struct Change<'a> {
    pub account: &'a Account,
    /// As typed.
    pub current: &'a str,
    pub new: &'a str,
    /// The peer's own address.
    pub peer: Option<IpAddr>,
    pub user_agent: &'a str,
}

/// Checks the password that holds, sets the new one, ends every session of the person and begins a new one, whose
/// token is the answer. No connection is held while hashing.
///
/// # Errors
/// [`AccountError::Refused`] when the current password is wrong, [`AccountError::Wait`] after too many tries, those
/// of [`PasswordHashText::of`], [`AccountError::Database`].
pub async fn change_password(
    pool: &Pool,
    gate: &Gate,
    change: Change<'_>,
    by: audit::Entry<'_>,
) -> Result<String, AccountError> {
    let name = AccountName::parse(&change.account.name)?;
    passwords::check_shape(change.new)?;
    let keys = gate.keys(Some(Key::account(name.folded())), change.peer.map(Key::address));
    gate.begin(&keys)?;
    let found = store::find_for_sign_in(&mut *borrow(pool).await?, name.folded()).await?;
    let hash = found.map(|(_, hash, _)| hash);
    let current = if passwords::check_shape(change.current).is_ok() { change.current } else { "" };
    if !passwords::verify(hash, current).await? {
        return Err(AccountError::Refused);
    }
    gate.succeeded(&keys);
    let hash = PasswordHashText::of(change.new).await?;
    let (id, peer) = (change.account.id, change.peer.map(|ip| ip.to_string()).unwrap_or_default());
    let mut conn = borrow(pool).await?;
    conn.transaction(async |conn| {
        diesel::update(accounts::table.find(id))
            .set(accounts::password_hash.eq(hash.as_str()))
            .execute(conn)
            .await?;
        sessions::end_all(conn, id).await?;
        let token = sessions::start(conn, id, &peer, change.user_agent).await?;
        audit::record(conn, audit::Entry { action: "password.change", object: &change.account.name, ..by })
            .await?;
        Ok(token)
    })
    .await
}
