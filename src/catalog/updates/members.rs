//! The products and classifications of a filter, and how the updates that name them are found.

use diesel::dsl::{exists, not};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::filter::{Boxed, UpdateFilter};
use super::words::{FREQUENT, SAMPLE, Searched};
use crate::catalog::{CatalogError, categories};
use crate::db::Keep;
use crate::db::schema::{update_categories, update_search, updates};

/// Few are less than this many of the sample where several categories must be named: one in fifty. What names them all is
/// read from wider rows than what names one.
const FEW_TOGETHER: i64 = SAMPLE / 50;

diesel::postfix_operator!(IsTrue, " IS TRUE");

/// What an update must be a member of.
pub(super) struct Members {
    /// One of the rows of each entry must be named.
    named: Vec<Vec<i32>>,
    /// Few updates are members, and there are no words to find them by.
    are_few: bool,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    members: i64,
}

impl Members {
    /// Looks the categories of a filter up, and with `are_alone`, that is without words, how many of the newest updates
    /// name them.
    ///
    /// # Errors
    /// [`CatalogError::Query`] when the database fails.
    pub async fn of(
        conn: &mut AsyncPgConnection,
        filter: &UpdateFilter,
        are_alone: bool,
    ) -> Result<Self, CatalogError> {
        let mut named = Vec::new();
        for id in [filter.classification, filter.product].into_iter().flatten() {
            named.push(categories::rows_with_descendants(conn, &[id]).await?);
        }
        let few = if named.len() > 1 { FEW_TOGETHER } else { FREQUENT };
        let are_few = are_alone && !named.is_empty() && among_newest(conn, &named).await? < few;
        Ok(Self { named, are_few })
    }

    /// Every update will do.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Narrows a query to them. For one category, a look into the small rows of the memberships costs half. In a walk
    /// past many that are none, few members are known before the first update is looked at.
    pub fn narrow<'a>(&self, query: Boxed<'a>, is_walk: bool) -> Boxed<'a> {
        let in_advance = is_walk && self.are_few;
        match &self.named[..] {
            [] => query,
            [rows] if in_advance => {
                let members = update_categories::table
                    .filter(update_categories::category_row.eq_any(rows.clone()))
                    .select(update_categories::update_row);
                query.filter(IsTrue::new(updates::update_row.eq_any(members)))
            }
            [rows] => member_of(query, rows.clone()),
            _ => {
                let all = update_search::table.select(update_search::update_row).into_boxed();
                let members = updates::update_row.eq_any(self.narrow_search(all));
                // The test for truth keeps the planner from making a join of it.
                if in_advance { query.filter(IsTrue::new(members)) } else { query.filter(members) }
            }
        }
    }

    /// Narrows a search to them.
    pub fn narrow_search<'a>(&self, mut found: Searched<'a>) -> Searched<'a> {
        for rows in &self.named {
            found = found.filter(update_search::categories.overlaps_with(rows.clone()));
        }
        found
    }
}

/// How many of the newest updates are members of one category of each.
async fn among_newest(conn: &mut AsyncPgConnection, named: &[Vec<i32>]) -> QueryResult<i64> {
    let conditions: Vec<String> =
        (0..named.len()).map(|place| format!("categories && ${}", place + 2)).collect();
    let text = format!(
        "WITH newest AS MATERIALIZED (SELECT categories FROM update_search ORDER BY update_row DESC LIMIT $1)
         SELECT count(*) AS members FROM newest WHERE {}",
        conditions.join(" AND ")
    );
    let mut query = diesel::sql_query(text).into_boxed::<Pg>().bind::<BigInt, _>(SAMPLE);
    for rows in named {
        query = query.bind::<Array<Integer>, _>(rows);
    }
    let counted: Counted = query.kept().get_result(conn).await?;
    Ok(counted.members)
}

/// Narrows a query to members of any of these categories.
pub(super) fn member_of<'a>(query: Boxed<'a>, rows: Vec<i32>) -> Boxed<'a> {
    let member = update_categories::table
        .filter(update_categories::update_row.eq(updates::update_row))
        .filter(update_categories::category_row.eq_any(rows));
    query.filter(exists(member))
}

/// Narrows a query to what names none of these categories.
pub(super) fn no_member_of<'a>(query: Boxed<'a>, rows: Vec<i32>) -> Boxed<'a> {
    let member = update_categories::table
        .filter(update_categories::update_row.eq(updates::update_row))
        .filter(update_categories::category_row.eq_any(rows));
    query.filter(not(exists(member)))
}
