//! Which files are under way at once, and what becomes of their rows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::task::{Id, JoinError, JoinSet};

use super::fetcher::{self, Fetcher, Shared};
use super::ledger::{Ended, Ledger};
use crate::content::limits::{self, Limits};
use crate::content::wanted::{self, Begun, Wanted};
use crate::db::schema::sync_options;
use crate::sync::SyncError;
use crate::sync::context::SyncContext;

/// Due files that are known at once; those of a busy host wait.
const DUE_MAX: i64 = 1_000;
/// Files that have come and are not written down yet; more are not begun then.
const ENDED_MAX: usize = 256;
/// Between two looks at the settings, at what is due, and at the place of the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at a full disk.
const FULL_WAIT: Duration = Duration::from_secs(10);

/// Fetches until nothing is wanted.
///
/// # Errors
/// The database's, and settings that cannot be used. A file that does not come is none.
pub(super) async fn fetch_all(context: &SyncContext) -> Result<(), SyncError> {
    wanted::forget_begun(&mut *context.pool.get().await?).await?;
    let mut queue = Queue::new(context).await?;
    loop {
        queue.look().await?;
        if !queue.is_idle() {
            queue.work().await?;
            continue;
        }
        if let Some(ledger) = &mut queue.ledger {
            ledger.write_counts().await;
        }
        if wanted::next_try(&mut *context.pool.get().await?).await?.is_none() {
            return Ok(());
        }
        tokio::time::sleep(if queue.is_ready { LOOK_EVERY } else { FULL_WAIT }).await;
    }
}

/// A file that is under way.
struct UnderWay {
    host: String,
    begun: Begun,
    /// Bytes that were here when it began.
    here: Arc<AtomicU64>,
    /// The list says so; a file that is here within a moment never gets there.
    is_noted: bool,
}

/// What is due, what is under way, and by which way. A file that has come makes room for the next at once; what has come
/// while the ones before it are kept and written down is written down together.
struct Queue<'a> {
    context: &'a SyncContext,
    shared: Arc<Shared>,
    fetcher: Arc<Fetcher>,
    limits: Limits,
    /// The store takes files.
    is_ready: bool,
    /// With their hosts.
    due: VecDeque<(Wanted, String)>,
    /// All that is due is in `due`, under way or ended.
    is_all: bool,
    running: JoinSet<Ended>,
    under_way: HashMap<Id, UnderWay>,
    ended: Vec<Ended>,
    /// `None` while it is `settling`.
    ledger: Option<Ledger>,
    /// The ledger comes back from what it was writing down; at most one.
    settling: JoinSet<(Ledger, Result<(), SyncError>)>,
    /// Rows of the files that are being settled.
    settled: Vec<i32>,
}

impl<'a> Queue<'a> {
    async fn new(context: &'a SyncContext) -> Result<Self, SyncError> {
        let shared = Arc::<Shared>::default();
        let limits = limits::load(&mut *context.pool.get().await?).await?;
        Ok(Self {
            fetcher: Arc::new(fetcher::fetcher(context, shared.clone()).await?),
            context,
            shared,
            limits,
            is_ready: false,
            due: VecDeque::new(),
            is_all: false,
            running: JoinSet::new(),
            under_way: HashMap::new(),
            ended: Vec::new(),
            ledger: Some(Ledger::new(context.pool.clone())),
            settling: JoinSet::new(),
            settled: Vec::new(),
        })
    }

