//! Fetches documents: several workers take batches from one list, and what fails is narrowed down.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::SyncError;
use super::decode::Decoder;
use super::progress::Progress;
use crate::catalog::revision::ImportRevision;
use crate::protocol::ids::RevisionKey;
use crate::protocol::server_sync::{GetUpdateDataReply, UpdateData};
use crate::upstream::{UpstreamClient, UpstreamError};

/// GetUpdateData calls at the same time.
const WORKERS: usize = 4;
/// Unreadable answers in a row, without one good one, after which the source is given up.
pub(super) const UNREADABLE_MAX: u32 = 24;
/// The same for answers that name an unknown revision: they may really be that many.
pub(super) const INTERNAL_ERRORS_MAX: u32 = 2_000;

/// Revisions that could not be had, each with the reason.
pub(super) type Owed = BTreeMap<RevisionKey, String>;

/// Fetches `wanted` and hands each good revision to `importer`.
///
/// # Errors
/// An error of the source that concerns more than single revisions.
pub(super) async fn fetch(
    client: Arc<UpstreamClient>,
    wanted: Vec<RevisionKey>,
    batch_size: usize,
    importer: mpsc::Sender<ImportRevision>,
    progress: Arc<Progress>,
) -> Result<Owed, SyncError> {
    let list = Arc::new(WorkList::new(wanted, batch_size.max(1)));
    let decoder = Decoder::new();
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let worker = Worker {
            client: client.clone(),
            list: list.clone(),
            decoder: decoder.clone(),
            importer: importer.clone(),
            progress: progress.clone(),
        };
        workers.spawn(worker.run());
    }
    drop(importer);
    while let Some(ended) = workers.join_next().await {
        match ended {
            Ok(result) => result?, // dropping the set ends the other workers
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(SyncError::Canceled),
        }
    }
    Ok(std::mem::take(&mut list.lock().owed))
}

#[derive(Default)]
struct ListState {
    /// Nobody has asked for these yet; from the last one on, so that a batch is cut off the end.
    untouched: Vec<RevisionKey>,
    /// Batches that came back as smaller ones. They come first, so that a trouble is settled before new ones are looked
    /// for.
    returned: VecDeque<Vec<RevisionKey>>,
    /// Batches that a worker has; they may come back as smaller ones.
    in_work: usize,
    owed: Owed,
    unreadable: u32,
    internal_errors: u32,
}

impl ListState {
    fn next(&mut self, batch_size: usize) -> Option<Vec<RevisionKey>> {
        if self.returned.is_empty() && !self.untouched.is_empty() {
            let rest = self.untouched.len().saturating_sub(batch_size);
            let batch = self.untouched.drain(rest..).rev().collect();
            // Half a million are 10 MB, which are given back while they are worked off.
            if rest < self.untouched.capacity() / 8 * 7 {
                self.untouched.shrink_to_fit();
            }
            return Some(batch);
        }
        self.returned.pop_front()
    }
}

/// What is still to be asked for.
struct WorkList {
    state: Mutex<ListState>,
    batch_size: usize,
    changed: Notify,
}

