//! Makes stored revisions visible, all at once.
//!
//! One advisory lock serializes publishing, and the stamp is taken under it. So stamps rise in
//! commit order, and a downstream server that was given the highest visible stamp as its anchor
//! can never miss a revision that became visible afterwards.

use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::{CatalogError, membership, search};
use crate::db::schema::{publications, unpublished_revisions};
use crate::db::{Lock, planning};
use crate::protocol::document::UpdateKind;

/// From this many changed updates or revisions on, a publication is large: statistics are refreshed in mid-way, and a
/// first one is [prepared](super::search::prepare).
pub const LARGE_FROM: i64 = 5_000;

/// A commit point that revisions are stored for. See [`open`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicationId(pub i64);

/// What became visible. The first three count updates that can be approved, each once: expired
/// before revised before new. Bundled children do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublishCounts {
    /// Updates seen for the first time.
    pub new: i64,
    /// Updates with a newer revision than before.
    pub revised: i64,
    /// Updates whose newest revision is expired, and was not before.
    pub expired: i64,
    /// Revisions of any kind that became visible.
    pub revisions: i64,
}

impl PublishCounts {
    /// It was little beside a catalogue, and statements about it are best planned [step by step](planning::step_by_step).
    pub fn is_small(&self) -> bool {
        self.revisions < LARGE_FROM
    }
}

/// Opens a publication for the run `run_id`; stored revisions name it.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn open(conn: &mut AsyncPgConnection, run_id: Option<i64>) -> Result<PublicationId, CatalogError> {
    let id = diesel::insert_into(publications::table)
        .values(publications::run_id.eq(run_id))
        .returning(publications::id)
        .get_result(conn)
        .await?;
    Ok(PublicationId(id))
}

/// Takes the publishing lock until the transaction ends, and a stamp for a change that is no revision, such as an
/// approval: servers below see both in one order.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn stamp(conn: &mut AsyncPgConnection) -> Result<i64, CatalogError> {
    lock(conn).await?;
    let publication = open(conn, None).await?;
    Ok(take_stamp(conn, publication).await?.stamp)
}

async fn lock(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
        .bind::<BigInt, _>(Lock::Publication.key())
        .execute(conn)
        .await
        .map(drop)
}

/// The highest visible stamp, in milliseconds since 1970; `None` before the first publication.
/// Read it in the same snapshot as the list it is the anchor of.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn last_stamp(conn: &mut AsyncPgConnection) -> Result<Option<i64>, CatalogError> {
    Ok(publications::table.select(diesel::dsl::max(publications::stamp)).get_result(conn).await?)
}

/// The condition that a row of `revisions` is visible.
pub(super) fn is_visible() -> SqlLiteral<Bool> {
    diesel::dsl::sql("NOT EXISTS (SELECT FROM unpublished_revisions w WHERE w.revision_row = revisions.id)")
}

/// What becomes visible at a commit point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Categories, classifications and detectoids. Updates wait, so that none is seen without its bundle.
    Configuration,
    /// All that is stored.
    Everything,
}

impl Scope {
    /// The lowest `revisions.kind` that belongs to it.
    fn lowest_kind(self) -> i16 {
        match self {
            Self::Configuration => UpdateKind::Category.code(),
            Self::Everything => UpdateKind::Software.code(),
        }
    }
}

