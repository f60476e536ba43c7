//! Sessions: an opaque token in the browser, its hash in the database.

use super::display::Display;
use super::failures::{self, Failure, Failures};
use super::{Account, AccountError};
use crate::db::schema::{accounts, sessions, sync_options};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A session ends when it was not used for so long.
pub const IDLE_MAX: TimeDelta = TimeDelta::hours(8);
/// A session ends so long after sign-in, used or not.
pub const AGE_MAX: TimeDelta = TimeDelta::hours(24);
/// `last_used_at` is written at most this often.
const TOUCH_AFTER: TimeDelta = TimeDelta::seconds(60);
/// Bytes of a token: 256 bits.
const TOKEN_BYTES: usize = 32;
/// Longest user agent kept, in characters.
const USER_AGENT_CHARS_MAX: usize = 256;

/// A live session and the person it belongs to, with the role they have now. `Debug` hides the secret.
#[derive(Clone)]
pub struct Session {
    /// Who is signed in.
    pub account: Account,
    /// What the anti-forgery tokens of this session are made of.
    pub csrf_secret: Zeroizing<Vec<u8>>,
    /// How the person wants pages to look.
    pub display: Display,
    /// The zone in which the person sees times: their own, or else the schedule's.
    pub zone: Tz,
    /// Failed attempts to sign in as this person that nobody has seen yet.
    pub failed: Option<Failures>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Starts a session and returns its token: 64 hexadecimal digits, the only copy there is.
/// Removes sessions that are over.
///
/// # Errors
/// The database's.
pub(super) async fn start(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    peer: &str,
    user_agent: &str,
) -> QueryResult<String> {
    let secret: [u8; TOKEN_BYTES] = rand::random();
    let token = new_token();
    let now = Utc::now();
    let over = sessions::created_at.lt(now - AGE_MAX).or(sessions::last_used_at.lt(now - IDLE_MAX));
    diesel::delete(sessions::table.filter(over)).execute(conn).await?;
    let failed = failures::unseen(conn, account_id).await?;
    diesel::insert_into(sessions::table)
        .values((
            sessions::token_hash.eq(hash(&token)),
            sessions::account_id.eq(account_id),
            sessions::csrf_secret.eq(secret.to_vec()),
            sessions::peer.eq(peer),
            sessions::user_agent.eq(user_agent
                .chars()
                .filter(|c| *c != '\0')
                .take(USER_AGENT_CHARS_MAX)
                .collect::<String>()),
            sessions::failed_count.eq(failed.as_ref().map_or(0, |failed| failed.count)),
            sessions::failed_first_at.eq(failed.as_ref().map(|failed| failed.first_at)),
            sessions::failed_last_at.eq(failed.as_ref().map(|failed| failed.last.at)),
            sessions::failed_last_peer.eq(failed.map(|failed| failed.last.peer).unwrap_or_default()),
        ))
        .execute(conn)
        .await?;
    let seen = accounts::last_seen_at.eq(now);
    diesel::update(accounts::table.find(account_id)).set(seen).execute(conn).await?;
    Ok(token)
}

/// The session of `token`; `None` when it is not one, is over, or its account is disabled or gone.
///
/// # Errors
/// [`AccountError::Database`].
pub async fn session_of(conn: &mut AsyncPgConnection, token: &str) -> Result<Option<Session>, AccountError> {
    if !is_token(token) {
        return Ok(None);
    }
    let now = Utc::now();
    let hash = hash(token);
    type Person = (i64, String, String, Option<String>, Option<String>);
    type Failed = (i32, Option<DateTime<Utc>>, Option<DateTime<Utc>>, String);
    type Row = (Person, Failed, Vec<u8>, DateTime<Utc>, Option<String>);
    let usual_zone = sync_options::table.select(sync_options::schedule_time_zone).single_value();
    let row: Option<Row> = sessions::table
        .inner_join(accounts::table.on(accounts::id.eq(sessions::account_id)))
        .filter(sessions::token_hash.eq(&hash))
        .filter(sessions::created_at.gt(now - AGE_MAX))
        .filter(sessions::last_used_at.gt(now - IDLE_MAX))
        .filter(accounts::disabled.eq(false))
        .select((
            (accounts::id, accounts::name, accounts::role, accounts::theme, accounts::time_zone),
            (
                sessions::failed_count,
                sessions::failed_first_at,
                sessions::failed_last_at,
                sessions::failed_last_peer,
            ),
            sessions::csrf_secret,
            sessions::last_used_at,
            usual_zone,
        ))
        .first(conn)
        .await
        .optional()?;
    let Some((person, failed, csrf_secret, last_used_at, usual_zone)) = row else { return Ok(None) };
    let (id, name, role, theme, zone) = person;
    if now - last_used_at > TOUCH_AFTER {
        touch(conn, &hash, id, now).await?;
    }
    let (count, first_at, last_at, peer) = failed;
    let told = first_at.zip(last_at).filter(|_| count > 0);
    let display = Display::stored(theme.as_deref(), zone.as_deref());
    let usual_zone = || usual_zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    Ok(Some(Session {
        account: Account { id, name, role: role.parse()? },
        csrf_secret: Zeroizing::new(csrf_secret),
        zone: display.time_zone.unwrap_or_else(usual_zone),
        display,
        failed: told.map(|(first_at, at)| Failures { count, first_at, last: Failure { at, peer } }),
    }))
}

/// Whether `token` looks like one that [`start`] gave out.
pub fn is_token(token: &str) -> bool {
    token.len() == TOKEN_BYTES * 2 && token.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether the session of `token` still lets somebody in. Unlike [`session_of`], asking does not keep it alive.
///
/// # Errors
/// The database's.
pub async fn is_live(conn: &mut AsyncPgConnection, token: &str) -> QueryResult<bool> {
    let now = Utc::now();
    let found = sessions::table
        .inner_join(accounts::table.on(accounts::id.eq(sessions::account_id)))
        .filter(sessions::token_hash.eq(hash(token)))
        .filter(sessions::created_at.gt(now - AGE_MAX))
        .filter(sessions::last_used_at.gt(now - IDLE_MAX))
        .filter(accounts::disabled.eq(false))
        .select(accounts::id);
    diesel::select(diesel::dsl::exists(found)).get_result(conn).await
}

async fn touch(
    conn: &mut AsyncPgConnection,
    hash: &[u8],
    account_id: i64,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(sessions::table.filter(sessions::token_hash.eq(hash)))
        .set(sessions::last_used_at.eq(now))
        .execute(conn)
        .await?;
    diesel::update(accounts::table.filter(accounts::id.eq(account_id)))
        .set(accounts::last_seen_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends the session of `token`. Ending one that is not there is no error.
///
/// # Errors
/// [`AccountError::Database`].
pub async fn sign_out(conn: &mut AsyncPgConnection, token: &str) -> Result<(), AccountError> {
    diesel::delete(sessions::table.filter(sessions::token_hash.eq(hash(token)))).execute(conn).await?;
    Ok(())
}

/// One session of a person, for the list of them.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Names it in forms: the hash of its token in hexadecimal digits, which opens nothing.
    pub key: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub peer: String,
    pub user_agent: String,
    /// The one that asks.
    pub is_own: bool,
}

/// The live sessions of an account, the one used last first. `own` is the token of the asking session.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    own: Option<&str>,
) -> QueryResult<Vec<Listed>> {
    let now = Utc::now();
    type Row = (Vec<u8>, DateTime<Utc>, DateTime<Utc>, String, String);
    let rows: Vec<Row> = sessions::table
        .filter(sessions::account_id.eq(account_id))
        .filter(sessions::created_at.gt(now - AGE_MAX))
        .filter(sessions::last_used_at.gt(now - IDLE_MAX))
        .order(sessions::last_used_at.desc())
        .select((
            sessions::token_hash,
            sessions::created_at,
            sessions::last_used_at,
            sessions::peer,
            sessions::user_agent,
        ))
        .load(conn)
        .await?;
    let own = own.map(hash);
    Ok(rows
        .into_iter()
        .map(|(token_hash, created_at, last_used_at, peer, user_agent)| Listed {
            is_own: own.as_ref() == Some(&token_hash),
            key: hex::encode(token_hash),
            created_at,
            last_used_at,
            peer,
            user_agent,
        })
        .collect())
}

/// Ends one session of the account. `false`: it has ended already, or is somebody else's.
///
/// # Errors
/// The database's.
pub async fn end_one(conn: &mut AsyncPgConnection, account_id: i64, key: &str) -> QueryResult<bool> {
    let Ok(token_hash) = hex::decode(key) else { return Ok(false) };
    let ended = diesel::delete(sessions::table)
        .filter(sessions::account_id.eq(account_id))
        .filter(sessions::token_hash.eq(token_hash))
        .execute(conn)
        .await?;
    Ok(ended > 0)
}

/// Ends every session of the account. The answer is how many.
///
/// # Errors
/// The database's.
pub async fn end_all(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<usize> {
    diesel::delete(sessions::table.filter(sessions::account_id.eq(account_id))).execute(conn).await
}

/// 256 random bits as hexadecimal digits.
pub(super) fn new_token() -> String {
    let token: [u8; TOKEN_BYTES] = rand::random();
    hex::encode(token)
}

pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
