//! Updates that lead back to themselves, and bundles nested deeper than any sensible one. Both are stored as they came;
//! the page of the update says so.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, SmallInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::CatalogError;
use super::revision::RelationKind;

/// Other updates looked at on the way; what lies behind more of them is not found.
const REACHED_MAX: i32 = 20_000;

/// Levels of bundles inside each other that are not pointed out. Real ones have two or three.
pub const LEVELS_MAX: i32 = 50;

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    found: bool,
}

/// Whether an update leads back to itself, directly or through the current revisions of others. The walk is over
/// distinct updates, so it ends in any circle.
pub(super) async fn is_in_circle(
    conn: &mut AsyncPgConnection,
    update_row: i32,
    kind: RelationKind,
) -> Result<bool, CatalogError> {
    const WALK: &str = "
        WITH RECURSIVE reached (update_row) AS (
            SELECT r.target_row FROM updates u
            JOIN relations r ON r.revision_row = u.revision_row AND r.kind = $2
            WHERE u.update_row = $1
            UNION
            SELECT r.target_row FROM reached
            JOIN updates u ON u.update_row = reached.update_row
            JOIN relations r ON r.revision_row = u.revision_row AND r.kind = $2)
        SELECT EXISTS (SELECT FROM (SELECT update_row FROM reached LIMIT $3) AS walk WHERE walk.update_row = $1) AS found";
    ask(conn, WALK, update_row, kind, REACHED_MAX).await
}

/// Whether bundles are nested in this one deeper than [`LEVELS_MAX`]; also in a circle.
pub(super) async fn is_nested_too_deep(
    conn: &mut AsyncPgConnection,
    update_row: i32,
) -> Result<bool, CatalogError> {
    const WALK: &str = "
        WITH RECURSIVE reached (update_row, level) AS (
            SELECT r.target_row, 1 FROM updates u
            JOIN relations r ON r.revision_row = u.revision_row AND r.kind = $2
            WHERE u.update_row = $1
            UNION
            SELECT r.target_row, level + 1 FROM reached
            JOIN updates u ON u.update_row = reached.update_row
            JOIN relations r ON r.revision_row = u.revision_row AND r.kind = $2
            WHERE level <= $3)
        SELECT EXISTS (SELECT FROM (SELECT level FROM reached LIMIT 20000) AS walk WHERE walk.level > $3) AS found";
    ask(conn, WALK, update_row, RelationKind::Bundles, LEVELS_MAX).await
}

async fn ask(
    conn: &mut AsyncPgConnection,
    walk: &str,
    update_row: i32,
    kind: RelationKind,
    max: i32,
) -> Result<bool, CatalogError> {
    let answer: Answer = diesel::sql_query(walk)
        .bind::<Integer, _>(update_row)
        .bind::<SmallInt, _>(kind.code())
        .bind::<Integer, _>(max)
        .get_result(conn)
        .await?;
    Ok(answer.found)
}
