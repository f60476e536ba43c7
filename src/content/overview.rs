//! The state of the store in figures, for its page.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::schema::{content_files, files};

/// Lines of a list of files. Ours.
pub const LIST_MAX: i64 = 100;

/// How many files are in one state, and their bytes.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Amount {
    /// `wanted`, `stored` or `failed`.
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = BigInt)]
    pub files: i64,
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
}

/// A file that is not here.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Missing {
    pub file_row: i32,
    pub name: String,
    /// In bytes.
    pub size: i64,
    pub attempts: i32,
    pub next_try: DateTime<Utc>,
    /// Why the last try failed; empty before the first.
    pub last_error: String,
}

/// Files and bytes by state; a state without files is left out.
///
/// # Errors
/// The database's.
pub async fn amounts(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Amount>> {
    diesel::sql_query(
        "SELECT c.state, count(*) AS files, coalesce(sum(f.size), 0)::bigint AS bytes
         FROM content_files c JOIN files f ON f.id = c.file_row GROUP BY c.state",
    )
    .load(conn)
    .await
}

/// How many files had to begin again since a moment, because only whole files were sent.
///
/// # Errors
/// The database's.
pub async fn restarted_since(conn: &mut AsyncPgConnection, since: DateTime<Utc>) -> QueryResult<i64> {
    content_files::table.filter(content_files::restarted_at.ge(since)).count().get_result(conn).await
}

/// The first files in a state, by the moment of their next try, without those under way; at most [`LIST_MAX`].
///
/// # Errors
/// The database's.
pub async fn missing(conn: &mut AsyncPgConnection, state: &str) -> QueryResult<Vec<Missing>> {
    content_files::table
        .inner_join(files::table.on(files::id.eq(content_files::file_row)))
        .filter(content_files::state.eq(state))
        .filter(content_files::begun_at.is_null())
        .order((content_files::next_try, content_files::file_row))
        .limit(LIST_MAX)
        .select((
            files::id,
            files::name,
            files::size,
            content_files::attempts,
            content_files::next_try,
            content_files::last_error,
        ))
        .load(conn)
        .await
}

/// State and last error of some files by their SHA-1; a file without any is not wanted.
///
/// # Errors
/// The database's.
pub async fn states(
    conn: &mut AsyncPgConnection,
    digests: &[Vec<u8>],
) -> QueryResult<Vec<(Vec<u8>, String, String)>> {
    content_files::table
        .inner_join(files::table.on(files::id.eq(content_files::file_row)))
        .filter(files::sha1.eq_any(digests))
        .select((files::sha1, content_files::state, content_files::last_error))
        .load(conn)
        .await
}

/// What the stored files of one product or classification take.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Share {
    #[diesel(sql_type = Text)]
    pub title: String,
    #[diesel(sql_type = BigInt)]
    pub files: i64,
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
}

/// Stored files by the categories of one type (`Product`, `UpdateClassification`), the largest first; at most
/// [`LIST_MAX`]. A file of several categories counts for each.
///
/// # Errors
/// The database's.
pub async fn shares(conn: &mut AsyncPgConnection, category_type: &str) -> QueryResult<Vec<Share>> {
    diesel::sql_query(
        "WITH RECURSIVE up (file_row, update_row) AS (
             SELECT c.file_row, v.update_row FROM content_files c
             JOIN revision_files rf ON rf.file_row = c.file_row
             JOIN revisions v ON v.id = rf.revision_row
             WHERE c.state = 'stored'
             UNION
             SELECT up.file_row, p.update_row FROM up
             JOIN relations r ON r.target_row = up.update_row AND r.kind = 3
             JOIN revisions p ON p.id = r.revision_row
         ), placed AS (
             SELECT DISTINCT up.file_row, uc.category_row FROM up
             JOIN update_categories uc ON uc.update_row = up.update_row
         )
         SELECT u.title, count(*) AS files, sum(f.size)::bigint AS bytes FROM placed p
         JOIN updates u ON u.update_row = p.category_row AND u.category_type = $1
         JOIN files f ON f.id = p.file_row
         GROUP BY u.update_row, u.title ORDER BY bytes DESC, u.title LIMIT $2",
    )
    .bind::<Text, _>(category_type)
    .bind::<BigInt, _>(LIST_MAX)
    .load(conn)
    .await
}

/// A file that is being fetched at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct UnderWay {
    pub name: String,
    pub sha1: Vec<u8>,
    /// In bytes.
    pub size: i64,
    /// When the present try began, and what was here then.
    pub begun_at: Option<DateTime<Utc>>,
    pub begun_bytes: i64,
}

/// The files that are being fetched, the oldest first; at most [`LIST_MAX`].
///
/// # Errors
/// The database's.
pub async fn under_way(conn: &mut AsyncPgConnection) -> QueryResult<Vec<UnderWay>> {
    content_files::table
        .inner_join(files::table.on(files::id.eq(content_files::file_row)))
        .filter(content_files::begun_at.is_not_null())
        .filter(content_files::state.eq("wanted"))
        .order((content_files::begun_at, content_files::file_row))
        .limit(LIST_MAX)
        .select((files::name, files::sha1, files::size, content_files::begun_at, content_files::begun_bytes))
        .load(conn)
        .await
}
