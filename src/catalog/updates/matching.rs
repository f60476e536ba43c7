//! What a filter finds: how much it is, and all of it where that is little.

use diesel::dsl::array;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::{Array, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::filter::Resolved;
use super::order::Column;
use crate::catalog::CatalogError;
use crate::db::Keep;
use crate::db::schema::updates;

/// Counting stops here; see [`Count`]. Up to so many matches are sorted by themselves.
pub const COUNT_MAX: i64 = 1_000;
/// The same where finding costs most: what was found would be looked for once more for the order.
const DEAR_MAX: i64 = 2_500;

/// How many updates match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The number, at most [`COUNT_MAX`].
    pub at_least: i64,
    /// Whether there are more than that.
    pub more: bool,
}

/// The rows of everything that matches.
pub(super) struct Few {
    pub rows: Vec<i32>,
    /// Newest first; otherwise in no order.
    pub is_sorted: bool,
}

/// Counts, and gives everything that matches when that is little: then the order is made of it, and what to look for is
/// not looked for again. For a list by release it comes sorted, which costs nothing here: the rows are being read anyway.
pub(super) async fn matches(
    conn: &mut AsyncPgConnection,
    filter: &Resolved<'_>,
) -> Result<(Count, Option<Few>), CatalogError> {
    let most = if filter.is_dear() { DEAR_MAX } else { COUNT_MAX };
    let found = filter.query().limit(most + 1);
    let is_sorted = filter.order() == Column::Released;
    // As one row: a thousand of them take longer to read than to find.
    let rows: Vec<i32> = match is_sorted {
        true => {
            NewestFirst(found.select((updates::update_row, updates::created))).kept().get_result(conn).await?
        }
        false => {
            diesel::select(array::<Integer, _>(found.select(updates::update_row)))
                .kept()
                .get_result(conn)
                .await?
        }
    };
    let found = rows.len() as i64;
    let count = Count { at_least: found.min(COUNT_MAX), more: found > COUNT_MAX };
    Ok((count, (found <= most).then_some(Few { rows, is_sorted })))
}

/// The rows that a query finds with their release times, as one array.
struct NewestFirst<Q>(Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for NewestFirst<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ARRAY(SELECT f.update_row FROM (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") f (update_row, created) ORDER BY f.created DESC, f.update_row DESC)");
        Ok(())
    }
}

impl<Q> Query for NewestFirst<Q> {
    type SqlType = Array<Integer>;
}
