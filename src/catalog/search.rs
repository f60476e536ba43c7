//! What updates are found by: their texts, products and classifications, under one index.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::CatalogError;

/// Brings `update_search` up to date with the updates in the table `publishing_affected`.
///
/// `large`: they are many. When there were none before, the index is made once they all are there, which takes half as
/// long; whoever searches an empty catalogue meanwhile waits.
pub(super) async fn refresh(conn: &mut AsyncPgConnection, large: bool) -> Result<(), CatalogError> {
    if !large || !is_empty(conn).await? {
        conn.batch_execute(MAKE_FOUND).await?;
        return Ok(());
    }
    let index: String = diesel::select(diesel::dsl::sql::<Text>(INDEX)).get_result(conn).await?;
    conn.batch_execute("DROP INDEX update_search_all").await?;
    conn.batch_execute(MAKE_FOUND).await?;
    conn.batch_execute(&format!("SET LOCAL maintenance_work_mem = '128MB'; {index}")).await?;
    Ok(())
}

async fn is_empty(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    let empty = diesel::dsl::sql::<Bool>("NOT EXISTS (SELECT FROM update_search)");
    diesel::select(empty).get_result(conn).await
}

/// The statement that makes the index.
const INDEX: &str = "pg_get_indexdef('update_search_all'::regclass)";

/// Only what can be approved is searched for. In the order of the rows: who walks through them reads each page once.
const MAKE_FOUND: &str = "
INSERT INTO update_search AS known (update_row, search, categories)
SELECT u.update_row,
    lower(concat_ws(' ', u.title, CASE WHEN u.kb <> '' THEN 'kb' || replace(u.kb, ' ', ' kb') END,
        nullif(u.bulletin, ''), u.update_id::text, left(r.description, 1000))),
    ARRAY(SELECT m.category_row FROM update_categories m WHERE m.update_row = u.update_row ORDER BY 1)
FROM publishing_affected a
JOIN updates u ON u.update_row = a.update_row AND u.approvable
JOIN revisions r ON r.id = u.revision_row
ORDER BY u.update_row
ON CONFLICT (update_row) DO UPDATE SET search = excluded.search, categories = excluded.categories
WHERE (known.search, known.categories) IS DISTINCT FROM (excluded.search, excluded.categories)";
