//! The importer: collects revisions from the workers and stores them in batches.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::SyncError;
use super::progress::Progress;
use crate::catalog::CatalogError;
use crate::catalog::import::{Guard, Refused, Stored, store_guarded};
use crate::catalog::publish::PublicationId;
use crate::catalog::revision::ImportRevision;
use crate::jobs::Lease;

/// Revisions stored in one transaction.
const BATCH_MAX: usize = 500;
/// Bytes of documents, links and files stored in one transaction.
const BATCH_MAX_BYTES: usize = 8 << 20;
/// How long a revision waits for others: a transaction costs nearly the same for one as for a hundred.
const WAIT_MAX: Duration = Duration::from_millis(250);
/// How often a transaction is tried that met another one.
pub(super) const ATTEMPTS_MAX: u32 = 4;

/// Stores what comes through the channel until it closes. Answers with what the catalogue refused.
pub(super) async fn import(
    client: &mut tokio_postgres::Client,
    publication: PublicationId,
    lease: &Lease,
    mut incoming: mpsc::Receiver<ImportRevision>,
    progress: &Progress,
) -> Result<Vec<Refused>, SyncError> {
    let mut refused = Vec::new();
    let mut batch: Vec<ImportRevision> = Vec::new();
    let mut ended = false;
    while !ended {
        ended = collect(&mut incoming, &mut batch, weight).await;
        if batch.is_empty() {
            continue;
        }
        let stored = store_patiently(client, publication, lease, &batch).await?;
        progress.change(|figures| {
            figures.done += batch.len() as i64;
            figures.revisions += stored.stored as i64;
            figures.bytes += i64::try_from(stored.bytes).unwrap_or(i64::MAX);
        });
        refused.extend(stored.refused);
        batch.clear();
    }
    Ok(refused)
}

/// Waits for the first revision and takes what follows until the batch is full or has waited long enough. `true`: nothing
/// will come any more.
async fn collect<T>(
    incoming: &mut mpsc::Receiver<T>,
    batch: &mut Vec<T>,
    weight: impl Fn(&T) -> usize,
) -> bool {
    let Some(first) = incoming.recv().await else { return true };
    let until = Instant::now() + WAIT_MAX;
    let mut bytes = weight(&first);
    batch.push(first);
    while batch.len() < BATCH_MAX && bytes < BATCH_MAX_BYTES {
        match timeout_at(until, incoming.recv()).await {
            Ok(Some(next)) => {
                bytes += weight(&next);
                batch.push(next);
            }
            Ok(None) => return true,
            Err(_) => break,
        }
    }
    false
}

/// Bytes that a revision may take here: a small document can name thousands of others.
fn weight(revision: &ImportRevision) -> usize {
    revision.stored.body.len() + size_of_val(&*revision.relations) + size_of_val(&*revision.files)
}

/// Repeats the whole transaction when it was the victim of a conflict; gives up after a few attempts.
async fn store_patiently(
    client: &mut tokio_postgres::Client,
    publication: PublicationId,
    lease: &Lease,
    batch: &[ImportRevision],
) -> Result<Stored, SyncError> {
    let mut attempt = 1;
    let (sql, numbers) = lease.proof();
    let guard = Guard { sql, numbers };
    loop {
        let stored = match store_guarded(client, publication, batch, guard).await {
            Err(CatalogError::NotOurs) => Err(SyncError::LeaseLost),
            other => other.map_err(SyncError::from),
        };
        if let Some(result) = once_more(stored, &mut attempt).await {
            return result;
        }
    }
}

/// `None` after a wait when the whole transaction should be begun again, because it met another one.
pub(super) async fn once_more<T>(
    result: Result<T, SyncError>,
    attempt: &mut u32,
) -> Option<Result<T, SyncError>> {
    match result {
        Err(error) if error.is_conflict() && *attempt < ATTEMPTS_MAX => {
            tracing::info!(attempt, %error, "a transaction met another one, trying again");
            tokio::time::sleep(Duration::from_millis(50 << *attempt)).await;
            *attempt += 1;
            None
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends so many, each of this weight, and tells the sizes of the batches that come out.
    async fn batches(count: usize, weight: usize) -> Vec<usize> {
        let (sender, mut incoming) = mpsc::channel(count.max(1));
        for _ in 0..count {
            sender.try_send(weight).unwrap();
        }
        drop(sender);
        let (mut sizes, mut batch, mut ended) = (Vec::new(), Vec::new(), false);
        while !ended {
            ended = collect(&mut incoming, &mut batch, |weight| *weight).await;
            sizes.push(batch.len());
            batch.clear();
        }
        sizes
    }

    #[tokio::test]
    async fn a_batch_ends_with_its_number_its_bytes_or_the_list() {
        assert_eq!(batches(0, 1).await, [0]);
        assert_eq!(batches(7, 1).await, [7]);
        assert_eq!(batches(BATCH_MAX + 100, 1).await, [BATCH_MAX, 100]);
        assert_eq!(batches(5, BATCH_MAX_BYTES / 2).await, [2, 2, 1]);
        assert_eq!(batches(2, BATCH_MAX_BYTES * 9).await, [1, 1, 0]);
    }

    #[tokio::test]
    async fn a_revision_that_stays_alone_does_not_wait_for_ever() {
        let (sender, mut incoming) = mpsc::channel(1);
        sender.try_send(1).unwrap();
        let mut batch = Vec::new();
        let began = Instant::now();
        assert!(!collect(&mut incoming, &mut batch, |_| 1).await);
        assert!(began.elapsed() >= WAIT_MAX);
        assert_eq!(batch, [1]);
    }
}
