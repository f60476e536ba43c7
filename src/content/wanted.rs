//! The list of wanted files: which of them are due, and how each try went. What comes onto it: [`super::chosen`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Integer, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::FileFacts;
use crate::db::schema::{content_files, files};
use crate::db::{Keep, planning};
use crate::protocol::ids::{Sha1Digest, Sha256Digest};

/// Tries of one file before it counts as failed.
pub const ATTEMPTS_MAX: i32 = 8;
/// Wait after the first failed try; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// Wait for a source that was asked to fetch a file itself.
const LONG_WAIT: Duration = Duration::from_secs(300);
const WAIT_MAX: Duration = Duration::from_secs(3_600);
const NO_MOMENT: Option<DateTime<Utc>> = None;
/// Stored files that are looked for in a folder without our mark.
const SAMPLE_MAX: i64 = 20;

/// A file that is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub file_row: i32,
    pub facts: FileFacts,
    /// Where Microsoft has it; empty when only the update source does.
    pub mu_url: String,
    pub attempts: i32,
    /// Why the last try failed; empty before the first.
    pub last_error: String,
}

/// Row, SHA-1, SHA-256, bytes, name, address; failed tries and the last reason.
type Row = (i32, Vec<u8>, Option<Vec<u8>>, i64, String, String, (i32, String));

/// Files whose time has come, at most `limit`, without those in `busy`; those that wait longest first. They are read off
/// the index in its order, however many there are: what is wanted together has one moment, and sorting all of it for each
/// search took as long as writing down what had come.
///
/// # Errors
/// The database's.
pub async fn due(conn: &mut AsyncPgConnection, busy: &[i32], limit: i64) -> QueryResult<Vec<Wanted>> {
    let rows = conn.transaction(async |conn| {
        conn.batch_execute(planning::IN_ORDER).await?;
        content_files::table
            .inner_join(files::table.on(files::id.eq(content_files::file_row)))
            .filter(content_files::state.eq("wanted"))
            .filter(content_files::next_try.le(diesel::dsl::now))
            .filter(content_files::file_row.ne_all(busy))
            .order((content_files::next_try, content_files::file_row))
            .limit(limit)
            .select((
                files::id,
                files::sha1,
                files::sha256,
                files::size,
                files::name,
                files::mu_url,
                (content_files::attempts, content_files::last_error),
            ))
            .load::<Row>(conn)
            .await
    });
    Ok(rows.await?.into_iter().filter_map(wanted).collect())
}

/// A digest of a wrong length never gets into the catalogue.
fn wanted(row: Row) -> Option<Wanted> {
    let (file_row, sha1, sha256, size, name, mu_url, (attempts, last_error)) = row;
    let facts = FileFacts {
        sha1: Sha1Digest::from_slice(&sha1).ok()?,
        sha256: sha256.and_then(|bytes| Sha256Digest::from_slice(&bytes).ok()),
        size: u64::try_from(size).ok()?,
        name,
    };
    Some(Wanted { file_row, facts, mu_url, attempts, last_error })
}

/// Puts files on the list because a server below asked for them; a failed one is tried again. The answer is those
/// that no revision has. Nothing is put on the list of a server that stores no files.
///
/// # Errors
/// The database's.
pub async fn ask(conn: &mut AsyncPgConnection, digests: &[Sha1Digest]) -> QueryResult<Vec<Sha1Digest>> {
    let wanted: Vec<Vec<u8>> = digests.iter().map(|digest| digest.0.to_vec()).collect();
    let known: Vec<Vec<u8>> =
        files::table.filter(files::sha1.eq_any(&wanted)).select(files::sha1).load(conn).await?;
    diesel::sql_query(
        "INSERT INTO content_files AS c (file_row)
         SELECT f.id FROM files f CROSS JOIN files_in_force o WHERE f.sha1 = ANY($1) AND o.store = 'local'
         ON CONFLICT (file_row) DO UPDATE SET state = 'wanted', attempts = 0, next_try = now()
         WHERE c.state = 'failed'",
    )
    .bind::<Array<Binary>, _>(&known)
    .execute(conn)
    .await?;
    Ok(digests.iter().copied().filter(|digest| !known.iter().any(|held| held == &digest.0)).collect())
}

