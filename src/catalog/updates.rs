//! Finds updates that can be approved, by filter and in an order.
//!
//! Pages are cut by key, never by offset, so the deepest page costs what the first one does.

pub mod files;
pub mod filter;
pub mod order;
mod words;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::{array, exists};
use diesel::prelude::*;
use diesel::sql_types::Integer;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

pub use files::FileState;
pub use filter::{ApprovalFilter, State, UpdateFilter};
pub use order::{Column, Cut, PageKey, Sort};
pub use words::TEXT_LEN_MAX;

use super::{CatalogError, Kind, kind};
use crate::db::Keep;
use crate::db::schema::{update_categories, updates};
use filter::Resolved;

/// Most updates on one page.
pub const PAGE_MAX: i64 = 200;
/// Counting stops here; see [`Count`]. Up to so many matches are sorted by themselves.
pub const COUNT_MAX: i64 = 1_000;
/// The same where finding costs most: what was found would be looked for once more for the order.
const DEAR_MAX: i64 = 2_500;

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

/// How many updates match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The number, at most [`COUNT_MAX`].
    pub at_least: i64,
    /// Whether there are more than that.
    pub more: bool,
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

/// Counts, and gives the rows of everything that matches when that is little: then the order is made of them, and what
/// to look for is not looked for again.
async fn matches(
    conn: &mut AsyncPgConnection,
    filter: &Resolved<'_>,
) -> Result<(Count, Option<Vec<i32>>), CatalogError> {
    // As one row: a thousand of them take longer to read than to find.
    let most = if filter.is_dear() { DEAR_MAX } else { COUNT_MAX };
    let found = filter.query().select(updates::update_row).limit(most + 1);
    let rows: Vec<i32> = diesel::select(array::<Integer, _>(found)).kept().get_result(conn).await?;
    let found = rows.len() as i64;
    let count = Count { at_least: found.min(COUNT_MAX), more: found > COUNT_MAX };
    Ok((count, (found <= most).then_some(rows)))
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

/// What stands on a page, before its lines are read.
#[derive(Default)]
struct Part {
    keys: Vec<PageKey>,
    has_before: bool,
    has_after: bool,
}

impl Part {
    /// With plans that serve every page: [`PLANNING`] would make new ones each time, which takes longer than the reading.
    async fn read(self, conn: &mut AsyncPgConnection) -> Result<UpdatePage, CatalogError> {
        let Self { keys, has_before, has_after } = self;
        Ok(UpdatePage { lines: lines(conn, keys).await?, has_before, has_after })
    }
}

/// The part of a page; `few` are the rows of all that match, where they are known.
async fn cut_out(
    conn: &mut AsyncPgConnection,
    filter: &Resolved<'_>,
    few: Option<Vec<i32>>,
    sort: Sort,
    cut: Cut,
    limit: i64,
) -> Result<Part, CatalogError> {
    if few.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Part::default());
    }
    let limit = usize::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1);
    let classes = order::classes(conn, sort).await?;
    let place = match cut.key() {
        Some(key) if usize::from(key.class) < classes.len() => order::place(conn, key).await?,
        _ => None,
    };
    let (cut, start) = match (&place, cut.key()) {
        (Some(_), Some(key)) => (cut, usize::from(key.class)),
        _ => (Cut::First, 0),
    };
    let back = matches!(cut, Cut::Before(_));
    let wanted: Vec<usize> =
        if back { (0..=start).rev().collect() } else { (start..classes.len()).collect() };
    // Rows first, which the indexes alone tell; what stands on their lines is read for those that are shown.
    let mut keys: Vec<PageKey> = Vec::with_capacity(limit + 1);
    for class in wanted {
        let query = match &few {
            Some(rows) => updates::table.into_boxed().filter(updates::update_row.eq_any(rows)),
            None => filter.walked(),
        };
        let query = classes[class].narrow(query, filter);
        let query = order::sorted(query, sort, back, place.clone().filter(|_| class == start));
        let missing = limit + 1 - keys.len();
        let query = query.limit(missing as i64).select(updates::update_row);
        let found: Vec<i32> = query.kept().load(conn).await?;
        let class = u16::try_from(class).unwrap_or(u16::MAX);
        keys.extend(found.into_iter().map(|update_row| PageKey { class, update_row }));
        if keys.len() > limit {
            break;
        }
    }
    let more = keys.len() > limit;
    keys.truncate(limit);
    if back {
        keys.reverse();
    }
    Ok(Part {
        keys,
        has_before: if back { more } else { cut != Cut::First },
        has_after: if back { true } else { more },
    })
}

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
