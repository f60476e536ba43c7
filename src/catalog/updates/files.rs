//! Where the files of an update are: its own, and those of everything it consists of.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::Keep;

/// What can be said of all files of an update together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileState {
    /// None is wanted: it is not approved for installation, has no files, or they stay with the source.
    #[default]
    NotWanted,
    /// All that are wanted are in the store.
    Stored,
    /// Some are on their way, and none has failed.
    Coming,
    /// Some could not be fetched.
    Failed,
}

impl FileState {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Stored, Self::Coming, Self::Failed, Self::NotWanted];

    /// As in addresses and exports.
    pub fn key(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Coming => "coming",
            Self::Failed => "failed",
            Self::NotWanted => "not-wanted",
        }
    }

    /// `None` for a word that is none.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.key() == key)
    }

    /// As shown on screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::Stored => "Stored",
            Self::Coming => "Coming",
            Self::Failed => "Not fetched",
            Self::NotWanted => "Not wanted",
        }
    }
}

/// State and bytes of the wanted files of some updates, by row. One without any is missing.
///
/// # Errors
/// The database's.
pub(super) async fn of(
    conn: &mut AsyncPgConnection,
    rows: &[i32],
) -> QueryResult<HashMap<i32, (FileState, i64)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        root: i32,
        #[diesel(sql_type = Bool)]
        failed: bool,
        #[diesel(sql_type = Bool)]
        coming: bool,
        #[diesel(sql_type = Bool)]
        wanted: bool,
        #[diesel(sql_type = BigInt)]
        bytes: i64,
    }
    let found: Vec<Row> = diesel::sql_query(
        "WITH RECURSIVE down (root, update_row, revision_row) AS (
             SELECT u.update_row, u.update_row, u.revision_row FROM updates u WHERE u.update_row = ANY($1)
             UNION
             SELECT d.root, child.update_row, child.revision_row FROM down d
             JOIN relations r ON r.revision_row = d.revision_row AND r.kind = 3
             JOIN updates child ON child.update_row = r.target_row
         ), held AS (
             SELECT DISTINCT d.root, f.id, f.size, c.state FROM down d
             JOIN revision_files rf ON rf.revision_row = d.revision_row
             JOIN files f ON f.id = rf.file_row
             LEFT JOIN content_files c ON c.file_row = f.id
         )
         SELECT root, coalesce(bool_or(state = 'failed'), false) AS failed,
                coalesce(bool_or(state = 'wanted'), false) AS coming,
                bool_or(state IS NOT NULL) AS wanted, sum(size)::bigint AS bytes
         FROM held GROUP BY root",
    )
    .bind::<Array<Integer>, _>(rows)
    .kept()
    .load(conn)
    .await?;
    let state = |row: &Row| match (row.wanted, row.failed, row.coming) {
        (false, ..) => FileState::NotWanted,
        (_, true, _) => FileState::Failed,
        (_, _, true) => FileState::Coming,
        _ => FileState::Stored,
    };
    Ok(found.iter().map(|row| (row.root, (state(row), row.bytes))).collect())
}
