//! Which files are under way at once, and what becomes of their rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use tokio::task::JoinSet;

use super::fetcher::{self, Fetcher, Shared};
use super::problem::Problem;
use crate::content::limits;
use crate::content::wanted::{self, Wanted};
use crate::db::Pool;
use crate::db::schema::{sync_options, sync_runs};
use crate::sync::context::SyncContext;
use crate::sync::{SyncError, destinations};
use crate::upstream::Traffic;

/// Due files that are looked at for a free place; those of a busy host wait.
const DUE_MAX: i64 = 64;
/// Files whose hosts are counted in one statement.
const UNCOUNTED_MAX: usize = 100;
/// Between two looks at the settings and at what is due.
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
    let shared = Arc::<Shared>::default();
    let mut fetcher = Arc::new(fetcher::fetcher(context, shared.clone()).await?);
    let mut uncounted = Uncounted::default();
    let mut running: JoinSet<(Wanted, Outcome)> = JoinSet::new();
    let mut busy: HashMap<tokio::task::Id, (i32, String)> = HashMap::new();
    wanted::forget_begun(&mut *context.pool.get().await?).await?;
    loop {
        let mut conn = context.pool.get().await?;
        let limits = limits::load(&mut conn).await?;
        let (version, zone): (i64, String) = sync_options::table
            .select((sync_options::version, sync_options::schedule_time_zone))
            .first(&mut conn)
            .await?;
        shared.bandwidth.set(limits.rate_at(time_of_day(&zone)));
        if (version, limits.version) != fetcher.versions {
            // What is under way ends as it began; what begins now goes the new way.
            drop(conn);
            fetcher = Arc::new(fetcher::fetcher(context, shared.clone()).await?);
            continue;
        }
        let is_ready = fetcher.is_ready(&mut conn).await?;
        let held: Vec<i32> = busy.values().map(|(row, _)| *row).collect();
        let due = match usize::from(limits.workers) > held.len() {
            true if is_ready => wanted::due(&mut conn, &held, DUE_MAX).await?,
            _ => Vec::new(),
        };
        for file in due {
            let host = fetcher.host(&file);
            let of_host = busy.values().filter(|(_, other)| *other == host).count();
            if busy.len() >= usize::from(limits.workers) || of_host >= usize::from(limits.per_host) {
                continue;
            }
            let (fetcher, row) = (fetcher.clone(), file.file_row);
            wanted::note_begun(&mut conn, row, fetcher.store.partial_len(&file.facts.sha1).await).await?;
            let handle = running.spawn(async move {
                let mut restarted = false;
                let result = fetcher.fetch(&file, &mut restarted).await;
                (file, Outcome { result, restarted })
            });
            busy.insert(handle.id(), (row, host));
        }
        if running.is_empty() {
            uncounted.write_down(&context.pool).await;
            if wanted::next_try(&mut conn).await?.is_none() {
                return Ok(());
            }
            drop(conn);
            tokio::time::sleep(if is_ready { LOOK_EVERY } else { FULL_WAIT }).await;
            continue;
        }
        drop(conn);
        let ended = tokio::select! {
            ended = running.join_next_with_id() => ended,
            () = tokio::time::sleep(LOOK_EVERY) => None,
        };
        match ended {
            Some(Ok((id, (file, outcome)))) => {
                busy.remove(&id);
                if let Some(run_id) = write_down(context, &file, outcome).await? {
                    uncounted.add(&context.pool, run_id, &fetcher, &file).await;
                }
            }
            Some(Err(error)) => {
                busy.remove(&error.id());
                tracing::error!(%error, "fetching a file panicked");
            }
            None => {}
        }
    }
}

/// The time of day in the schedule's zone; in UTC when that is unknown.
fn time_of_day(zone: &str) -> chrono::NaiveTime {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    chrono::Utc::now().with_timezone(&zone).time()
}

/// The answer is the run that a stored file was wanted by.
async fn write_down(
    context: &SyncContext,
    file: &Wanted,
    outcome: Outcome,
) -> Result<Option<i64>, SyncError> {
    let mut conn = context.pool.get().await?;
    if outcome.restarted {
        wanted::note_restart(&mut conn, file.file_row).await?;
    }
    let Err(problem) = outcome.result else {
        let run_id = wanted::note_stored(&mut conn, file.file_row).await?;
        if let Some(run_id) = run_id {
            let bytes = i64::try_from(file.facts.size).unwrap_or(i64::MAX);
            diesel::update(sync_runs::table.find(run_id))
                .set((
                    sync_runs::files.eq(sync_runs::files + 1),
                    sync_runs::bytes.eq(sync_runs::bytes + bytes),
                ))
                .execute(&mut conn)
                .await?;
        }
        return Ok(run_id);
    };
    tracing::warn!(file = %file.facts.sha1, problem = %problem, "a file was not fetched");
    let wait = problem.retry_after();
    wanted::note_failure(&mut conn, file, &problem.to_string(), problem.kind(), wait).await?;
    Ok(None)
}

/// How a try ended.
struct Outcome {
    result: Result<(), Problem>,
    /// It had to begin again, because only whole files are sent.
    restarted: bool,
}
