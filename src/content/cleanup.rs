//! What may be removed from the content store, told first and then done: files nothing refers to, files of declined
//! updates, and what unfinished and damaged files left behind.
//!
//! Only names of the store's own form are looked at, and only files older than [`AGE_MIN`].

use std::collections::HashMap;

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::listing::{self, Entry, Shelf};
use super::partial::PARTIAL_DIR;
use super::{ContentError, FileFacts, Store, StoreError};
use crate::protocol::ids::Sha1Digest;

/// Younger files are left alone: something may be about to refer to them.
pub const AGE_MIN: TimeDelta = TimeDelta::hours(24);
/// The part of the store, in files or in bytes, that goes only when somebody confirms it: one in so many.
pub const LARGE_PART: u64 = 5;
/// Files looked up in one statement.
const BATCH: usize = 500;

/// Why a file may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// No revision of an update here names it.
    Unreferenced,
    /// Only declined updates need it.
    Declined,
    /// Files are not kept on this server any more.
    NotKept,
    /// The rest of a download that nobody wants any more.
    Unfinished,
    /// It was moved aside by a verification.
    Damaged,
}

impl Why {
    /// All, in the order they are told.
    pub const ALL: [Self; 5] =
        [Self::Unreferenced, Self::Declined, Self::NotKept, Self::Unfinished, Self::Damaged];

    /// In words, of several files.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unreferenced => "No update here refers to them",
            Self::Declined => "Only declined updates need them",
            Self::NotKept => "Files are not kept on this server any more",
            Self::Unfinished => "Unfinished, and not wanted any more",
            Self::Damaged => "Damaged, and moved aside by a verification",
        }
    }
}

/// A file that may go.
#[derive(Debug, Clone)]
pub struct Item {
    /// Below the content folder, or in the bucket.
    pub place: String,
    /// In bytes.
    pub size: u64,
    pub why: Why,
    digest: Sha1Digest,
    /// Its line on the list of files goes with it.
    is_listed: bool,
}

/// What a clean-up would do now.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub items: Vec<Item>,
    /// Everything under a final name, whether it goes or stays.
    pub stored_files: u64,
    pub stored_bytes: u64,
}

impl Plan {
    /// Bytes that would be free afterwards.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.size).sum()
    }

    /// Files and bytes that go for a reason.
    #[must_use]
    pub fn part(&self, why: Why) -> (u64, u64) {
        let part = self.items.iter().filter(|item| item.why == why);
        part.fold((0, 0), |(files, bytes), item| (files + 1, bytes + item.size))
    }

    /// Whether more than one fifth of the store would go: an old database, restored, must not empty it unasked.
    #[must_use]
    pub fn is_large(&self) -> bool {
        let stored = self.items.iter().filter(|item| !matches!(item.why, Why::Unfinished | Why::Damaged));
        let (files, bytes) = stored.fold((0, 0), |(files, bytes), item| (files + 1, bytes + item.size));
        files * LARGE_PART > self.stored_files || bytes * LARGE_PART > self.stored_bytes
    }
}

/// What is known of a digest.
#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Binary)]
    sha1: Vec<u8>,
    #[diesel(sql_type = Text)]
    name: String,
    /// A revision names it.
    #[diesel(sql_type = Bool)]
    referred: bool,
    /// It is on the list, and not here yet.
    #[diesel(sql_type = Bool)]
    awaited: bool,
}

/// Looks what may go.
///
/// # Errors
/// The disk's and the database's.
pub async fn plan(conn: &mut AsyncPgConnection, store: &Store) -> Result<Plan, ContentError> {
    let entries = listing::entries(store).await?;
    let (declined, keeps) = (super::declined::all(conn).await?, keeps_files(conn).await?);
    let old = Utc::now() - AGE_MIN;
    let mut plan = Plan::default();
    for batch in entries.chunks(BATCH) {
        let known = known(conn, batch).await?;
        for entry in batch {
            if entry.shelf == Shelf::Stored {
                plan.stored_files += 1;
                plan.stored_bytes += entry.size;
            }
            if entry.modified >= old {
                continue;
            }
            let known = known.get(&entry.digest);
            let is_declined = declined.contains(&entry.digest);
            let is_listed = known.is_some_and(|known| place(entry.digest, known) == entry.place);
            if let Some(why) = why(entry.shelf, known, is_listed, is_declined, keeps) {
                let (place, size, digest) = (entry.place.clone(), entry.size, entry.digest);
                plan.items.push(Item { place, size, why, digest, is_listed });
            }
        }
    }
    Ok(plan)
}

/// The place that the catalogue gives to a digest.
fn place(sha1: Sha1Digest, known: &Known) -> String {
    FileFacts { sha1, sha256: None, size: 0, name: known.name.clone() }.place()
}

fn why(shelf: Shelf, known: Option<&Known>, is_listed: bool, is_declined: bool, keeps: bool) -> Option<Why> {
    let referred = known.is_some_and(|known| known.referred);
    match shelf {
        Shelf::Damaged => Some(Why::Damaged),
        Shelf::Partial => (!known.is_some_and(|known| known.awaited)).then_some(Why::Unfinished),
        // Under another name than the catalogue gives nobody can ask for it.
        Shelf::Stored if !referred || !is_listed => Some(Why::Unreferenced),
        Shelf::Stored if !keeps => Some(Why::NotKept),
        Shelf::Stored => is_declined.then_some(Why::Declined),
    }
}

