//! The list of people, and what an administrator changes about one.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::{AccountError, AccountName, PasswordHashText, Role, audit, sessions, store, tokens};
use crate::db::schema::{accounts, password_links};

/// One person as the page Users shows them.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub role: Role,
    pub is_disabled: bool,
    pub created_at: DateTime<Utc>,
    /// `None`: never signed in.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// A link with which the person may set a password is out, until then.
    pub link_ends_at: Option<DateTime<Utc>>,
}

type Row = (i64, String, String, bool, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Everyone, by name. Servers have tens of people, so the list is not paged; at most `limit`.
///
/// # Errors
/// [`AccountError::Database`]; [`AccountError::UnknownRole`] for a role of a newer program.
pub async fn list(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<Person>, AccountError> {
    let rows: Vec<Row> = select().order(accounts::name_folded).limit(limit).load(conn).await?;
    rows.into_iter().map(person).collect()
}

/// One person; `None`: there is none with this id.
///
/// # Errors
/// As [`list`].
pub async fn get(conn: &mut AsyncPgConnection, id: i64) -> Result<Option<Person>, AccountError> {
    let row: Option<Row> = select().filter(accounts::id.eq(id)).first(conn).await.optional()?;
    row.map(person).transpose()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn select() -> _ {
    accounts::table.left_join(password_links::table.on(password_links::account_id.eq(accounts::id))).select((
        accounts::id,
        accounts::name,
        accounts::role,
        accounts::disabled,
        accounts::created_at,
        accounts::last_seen_at,
        password_links::ends_at.nullable(),
    ))
}

fn person(row: Row) -> Result<Person, AccountError> {
    let (id, name, role, is_disabled, created_at, last_seen_at, link_ends_at) = row;
    let link_ends_at = link_ends_at.filter(|at| *at > Utc::now());
    Ok(Person { id, name, role: role.parse()?, is_disabled, created_at, last_seen_at, link_ends_at })
}

/// Adds a person who cannot sign in before a password was set by link. Returns the id.
///
/// # Errors
/// Those of [`AccountName::parse`], [`AccountError::NameTaken`], [`AccountError::Database`].
pub async fn add(
    conn: &mut AsyncPgConnection,
    name: &AccountName,
    role: Role,
    hash_of_nothing: &PasswordHashText,
    by: audit::Entry<'_>,
) -> Result<i64, AccountError> {
    conn.transaction(async |conn| {
        let account = store::insert(conn, name, role, hash_of_nothing).await?;
        let after = Some(json!({ "role": role.as_str() }));
        audit::record(conn, audit::Entry { action: "user.add", object: name.as_str(), after, ..by }).await?;
        Ok(account.id)
    })
    .await
}

/// Gives another role and allows or forbids signing in; sessions and tokens of a person who may not sign in any
/// more end.
/// Without a difference nothing is written.
///
/// # Errors
/// [`AccountError::LastAdministrator`] when nobody could administer any more, [`AccountError::Unknown`],
/// [`AccountError::Database`].
pub async fn change(
    conn: &mut AsyncPgConnection,
    id: i64,
    role: Role,
    is_disabled: bool,
    by: audit::Entry<'_>,
) -> Result<(), AccountError> {
    conn.transaction(async |conn| {
        // All administrators are locked, in one order, so that two who demote each other meet here.
        let administrators: Vec<i64> = accounts::table
            .filter(accounts::role.eq(Role::Administrator.as_str()))
            .filter(accounts::disabled.eq(false))
            .order(accounts::id)
            .select(accounts::id)
            .for_update()
            .load(conn)
            .await?;
        let before = get(conn, id).await?.ok_or(AccountError::Unknown)?;
        if before.role == role && before.is_disabled == is_disabled {
            return Ok(());
        }
        let stays = role == Role::Administrator && !is_disabled;
        if administrators == [id] && !stays {
            return Err(AccountError::LastAdministrator);
        }
        diesel::update(accounts::table.find(id))
            .set((accounts::role.eq(role.as_str()), accounts::disabled.eq(is_disabled)))
            .execute(conn)
            .await?;
        if is_disabled {
            sessions::end_all(conn, id).await?;
            tokens::end_all(conn, id).await?;
            diesel::delete(password_links::table.find(id)).execute(conn).await?;
        }
        let shown = |role: Role, off: bool| Some(json!({ "role": role.as_str(), "disabled": off }));
        let entry = audit::Entry {
            action: "user.change",
            object: &before.name,
            before: shown(before.role, before.is_disabled),
            after: shown(role, is_disabled),
            ..by
        };
        audit::record(conn, entry).await?;
        Ok(())
    })
    .await
}
