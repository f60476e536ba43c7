//! Stores revisions in bulk. The one module that talks to PostgreSQL without Diesel: rows go in by binary COPY under
//! numbers that are drawn before, so that the number of statements does not depend on the batch.
//!
//! COPY knows no "unless it is there", so importers take turns: one lock for the time of a transaction. Then what the
//! first question found missing is still missing when the rows come.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tokio_postgres::{Client, Transaction};

use super::publish::PublicationId;
use super::revision::ImportRevision;
use super::{CatalogError, kind};
use crate::db::{Lock, planning};
use crate::protocol::ids::RevisionKey;

mod copy;
mod files;
mod listed;
mod numbers;

pub use listed::{missing, outdated};

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
        } else if holds_nul(revision) {
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
    let turn = format!("{}; SELECT pg_advisory_xact_lock({})", planning::BY_INDEX, Lock::Import.key());
    tx.batch_execute(&turn).await?;
    let numbers = numbers::updates(&tx, &wanted).await?;
    let known = known(&tx, &numbers, &wanted).await?;
    let new = judge(&numbers, wanted, &known, &mut result);
    if new.is_empty() {
        return Ok(result);
    }
    let rows = numbers::draw(&tx, "revisions_id_seq", new.len()).await?;
    let fresh: Vec<Fresh<'_>> =
        rows.into_iter().zip(new).map(|(row, revision)| Fresh { row, revision }).collect();
    copy::revisions(&tx, publication, &numbers, &fresh).await?;
    copy::documents(&tx, &fresh).await?;
    copy::relations(&tx, &numbers, &fresh).await?;
    files::store(&tx, &fresh).await?;
    tx.commit().await?;
    result.stored = fresh.len();
    result.bytes = fresh.iter().map(|one| one.revision.stored.body.len() as u64).sum();
    Ok(result)
}

/// A revision that is not stored yet, with the number of its row.
struct Fresh<'a> {
    row: i32,
    revision: &'a ImportRevision,
}

/// What is stored of the update of a revision.
#[derive(Default)]
struct Known {
    /// This very revision.
    is_stored: bool,
    /// Some revision, and its kind.
    kind: Option<kind::Kind>,
}

/// What is known of each, in their order. Only one-row questions to an index: `EXISTS` may be answered by reading the
/// whole table, and an update may have any number of revisions.
async fn known(
    tx: &Transaction<'_>,
    numbers: &numbers::Updates,
    batch: &[&ImportRevision],
) -> Result<Vec<Known>, CatalogError> {
    let updates: Vec<i32> = batch.iter().map(|revision| numbers[&revision.key.update_id]).collect();
    let revisions: Vec<i32> = batch.iter().map(|revision| revision.key.revision).collect();
    let rows = tx
        .query(
            "SELECT w.place, one.kind, (SELECT true FROM revisions r
                 WHERE r.update_row = w.update_row AND r.revision_number = w.number LIMIT 1) IS NOT NULL
             FROM unnest($1::int4[], $2::int4[]) WITH ORDINALITY w (update_row, number, place)
             CROSS JOIN LATERAL (SELECT r.kind FROM revisions r WHERE r.update_row = w.update_row LIMIT 1) one",
            &[&updates, &revisions],
        )
        .await?;
    let mut known: Vec<Known> = batch.iter().map(|_| Known::default()).collect();
    for row in rows {
        let place: i64 = row.try_get(0)?;
        if let Some(known) = usize::try_from(place - 1).ok().and_then(|place| known.get_mut(place)) {
            *known = Known { is_stored: row.try_get(2)?, kind: Some(kind::from_code(row.try_get(1)?)?) };
        }
    }
    Ok(known)
}

/// Those that are new. A revision whose kind does not fit what is known of its update, stored or in this batch, is
/// refused.
fn judge<'a>(
    numbers: &numbers::Updates,
    batch: Vec<&'a ImportRevision>,
    known: &[Known],
    result: &mut Stored,
) -> Vec<&'a ImportRevision> {
    let mut kinds = HashMap::with_capacity(batch.len());
    let mut new = Vec::with_capacity(batch.len());
    for (revision, known) in batch.into_iter().zip(known) {
        let first = known.kind.unwrap_or(revision.kind);
        let first = *kinds.entry(numbers[&revision.key.update_id]).or_insert(first);
        if !kind::same_family(first, revision.kind) {
            let (says, is) = (kind::in_words(revision.kind), kind::in_words(first));
            let reason = format!("it says it is a {says}, but this update is known as a {is}");
            result.refuse(revision.key, reason);
        } else if known.is_stored {
            result.already += 1;
        } else {
            new.push(revision);
        }
    }
    new
}

/// Whether any text of the revision holds a NUL character, which PostgreSQL cannot store.
fn holds_nul(revision: &ImportRevision) -> bool {
    let texts = [&revision.title, &revision.description].into_iter();
    let files = revision.files.iter().flat_map(|file| [&file.name, &file.patching, &file.mu_url]);
    texts
        .chain(&revision.kb)
        .chain(&revision.bulletins)
        .chain(&revision.category_type)
        .chain(files)
        .any(|text| text.contains('\0'))
        // A struct of strings, lists and flags always has a JSON form.
        || value_holds_nul(&serde_json::to_value(&revision.details).unwrap_or_default())
}

fn value_holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(value_holds_nul),
        Value::Object(fields) => fields.values().any(value_holds_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Stored {
    fn refuse(&mut self, key: RevisionKey, reason: impl Into<String>) {
        self.refused.push(Refused { key, reason: reason.into() });
    }
}
