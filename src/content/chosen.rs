//! Which files are wanted: those of approved updates, or of all, by the choices of Update Files and Languages.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::db::planning;

/// Adds every file that is wanted by now and was not before; the answer is how many. Files are never taken from the
/// list here: what is stored stays until it is cleaned up.
///
/// Deferred: the current revisions of updates approved for installation, with everything bundled below them.
/// Otherwise: those of all updates that are neither expired nor declined. Express files only when they are chosen.
///
/// # Errors
/// The database's.
pub async fn refresh(conn: &mut AsyncPgConnection, run_id: Option<i64>) -> QueryResult<usize> {
    let stores = "SELECT deferred FROM files_in_force WHERE store = 'local'";
    let Some(options) = diesel::sql_query(stores).get_result::<Options>(conn).await.optional()? else {
        return Ok(0);
    };
    if !options.deferred {
        return add(conn, false, run_id).await;
    }
    // What is approved for installation is little beside the catalogue.
    conn.transaction(async |conn| {
        planning::step_by_step(conn).await?;
        let added = add(conn, true, run_id).await?;
        planning::any_way(conn).await?;
        Ok(added)
    })
    .await
}

#[derive(QueryableByName)]
struct Options {
    #[diesel(sql_type = Bool)]
    deferred: bool,
}

async fn add(conn: &mut AsyncPgConnection, deferred: bool, run_id: Option<i64>) -> QueryResult<usize> {
    let sql = format!(
        "WITH RECURSIVE options AS (SELECT express, replica FROM files_in_force WHERE store = 'local'){}
         INSERT INTO content_files (file_row, run_id)
         SELECT DISTINCT f.id, $1 {FILES} ON CONFLICT (file_row) DO NOTHING",
        chosen(deferred)
    );
    diesel::sql_query(sql).bind::<Nullable<BigInt>, _>(run_id).execute(conn).await
}

/// How many files, and their bytes, a choice would fetch that are neither here nor on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Need {
    #[diesel(sql_type = BigInt)]
    pub files: i64,
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
}

/// What storing files with these choices would fetch, as far as it is known now.
///
/// # Errors
/// The database's.
pub async fn need(
    conn: &mut AsyncPgConnection,
    deferred: bool,
    express: bool,
    replica: bool,
) -> QueryResult<Need> {
    diesel::sql_query(format!(
        "WITH RECURSIVE options AS (SELECT $1 AS express, $2 AS replica){}, more AS (
             SELECT DISTINCT f.id, f.size {FILES}
             AND NOT EXISTS (SELECT FROM content_files c WHERE c.file_row = f.id AND c.state <> 'failed'))
         SELECT count(*) AS files, COALESCE(sum(size), 0)::bigint AS bytes FROM more",
        chosen(deferred)
    ))
    .bind::<Bool, _>(express)
    .bind::<Bool, _>(replica)
    .get_result(conn)
    .await
}

/// The revisions whose files are wanted under `options`. One of two beginnings, because the planner would read all
/// updates to find out that they are not asked for.
fn chosen(deferred: bool) -> String {
    let first = if deferred { APPROVED } else { ALL };
    format!(
        ", chosen (update_row, revision_row) AS (
             {first}
               AND NOT EXISTS (SELECT FROM declined_updates d
                               WHERE d.update_id = u.update_id AND d.mirrored = o.replica)
             UNION
             SELECT child.update_row, child.revision_row FROM chosen c
             JOIN relations r ON r.revision_row = c.revision_row AND r.kind = 3
             JOIN updates child ON child.update_row = r.target_row
         )"
    )
}

/// What is approved for installation.
const APPROVED: &str = "SELECT u.update_row, u.revision_row FROM options o
    JOIN approvals a ON a.action = 0 AND a.mirrored = o.replica
    JOIN updates u ON u.update_id = a.update_id
    WHERE NOT u.expired";

/// Everything that can be approved.
const ALL: &str = "SELECT u.update_row, u.revision_row FROM options o
    JOIN updates u ON u.approvable
    WHERE NOT u.expired";

/// Their files.
const FILES: &str = "
FROM chosen c
JOIN revision_files rf ON rf.revision_row = c.revision_row
JOIN files f ON f.id = rf.file_row
CROSS JOIN options o
WHERE (o.express OR f.patching <> 'Express')";