/// The moment of the next try of any file; `None` when nothing is wanted.
///
/// # Errors
/// The database's.
pub async fn next_try(conn: &mut AsyncPgConnection) -> QueryResult<Option<DateTime<Utc>>> {
    content_files::table
        .filter(content_files::state.eq("wanted"))
        .select(diesel::dsl::min(content_files::next_try))
        .first(conn)
        .await
}

/// A try of a file that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub file_row: i32,
    pub at: DateTime<Utc>,
    /// Bytes that were here already.
    pub bytes: u64,
}

/// Writes down that these files are under way.
///
/// # Errors
/// The database's.
pub async fn note_begun(conn: &mut AsyncPgConnection, begun: &[Begun]) -> QueryResult<()> {
    if begun.is_empty() {
        return Ok(());
    }
    let rows: Vec<i32> = begun.iter().map(|one| one.file_row).collect();
    let moments: Vec<DateTime<Utc>> = begun.iter().map(|one| one.at).collect();
    let bytes: Vec<i64> = begun.iter().map(|one| i64::try_from(one.bytes).unwrap_or(i64::MAX)).collect();
    diesel::sql_query(
        "UPDATE content_files c SET begun_at = b.at, begun_bytes = b.bytes
         FROM unnest($1, $2, $3) b (file_row, at, bytes) WHERE c.file_row = b.file_row",
    )
    .bind::<Array<Integer>, _>(rows)
    .bind::<Array<Timestamptz>, _>(moments)
    .bind::<Array<BigInt>, _>(bytes)
    .kept()
    .execute(conn)
    .await
    .map(drop)
}

/// No file is under way: what a worker before had begun, it does no more. `only`: none of these is.
///
/// # Errors
/// The database's.
pub async fn forget_begun(conn: &mut AsyncPgConnection, only: Option<&[i32]>) -> QueryResult<usize> {
    let mut forget = diesel::update(content_files::table)
        .filter(content_files::begun_at.is_not_null())
        .set(content_files::begun_at.eq(NO_MOMENT))
        .into_boxed();
    if let Some(file_rows) = only {
        forget = forget.filter(content_files::file_row.eq_any(file_rows));
    }
    forget.execute(conn).await
}

/// How many files a run wanted that are not here yet and are being fetched; one the source does not have yet is none.
///
/// # Errors
/// The database's.
pub async fn missing_of_run(conn: &mut AsyncPgConnection, run_id: i64) -> QueryResult<i64> {
    content_files::table
        .filter(content_files::run_id.eq(run_id))
        .filter(content_files::state.eq("wanted"))
        .filter(content_files::last_error.eq("").or(content_files::attempts.gt(0)))
        .count()
        .get_result(conn)
        .await
}

/// These files are in the store. The answer is the run that wanted each.
///
/// # Errors
/// The database's.
pub async fn note_stored(
    conn: &mut AsyncPgConnection,
    file_rows: &[i32],
) -> QueryResult<Vec<(i32, Option<i64>)>> {
    diesel::update(content_files::table.filter(content_files::file_row.eq_any(file_rows)))
        .set((
            content_files::state.eq("stored"),
            content_files::stored_at.eq(Utc::now()),
            content_files::last_error.eq(""),
            content_files::begun_at.eq(NO_MOMENT),
        ))
        .returning((content_files::file_row, content_files::run_id))
        .get_results(conn)
        .await
}

