//! Filters of the Updates page that a person keeps under a name.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::schema::saved_views;

/// Longest name, in characters. Ours.
pub const NAME_CHARS_MAX: usize = 60;
/// Most views of one person. Ours.
pub const VIEWS_MAX: i64 = 50;
/// Longest filter, in bytes of the address. Ours.
pub const QUERY_BYTES_MAX: usize = 2_000;

/// A filter with its name.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct View {
    pub name: String,
    /// The part of the address after the question mark; empty for the whole list.
    pub query: String,
}

/// Why a view was not kept. The sentences are for the person at the keyboard.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("Enter a name of 1 to {NAME_CHARS_MAX} characters.")]
    Name,
    #[error("You have {VIEWS_MAX} saved views already. Remove one first.")]
    Count,
    #[error("This filter is too long to be saved.")]
    Query,
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
}

/// The views of a person, by name.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<Vec<View>> {
    saved_views::table
        .filter(saved_views::account_id.eq(account_id))
        .order(saved_views::name)
        .select((saved_views::name, saved_views::query))
        .load(conn)
        .await
}

/// Keeps a filter under a name; one of the same name is replaced.
///
/// # Errors
/// [`ViewError`].
pub async fn save(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    name: &str,
    query: &str,
) -> Result<(), ViewError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(ViewError::Name);
    }
    if query.len() > QUERY_BYTES_MAX {
        return Err(ViewError::Query);
    }
    let others: i64 = saved_views::table
        .filter(saved_views::account_id.eq(account_id))
        .filter(saved_views::name.ne(name))
        .count()
        .get_result(conn)
        .await?;
    if others >= VIEWS_MAX {
        return Err(ViewError::Count);
    }
    diesel::insert_into(saved_views::table)
        .values((
            saved_views::account_id.eq(account_id),
            saved_views::name.eq(name),
            saved_views::query.eq(query),
        ))
        .on_conflict((saved_views::account_id, saved_views::name))
        .do_update()
        .set(saved_views::query.eq(query))
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets a view; `false`: there was none of this name.
///
/// # Errors
/// The database's.
pub async fn remove(conn: &mut AsyncPgConnection, account_id: i64, name: &str) -> QueryResult<bool> {
    let gone = diesel::delete(saved_views::table.find((account_id, name))).execute(conn).await?;
    Ok(gone > 0)
}
