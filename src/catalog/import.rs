//! Stores revisions in bulk. The one module that talks to PostgreSQL without Diesel: its arrays go
//! in whole columns at a time, so that the number of statements does not depend on the batch.

use std::collections::{HashMap, HashSet};

use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::publish::PublicationId;
use super::revision::ImportRevision;
use super::{CatalogError, kind};
use crate::protocol::ids::RevisionKey;

mod columns;

use columns::{FileColumns, RelationColumns, RevisionColumns};

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Revisions that are new in the database.
    pub stored: usize,
    /// Revisions that were there before; the first one was kept.
    pub already: usize,
    /// Bytes of the documents that were stored.
    pub bytes: u64,
    /// Revisions that break a rule of the catalogue and were not stored.
    pub refused: Vec<Refused>,
}

/// A revision that was not stored, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The revision.
    pub key: RevisionKey,
    /// One sentence for the page of the run.
    pub reason: String,
}

/// Stores a batch for `publication` in one transaction; invisible until it is published.
///
/// Repeating a batch changes nothing: a revision that is stored already is left as it is. Links may
/// point to updates that are not known. A revision that would turn an update into another family of
/// kinds, or that holds a NUL character, is refused and does not stop the others.
///
/// # Errors
/// [`CatalogError::Bulk`] when the database fails; nothing of the batch is stored then.
pub async fn store(
    client: &mut Client,
    publication: PublicationId,
    batch: &[ImportRevision],
) -> Result<Stored, CatalogError> {
    store_when(client, publication, batch, None).await
}

/// A statement that must find a row in the importing transaction, and keeps it locked until the commit:
/// the proof that this process may still write.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// Takes both numbers.
    pub sql: &'static str,
    pub numbers: [i64; 2],
}

/// The same as [`store`] for a writer whose right may have passed to another.
///
/// # Errors
/// [`CatalogError::NotOurs`] when it has; nothing is stored then. Otherwise as [`store`].
pub async fn store_guarded(
    client: &mut Client,
    publication: PublicationId,
    batch: &[ImportRevision],
    guard: Guard,
) -> Result<Stored, CatalogError> {
    store_when(client, publication, batch, Some(guard)).await
}

async fn store_when(
    client: &mut Client,
    publication: PublicationId,
    batch: &[ImportRevision],
    guard: Option<Guard>,
) -> Result<Stored, CatalogError> {
    let mut result = Stored::default();
    let mut wanted = Vec::with_capacity(batch.len());
    let mut seen = HashSet::with_capacity(batch.len());
    for revision in batch {
        if !seen.insert(revision.key) {
            result.already += 1;
        } else if revision.key.revision < 0 {
            result.refuse(revision.key, "its revision number is negative");
        } else if columns::holds_nul(revision) {
            result.refuse(revision.key, "its text holds a NUL character, which cannot be stored");
        } else {
            wanted.push(revision);
        }
    }
    if wanted.is_empty() {
        return Ok(result);
    }
    let tx = client.transaction().await?;
    if let Some(Guard { sql, numbers: [first, second] }) = guard
        && tx.query_opt(sql, &[&first, &second]).await?.is_none()
    {
        return Err(CatalogError::NotOurs);
    }
    let rows = update_rows(&tx, &wanted).await?;
    let wanted = refuse_other_kinds(&tx, &rows, wanted, &mut result).await?;
    let inserted = insert_revisions(&tx, publication, &rows, &wanted).await?;
    let mut fresh = Vec::with_capacity(inserted.len());
    for revision in wanted {
        match inserted.get(&(rows[&revision.key.update_id], revision.key.revision)) {
            Some(row) => {
                result.stored += 1;
                result.bytes += revision.stored.body.len() as u64;
                fresh.push((*row, revision));
            }
            None => result.already += 1,
        }
    }
    if !fresh.is_empty() {
        insert_documents(&tx, &fresh).await?;
        insert_relations(&tx, &rows, &fresh).await?;
        insert_files(&tx, &fresh).await?;
    }
    tx.commit().await?;
    Ok(result)
}

/// Keys that one question to the database names; memory does not grow with the list.
const ASKED_AT_ONCE: usize = 10_000;

/// Those of `listed` that are not stored, visible or not; each once, in the order of the list.
///
/// # Errors
/// [`CatalogError::Bulk`] when the database fails.
pub async fn missing(
    client: &Client,
    mut listed: Vec<RevisionKey>,
) -> Result<Vec<RevisionKey>, CatalogError> {
    let mut seen = HashSet::with_capacity(listed.len());
    listed.retain(|key| seen.insert(*key));
    drop(seen);
    let mut absent = Vec::new();
    for keys in listed.chunks(ASKED_AT_ONCE) {
        let (ids, numbers) = columns(keys);
        let rows = client
            .query(
                "SELECT l.place FROM unnest($1::uuid[], $2::int4[]) WITH ORDINALITY l (update_id, number, place)
                 WHERE NOT EXISTS (
                     SELECT FROM update_ids i JOIN revisions r ON r.update_row = i.id
                     WHERE i.update_id = l.update_id AND r.revision_number = l.number)
                 ORDER BY l.place",
                &[&ids, &numbers],
            )
            .await?;
        for row in rows {
            let place: i64 = row.try_get(0)?;
            absent.extend(usize::try_from(place - 1).ok().and_then(|index| keys.get(index)).copied());
        }
    }
    Ok(absent)
}

