//! What a downstream server may see: lists of revisions in one consistent state, documents and files.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use std::collections::HashMap;
use uuid::Uuid;

use super::revision::{Encoding, StoredDocument};
use super::{CatalogError, publish};
use crate::db::schema::{documents, files, publications, revision_files, revisions, update_ids, updates};
use crate::protocol::ids::RevisionKey;

/// Kinds from here on are categories, classifications and detectoids; below it are updates.
const FIRST_CONFIGURATION_KIND: i16 = 2;

/// The updates a filter selects, with what is bundled below them. Bound in this order: categories, whether each is
/// wanted again as a whole, the same two for classifications, whether everything is wanted again,
/// and the moment since when changes count.
const SELECTED: &str = include_str!("listing.sql");

/// From what changed, each step looks its next rows up. The planner, who cannot know how little changed, would read
/// whole tables at each. In the list's transaction, which ends it.
const FROM_FEW_TO_FEW: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";

/// A category or classification that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub id: Uuid,
    /// Everything below it, not only what changed.
    pub everything_again: bool,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Categories, classifications and detectoids.
    Configuration,
    /// Updates. Two empty lists mean all; exactly one empty list selects none.
    Updates { categories: Vec<Wanted>, classifications: Vec<Wanted>, everything_again: bool },
}

/// Since when changes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    All,
    /// Stamps above this one, in milliseconds since 1970.
    Since(i64),
}

/// A list and the state it was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The highest publication stamp that was visible; 0 when nothing was ever published.
    pub stamp: i64,
    /// The highest published revision of each listed update.
    pub revisions: Vec<RevisionKey>,
}

/// Takes list and stamp from one and the same state of the database: what is published later has a
/// higher stamp, so nothing falls between two lists.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut AsyncPgConnection, scope: &Scope, changes: Changes) -> QueryResult<Snapshot> {
    conn.build_transaction()
        .read_only()
        .repeatable_read()
        .run(async |conn| {
            let stamp: Option<i64> =
                publications::table.select(diesel::dsl::max(publications::stamp)).first(conn).await?;
            Ok(Snapshot { stamp: stamp.unwrap_or(0), revisions: revisions_of(conn, scope, changes).await? })
        })
        .await
}

async fn revisions_of(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    changes: Changes,
) -> QueryResult<Vec<RevisionKey>> {
    match scope {
        Scope::Configuration => plain(conn, true, changes).await,
        Scope::Updates { categories, classifications, everything_again } => {
            match (categories.is_empty(), classifications.is_empty()) {
                (true, true) if *everything_again => plain(conn, false, Changes::All).await,
                (true, true) => plain(conn, false, changes).await,
                (false, false) => {
                    selected(conn, categories, classifications, *everything_again, changes).await
                }
                _ => Ok(Vec::new()),
            }
        }
    }
}

/// Everything of one half of the catalogue.
async fn plain(
    conn: &mut AsyncPgConnection,
    configuration: bool,
    changes: Changes,
) -> QueryResult<Vec<RevisionKey>> {
    let mut query = updates::table.select((updates::update_id, updates::revision_number)).into_boxed();
    query = if configuration {
        query.filter(updates::kind.ge(FIRST_CONFIGURATION_KIND))
    } else {
        query.filter(updates::kind.lt(FIRST_CONFIGURATION_KIND))
    };
    if let Changes::Since(stamp) = changes {
        query = query.filter(updates::changed_stamp.gt(stamp));
    }
    let rows: Vec<(Uuid, i32)> = query.load(conn).await?;
    Ok(rows.into_iter().map(|(update_id, revision)| RevisionKey { update_id, revision }).collect())
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = SqlUuid)]
    update_id: Uuid,
    #[diesel(sql_type = Integer)]
    revision_number: i32,
}