    /// Nothing is under way, and everything that ended is written down.
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.ended.is_empty() && self.settling.is_empty()
    }

    /// Reads settings and limits, looks whether the store takes files, and begins what is due.
    async fn look(&mut self) -> Result<(), SyncError> {
        let pool = &self.context.pool;
        let mut conn = pool.get().await?;
        self.limits = limits::load(&mut conn).await?;
        let (version, zone): (i64, String) = sync_options::table
            .select((sync_options::version, sync_options::schedule_time_zone))
            .first(&mut conn)
            .await?;
        self.shared.bandwidth.set(self.limits.rate_at(time_of_day(&zone)));
        if (version, self.limits.version) != self.fetcher.versions {
            // What is under way ends as it began; what begins now goes the new way.
            drop(conn);
            self.fetcher = Arc::new(fetcher::fetcher(self.context, self.shared.clone()).await?);
            conn = pool.get().await?;
        }
        self.is_ready = self.fetcher.is_ready(&mut conn).await?;
        let fresh = self.under_way.values_mut().filter(|one| !one.is_noted);
        let begun: Vec<Begun> = fresh
            .map(|one| {
                one.is_noted = true;
                Begun { bytes: AtomicU64::load(&one.here, Ordering::Relaxed), ..one.begun }
            })
            .collect();
        wanted::note_begun(&mut conn, &begun).await?;
        self.due.clear();
        self.is_all = false;
        self.begin(&mut conn).await
    }

    /// Begins files until all places are taken, or nothing more is due.
    async fn begin(&mut self, conn: &mut AsyncPgConnection) -> Result<(), SyncError> {
        self.begin_known();
        while !self.is_all && self.is_ready && self.due.is_empty() && self.has_place() {
            let due = wanted::due(conn, &self.held(), DUE_MAX).await?;
            self.is_all = due.len() < usize::try_from(DUE_MAX).unwrap_or(usize::MAX);
            for file in due {
                let host = self.fetcher.host(&file);
                self.due.push_back((file, host));
            }
            self.begin_known();
        }
        Ok(())
    }

    /// Rows of files that are wanted and somewhere on their way.
    fn held(&self) -> Vec<i32> {
        let under_way = self.under_way.values().map(|one| one.begun.file_row);
        let ended = self.ended.iter().map(|one| one.file.file_row);
        under_way.chain(ended).chain(self.settled.iter().copied()).collect()
    }

    fn has_place(&self) -> bool {
        self.running.len() < usize::from(self.limits.workers) && self.ended.len() < ENDED_MAX
    }

    /// Begins what is known to be due, as far as there is a place for it.
    fn begin_known(&mut self) {
        if !self.is_ready {
            return;
        }
        let mut waiting = VecDeque::new();
        while self.has_place() {
            let Some((file, host)) = self.due.pop_front() else { break };
            let of_host = self.under_way.values().filter(|one| one.host == host).count();
            if of_host < usize::from(self.limits.per_host) {
                self.start(file, host);
            } else {
                waiting.push_back((file, host));
            }
        }
        waiting.append(&mut self.due);
        self.due = waiting;
    }

    fn start(&mut self, file: Wanted, host: String) {
        let (fetcher, file_row) = (self.fetcher.clone(), file.file_row);
        let here = Arc::<AtomicU64>::default();
        let found = here.clone();
        let handle = self.running.spawn(async move {
            let mut restarted = false;
            let result = fetcher.fetch(&file, &found, &mut restarted).await;
            Ended { file, result, restarted }
        });
        let begun = Begun { file_row, at: Utc::now(), bytes: 0 };
        self.under_way.insert(handle.id(), UnderWay { host, begun, here, is_noted: false });
    }

    /// Until the next look: what has ended makes room for the next, and is written down.
    async fn work(&mut self) -> Result<(), SyncError> {
        let until = tokio::time::Instant::now() + LOOK_EVERY;
        while !self.is_idle() {
            self.settle();
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.take(ended),
                Some(settled) = self.settling.join_next() => self.take_back(settled)?,
                () = tokio::time::sleep_until(until) => break,
            }
            while let Some(ended) = self.running.try_join_next_with_id() {
                self.take(ended);
            }
            self.begin_known();
            if self.due.is_empty() && !self.is_all && self.is_ready && self.has_place() {
                self.begin(&mut *self.context.pool.get().await?).await?;
            }
        }
        Ok(())
    }

    fn take(&mut self, ended: Result<(Id, Ended), JoinError>) {
        match ended {
            Ok((id, file)) => {
                self.under_way.remove(&id);
                self.ended.push(file);
            }
            Err(error) => {
                self.under_way.remove(&error.id());
                tracing::error!(%error, "fetching a file panicked");
            }
        }
    }

    /// Begins to write down what has ended, unless the ledger is still writing.
    fn settle(&mut self) {
        if self.ended.is_empty() {
            return;
        }
        let Some(mut ledger) = self.ledger.take() else { return };
        let (fetcher, ended) = (self.fetcher.clone(), std::mem::take(&mut self.ended));
        self.settled = ended.iter().map(|one| one.file.file_row).collect();
        self.settling.spawn(async move {
            let settled = ledger.settle(&fetcher, ended).await;
            (ledger, settled)
        });
    }

    fn take_back(
        &mut self,
        settled: Result<(Ledger, Result<(), SyncError>), JoinError>,
    ) -> Result<(), SyncError> {
        self.settled.clear();
        let (ledger, settled) = settled.unwrap_or_else(|error| {
            tracing::error!(%error, "writing down files panicked");
            (Ledger::new(self.context.pool.clone()), Ok(()))
        });
        self.ledger = Some(ledger);
        settled
    }
}

/// The time of day in the schedule's zone; in UTC when that is unknown.
fn time_of_day(zone: &str) -> chrono::NaiveTime {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    chrono::Utc::now().with_timezone(&zone).time()
}
