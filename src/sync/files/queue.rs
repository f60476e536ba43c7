//! Which files are under way at once, and what becomes of their rows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::task::{Id, JoinError, JoinSet};

use super::fetcher::{self, Fetcher, Shared};
use super::problem::Problem;
use crate::accounts::audit;
use crate::content::StoreError;
use crate::content::limits::{self, Limits};
use crate::content::wanted::{self, Begun, Wanted};
use crate::db::Pool;
use crate::db::schema::{sync_options, sync_runs};
use crate::sync::context::SyncContext;
use crate::sync::{SyncError, destinations};
use crate::upstream::Traffic;

/// Due files that are known at once; those of a busy host wait.
const DUE_MAX: i64 = 256;
/// Files whose hosts are counted in one statement.
const UNCOUNTED_MAX: usize = 100;
/// Between two looks at the settings, at what is due, and at the place of the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at a full disk.
const FULL_WAIT: Duration = Duration::from_secs(10);

/// Files of one run that were fetched and are not counted in the database yet.
#[derive(Default)]
struct Uncounted {
    files: usize,
    traffic: HashMap<i64, Traffic>,
}

impl Uncounted {
    /// Counts a file; writes when there are many.
    async fn add(&mut self, pool: &Pool, run_id: i64, fetcher: &Fetcher, file: &Wanted) {
        let Ok(url) = fetcher.address(file) else { return };
        self.traffic.entry(run_id).or_default().add(&url, &fetcher.proxy, file.facts.size);
        self.files += 1;
        if self.files >= UNCOUNTED_MAX {
            self.write_down(pool).await;
        }
    }

    async fn write_down(&mut self, pool: &Pool) {
        self.files = 0;
        for (run_id, traffic) in self.traffic.drain() {
            destinations::write_down(pool, run_id, &traffic).await;
        }
    }
}

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
        queue.uncounted.write_down(&context.pool).await;
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