impl WorkList {
    fn new(mut wanted: Vec<RevisionKey>, batch_size: usize) -> Self {
        wanted.reverse();
        let state = ListState { untouched: wanted, ..ListState::default() };
        Self { state: Mutex::new(state), batch_size, changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, ListState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch; `None` when nothing is left and nothing can come back.
    async fn take(&self) -> Option<Vec<RevisionKey>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.lock();
                if let Some(batch) = state.next(self.batch_size) {
                    state.in_work += 1;
                    return Some(batch);
                }
                if state.in_work == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// A batch is done but for these smaller ones.
    fn give_back(&self, batches: impl IntoIterator<Item = Vec<RevisionKey>>) {
        let mut state = self.lock();
        state.in_work -= 1;
        for batch in batches {
            state.returned.push_front(batch);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn owe(&self, key: RevisionKey, reason: impl Into<String>, progress: &Progress) {
        let reason = reason.into();
        progress.log("warning", format!("{key} is not stored: {reason}."));
        let mut state = self.lock();
        state.owed.entry(key).or_insert(reason);
        let count = state.owed.len() as i64;
        drop(state);
        progress.change(|figures| {
            figures.failed = figures.failed.max(count);
            figures.done += 1;
        });
    }
}

/// A batch and what came for it.
type Answered = (Vec<RevisionKey>, GetUpdateDataReply);

struct Worker {
    client: Arc<UpstreamClient>,
    list: Arc<WorkList>,
    decoder: Decoder,
    importer: mpsc::Sender<ImportRevision>,
    progress: Arc<Progress>,
}

impl Worker {
    /// Reads one answer while the next one is waited for: a source that takes seconds is always being asked.
    async fn run(self) -> Result<(), SyncError> {
        let mut answered = None;
        loop {
            // Both in one task: the last batch may be the one that is being read, and then its end is what ends the list.
            let (_, next) = tokio::try_join!(self.settle(answered), self.ask())?;
            match next {
                Some(answer) => answered = Some(answer),
                None => return Ok(()),
            }
        }
    }

    /// The next answer; `None` when there is nothing left to ask for.
    async fn ask(&self) -> Result<Option<Answered>, SyncError> {
        while let Some(batch) = self.list.take().await {
            match self.client.update_data(&batch).await {
                Ok(reply) => return Ok(Some((batch, reply))),
                Err(error) => {
                    let halves = self.narrow_down(batch, error)?;
                    self.list.give_back(halves);
                }
            }
        }
        Ok(None)
    }

    /// Stores what an answer holds, and gives back what it did not.
    async fn settle(&self, answered: Option<Answered>) -> Result<(), SyncError> {
        if let Some((batch, reply)) = answered {
            let missing = self.accept(&batch, reply).await?;
            self.list.give_back(missing);
        }
        Ok(())
    }

    /// Stores what was sent and asked for; answers with the batches that are still to be asked.
    async fn accept(
        &self,
        asked: &[RevisionKey],
        reply: GetUpdateDataReply,
    ) -> Result<Vec<Vec<RevisionKey>>, SyncError> {
        let (items, missing) = self.match_up(asked, reply.updates);
        if items.is_empty() {
            return Ok(self.nothing_came(asked));
        }
        {
            let mut state = self.list.lock();
            state.unreadable = 0;
            state.internal_errors = 0;
        }
        for decoded in self.decoder.decode(items, reply.file_urls).await {
            match decoded {
                // The importer is gone only when it failed, and then it says why.
                Ok(revision) => self.importer.send(revision).await.map_err(|_| SyncError::Canceled)?,
                Err((key, reason)) => self.list.owe(key, reason, &self.progress),
            }
        }
        Ok(if missing.is_empty() { Vec::new() } else { vec![missing] })
    }

    /// Splits an answer into what was asked for, each once, and what is missing.
    fn match_up(&self, asked: &[RevisionKey], sent: Vec<UpdateData>) -> (Vec<UpdateData>, Vec<RevisionKey>) {
        let mut open: HashMap<RevisionKey, Option<usize>> = asked.iter().map(|key| (*key, None)).collect();
        let mut items: Vec<UpdateData> = Vec::with_capacity(sent.len());
        for item in sent {
            match open.get_mut(&item.key) {
                None => {
                    self.progress.log("warning", format!("{} came without having been asked for.", item.key));
                }
                Some(Some(first)) if items[*first].blob != item.blob => {
                    let key = item.key;
                    self.progress
                        .log("warning", format!("{key} came twice and different; the first is kept."));
                }
                Some(Some(_)) => {}
                Some(place) => {
                    *place = Some(items.len());
                    items.push(item);
                }
            }
        }
        let missing = asked.iter().filter(|key| open.get(*key) == Some(&None)).copied().collect();
        (items, missing)
    }

    /// An answer without anything that was asked for: ask one by one, then write it down as owed.
    fn nothing_came(&self, asked: &[RevisionKey]) -> Vec<Vec<RevisionKey>> {
        if let [single] = asked {
            self.list.owe(*single, "the update source did not send it", &self.progress);
            return Vec::new();
        }
        asked.iter().map(|key| vec![*key]).collect()
    }

    /// A batch that failed as a whole is halved until the revision is found that spoils it.
    fn narrow_down(
        &self,
        batch: Vec<RevisionKey>,
        error: UpstreamError,
    ) -> Result<Vec<Vec<RevisionKey>>, SyncError> {
        let may_be_one = {
            let mut state = self.list.lock();
            match &error {
                UpstreamError::Fault { code, .. } if code == "InternalServerError" => {
                    state.internal_errors += 1;
                    state.internal_errors <= INTERNAL_ERRORS_MAX
                }
                UpstreamError::Unreadable { .. } | UpstreamError::TooLarge { .. } => {
                    state.unreadable += 1;
                    state.unreadable <= UNREADABLE_MAX
                }
                _ => false,
            }
        };
        if !may_be_one {
            return Err(error.into());
        }
        if let [single] = batch[..] {
            let reason = error.to_string();
            self.list.owe(single, reason.trim_end_matches('.'), &self.progress);
            return Ok(Vec::new());
        }
        let (left, right) = batch.split_at(batch.len() / 2);
        Ok(vec![right.to_vec(), left.to_vec()])
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_list_is_worked_off_in_its_order_and_gives_its_memory_back() {
        let wanted: Vec<RevisionKey> = (0..10_000)
            .map(|number| RevisionKey { update_id: Uuid::from_u128(number), revision: 1 })
            .collect();
        let list = WorkList::new(wanted.clone(), 30);
        let mut state = list.lock();
        let mut fetched = Vec::new();
        while let Some(batch) = state.next(30) {
            fetched.extend(batch);
            let (left, held) = (state.untouched.len(), state.untouched.capacity());
            assert!(held <= left * 8 / 7 + 8, "room for {held}, of which {left} are left");
        }
        assert!(fetched == wanted);
    }
}
