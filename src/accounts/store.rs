//! The table of accounts: making one, finding one.

use super::{Account, AccountError, AccountName, PasswordHashText, Role};
use crate::db::Lock;
use crate::db::schema::accounts;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

/// Makes an account. Hashes while `conn` is held: for the command line. A request handler hashes
/// first and borrows its connection afterwards.
///
/// # Errors
/// Those of [`AccountName::parse`] and [`PasswordHashText::of`], [`AccountError::NameTaken`], the database's.
pub async fn create(
    conn: &mut AsyncPgConnection,
    name: &str,
    role: Role,
    password: &str,
) -> Result<Account, AccountError> {
    let name = AccountName::parse(name)?;
    let hash = PasswordHashText::of(password).await?;
    insert(conn, &name, role, &hash).await
}

/// Makes the very first account, an administrator.
///
/// # Errors
/// [`AccountError::AlreadySetUp`] when there is any account, also one made at the same moment.
pub async fn create_first(
    conn: &mut AsyncPgConnection,
    name: &AccountName,
    hash: &PasswordHashText,
) -> Result<Account, AccountError> {
    conn.transaction(async |conn| {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<diesel::sql_types::BigInt, _>(Lock::Setup.key())
            .execute(conn)
            .await?;
        if any_account(conn).await? {
            return Err(AccountError::AlreadySetUp);
        }
        insert(conn, name, Role::Administrator, hash).await
    })
    .await
}

/// Whether there is any account at all. Without one, only the setup page works.
///
/// # Errors
/// The database's.
pub async fn any_account(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(accounts::table.select(accounts::id))).get_result(conn).await
}

/// What a sign-in needs to know; `None` means no such user.
pub(super) async fn find_for_sign_in(
    conn: &mut AsyncPgConnection,
    folded: &str,
) -> QueryResult<Option<(Account, PasswordHashText, bool)>> {
    let row: Option<(i64, String, String, String, bool)> = accounts::table
        .filter(accounts::name_folded.eq(folded))
        .select((accounts::id, accounts::name, accounts::role, accounts::password_hash, accounts::disabled))
        .first(conn)
        .await
        .optional()?;
    Ok(row.and_then(|(id, name, role, hash, disabled)| {
        let role = role.parse().ok()?;
        Some((Account { id, name, role }, PasswordHashText::stored(hash), disabled))
    }))
}

/// Adds the row.
///
/// # Errors
/// [`AccountError::NameReserved`], [`AccountError::NameTaken`], the database's.
pub(super) async fn insert(
    conn: &mut AsyncPgConnection,
    name: &AccountName,
    role: Role,
    hash: &PasswordHashText,
) -> Result<Account, AccountError> {
    if name.is_reserved() {
        return Err(AccountError::NameReserved);
    }
    let id = diesel::insert_into(accounts::table)
        .values((
            accounts::name.eq(name.as_str()),
            accounts::name_folded.eq(name.folded()),
            accounts::password_hash.eq(hash.as_str()),
            accounts::role.eq(role.as_str()),
        ))
        .returning(accounts::id)
        .get_result(conn)
        .await
        .map_err(|error| match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => AccountError::NameTaken,
            other => AccountError::Database(other),
        })?;
    Ok(Account { id, name: name.as_str().to_owned(), role })
}
