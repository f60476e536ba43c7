//! What updates are found by: their texts, products and classifications, under one index.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::{CatalogError, membership};
use crate::db::planning;
use crate::db::schema::unpublished_revisions;

/// Makes the rows and the index for what a first publication will show, before it shows it. The publication is one
/// transaction and so one processor; this takes another one meanwhile. Rows of updates that are not visible yet are found
/// by nobody, because whatever is found here is looked up in `updates`; a publication mends what differs.
///
/// Call it when the publication begins, which waits for it in the end. It does nothing where something can be searched
/// already, or where fewer than `least` revisions wait. `true`: it did.
///
/// # Errors
/// [`CatalogError::Query`]: the database's, also when somebody else has held the table for half a second.
pub async fn prepare(conn: &mut AsyncPgConnection, least: i64) -> Result<bool, CatalogError> {
    let waiting = unpublished_revisions::table.count().get_result::<i64>(conn).await?;
    if waiting < least || !is_empty(conn).await? {
        return Ok(false);
    }
    conn.transaction(async |conn| {
        conn.batch_execute(planning::ROOMY).await?;
        conn.batch_execute("SET LOCAL lock_timeout = '500ms'; LOCK TABLE update_search").await?;
        if !is_empty(conn).await? {
            return Ok(false);
        }
        planning::by_whole_tables(conn).await?;
        conn.batch_execute(COMING).await?;
        conn.batch_execute(membership::OWN).await?;
        make_with_index(conn, &make_coming()).await?;
        Ok(true)
    })
    .await
}

/// Brings `update_search` up to date with the updates in the table `publishing_affected`.
///
/// `large`: they are many. When there were none before, the index is made once they all are there, which takes half as
/// long; whoever searches an empty catalogue meanwhile waits.
pub(super) async fn refresh(conn: &mut AsyncPgConnection, large: bool) -> Result<(), CatalogError> {
    let make = make_found();
    if large && is_empty(conn).await? {
        return make_with_index(conn, &make).await;
    }
    conn.batch_execute(&make).await?;
    Ok(())
}

async fn is_empty(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    let empty = diesel::dsl::sql::<Bool>("NOT EXISTS (SELECT FROM update_search)");
    diesel::select(empty).get_result(conn).await
}

async fn make_with_index(conn: &mut AsyncPgConnection, make: &str) -> Result<(), CatalogError> {
    let index: String = diesel::select(diesel::dsl::sql::<Text>(INDEX)).get_result(conn).await?;
    conn.batch_execute("DROP INDEX update_search_all").await?;
    conn.batch_execute(make).await?;
    conn.batch_execute(&format!("SET LOCAL maintenance_work_mem = '128MB'; {index}")).await?;
    Ok(())
}

/// The statement that makes the index.
const INDEX: &str = "pg_get_indexdef('update_search_all'::regclass)";

/// What is found of a revision `r` of the update `i`.
const TEXT: &str = "
    lower(concat_ws(' ', r.title, CASE WHEN r.kb <> '' THEN 'kb' || replace(r.kb, ' ', ' kb') END,
        nullif(r.bulletin, ''), i.update_id::text, left(r.description, 1000)))";

/// Only what can be approved is searched for. In the order of the rows: who walks through them reads each page once. What
/// is there as it should be is left alone; a row that turns out to be right only when it is written costs as much.
fn make_found() -> String {
    format!(
        "INSERT INTO update_search (update_row, search, categories)
         SELECT made.update_row, made.search, made.categories
         FROM (SELECT i.update_row, {TEXT} AS search,
                   ARRAY(SELECT m.category_row FROM update_categories m
                         WHERE m.update_row = i.update_row ORDER BY 1) AS categories
               FROM publishing_affected a
               JOIN updates i ON i.update_row = a.update_row AND i.approvable
               JOIN revisions r ON r.id = i.revision_row) made
         LEFT JOIN update_search k ON k.update_row = made.update_row
         WHERE (k.search, k.categories) IS DISTINCT FROM (made.search, made.categories)
         ORDER BY made.update_row
         ON CONFLICT (update_row) DO UPDATE SET search = excluded.search, categories = excluded.categories"
    )
}

/// New updates that wait, as the table that [`membership::OWN`] starts from.
const COMING: &str = "
DROP TABLE IF EXISTS publishing_affected;
CREATE TEMPORARY TABLE publishing_affected ON COMMIT DROP AS
SELECT * FROM (
    SELECT DISTINCT ON (r.update_row) r.update_row, r.id AS revision_row, r.kind, r.approvable
    FROM unpublished_revisions w JOIN revisions r ON r.id = w.revision_row
    WHERE NOT EXISTS (SELECT FROM updates u WHERE u.update_row = r.update_row)
    ORDER BY r.update_row, r.revision_number DESC) newest
WHERE approvable;
CREATE INDEX ON publishing_affected (update_row);
ANALYZE publishing_affected";

fn make_coming() -> String {
    format!(
        "INSERT INTO update_search (update_row, search, categories)
         SELECT a.update_row, {TEXT},
             ARRAY(SELECT m.category_row FROM publishing_wanted m WHERE m.update_row = a.update_row ORDER BY 1)
         FROM publishing_affected a
         JOIN revisions r ON r.id = a.revision_row
         JOIN update_ids i ON i.id = a.update_row
         ORDER BY a.update_row"
    )
}