/// Publishes every revision of `scope` that is stored and not visible yet, also those an interrupted run left.
///
/// Call it inside a transaction at the default isolation (read committed), together with whatever
/// must become true at the same moment, such as the anchors. With nothing to publish it takes two
/// statements and no stamp.
///
/// # Errors
/// [`CatalogError::NoSuchPublication`], and [`CatalogError::Query`] when the database fails.
pub async fn publish(
    conn: &mut AsyncPgConnection,
    publication: PublicationId,
    scope: Scope,
) -> Result<PublishCounts, CatalogError> {
    lock(conn).await?;
    let lowest_kind = scope.lowest_kind();
    let waiting = unpublished_revisions::table.filter(unpublished_revisions::kind.ge(lowest_kind));
    if !diesel::select(diesel::dsl::exists(waiting)).get_result::<bool>(conn).await? {
        return Ok(PublishCounts::default());
    }
    let stamped = take_stamp(conn, publication).await?;
    conn.batch_execute(planning::ROOMY).await?;
    conn.batch_execute(&PREPARE.replace("$lowest_kind", &lowest_kind.to_string())).await?;
    let counts = counts(conn).await?;
    let large = counts.changed >= LARGE_FROM;
    if large {
        conn.batch_execute(ANALYZE_LINKS).await?;
    } else {
        planning::step_by_step(conn).await?;
    }
    diesel::sql_query(REPLACE_CURRENT)
        .bind::<BigInt, _>(stamped.stamp)
        .bind::<Nullable<BigInt>, _>(stamped.run_id)
        .execute(conn)
        .await?;
    if large {
        conn.batch_execute("ANALYZE updates (update_row, revision_row, kind, approvable, expired)").await?;
    }
    membership::refresh(conn, stamped.stamp, large).await?;
    for note in [NOTE_CHANGES, MARK_SUPERSEDED] {
        diesel::sql_query(note)
            .bind::<BigInt, _>(stamped.stamp)
            .bind::<Nullable<BigInt>, _>(stamped.run_id)
            .execute(conn)
            .await?;
    }
    let revisions = diesel::sql_query(MARK_PUBLISHED).execute(conn).await? as i64;
    search::refresh(conn, large).await?;
    if large {
        conn.batch_execute("ANALYZE updates; ANALYZE update_categories; ANALYZE update_search").await?;
    } else {
        planning::any_way(conn).await?;
    }
    let Changes { new, revised, expired, .. } = counts;
    Ok(PublishCounts { new, revised, expired, revisions })
}

#[derive(QueryableByName)]
struct Stamped {
    #[diesel(sql_type = BigInt)]
    stamp: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    run_id: Option<i64>,
}

/// Gives the publication a stamp above every other; the lock must be held.
async fn take_stamp(
    conn: &mut AsyncPgConnection,
    publication: PublicationId,
) -> Result<Stamped, CatalogError> {
    diesel::sql_query(
        "UPDATE publications SET stamp = greatest(
             floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint,
             (SELECT coalesce(max(stamp), 0) + 1 FROM publications))
         WHERE id = $1 RETURNING stamp, run_id",
    )
    .bind::<BigInt, _>(publication.0)
    .get_result(conn)
    .await
    .optional()?
    .ok_or(CatalogError::NoSuchPublication { id: publication.0 })
}

#[derive(QueryableByName)]
struct Changes {
    #[diesel(sql_type = BigInt)]
    changed: i64,
    #[diesel(sql_type = BigInt)]
    new: i64,
    #[diesel(sql_type = BigInt)]
    revised: i64,
    #[diesel(sql_type = BigInt)]
    expired: i64,
}

async fn counts(conn: &mut AsyncPgConnection) -> Result<Changes, CatalogError> {
    Ok(diesel::sql_query(
        "SELECT count(*) AS changed,
                count(*) FILTER (WHERE approvable AND newly_expired) AS expired,
                count(*) FILTER (WHERE approvable AND NOT newly_expired AND is_new) AS new,
                count(*) FILTER (WHERE approvable AND NOT newly_expired AND NOT is_new) AS revised
         FROM publishing",
    )
    .get_result(conn)
    .await?)
}

/// Of `revisions` only what is joined by: a sample of all its texts takes as long as the rest of the publication's work.
const ANALYZE_LINKS: &str = "
ANALYZE update_ids;
ANALYZE revisions (id, update_row, revision_number, publication_id, kind, approvable, expired);
ANALYZE relations;
ANALYZE revision_files";

/// First what is published now: an import that goes on meanwhile waits for the next time. Then one
/// row for each update whose highest revision is among the waiting ones. A lower revision that
/// came late is made visible, but never current.
const PREPARE: &str = "
DROP TABLE IF EXISTS publishing_revisions, publishing;
CREATE TEMPORARY TABLE publishing_revisions ON COMMIT DROP AS
SELECT revision_row AS id FROM unpublished_revisions WHERE kind >= $lowest_kind;
ANALYZE publishing_revisions;
CREATE TEMPORARY TABLE publishing ON COMMIT DROP AS
SELECT DISTINCT ON (r.update_row) r.update_row, r.id AS revision_row, r.kind, r.approvable,
       u.update_row IS NULL AS is_new,
       r.expired, r.expired AND NOT coalesce(u.expired, false) AS newly_expired,
       u.revision_row AS old_revision_row
