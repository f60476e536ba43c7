//! Looks after those who fetch: what is due, by which way it comes, and that what has come is written down.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::board::Board;
use super::fetcher::{self, Shared};
use super::ledger::Ledger;
use crate::content::Threads;
use crate::content::limits;
use crate::content::wanted;
use crate::db::schema::sync_options;
use crate::sync::SyncError;
use crate::sync::context::SyncContext;

/// Due files that are looked for at once; those of a busy host wait.
const DUE_MAX: i64 = 1_000;
/// Between two looks at the settings, at what is due, and at the place of the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at a full disk.
const FULL_WAIT: Duration = Duration::from_secs(10);
/// Threads on which files come, for each processor: a block that goes straight to the disk takes longer to get there than
/// to be hashed.
const THREADS_EACH: usize = 4;
/// The same in all. With two of them both waited for the disk; with very many the network is slower.
const THREADS_MIN: usize = 8;
const THREADS_MAX: usize = 16;

/// Fetches until nothing is wanted.
///
/// # Errors
/// The database's, and settings that cannot be used. A file that does not come is none.
pub(super) async fn fetch_all(context: &SyncContext) -> Result<(), SyncError> {
    wanted::forget_begun(&mut *context.pool.get().await?, None).await?;
    let mut queue = Queue::new(context).await?;
    loop {
        queue.look().await?;
        queue.begin();
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
        tokio::time::sleep(if queue.board.is_ready() { LOOK_EVERY } else { FULL_WAIT }).await;
    }
}

/// Sees to it that there is always a file to be fetched next, and that what has come is written down: what has come while
/// the files before it are kept and written down is written down together.
struct Queue<'a> {
    context: &'a SyncContext,
    shared: Arc<Shared>,
    board: Arc<Board>,
    /// The last answer to what is due held all of it.
    is_all: bool,
    /// Those who fetch, each one file after the other.
    workers: JoinSet<()>,
    /// Where they work. `None`: where everybody does.
    threads: Option<Threads>,
    /// `None` while it is `settling`.
    ledger: Option<Ledger>,
    /// The ledger comes back when nothing more is to be written down; at most one.
    settling: JoinSet<(Ledger, Result<(), SyncError>)>,
}

impl<'a> Queue<'a> {
    async fn new(context: &'a SyncContext) -> Result<Self, SyncError> {
        let shared = Arc::<Shared>::default();
        let limits = limits::load(&mut *context.pool.get().await?).await?;
        let fetcher = Arc::new(fetcher::fetcher(context, shared.clone()).await?);
        Ok(Self {
            context,
            shared,
            board: Arc::new(Board::new(fetcher, limits)),
            is_all: false,
            workers: JoinSet::new(),
            threads: threads(context)?,
            ledger: Some(Ledger::new(context.pool.clone())),
            settling: JoinSet::new(),
        })
    }

    /// Nobody fetches, and everything that ended is written down.
    fn is_idle(&self) -> bool {
        self.workers.is_empty() && !self.board.has_ended() && self.settling.is_empty()
    }

    /// Reads settings and limits, looks whether the store takes files, and lists what is due. Those who fetch go on
    /// meanwhile with what was listed before.
    async fn look(&mut self) -> Result<(), SyncError> {
        let pool = &self.context.pool;
        let mut conn = pool.get().await?;
        let limits = limits::load(&mut conn).await?;
        let (version, zone): (i64, String) = sync_options::table
            .select((sync_options::version, sync_options::schedule_time_zone))
            .first(&mut conn)
            .await?;
        self.shared.bandwidth.set(limits.rate_at(time_of_day(&zone)));
        let mut fetcher = self.board.fetcher();
        if (version, limits.version) != fetcher.versions {
            drop(conn);
            fetcher = Arc::new(fetcher::fetcher(self.context, self.shared.clone()).await?);
            conn = pool.get().await?;
        }
        let is_ready = fetcher.is_ready(&mut conn).await?;
        self.board.set(fetcher, limits, is_ready);
        self.note_begun(&mut conn).await?;
        if self.board.is_busy() {
            // Large files: what follows them is looked for when one has come.
            self.is_all = false;
            self.board.list(Vec::new(), true);
            return Ok(());
        }
        self.list(&mut conn, true).await
    }

