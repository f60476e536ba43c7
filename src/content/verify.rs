//! Reads every stored file again: what is damaged is moved aside and fetched again, what is missing is fetched again,
//! and what is there and was not on the list is taken over.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::checks::{self, Check, Figures};
use super::listing::{self, Shelf};
use super::{ContentError, FileFacts, Store, StoreError, wanted};
use crate::db::Pool;
use crate::db::schema::{content_files, files};
use crate::protocol::ids::{Sha1Digest, Sha256Digest};

/// Files looked up in one statement.
const BATCH: usize = 500;
/// Between two notes of how far it is.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Right,
    Damaged,
    Missing,
}

/// Carries a verification out. Repeating it is safe.
///
/// # Errors
/// [`StoreError::Strange`] when the folder or bucket is not there, unless that was confirmed; the disk's and the database's.
pub async fn run(pool: &Pool, store: &Store, check: &Check) -> Result<Figures, ContentError> {
    let mut conn = connection(pool).await?;
    if check.confirmed {
        store.claim().await?;
    } else {
        store.make_ready(&wanted::some_stored(&mut conn).await?).await?;
    }
    let stored = content_files::table.filter(content_files::state.eq("stored"));
    let mut figures = Figures { total: stored.count().get_result(&mut conn).await?, ..Figures::default() };
    drop(conn);
    let mut noted = Instant::now();
    // What lies there is listed first, so that what arrives meanwhile is nobody's concern here.
    let strangers = strangers(pool, store).await?;
    figures.total += strangers.len() as i64;
    let mut last = i32::MIN;
    loop {
        let batch = stored_after(&mut *connection(pool).await?, last).await?;
        let Some((row, _)) = batch.last() else { break };
        last = *row;
        for (file_row, facts) in batch {
            let found = look(store, &facts).await?;
            count(&mut figures, found, &facts);
            if found != Found::Right {
                let sentence = sentence(found);
                tracing::warn!(file = %facts.sha1, "{sentence}");
                wanted::want_again(&mut *connection(pool).await?, file_row, sentence).await?;
            }
            note(pool, check.id, figures, &mut noted).await?;
        }
    }
    for (file_row, facts) in strangers {
        let found = look(store, &facts).await?;
        count(&mut figures, found, &facts);
        if found == Found::Right {
            figures.adopted += 1;
            wanted::adopt(&mut *connection(pool).await?, file_row).await?;
        }
        note(pool, check.id, figures, &mut noted).await?;
    }
    checks::note(&mut *connection(pool).await?, check.id, figures).await?;
    Ok(figures)
}

async fn look(store: &Store, facts: &FileFacts) -> Result<Found, StoreError> {
    match store.verify(facts).await {
        Ok(()) => Ok(Found::Right),
        Err(StoreError::Missing) => Ok(Found::Missing),
        Err(error) if error.is_damage() => {
            store.quarantine(facts).await?;
            Ok(Found::Damaged)
        }
        Err(error) => Err(error),
    }
}

fn count(figures: &mut Figures, found: Found, facts: &FileFacts) {
    figures.done += 1;
    match found {
        Found::Right => figures.bytes += i64::try_from(facts.size).unwrap_or(i64::MAX),
        Found::Damaged => figures.damaged += 1,
        Found::Missing => figures.missing += 1,
    }
}

fn sentence(found: Found) -> &'static str {
    match found {
        Found::Damaged => "The stored file was damaged, so it was moved aside. It is fetched again.",
        _ => "The stored file was missing. It is fetched again.",
    }
}

async fn note(pool: &Pool, id: i64, figures: Figures, noted: &mut Instant) -> Result<(), ContentError> {
    if noted.elapsed() >= NOTE_EVERY {
        checks::note(&mut *connection(pool).await?, id, figures).await?;
        *noted = Instant::now();
    }
    Ok(())
}

/// Row, SHA-1, SHA-256, bytes, name.
type Row = (i32, Vec<u8>, Option<Vec<u8>>, i64, String);

/// A digest of a wrong length never gets into the catalogue.
fn facts((file_row, sha1, sha256, size, name): Row) -> Option<(i32, FileFacts)> {
    let facts = FileFacts {
        sha1: Sha1Digest::from_slice(&sha1).ok()?,
        sha256: sha256.and_then(|bytes| Sha256Digest::from_slice(&bytes).ok()),
        size: u64::try_from(size).ok()?,
        name,
    };
    Some((file_row, facts))
}

async fn stored_after(conn: &mut AsyncPgConnection, last: i32) -> QueryResult<Vec<(i32, FileFacts)>> {
    let rows: Vec<Row> = content_files::table
        .inner_join(files::table.on(files::id.eq(content_files::file_row)))
        .filter(content_files::state.eq("stored"))
        .filter(content_files::file_row.gt(last))
        .order(content_files::file_row)
        .limit(BATCH as i64)
        .select((files::id, files::sha1, files::sha256, files::size, files::name))
        .load(conn)
        .await?;
    Ok(rows.into_iter().filter_map(facts).collect())
}

/// Files of the catalogue that lie under their final name without being on the list as stored.
async fn strangers(pool: &Pool, store: &Store) -> Result<Vec<(i32, FileFacts)>, ContentError> {
    let entries = listing::entries(store).await?;
    let mut found = Vec::new();
    for batch in entries.chunks(BATCH) {
        let stored = batch.iter().filter(|entry| entry.shelf == Shelf::Stored);
        let places: HashSet<&str> = stored.clone().map(|entry| entry.place.as_str()).collect();
        let digests: Vec<&[u8]> = stored.map(|entry| entry.digest.as_bytes()).collect();
        let listed = content_files::table
            .filter(content_files::file_row.eq(files::id))
            .filter(content_files::state.eq("stored"));
        let rows: Vec<Row> = files::table
            .filter(files::sha1.eq_any(digests))
            .filter(diesel::dsl::not(diesel::dsl::exists(listed)))
            .select((files::id, files::sha1, files::sha256, files::size, files::name))
            .load(&mut *connection(pool).await?)
            .await?;
        let rows = rows.into_iter().filter_map(facts);
        found.extend(rows.filter(|(_, facts)| places.contains(facts.place().as_str())));
    }
    Ok(found)
}

pub(super) async fn connection(pool: &Pool) -> Result<crate::db::PooledConnection<'_>, ContentError> {
    pool.get().await.map_err(|error| ContentError::Pool(error.to_string()))
}
