//! The categories that can be chosen here: what the catalogue knows, and the built-in ones behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::tree::{CategoryTree, Node, NodeKind};
use super::{builtin, visits};
use crate::db::schema::{publications, update_categories, updates};
use crate::db::{Keep, Remembered};

/// The kinds of `updates.kind` that are categories: category and classification.
const CATEGORY_KINDS: [i16; 2] = [2, 3];

/// The tree of [`known_tree`], kept while nothing new is published: pages that are opened all day read it once.
/// Its mark is the highest stamp; `None`: nothing was published yet.
#[derive(Default)]
pub struct KnownTrees(Remembered<Option<i64>, CategoryTree>);

impl KnownTrees {
    /// The tree as this server knows it now. One short statement, two after a publication.
    ///
    /// # Errors
    /// The database's.
    pub async fn now(&self, conn: &mut AsyncPgConnection) -> QueryResult<Arc<CategoryTree>> {
        let stamp = publications::table.select(max(publications::stamp)).get_result(conn).await?;
        match self.0.under(&stamp) {
            Some(tree) => Ok(tree),
            None => Ok(self.0.keep(stamp, known_tree(conn).await?)),
        }
    }
}

/// The tree as this server knows it now, without numbers of updates. One statement.
///
/// # Errors
/// The database's.
pub async fn known_tree(conn: &mut AsyncPgConnection) -> QueryResult<CategoryTree> {
    build(conn, BTreeMap::new(), None).await
}

/// The same with the number of updates known for each category, and with what is new since the account's last visit.
/// Three statements, one of which reads the whole membership table.
///
/// # Errors
/// The database's.
pub async fn known_tree_for(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<CategoryTree> {
    let since = visits::before(conn, account_id).await?;
    let counts: Vec<(i32, i64)> = update_categories::table
        .inner_join(updates::table.on(updates::update_row.eq(update_categories::update_row)))
        .filter(updates::approvable)
        .group_by(update_categories::category_row)
        .select((update_categories::category_row, diesel::dsl::count_star()))
        .load(conn)
        .await?;
    let counts = counts.into_iter().map(|(row, n)| (row, n.unsigned_abs())).collect();
    build(conn, counts, since).await
}

/// Row, id, title, category type, day of arrival, rows of the parents.
type CategoryRow = (i32, Uuid, String, Option<String>, DateTime<Utc>, Vec<i32>);

/// Categories are few among the members of categories: each looks its parents up.
const PARENTS: &str =
    "ARRAY(SELECT m.category_row FROM update_categories m WHERE m.update_row = updates.update_row)";

async fn build(
    conn: &mut AsyncPgConnection,
    counts: BTreeMap<i32, u64>,
    since: Option<DateTime<Utc>>,
) -> QueryResult<CategoryTree> {
    let categories: Vec<CategoryRow> = updates::table
        .filter(updates::kind.eq_any(CATEGORY_KINDS))
        .select((
            updates::update_row,
            updates::update_id,
            updates::title,
            updates::category_type,
            updates::arrived_at,
            sql::<Array<Integer>>(PARENTS),
        ))
        .kept()
        .load(conn)
        .await?;
    let ids: BTreeMap<i32, Uuid> = categories.iter().map(|(row, id, ..)| (*row, *id)).collect();
    let mut nodes: Vec<Node> = categories
        .into_iter()
        .filter_map(|(row, id, title, kind, arrived_at, above)| {
            let kind = NodeKind::from_category_type(kind.as_deref().unwrap_or_default())?;
            let parents = above.iter().filter_map(|parent| ids.get(parent).copied()).collect();
            Some(Node {
                id,
                title,
                kind,
                parents,
                updates: counts.get(&row).copied().unwrap_or(0),
                is_new: since.is_some_and(|since| arrived_at > since),
            })
        })
        .collect();
    nodes.extend(builtin::nodes(&nodes));
    Ok(CategoryTree::new(nodes))
}
