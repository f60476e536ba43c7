//! Signing in: one answer and one time for every way it can fail.

use super::throttle::{Gate, Key};
use super::{Account, AccountError, AccountName, Pool, audit, passwords, sessions, store};
use std::net::IpAddr;

/// What a browser sent.
pub struct Attempt<'a> {
    /// As typed.
    pub name: &'a str,
    /// As typed; nothing is trimmed.
    pub password: &'a str,
    /// The peer's own address, never one from a header.
    pub peer: Option<IpAddr>,
    /// For the list of sessions.
    pub user_agent: &'a str,
    /// The session the browser had before, which ends.
    pub old_token: Option<&'a str>,
    /// For the audit log.
    pub request_id: &'a str,
}

/// A new session.
pub struct SignedIn {
    /// Who signed in.
    pub account: Account,
    /// The cookie's value.
    pub token: String,
}

/// Checks name and password and starts a session with a new token. No connection is held while hashing.
///
/// # Errors
/// [`AccountError::Refused`] for every wrong answer, [`AccountError::Wait`] after too many of them,
/// [`AccountError::NoConnection`], [`AccountError::Database`].
pub async fn sign_in(pool: &Pool, gate: &Gate, attempt: Attempt<'_>) -> Result<SignedIn, AccountError> {
    let name = AccountName::parse(attempt.name).ok();
    let account = name.as_ref().map(|name| Key::account(name.folded()));
    let keys = gate.keys(account, attempt.peer.map(Key::address));
    let pauses = gate.begin(&keys)?;
    let turn = gate.turn(&keys).await;

    let found = match &name {
        Some(name) => store::find_for_sign_in(&mut *borrow(pool).await?, name.folded()).await?,
        None => None,
    };
    let shape_is_right = passwords::check_shape(attempt.password).is_ok();
    let known_id = found.as_ref().map(|(account, ..)| account.id);
    let (account, hash) = match found {
        Some((account, hash, disabled)) if !disabled && shape_is_right => (Some(account), Some(hash)),
        _ => (None, None),
    };
    let typed = if shape_is_right { attempt.password } else { "" };
    let right = passwords::verify(hash, typed).await?;
    drop(turn);

    let peer = attempt.peer.map(|ip| ip.to_string()).unwrap_or_default();
    let conn = &mut *borrow(pool).await?;
    let Some(account) = account.filter(|_| right) else {
        let actor = name.as_ref().map_or("", |name| name.as_str());
        let entry = audit::Entry {
            actor,
            account_id: known_id,
            peer: &peer,
            action: audit::SIGN_IN_FAILED,
            request_id: attempt.request_id,
            ..audit::Entry::default()
        };
        audit::record(conn, entry.clone()).await?;
        if pauses {
            audit::record(conn, audit::Entry { action: "sign-in.paused", ..entry }).await?;
        }
        return Err(AccountError::Refused);
    };
    if let Some(old) = attempt.old_token {
        sessions::sign_out(conn, old).await?;
    }
    let token = sessions::start(conn, account.id, &peer, attempt.user_agent).await?;
    let entry = audit::Entry {
        actor: &account.name,
        account_id: Some(account.id),
        peer: &peer,
        action: "sign-in",
        request_id: attempt.request_id,
        ..audit::Entry::default()
    };
    audit::record(conn, entry).await?;
    gate.succeeded(&keys);
    Ok(SignedIn { account, token })
}

pub(super) async fn borrow(
    pool: &Pool,
) -> Result<
    diesel_async::pooled_connection::bb8::PooledConnection<'_, diesel_async::AsyncPgConnection>,
    AccountError,
> {
    pool.get().await.map_err(|error| {
        tracing::warn!(%error, "no database connection for a sign-in");
        AccountError::NoConnection
    })
}
