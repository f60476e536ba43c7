//! Finds updates that can be approved, by filter and in an order.
//!
//! Pages are cut by key, never by offset, so the deepest page costs what the first one does.

pub mod files;
pub mod filter;
mod held;
mod matching;
mod members;
pub mod order;
mod part;
mod words;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

pub use files::FileState;
pub use filter::{ApprovalFilter, State, UpdateFilter};
pub use matching::{COUNT_MAX, Count};
pub use order::{Column, Cut, PageKey, Sort};
pub use words::TEXT_LEN_MAX;

use super::{CatalogError, Kind, kind};
use crate::db::schema::{update_categories, updates};
use filter::Resolved;
use matching::matches;
use part::cut_out;

/// Most updates on one page.
pub const PAGE_MAX: i64 = 200;

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateLine {
    /// Where it stands.
    pub key: PageKey,
    /// The update.
    pub update_id: Uuid,
    /// Number of its current revision.
    pub revision: i32,
    /// Title in the default language.
    pub title: String,
    /// When the current revision was released.
    pub created: DateTime<Utc>,
    /// When it became visible here.
    pub arrived_at: DateTime<Utc>,
    /// Products, families and classifications it names, by title.
    pub categories: Vec<Member>,
    /// 0 unspecified, 1 low, 2 moderate, 3 important, 4 critical.
    pub severity: i16,
    /// Article numbers, digits only.
    pub kb: Vec<String>,
    /// Whether its current revision was withdrawn.
    pub expired: bool,
    /// Whether another update replaces it.
    pub superseded: bool,
    /// Where its files are.
    pub files: FileState,
    /// Bytes of all its files; 0 when it has none.
    pub bytes: i64,
}

impl UpdateLine {
    /// Titles of its classifications; one, in practice.
    pub fn classifications(&self) -> String {
        let titles = self.categories.iter().filter(|one| one.kind == Kind::Classification);
        titles.map(|one| one.title.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A category that an update names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its update id.
    pub id: Uuid,
    /// [`Kind::Category`] or [`Kind::Classification`].
    pub kind: Kind,
    /// Title in the default language.
    pub title: String,
}

/// A page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdatePage {
    /// The updates, in their order.
    pub lines: Vec<UpdateLine>,
    /// Whether some stand before.
    pub has_before: bool,
    /// Whether some follow.
    pub has_after: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = updates)]
struct Row {
    update_row: i32,
    update_id: Uuid,
    revision_number: i32,
    title: String,
    severity: i16,
    kb: String,
    created: DateTime<Utc>,
    arrived_at: DateTime<Utc>,
    expired: bool,
    superseded: bool,
}

/// One page of the updates that match, and how many there are; `limit` is held between 1 and [`PAGE_MAX`]. A cut at an
/// update that is not here any more is the beginning.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: &UpdateFilter,
    sort: Sort,
    cut: Cut,
    limit: i64,
) -> Result<(UpdatePage, Count), CatalogError> {
    let found = conn.transaction(async |conn| {
        conn.batch_execute(PLANNING).await?;
        let filter = Resolved::new(conn, filter, sort.column).await?;
        let (count, few) = matches(conn, &filter).await?;
        Ok::<_, CatalogError>((cut_out(conn, &filter, few, sort, cut, limit).await?, count))
    });
    let (part, count) = found.await?;
    Ok((part.read(conn).await?, count))
}

/// [`page`] without the number.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    filter: &UpdateFilter,
    sort: Sort,
    cut: Cut,
    limit: i64,
) -> Result<UpdatePage, CatalogError> {
    let found = conn.transaction(async |conn| {
        conn.batch_execute(PLANNING).await?;
        let filter = Resolved::new(conn, filter, sort.column).await?;
        let few = if filter.is_narrow() { matches(conn, &filter).await?.1 } else { None };
        cut_out(conn, &filter, few, sort, cut, limit).await
    });
    found.await?.read(conn).await
}

/// How many updates match, counted up to [`COUNT_MAX`].
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn count(conn: &mut AsyncPgConnection, filter: &UpdateFilter) -> Result<Count, CatalogError> {
    conn.transaction(async |conn| {
        conn.batch_execute(PLANNING).await?;
        let filter = Resolved::new(conn, filter, Column::Released).await?;
        Ok(matches(conn, &filter).await?.0)
    })
    .await
}

/// How these queries are planned; in a transaction, which ends it.
///
/// - No scans: the planner believes that a filter with a limit soon finds enough in a scan of the whole table; when it
///   is wrong, that takes seconds. Each filter has an index to begin with.
/// - No compilation: what is avoided counts as very dear, and dear queries would be compiled first.
/// - One process: others than this page want the second core.
/// - A plan for these very values: the right one for a frequent category is wrong for a rare one.
/// - Far pages cost what near ones do, as in memory and on flash.
const PLANNING: &str = "SET LOCAL enable_seqscan = off; SET LOCAL jit = off;
    SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL plan_cache_mode = force_custom_plan;
    SET LOCAL random_page_cost = 1.1";

/// Whether anything was ever published that can be approved.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn any(conn: &mut AsyncPgConnection) -> Result<bool, CatalogError> {
    Ok(diesel::select(exists(updates::table.filter(updates::approvable))).get_result(conn).await?)
}

/// What stands on the lines of these rows, with what other tables know of them.
async fn lines(conn: &mut AsyncPgConnection, keys: Vec<PageKey>) -> Result<Vec<UpdateLine>, CatalogError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i32> = keys.iter().map(|key| key.update_row).collect();
    let rows: Vec<Row> =
        updates::table.filter(updates::update_row.eq_any(&ids)).select(Row::as_select()).load(conn).await?;
    let mut rows: HashMap<i32, Row> = rows.into_iter().map(|row| (row.update_row, row)).collect();
    let found: Vec<(i32, Uuid, i16, String)> = update_categories::table
        .inner_join(updates::table.on(updates::update_row.eq(update_categories::category_row)))
        .filter(update_categories::update_row.eq_any(&ids))
        .order(updates::title)
        .select((update_categories::update_row, updates::update_id, updates::kind, updates::title))
        .load(conn)
        .await?;
    let mut members: HashMap<i32, Vec<Member>> = HashMap::new();
    for (row, id, code, title) in found {
        members.entry(row).or_default().push(Member { id, kind: kind::from_code(code)?, title });
    }
    let files = files::of(conn, &ids).await?;
    Ok(keys
        .into_iter()
        .filter_map(|key| {
            let row = rows.remove(&key.update_row)?;
            let (state, bytes) = files.get(&row.update_row).copied().unwrap_or_default();
            Some(UpdateLine {
                key,
                update_id: row.update_id,
                revision: row.revision_number,
                title: row.title,
                created: row.created,
                arrived_at: row.arrived_at,
                categories: members.remove(&row.update_row).unwrap_or_default(),
                severity: row.severity,
                kb: row.kb.split_whitespace().map(str::to_owned).collect(),
                expired: row.expired,
                superseded: row.superseded,
                files: state,
                bytes,
            })
        })
        .collect())
}