FROM publishing_revisions n
JOIN revisions r ON r.id = n.id
LEFT JOIN updates u ON u.update_row = r.update_row
WHERE u.update_row IS NULL OR u.revision_number < r.revision_number
ORDER BY r.update_row, r.revision_number DESC;
CREATE INDEX ON publishing (update_row);
ANALYZE publishing";

/// A new update whose successor comes along is written as superseded at once: a row that is changed costs as much as a
/// new one. 45,000 updates, 5,500 of them superseded: 0.69 s with the marking after it, 0.86 s before. $1 stamp, $2 run.
const REPLACE_CURRENT: &str = "
WITH replaced AS (
    SELECT DISTINCT l.target_row FROM publishing p
    JOIN relations l ON l.revision_row = p.revision_row AND l.kind = 2
    WHERE NOT p.expired AND l.target_row <> p.update_row
)
INSERT INTO updates (update_row, update_id, revision_row, revision_number, changed_stamp, first_run_id,
    last_run_id, arrived_at, kind, approvable, expired, superseded, severity, category_type, title, kb, bulletin,
    created)
SELECT p.update_row, i.update_id, r.id, r.revision_number, $1, $2, $2, now(), r.kind, r.approvable,
    r.expired, s.target_row IS NOT NULL, r.severity, r.category_type, r.title, r.kb, r.bulletin, r.created
FROM publishing p
JOIN revisions r ON r.id = p.revision_row
JOIN update_ids i ON i.id = p.update_row
LEFT JOIN replaced s ON s.target_row = p.update_row
ON CONFLICT (update_row) DO UPDATE SET
    revision_row = excluded.revision_row, revision_number = excluded.revision_number,
    changed_stamp = excluded.changed_stamp, last_run_id = excluded.last_run_id, kind = excluded.kind,
    approvable = excluded.approvable, expired = excluded.expired, severity = excluded.severity,
    category_type = excluded.category_type, title = excluded.title, kb = excluded.kb,
    bulletin = excluded.bulletin, created = excluded.created";

const MARK_PUBLISHED: &str = "
DELETE FROM unpublished_revisions w USING publishing_revisions n WHERE w.revision_row = n.id";

/// $1 stamp, $2 run.
const NOTE_CHANGES: &str = "
INSERT INTO update_changes (stamp, update_row, change, run_id)
SELECT $1, update_row, CASE WHEN newly_expired THEN 2 WHEN is_new THEN 0 ELSE 1 END, $2
FROM publishing WHERE approvable";

/// An update is superseded while another one that names it is current and not expired. Known updates that are from
/// now on get their line. $1 stamp, $2 run.
const MARK_SUPERSEDED: &str = "
WITH touched AS (
    SELECT update_row FROM publishing
    UNION
    SELECT r.target_row FROM publishing p
    CROSS JOIN LATERAL (VALUES (p.revision_row), (p.old_revision_row)) edition (revision_row)
    JOIN relations r ON r.revision_row = edition.revision_row AND r.kind = 2
), replaced AS (
    SELECT DISTINCT r.target_row
    FROM touched t
    JOIN relations r ON r.target_row = t.update_row AND r.kind = 2
    JOIN updates newer ON newer.revision_row = r.revision_row
    WHERE NOT newer.expired AND newer.update_row <> r.target_row
), marked AS (
    UPDATE updates u SET superseded = r.target_row IS NOT NULL
    FROM touched t LEFT JOIN replaced r ON r.target_row = t.update_row
    WHERE u.update_row = t.update_row AND u.superseded <> (r.target_row IS NOT NULL)
    RETURNING u.update_row, u.superseded, u.approvable
)
INSERT INTO update_changes (stamp, update_row, change, run_id)
SELECT $1, m.update_row, 3, $2 FROM marked m
WHERE m.superseded AND m.approvable
  AND NOT EXISTS (SELECT FROM publishing p WHERE p.update_row = m.update_row AND p.is_new)";
