//! Finds updates by the state of their files.
//!
//! The way goes from the files up, to what an update consists of and then to the update itself. Where few files were
//! ever wanted it is gone once for a list, and not again for its number and each of its parts; files that are coming or
//! have failed are so few that it does not matter.

use std::collections::HashMap;

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::FileState;
use super::filter::Boxed;
use crate::db::Keep;
use crate::db::schema::{content_files, updates};

/// More than so many files are many.
const FEW_MAX: i64 = 5_000;

/// What is known of all files before a list is made.
pub(super) enum Held {
    /// Of everything whose files are wanted.
    Known(HashMap<i32, FileState>),
    /// There may be many files; few of them are stored, or nobody asks for those.
    FewStored,
    ManyStored,
}

/// Updates that have a file in one of the states, by themselves or by what they consist of.
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

impl Held {
    /// What helps to find updates of this state; `None`: of each.
    ///
    /// # Errors
    /// The database's.
    pub async fn look(conn: &mut AsyncPgConnection, state: Option<FileState>) -> QueryResult<Self> {
        if matches!(state, Some(FileState::Coming | FileState::Failed)) {
            return Ok(Self::FewStored); // begins with those, which are few
        }
        // The one after the last of a few: they are not brought here to be counted.
        let more = content_files::table.select(content_files::file_row).offset(FEW_MAX).limit(1);
        if !diesel::select(exists(more)).get_result::<bool>(conn).await? {
            return Ok(Self::Known(known(conn).await?));
        }
        let stored = content_files::table.filter(content_files::state.eq("stored"));
        let more = stored.select(content_files::file_row).offset(FEW_MAX).limit(1);
        let many: bool = diesel::select(exists(more)).get_result(conn).await?;
        Ok(if many { Self::ManyStored } else { Self::FewStored })
    }

    /// Narrows a query to updates of this state.
    pub fn narrow<'a>(&self, query: Boxed<'a>, state: FileState) -> Boxed<'a> {
        let condition = match (self, state) {
            (Self::Known(known), FileState::NotWanted) => {
                let rows: Vec<i32> = known.keys().copied().collect();
                let wanted =
                    sql::<Bool>("(updates.update_row IN (SELECT unnest(").bind::<Array<Integer>, _>(rows);
                return query.filter(wanted.sql("))) IS NOT TRUE"));
            }
            (Self::Known(known), _) => {
                let rows = known.iter().filter(|(_, other)| **other == state).map(|(row, _)| *row);
                return query.filter(updates::update_row.eq_any(rows.collect::<Vec<_>>()));
            }
            (_, FileState::Failed) => among!("'failed'"),
            (_, FileState::Coming) => concat!(among!("'wanted'"), " AND NOT ", looked_up!("'failed'")),
            (Self::FewStored, FileState::Stored) => {
                concat!(among!("'stored'"), " AND NOT ", looked_up!("'wanted', 'failed'"))
            }
            (Self::ManyStored, FileState::Stored) => {
                concat!(looked_up!("'stored'"), " AND NOT ", looked_up!("'wanted', 'failed'"))
            }
            (_, FileState::NotWanted) => concat!("NOT ", looked_up!("'stored', 'wanted', 'failed'")),
        };
        query.filter(sql::<Bool>(condition))
    }
}

/// Every update with wanted files, by row.
async fn known(conn: &mut AsyncPgConnection) -> QueryResult<HashMap<i32, FileState>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        state: String,
        #[diesel(sql_type = Array<Integer>)]
        rows: Vec<i32>,
    }
    let found: Vec<Row> = diesel::sql_query(
        "WITH RECURSIVE up (update_row, state) AS (
             SELECT u.update_row, c.state FROM content_files c
             JOIN revision_files rf ON rf.file_row = c.file_row
             JOIN updates u ON u.revision_row = rf.revision_row
             UNION
             SELECT p.update_row, up.state FROM up
             JOIN relations r ON r.target_row = up.update_row AND r.kind = 3
             JOIN updates p ON p.revision_row = r.revision_row)
         SELECT state, array_agg(update_row) AS rows FROM up GROUP BY state",
    )
    .kept()
    .load(conn)
    .await?;
    let mut known = HashMap::new();
    for Row { state, rows } in found {
        let state = match state.as_str() {
            "failed" => FileState::Failed,
            "wanted" => FileState::Coming,
            _ => FileState::Stored,
        };
        for row in rows {
            let worst = known.entry(row).or_insert(state);
            *worst = state.max(*worst);
        }
    }
    Ok(known)
}