async fn known(conn: &mut AsyncPgConnection, batch: &[Entry]) -> QueryResult<HashMap<Sha1Digest, Known>> {
    let digests: Vec<&[u8]> = batch.iter().map(|entry| entry.digest.as_bytes()).collect();
    let rows: Vec<Known> = diesel::sql_query(
        "SELECT f.sha1, f.name,
                EXISTS (SELECT FROM revision_files rf WHERE rf.file_row = f.id) AS referred,
                EXISTS (SELECT FROM content_files c WHERE c.file_row = f.id AND c.state <> 'stored') AS awaited
         FROM files f WHERE f.sha1 = ANY($1)",
    )
    .bind::<Array<Binary>, _>(digests)
    .load(conn)
    .await?;
    let with_digest = |row: Known| Some((Sha1Digest::from_slice(&row.sha1).ok()?, row));
    Ok(rows.into_iter().filter_map(with_digest).collect())
}

async fn keeps_files(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        keeps: bool,
    }
    let row: Row =
        diesel::sql_query("SELECT store = 'local' AS keeps FROM files_in_force").get_result(conn).await?;
    Ok(row.keeps)
}

/// Removes some files of a plan and their lines on the list, in the caller's transaction. The answer is the bytes that
/// are free now. What was written since the plan stays.
///
/// # Errors
/// [`ContentError::Removal`]; the database's.
pub async fn remove(
    conn: &mut AsyncPgConnection,
    store: &Store,
    items: &[Item],
) -> Result<u64, ContentError> {
    let listed: Vec<&[u8]> = items
        .iter()
        .filter(|item| item.is_listed && is_stored(item))
        .map(|item| item.digest.as_bytes())
        .collect();
    diesel::sql_query(
        "DELETE FROM content_files c USING files f
         WHERE f.id = c.file_row AND c.state = 'stored' AND f.sha1 = ANY($1)",
    )
    .bind::<Array<Binary>, _>(listed)
    .execute(conn)
    .await?;
    let mut freed = 0;
    for item in items {
        freed += remove_one(store, item).await.map_err(ContentError::Removal)?;
    }
    Ok(freed)
}

/// The bytes that are free now: none when the file is gone already, or was written since the plan.
async fn remove_one(store: &Store, item: &Item) -> Result<u64, StoreError> {
    // Unfinished files are on this computer, wherever the finished ones are.
    let unfinished = Store::new(store.folder());
    let store = if item.place.starts_with(PARTIAL_DIR) { &unfinished } else { store };
    let found = store.describe(&item.place).await?;
    if !found.is_some_and(|found| found.size == item.size && found.modified <= Utc::now() - AGE_MIN) {
        return Ok(0);
    }
    match store.remove(&item.place).await {
        Ok(()) => Ok(item.size),
        Err(StoreError::Missing) => Ok(0),
        Err(error) => Err(error),
    }
}

fn is_stored(item: &Item) -> bool {
    !matches!(item.why, Why::Unfinished | Why::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(going: &[(u64, Why)], stored_files: u64, stored_bytes: u64) -> Plan {
        let item = |(size, why): &(u64, Why)| Item {
            place: String::new(),
            size: *size,
            why: *why,
            digest: Sha1Digest([0; 20]),
            is_listed: false,
        };
        Plan { items: going.iter().map(item).collect(), stored_files, stored_bytes }
    }

    #[test]
    fn r258_more_than_a_fifth_of_the_store_is_much() {
        assert!(!plan(&[], 0, 0).is_large());
        assert!(!plan(&[(10, Why::Declined); 2], 10, 100).is_large(), "exactly a fifth");
        assert!(plan(&[(1, Why::Declined); 3], 10, 1_000).is_large(), "by files");
        assert!(plan(&[(21, Why::Unreferenced)], 10, 100).is_large(), "by bytes");
        assert!(!plan(&[(90, Why::Unfinished), (90, Why::Damaged)], 1, 1).is_large(), "leavings are no loss");
    }

    #[test]
    fn r091_a_file_stays_as_long_as_one_update_needs_it() {
        let known = |referred, awaited| Known { sha1: Vec::new(), name: String::new(), referred, awaited };
        let needed = known(true, false);
        assert_eq!(why(Shelf::Stored, Some(&needed), true, false, true), None);
        assert_eq!(why(Shelf::Stored, Some(&needed), true, true, true), Some(Why::Declined));
        assert_eq!(why(Shelf::Stored, Some(&needed), true, false, false), Some(Why::NotKept));
        assert_eq!(why(Shelf::Stored, Some(&needed), false, false, true), Some(Why::Unreferenced));
        assert_eq!(why(Shelf::Stored, None, false, false, true), Some(Why::Unreferenced));
        assert_eq!(why(Shelf::Partial, Some(&known(true, true)), false, false, true), None);
        assert_eq!(why(Shelf::Partial, Some(&needed), false, false, true), Some(Why::Unfinished));
    }
}