/// Those of `wanted`, at most `limit`, of whose update a higher revision is stored.
///
/// # Errors
/// [`CatalogError::Bulk`] when the database fails.
pub async fn outdated(
    client: &Client,
    wanted: &[RevisionKey],
    limit: usize,
) -> Result<Vec<RevisionKey>, CatalogError> {
    let mut found = Vec::new();
    for keys in wanted.chunks(ASKED_AT_ONCE) {
        let (ids, numbers) = columns(keys);
        let rows = client
            .query(
                "SELECT w.update_id, w.number FROM unnest($1::uuid[], $2::int4[]) w (update_id, number)
                 JOIN update_ids i ON i.update_id = w.update_id
                 WHERE EXISTS (SELECT FROM revisions r WHERE r.update_row = i.id AND r.revision_number > w.number)
                 LIMIT $3",
                &[&ids, &numbers, &((limit - found.len()) as i64)],
            )
            .await?;
        for row in rows {
            found.push(RevisionKey { update_id: row.try_get(0)?, revision: row.try_get(1)? });
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

fn columns(keys: &[RevisionKey]) -> (Vec<Uuid>, Vec<i32>) {
    keys.iter().map(|key| (key.update_id, key.revision)).unzip()
}

impl Stored {
    fn refuse(&mut self, key: RevisionKey, reason: impl Into<String>) {
        self.refused.push(Refused { key, reason: reason.into() });
    }
}

/// Row numbers of every id the batch mentions, made where needed.
async fn update_rows(
    tx: &Transaction<'_>,
    batch: &[&ImportRevision],
) -> Result<HashMap<Uuid, i32>, CatalogError> {
    let mut ids: Vec<Uuid> = batch
        .iter()
        .flat_map(|revision| {
            std::iter::once(revision.key.update_id)
                .chain(revision.relations.iter().map(|relation| relation.target))
        })
        .collect();
    // Sorted, so that two importers that meet here wait for each other and do not deadlock.
    ids.sort_unstable();
    ids.dedup();
    tx.execute(
        "INSERT INTO update_ids (update_id)
         SELECT m.update_id FROM unnest($1::uuid[]) m (update_id)
         WHERE NOT EXISTS (SELECT FROM update_ids i WHERE i.update_id = m.update_id)
         ORDER BY m.update_id ON CONFLICT DO NOTHING",
        &[&ids],
    )
    .await?;
    let found = tx.query("SELECT update_id, id FROM update_ids WHERE update_id = ANY($1)", &[&ids]).await?;
    let mut rows = HashMap::with_capacity(found.len());
    for row in found {
        rows.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(rows)
}

/// Drops the revisions whose kind does not fit what is known of their update, stored or in this batch.
async fn refuse_other_kinds<'a>(
    tx: &Transaction<'_>,
    rows: &HashMap<Uuid, i32>,
    batch: Vec<&'a ImportRevision>,
    result: &mut Stored,
) -> Result<Vec<&'a ImportRevision>, CatalogError> {
    let own: Vec<i32> = batch.iter().map(|revision| rows[&revision.key.update_id]).collect();
    let found = tx
        .query(
            "SELECT update_row, min(kind) FROM revisions WHERE update_row = ANY($1) GROUP BY update_row",
            &[&own],
        )
        .await?;
    let mut kinds = HashMap::with_capacity(batch.len());
    for row in found {
        kinds.insert(row.try_get::<_, i32>(0)?, kind::from_code(row.try_get(1)?)?);
    }
    let mut fitting = Vec::with_capacity(batch.len());
    for revision in batch {
        let known = *kinds.entry(rows[&revision.key.update_id]).or_insert(revision.kind);
        if kind::same_family(known, revision.kind) {
            fitting.push(revision);
        } else {
            result.refuse(
                revision.key,
                format!(
                    "it says it is a {}, but this update is known as a {}",
                    kind::in_words(revision.kind),
                    kind::in_words(known)
                ),
            );
        }
    }
    Ok(fitting)
}

/// Row numbers of the revisions that are new, by update row and revision number.
async fn insert_revisions(
    tx: &Transaction<'_>,
    publication: PublicationId,
    rows: &HashMap<Uuid, i32>,
    batch: &[&ImportRevision],
) -> Result<HashMap<(i32, i32), i32>, CatalogError> {
    let columns = RevisionColumns::of(rows, batch);
    let found = tx
        .query(
            "WITH inserted AS (
             INSERT INTO revisions (update_row, revision_number, publication_id, kind, approvable, expired,
                 severity, category_type, title, description, kb, bulletin, created, details)
             SELECT r.update_row, r.number, $1, r.kind, r.approvable, r.expired, r.severity, r.category_type,
                 r.title, r.description, r.kb, r.bulletin, r.created, r.details
             FROM unnest($2::int4[], $3::int4[], $4::int2[], $5::bool[], $6::bool[], $7::int2[], $8::text[],
                 $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::jsonb[])
                 r (update_row, number, kind, approvable, expired, severity, category_type, title,
                    description, kb, bulletin, created, details)
             ON CONFLICT DO NOTHING RETURNING update_row, revision_number, id, kind
             ), waiting AS (INSERT INTO unpublished_revisions (revision_row, kind) SELECT id, kind FROM inserted)
             SELECT update_row, revision_number, id FROM inserted",
            &[
                &publication.0,
                &columns.update_row,
                &columns.number,
                &columns.kind,
                &columns.approvable,
                &columns.expired,
                &columns.severity,
                &columns.category_type,
                &columns.title,
                &columns.description,
                &columns.kb,
                &columns.bulletin,
                &columns.created,
                &columns.details,
            ],
        )
        .await?;
    let mut inserted = HashMap::with_capacity(found.len());
    for row in found {
        inserted.insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
    }
    Ok(inserted)
}

async fn insert_documents(
    tx: &Transaction<'_>,
    fresh: &[(i32, &ImportRevision)],
) -> Result<(), CatalogError> {
    let rows: Vec<i32> = fresh.iter().map(|(row, _)| *row).collect();
    let encodings: Vec<i16> = fresh.iter().map(|(_, revision)| revision.stored.encoding.code()).collect();
    let bodies: Vec<&[u8]> = fresh.iter().map(|(_, revision)| revision.stored.body.as_ref()).collect();
    tx.execute(
        "INSERT INTO documents (revision_row, encoding, body)
         SELECT * FROM unnest($1::int4[], $2::int2[], $3::bytea[])",
        &[&rows, &encodings, &bodies],
    )
    .await?;
    Ok(())
}

async fn insert_relations(
    tx: &Transaction<'_>,
    rows: &HashMap<Uuid, i32>,
    fresh: &[(i32, &ImportRevision)],
) -> Result<(), CatalogError> {
    let columns = RelationColumns::of(rows, fresh);
    if !columns.revision_row.is_empty() {
        tx.execute(
            "INSERT INTO relations (revision_row, kind, group_number, target_row, target_revision)
             SELECT * FROM unnest($1::int4[], $2::int2[], $3::int2[], $4::int4[], $5::int4[])",
            &[
                &columns.revision_row,
                &columns.kind,
                &columns.group_number,
                &columns.target_row,
                &columns.target_revision,
            ],
        )
        .await?;
    }
    Ok(())
}

/// Adds the files, and what newer revisions know in addition: another address, the second digest.
async fn insert_files(tx: &Transaction<'_>, fresh: &[(i32, &ImportRevision)]) -> Result<(), CatalogError> {
    let columns = FileColumns::of(fresh);
    if columns.sha1.is_empty() {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO files (sha1, sha256, size, name, patching, mu_url)
         SELECT n.* FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::text[], $5::text[], $6::text[])
             n (sha1, sha256, size, name, patching, mu_url)
         WHERE NOT EXISTS (SELECT FROM files f WHERE f.sha1 = n.sha1)
         ORDER BY n.sha1 ON CONFLICT DO NOTHING",
        &[&columns.sha1, &columns.sha256, &columns.size, &columns.name, &columns.patching, &columns.mu_url],
    )
    .await?;
    tx.execute(
        "UPDATE files f SET mu_url = CASE WHEN n.mu_url <> '' THEN n.mu_url ELSE f.mu_url END,
             sha256 = coalesce(f.sha256, n.sha256)
         FROM unnest($1::bytea[], $2::bytea[], $3::text[]) n (sha1, sha256, mu_url)
         WHERE f.sha1 = n.sha1 AND ((n.mu_url <> '' AND n.mu_url <> f.mu_url)
             OR (f.sha256 IS NULL AND n.sha256 IS NOT NULL))",
        &[&columns.sha1, &columns.sha256, &columns.mu_url],
    )
    .await?;
    tx.execute(
        "INSERT INTO revision_files (revision_row, file_row)
         SELECT l.revision_row, f.id FROM unnest($1::int4[], $2::bytea[]) l (revision_row, sha1)
         JOIN files f ON f.sha1 = l.sha1 ON CONFLICT DO NOTHING",
        &[&columns.link_row, &columns.link_sha1],
    )
    .await?;
    Ok(())
}
