//! Which products and classifications an update belongs to, and which parents a category has.
//!
//! Source: the prerequisites of the current revision. Groups marked as category count first, plain
//! groups only where no marked one names a product (or a classification). A bundled child that
//! names neither takes what the bundles around it have.

use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::CatalogError;
use crate::db::planning;

/// Brings `update_categories` up to date with the updates in the table `publishing`: their own
/// membership, that of updates which named a category before it arrived, and that of the bundled
/// children of both. An update whose membership changes gets `stamp` as its change. `large`: they are many.
pub(super) async fn refresh(
    conn: &mut AsyncPgConnection,
    stamp: i64,
    large: bool,
) -> Result<(), CatalogError> {
    conn.batch_execute(AFFECTED).await?;
    conn.batch_execute(OWN).await?;
    conn.batch_execute(INHERITED).await?;
    if large {
        planning::by_whole_tables(conn).await?;
    }
    diesel::sql_query(APPLY).bind::<BigInt, _>(stamp).execute(conn).await?;
    if large {
        planning::any_way(conn).await?;
    }
    Ok(())
}

/// Detectoids belong to nothing. The recursion is over distinct updates, so it ends in a cycle too.
const AFFECTED: &str = "
DROP TABLE IF EXISTS publishing_affected;
CREATE TEMPORARY TABLE publishing_affected ON COMMIT DROP AS
WITH RECURSIVE affected (update_row) AS (
    SELECT update_row FROM publishing
    UNION
    SELECT named.update_row FROM (
        SELECT u.update_row FROM publishing p
        JOIN relations r ON r.target_row = p.update_row AND r.kind IN (0, 1)
        JOIN updates u ON u.revision_row = r.revision_row
        WHERE p.is_new AND p.kind IN (2, 3)) named
    UNION
    SELECT child.update_row FROM affected a
    JOIN updates u ON u.update_row = a.update_row AND u.kind IN (0, 1)
    JOIN relations r ON r.revision_row = u.revision_row AND r.kind = 3
    JOIN updates child ON child.update_row = r.target_row
)
SELECT u.update_row, u.revision_row, u.kind FROM affected a
JOIN updates u ON u.update_row = a.update_row
WHERE u.kind <> 4;
CREATE INDEX ON publishing_affected (update_row);
ANALYZE publishing_affected";

/// What each update of the table `publishing_affected` names itself, as the table `publishing_wanted`.
pub(super) const OWN: &str = "
DROP TABLE IF EXISTS publishing_wanted;
CREATE TEMPORARY TABLE publishing_wanted ON COMMIT DROP AS
SELECT DISTINCT update_row, category_row FROM (
    SELECT a.update_row, r.target_row AS category_row, r.kind,
           bool_or(r.kind = 1) OVER (PARTITION BY a.update_row, c.kind) AS has_marked
    FROM publishing_affected a
    JOIN relations r ON r.revision_row = a.revision_row AND r.kind IN (0, 1)
    JOIN updates c ON c.update_row = r.target_row AND c.kind IN (2, 3)
    WHERE c.update_row <> a.update_row) named
WHERE kind = 1 OR NOT has_marked;
CREATE INDEX ON publishing_wanted (update_row, category_row);
ANALYZE publishing_wanted";

/// Pairs of a child without own membership and a category; a bundle whose own membership is not
/// affected passes on what is stored for it; the condition for that stands outside of both parts, so that an index finds
/// its rows. The index keeps ten thousand levels from being read whole ten thousand times.
const INHERITED: &str = "
DROP TABLE IF EXISTS publishing_orphans;
CREATE TEMPORARY TABLE publishing_orphans ON COMMIT DROP AS
SELECT a.update_row, a.revision_row FROM publishing_affected a
WHERE a.kind IN (0, 1)
  AND NOT EXISTS (SELECT FROM publishing_wanted w WHERE w.update_row = a.update_row);
CREATE INDEX ON publishing_orphans (update_row);
ANALYZE publishing_orphans;
INSERT INTO publishing_wanted
WITH RECURSIVE inherited (update_row, category_row) AS (
    SELECT o.update_row, known.category_row
    FROM publishing_orphans o
    JOIN relations r ON r.target_row = o.update_row AND r.kind = 3
    JOIN updates parent ON parent.revision_row = r.revision_row
    JOIN (
        SELECT w.update_row, w.category_row, true AS is_wanted FROM publishing_wanted w
        UNION ALL
        SELECT m.update_row, m.category_row, false FROM update_categories m
    ) known ON known.update_row = parent.update_row
    WHERE known.is_wanted OR NOT EXISTS (SELECT FROM publishing_affected a WHERE a.update_row = known.update_row)
    UNION
    SELECT child.update_row, i.category_row
    FROM inherited i
    JOIN publishing_orphans o ON o.update_row = i.update_row
    JOIN relations r ON r.revision_row = o.revision_row AND r.kind = 3
    JOIN publishing_orphans child ON child.update_row = r.target_row
)
SELECT update_row, category_row FROM inherited;
ANALYZE publishing_wanted";

/// $1 stamp. Writes only what differs.
const APPLY: &str = "
WITH gone AS (
    DELETE FROM update_categories m USING publishing_affected a
    WHERE m.update_row = a.update_row AND NOT EXISTS (
        SELECT FROM publishing_wanted w
        WHERE w.update_row = m.update_row AND w.category_row = m.category_row)
    RETURNING m.update_row
), came AS (
    INSERT INTO update_categories (update_row, category_row)
    SELECT w.update_row, w.category_row FROM publishing_wanted w
    WHERE NOT EXISTS (
        SELECT FROM update_categories m
        WHERE m.update_row = w.update_row AND m.category_row = w.category_row)
    RETURNING update_row
)
UPDATE updates SET changed_stamp = $1
WHERE changed_stamp <> $1
  AND update_row IN (SELECT update_row FROM gone UNION SELECT update_row FROM came)";
