//! Where the files of an update are: its own, and those of everything it consists of.

use std::collections::HashMap;

use diesel::dsl::{exists, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::Keep;
use crate::db::schema::content_files;

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

/// Updates that have a file in one of the states, by themselves or by what they consist of. The way goes from the
/// files up, since few of them are coming or failed.
macro_rules! having {
    ($states:literal) => {
        concat!(
            "(WITH RECURSIVE up (update_row) AS (
                SELECT u.update_row FROM content_files c
                JOIN revision_files rf ON rf.file_row = c.file_row
                JOIN updates u ON u.revision_row = rf.revision_row
                WHERE c.state IN (",
            $states,
            ") UNION SELECT p.update_row FROM up
                JOIN relations r ON r.target_row = up.update_row AND r.kind = 3
                JOIN updates p ON p.revision_row = r.revision_row)
             SELECT update_row FROM up)"
        )
    };
}

/// For few: the planner begins with the updates of an array.
macro_rules! among {
    ($states:literal) => {
        concat!("updates.update_row = ANY (ARRAY", having!($states), ")")
    };
}

/// For many: each update of the list's order is looked up, until the page is full.
macro_rules! looked_up {
    ($states:literal) => {
        concat!("(updates.update_row IN ", having!($states), ") IS TRUE")
    };
}

/// How many files are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Few,
    Many,
}

/// More than so many files are many.
const FEW_MAX: i64 = 5_000;

/// How many files are stored.
///
/// # Errors
/// The database's.
pub(super) async fn stored(conn: &mut AsyncPgConnection) -> QueryResult<Amount> {
    // The one after the last of a few: it is not brought here to be counted.
    let stored = content_files::table.filter(content_files::state.eq("stored"));
    let more = stored.select(content_files::file_row).offset(FEW_MAX).limit(1);
    let many: bool = diesel::select(exists(more)).get_result(conn).await?;
    Ok(if many { Amount::Many } else { Amount::Few })
}

/// The condition on `updates` for a state.
pub(super) fn in_state(state: FileState, stored: Amount) -> SqlLiteral<Bool> {
    sql(match (state, stored) {
        (FileState::Failed, _) => among!("'failed'"),
        (FileState::Coming, _) => concat!(among!("'wanted'"), " AND NOT ", looked_up!("'failed'")),
        (FileState::Stored, Amount::Few) => {
            concat!(among!("'stored'"), " AND NOT ", looked_up!("'wanted', 'failed'"))
        }
        (FileState::Stored, Amount::Many) => {
            concat!(looked_up!("'stored'"), " AND NOT ", looked_up!("'wanted', 'failed'"))
        }
        (FileState::NotWanted, _) => concat!("NOT ", looked_up!("'stored', 'wanted', 'failed'")),
    })
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