    /// Writes down what is under way.
    async fn note_begun(&self, conn: &mut AsyncPgConnection) -> Result<(), SyncError> {
        let fresh = self.board.note_fresh();
        wanted::note_begun(conn, &fresh).await?;
        // How these ended may have been written down before that they began.
        let left = self.board.that_left(&fresh);
        if !left.is_empty() {
            wanted::forget_begun(conn, Some(&left)).await?;
        }
        Ok(())
    }

    /// Lists what is due, after what is listed already or in its place.
    async fn list(&mut self, conn: &mut AsyncPgConnection, in_place: bool) -> Result<(), SyncError> {
        let mut due = Vec::new();
        if self.board.is_ready() {
            due = wanted::due(conn, &self.board.held(!in_place), DUE_MAX).await?;
        }
        self.is_all = due.len() < usize::try_from(DUE_MAX).unwrap_or(usize::MAX);
        self.board.list(due, in_place);
        Ok(())
    }

    /// Begins files until all places are taken, or nothing more is listed.
    fn begin(&mut self) {
        while let Some(taken) = self.board.take() {
            match &self.threads {
                Some(threads) => self.workers.spawn_on(taken.work(), threads.handle()),
                None => self.workers.spawn(taken.work()),
            };
        }
    }

    /// Until the next look: what has ended is written down, and what is due is listed.
    async fn work(&mut self) -> Result<(), SyncError> {
        let until = Instant::now() + LOOK_EVERY;
        while !self.is_idle() {
            self.settle();
            self.begin();
            tokio::select! {
                () = self.board.changed() => {}
                Some(left) = self.workers.join_next() => told(left),
                Some(settled) = self.settling.join_next() => self.take_back(settled)?,
                () = sleep_until(until) => break,
            }
            while let Some(left) = self.workers.try_join_next() {
                told(left);
            }
            if !self.is_all && self.board.is_ready() && self.board.is_low() {
                self.list(&mut *self.context.pool.get().await?, false).await?;
            }
        }
        Ok(())
    }

    /// Begins to write down what has ended, and what ends meanwhile, unless somebody is at it.
    fn settle(&mut self) {
        let Some(mut ledger) = self.ledger.take() else { return };
        let board = self.board.clone();
        let ended = board.take_ended();
        if ended.is_empty() {
            self.ledger = Some(ledger);
            return;
        }
        self.settling.spawn(async move {
            let mut settled = ledger.settle(&board.fetcher(), ended).await;
            while settled.is_ok() {
                let ended = board.take_ended();
                if ended.is_empty() {
                    break;
                }
                settled = ledger.settle(&board.fetcher(), ended).await;
            }
            (ledger, settled)
        });
    }

    fn take_back(
        &mut self,
        settled: Result<(Ledger, Result<(), SyncError>), JoinError>,
    ) -> Result<(), SyncError> {
        let (ledger, settled) = settled.unwrap_or_else(|error| {
            tracing::error!(%error, "writing down files panicked");
            (Ledger::new(self.context.pool.clone()), Ok(()))
        });
        self.ledger = Some(ledger);
        settled
    }
}

/// One of those who fetch has left.
fn told(left: Result<(), JoinError>) {
    if let Err(error) = left {
        tracing::error!(%error, "fetching a file panicked");
    }
}

/// As many as keep the processors busy while some wait for the disk. None for a bucket: the connections to it are
/// everybody's, and would end with the threads on which they were opened.
fn threads(context: &SyncContext) -> Result<Option<Threads>, SyncError> {
    if context.content.store.bucket_address().is_some() {
        return Ok(None);
    }
    let processors = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    Threads::start((THREADS_EACH * processors).clamp(THREADS_MIN, THREADS_MAX))
        .map(Some)
        .map_err(|error| SyncError::Unusable(format!("There are no threads to fetch files with: {error}")))
}

/// The time of day in the schedule's zone; in UTC when that is unknown.
fn time_of_day(zone: &str) -> chrono::NaiveTime {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    chrono::Utc::now().with_timezone(&zone).time()
}