/// What is due, what is under way, and by which way. Between two looks nothing of the database is read, so that many
/// small files wait for nothing but their source.
struct Queue<'a> {
    context: &'a SyncContext,
    shared: Arc<Shared>,
    fetcher: Arc<Fetcher>,
    limits: Limits,
    /// The store takes files.
    is_ready: bool,
    due: VecDeque<Wanted>,
    /// All that is due is in `due` or under way.
    is_all: bool,
    running: JoinSet<(Wanted, Outcome)>,
    under_way: HashMap<Id, UnderWay>,
    uncounted: Uncounted,
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
            uncounted: Uncounted::default(),
        })
    }

    /// Nothing is under way, and nothing may begin.
    fn is_idle(&self) -> bool {
        self.running.is_empty()
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
            let held: Vec<i32> = self.under_way.values().map(|one| one.begun.file_row).collect();
            let due = wanted::due(conn, &held, DUE_MAX).await?;
            self.is_all = due.len() < usize::try_from(DUE_MAX).unwrap_or(usize::MAX);
            self.due.extend(due);
            self.begin_known();
        }
        Ok(())
    }

    fn has_place(&self) -> bool {
        self.running.len() < usize::from(self.limits.workers)
    }

    /// Begins what is known to be due, as far as there is a place for it.
    fn begin_known(&mut self) {
        if !self.is_ready {
            return;
        }
        let mut waiting = VecDeque::new();
        while self.has_place() {
            let Some(file) = self.due.pop_front() else { break };
            let host = self.fetcher.host(&file);
            let of_host = self.under_way.values().filter(|one| one.host == host).count();
            if of_host < usize::from(self.limits.per_host) {
                self.start(file, host);
            } else {
                waiting.push_back(file);
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
            (file, Outcome { result, restarted })
        });
        let begun = Begun { file_row, at: Utc::now(), bytes: 0 };
        self.under_way.insert(handle.id(), UnderWay { host, begun, here, is_noted: false });
    }

    /// Until the next look: what has ended makes room for the next, and is written down then.
    async fn work(&mut self) -> Result<(), SyncError> {
        let until = Instant::now() + LOOK_EVERY;
        while !self.running.is_empty() {
            let ended = tokio::select! {
                Some(ended) = self.running.join_next_with_id() => ended,
                () = tokio::time::sleep_until(until.into()) => break,
            };
            let mut done = Vec::new();
            self.take(ended, &mut done);
            while let Some(ended) = self.running.try_join_next_with_id() {
                self.take(ended, &mut done);
            }
            self.begin_known();
            let mut conn = self.context.pool.get().await?;
            self.write_down(&mut conn, done).await?;
            self.begin(&mut conn).await?;
        }
        Ok(())
    }

    fn take(&mut self, ended: Result<(Id, (Wanted, Outcome)), JoinError>, done: &mut Vec<(Wanted, Outcome)>) {
        match ended {
            Ok((id, file)) => {
                self.under_way.remove(&id);
                done.push(file);
            }
            Err(error) => {
                self.under_way.remove(&error.id());
                tracing::error!(%error, "fetching a file panicked");
            }
        }
    }

    async fn write_down(
        &mut self,
        conn: &mut AsyncPgConnection,
        done: Vec<(Wanted, Outcome)>,
    ) -> Result<(), SyncError> {
        let mut stored = HashMap::new();
        for (file, outcome) in done {
            if outcome.restarted {
                wanted::note_restart(conn, file.file_row).await?;
            }
            let Err(problem) = outcome.result else {
                stored.insert(file.file_row, file);
                continue;
            };
            tracing::warn!(file = %file.facts.sha1, problem = %problem, "a file was not fetched");
            if let Problem::Store(error @ StoreError::Digest { .. }) = &problem {
                note_refused(conn, &file, &self.fetcher.host(&file), error).await?;
            }
            let wait = problem.retry_after();
            wanted::note_failure(conn, &file, &problem.to_string(), problem.kind(), wait).await?;
        }
        let rows: Vec<i32> = stored.keys().copied().collect();
        let mut of_runs: HashMap<i64, (i64, i64)> = HashMap::new();
        for (file_row, run_id) in wanted::note_stored(conn, &rows).await? {
            let (Some(run_id), Some(file)) = (run_id, stored.remove(&file_row)) else { continue };
            let sum = of_runs.entry(run_id).or_default();
            *sum = (sum.0 + 1, sum.1 + i64::try_from(file.facts.size).unwrap_or(i64::MAX));
            self.uncounted.add(&self.context.pool, run_id, &self.fetcher, &file).await;
        }
        for (run_id, (files, bytes)) in of_runs {
            diesel::update(sync_runs::table.find(run_id))
                .set((
                    sync_runs::files.eq(sync_runs::files + files),
                    sync_runs::bytes.eq(sync_runs::bytes + bytes),
                ))
                .execute(conn)
                .await?;
        }
        Ok(())
    }
}

/// What a source gave out was not what its publisher named: somebody should look into it.
async fn note_refused(
    conn: &mut AsyncPgConnection,
    file: &Wanted,
    host: &str,
    error: &StoreError,
) -> Result<(), SyncError> {
    let object = file.facts.sha1.to_string();
    let after = serde_json::json!({ "host": host, "problem": error.to_string() });
    let entry = audit::Entry {
        actor: "weir",
        action: "file.refused",
        object: &object,
        after: Some(after),
        ..audit::Entry::default()
    };
    Ok(audit::record(conn, entry).await?)
}

/// The time of day in the schedule's zone; in UTC when that is unknown.
fn time_of_day(zone: &str) -> chrono::NaiveTime {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    chrono::Utc::now().with_timezone(&zone).time()
}

/// How a try ended.
struct Outcome {
    result: Result<(), Problem>,
    /// It had to begin again, because only whole files are sent.
    restarted: bool,
}