async fn selected(
    conn: &mut AsyncPgConnection,
    categories: &[Wanted],
    classifications: &[Wanted],
    everything_again: bool,
    changes: Changes,
) -> QueryResult<Vec<RevisionKey>> {
    let ids = |list: &[Wanted]| list.iter().map(|wanted| wanted.id).collect::<Vec<_>>();
    let again = |list: &[Wanted]| list.iter().map(|wanted| wanted.everything_again).collect::<Vec<_>>();
    // No stamp is below zero, so without anchor everything has changed.
    let since = match changes {
        Changes::All => -1,
        Changes::Since(stamp) => stamp,
    };
    if matches!(changes, Changes::Since(_)) {
        conn.batch_execute(FROM_FEW_TO_FEW).await?;
    }
    let rows: Vec<KeyRow> = diesel::sql_query(SELECTED)
        .bind::<Array<SqlUuid>, _>(ids(categories))
        .bind::<Array<Bool>, _>(again(categories))
        .bind::<Array<SqlUuid>, _>(ids(classifications))
        .bind::<Array<Bool>, _>(again(classifications))
        .bind::<Bool, _>(everything_again)
        .bind::<BigInt, _>(since)
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| RevisionKey { update_id: row.update_id, revision: row.revision_number })
        .collect())
}

/// A revision that is held, current or older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRevision {
    pub key: RevisionKey,
    /// Its row number, for [`documents`] and [`files`].
    pub row: i32,
    /// Bytes its document takes in the database.
    pub stored_bytes: usize,
}

/// Those of `keys` that are published, however old.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut AsyncPgConnection, keys: &[RevisionKey]) -> QueryResult<Vec<HeldRevision>> {
    let ids: Vec<Uuid> = keys.iter().map(|key| key.update_id).collect();
    let numbers: Vec<i32> = keys.iter().map(|key| key.revision).collect();
    let rows: Vec<(i32, Uuid, i32, i32)> = revisions::table
        .inner_join(update_ids::table.on(update_ids::id.eq(revisions::update_row)))
        .inner_join(documents::table.on(documents::revision_row.eq(revisions::id)))
        .filter(update_ids::update_id.eq_any(ids))
        .filter(revisions::revision_number.eq_any(numbers))
        .filter(publish::is_visible())
        .select((
            revisions::id,
            update_ids::update_id,
            revisions::revision_number,
            diesel::dsl::sql::<Integer>("octet_length(documents.body)"),
        ))
        .load(conn)
        .await?;
    let held = |(row, update_id, revision, len)| HeldRevision {
        key: RevisionKey { update_id, revision },
        row,
        stored_bytes: usize::try_from(len).unwrap_or(0),
    };
    Ok(rows.into_iter().map(held).collect())
}

/// The documents of these rows as they are stored, by row.
///
/// # Errors
/// When the database fails, or holds a document of an unknown form.
pub async fn documents(
    conn: &mut AsyncPgConnection,
    rows: &[i32],
) -> Result<HashMap<i32, StoredDocument>, CatalogError> {
    let stored: Vec<(i32, i16, Vec<u8>)> = documents::table
        .filter(documents::revision_row.eq_any(rows))
        .select((documents::revision_row, documents::encoding, documents::body))
        .load(conn)
        .await?;
    let document = |(row, encoding, body): (i32, i16, Vec<u8>)| {
        Ok((row, StoredDocument { encoding: Encoding::from_code(encoding)?, body: body.into() }))
    };
    stored.into_iter().map(document).collect()
}

/// A file of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct FileRow {
    pub revision_row: i32,
    pub sha1: Vec<u8>,
    /// Empty when there is none.
    pub mu_url: String,
}

/// The files of these revisions.
///
/// # Errors
/// When the database fails.
pub async fn files(conn: &mut AsyncPgConnection, rows: &[i32]) -> QueryResult<Vec<FileRow>> {
    revision_files::table
        .inner_join(files::table.on(files::id.eq(revision_files::file_row)))
        .filter(revision_files::revision_row.eq_any(rows))
        .order((revision_files::revision_row, files::id))
        .select((revision_files::revision_row, files::sha1, files::mu_url))
        .load(conn)
        .await
}
