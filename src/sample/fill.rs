//! Puts made-up revisions into this server's own catalogue and their files into its content folder.
//!
//! Making revisions and storing them run side by side, a batch at a time, so memory does not grow with the number.

use std::io;
use std::path::{Path, PathBuf};

use diesel_async::AsyncConnection;
use tokio::sync::mpsc;

use super::{Catalogue, SampleFile, SampleRevision};
use crate::catalog::publish::{self, PublishCounts};
use crate::catalog::revision::{Encoding, ImportRevision, StoredDocument};
use crate::catalog::{CatalogError, import};
use crate::db::{self, DatabaseUrl, DbError, Pool, PoolError};
use crate::protocol::cabinet::{self, CabinetError};
use crate::protocol::document::{DocumentError, UpdateDocument};

/// Revisions of one statement.
const BATCH: usize = 250;
/// Batches that may wait to be stored.
const WAITING: usize = 2;
/// UTF-16 bytes above which a document is kept as a cabinet. Source: what real servers were seen to do.
const PLAIN_BYTES_MAX: usize = 5_120;

/// What a fill brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FillReport {
    /// Revisions stored; those that were there already are not counted.
    pub stored: usize,
    /// Files written; those that were there already are not counted.
    pub files: usize,
    pub published: PublishCounts,
}

/// Why a fill ended early. What was stored stays, and the next fill goes on from it.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("no connection to the database: {0}")]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("a sample document cannot be read back: {0}")]
    Document(#[from] DocumentError),
    #[error("a sample document cannot be packed: {0}")]
    Cabinet(#[from] CabinetError),
    #[error("{path} could not be written: {source}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("making the sample ended unexpectedly")]
    Interrupted,
}

/// Where the sample goes.
#[derive(Clone)]
pub struct Target<'a> {
    pub pool: &'a Pool,
    pub url: &'a DatabaseUrl,
    pub content_dir: &'a Path,
}

/// Stores a whole catalogue. Storing it again changes nothing.
///
/// # Errors
/// [`FillError`].
pub async fn fill(target: Target<'_>, catalogue: Catalogue) -> Result<FillReport, FillError> {
    store(target, move || catalogue.revisions()).await
}

/// Stores some revisions, such as the changes of one day, and publishes them together.
///
/// # Errors
/// [`FillError`].
pub async fn store<I>(
    target: Target<'_>,
    revisions: impl FnOnce() -> I + Send + 'static,
) -> Result<FillReport, FillError>
where
    I: Iterator<Item = SampleRevision>,
{
    let mut report = FillReport::default();
    let publication = publish::open(&mut *target.pool.get().await?, None).await?;
    let mut client = db::open_client(target.url).await?;
    let (sender, mut batches) = mpsc::channel(WAITING);
    let content_dir = target.content_dir.to_owned();
    let maker = tokio::task::spawn_blocking(move || make(revisions(), &content_dir, &sender));
    while let Some(batch) = batches.recv().await {
        let batch: Vec<ImportRevision> = batch;
        report.stored += import::store(&mut client, publication, &batch).await?.stored;
    }
    report.files = maker.await.map_err(|_| FillError::Interrupted)??;
    let mut conn = target.pool.get().await?;
    report.published = conn
        .transaction::<_, CatalogError, _>(async |conn| {
            publish::publish(conn, publication, publish::Scope::Everything).await
        })
        .await?;
    Ok(report)
}

/// Makes batches until the iterator ends or nobody takes them; returns the number of files written.
fn make(
    revisions: impl Iterator<Item = SampleRevision>,
    content_dir: &Path,
    batches: &mpsc::Sender<Vec<ImportRevision>>,
) -> Result<usize, FillError> {
    let mut files = 0;
    let mut batch = Vec::with_capacity(BATCH);
    for revision in revisions {
        for file in &revision.files {
            files += usize::from(write_file(content_dir, file)?);
        }
        let document = UpdateDocument::parse(&revision.document)?;
        batch.push(ImportRevision::from_document(document, pack(&revision.document)?, |_| None));
        if batch.len() == BATCH && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
            return Ok(files);
        }
    }
    if !batch.is_empty() {
        // When nobody listens any more, the listener has an error of its own to tell.
        let _ = batches.blocking_send(batch);
    }
    Ok(files)
}

fn pack(document: &str) -> Result<StoredDocument, CabinetError> {
    if document.encode_utf16().count() * 2 <= PLAIN_BYTES_MAX {
        return Ok(StoredDocument::of_text(document));
    }
    Ok(StoredDocument { encoding: Encoding::Cabinet, body: cabinet::encode_mszip(document)?.into() })
}

/// Writes a file under its place; `false` when it is there already.
fn write_file(content_dir: &Path, file: &SampleFile) -> Result<bool, FillError> {
    let path = content_dir.join(file.relative_path());
    let failed = |source| FillError::File { path: path.clone(), source };
    if std::fs::metadata(&path).is_ok_and(|known| known.len() == file.size as u64) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(content_dir);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let unfinished = path.with_extension("part");
    std::fs::write(&unfinished, file.content()).map_err(failed)?;
    std::fs::rename(&unfinished, &path).map_err(failed)?;
    Ok(true)
}