/// The file had to begin again: its source, or a proxy server on the way, sends whole files only.
///
/// # Errors
/// The database's.
pub async fn note_restart(conn: &mut AsyncPgConnection, file_row: i32) -> QueryResult<()> {
    diesel::update(content_files::table.find(file_row))
        .set(content_files::restarted_at.eq(Utc::now()))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes down why a try failed, and when the next one is. After [`ATTEMPTS_MAX`] tries, or at once with `is_final`,
/// the file has failed until somebody asks again. The source may ask for a longer `wait`, up to an hour.
///
/// # Errors
/// The database's.
pub async fn note_failure(
    conn: &mut AsyncPgConnection,
    file: &Wanted,
    sentence: &str,
    kind: Failure,
    wait: Option<Duration>,
) -> QueryResult<()> {
    let attempts = file.attempts + i32::from(!matches!(kind, Failure::Waiting | Failure::Place));
    let over = kind == Failure::Final || attempts >= ATTEMPTS_MAX;
    let doubled = FIRST_WAIT.saturating_mul(1 << attempts.clamp(0, 10)).min(WAIT_MAX);
    // The source is told once and then has a moment; what does not come soon takes its time.
    let told_before = kind == Failure::Waiting && file.last_error == sentence;
    let asked = wait.unwrap_or_default().min(WAIT_MAX);
    let own = match kind {
        Failure::Place => FIRST_WAIT,
        _ if told_before => LONG_WAIT,
        _ => doubled,
    };
    let next = Utc::now() + asked.max(own);
    let sentence: String = sentence.chars().filter(|sign| *sign != '\0').take(500).collect();
    diesel::update(content_files::table.find(file.file_row))
        .set((
            content_files::state.eq(if over { "failed" } else { "wanted" }),
            content_files::attempts.eq(attempts),
            content_files::next_try.eq(next),
            content_files::last_error.eq(sentence),
            content_files::begun_at.eq(NO_MOMENT),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// What a failed try means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The source does not have it yet; asked again without end.
    Waiting,
    /// The store takes no file now; tried again soon, without end.
    Place,
    /// Asked again a few times.
    Passing,
    /// Asking again would change nothing.
    Final,
}

/// Failed files are wanted again: all of them, or only this one. The answer is how many.
///
/// # Errors
/// The database's.
pub async fn retry_failed(conn: &mut AsyncPgConnection, only: Option<i32>) -> QueryResult<usize> {
    let mut failed = diesel::update(content_files::table)
        .filter(content_files::state.eq("failed"))
        .set((
            content_files::state.eq("wanted"),
            content_files::attempts.eq(0),
            content_files::next_try.eq(diesel::dsl::now),
        ))
        .into_boxed();
    if let Some(file_row) = only {
        failed = failed.filter(content_files::file_row.eq(file_row));
    }
    failed.execute(conn).await
}

/// Some files that should be in the folder, for telling whether it is the right one.
///
/// # Errors
/// The database's.
pub async fn some_stored(conn: &mut AsyncPgConnection) -> QueryResult<Vec<FileFacts>> {
    let rows: Vec<(Vec<u8>, i64, String)> = content_files::table
        .inner_join(files::table.on(files::id.eq(content_files::file_row)))
        .filter(content_files::state.eq("stored"))
        .order(content_files::file_row.desc())
        .limit(SAMPLE_MAX)
        .select((files::sha1, files::size, files::name))
        .load(conn)
        .await?;
    let facts = |(sha1, size, name): (Vec<u8>, i64, String)| {
        let sha1 = Sha1Digest::from_slice(&sha1).ok()?;
        Some(FileFacts { sha1, sha256: None, size: u64::try_from(size).ok()?, name })
    };
    Ok(rows.into_iter().filter_map(facts).collect())
}

/// A stored file is not there as it should be: it is fetched again, or forgotten when files are not kept here.
///
/// # Errors
/// The database's.
pub async fn want_again(conn: &mut AsyncPgConnection, file_row: i32, sentence: &str) -> QueryResult<()> {
    diesel::sql_query(
        "WITH gone AS (DELETE FROM content_files WHERE file_row = $1
                       AND NOT EXISTS (SELECT FROM files_in_force WHERE store = 'local'))
         UPDATE content_files SET state = 'wanted', run_id = NULL, attempts = 0, next_try = now(),
                                  last_error = $2, stored_at = NULL
         WHERE file_row = $1 AND state = 'stored' AND EXISTS (SELECT FROM files_in_force WHERE store = 'local')",
    )
    .bind::<Integer, _>(file_row)
    .bind::<Text, _>(sentence)
    .execute(conn)
    .await?;
    Ok(())
}

/// A file was found in the folder, whole and right: it is stored, whether it was wanted or not.
///
/// # Errors
/// The database's.
pub async fn adopt(conn: &mut AsyncPgConnection, file_row: i32) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO content_files (file_row, state, stored_at) VALUES ($1, 'stored', now())
         ON CONFLICT (file_row) DO UPDATE SET state = 'stored', stored_at = now(), last_error = ''",
    )
    .bind::<Integer, _>(file_row)
    .execute(conn)
    .await?;
    Ok(())
}
