//! What becomes of files that have ended: those that are whole get their final names, and all are written down, many at
//! a time.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::fetcher::Fetcher;
use super::problem::Problem;
use crate::accounts::audit;
use crate::content::wanted::{self, Wanted};
use crate::content::{StoreError, Whole};
use crate::db::schema::sync_runs;
use crate::db::{Pool, planning};
use crate::sync::{SyncError, destinations};
use crate::upstream::Traffic;

/// Files whose hosts are counted in one statement.
const UNCOUNTED_MAX: usize = 100;

/// A file that nobody fetches any more.
pub(super) struct Ended {
    pub file: Wanted,
    /// `None`: it is in the store for good; otherwise it has no final name yet.
    pub result: Result<Option<Whole>, Problem>,
    /// It had to begin again, because only whole files are sent.
    pub restarted: bool,
}

/// Writes down what has ended.
pub(super) struct Ledger {
    pool: Pool,
    /// Files whose hosts are not counted in the database yet, and what came from those.
    uncounted: usize,
    traffic: HashMap<i64, Traffic>,
}

impl Ledger {
    pub fn new(pool: Pool) -> Self {
        Self { pool, uncounted: 0, traffic: HashMap::new() }
    }

    /// Gives files their names and writes down how each ended. A file is noted as stored only when it is there for good.
    ///
    /// # Errors
    /// The database's.
    pub async fn settle(&mut self, fetcher: &Fetcher, ended: Vec<Ended>) -> Result<(), SyncError> {
        let (mut stored, mut failed) = (HashMap::new(), Vec::new());
        let (mut files, mut whole) = (Vec::new(), Vec::new());
        let mut restarted = Vec::new();
        for one in ended {
            if one.restarted {
                restarted.push(one.file.file_row);
            }
            match one.result {
                Ok(Some(unnamed)) => {
                    files.push(one.file);
                    whole.push(unnamed);
                }
                Ok(None) => drop(stored.insert(one.file.file_row, one.file)),
                Err(problem) => failed.push((one.file, problem)),
            }
        }
        let kept = if whole.is_empty() { Vec::new() } else { fetcher.keep(whole).await };
        for (file, kept) in files.into_iter().zip(kept) {
            match kept {
                Ok(()) => drop(stored.insert(file.file_row, file)),
                Err(error) => failed.push((file, error.into())),
            }
        }
        let pool = self.pool.clone();
        let mut conn = pool.get().await?;
        for file_row in restarted {
            wanted::note_restart(&mut conn, file_row).await?;
        }
        for (file, problem) in failed {
            note_problem(&mut conn, fetcher, &file, &problem).await?;
        }
        self.note_stored(&mut conn, fetcher, stored).await
    }

    async fn note_stored(
        &mut self,
        conn: &mut AsyncPgConnection,
        fetcher: &Fetcher,
        stored: HashMap<i32, Wanted>,
    ) -> Result<(), SyncError> {
        if stored.is_empty() {
            return Ok(());
        }
        let rows: Vec<i32> = stored.keys().copied().collect();
        let of_runs = conn.transaction(async |conn| {
            conn.batch_execute(planning::BY_INDEX).await?;
            let of_runs = wanted::note_stored(conn, &rows).await?;
            let mut sums: HashMap<i64, (i64, i64)> = HashMap::new();
            for (file_row, run_id) in &of_runs {
                let (Some(run_id), Some(file)) = (run_id, stored.get(file_row)) else { continue };
                let sum = sums.entry(*run_id).or_default();
                *sum = (sum.0 + 1, sum.1 + i64::try_from(file.facts.size).unwrap_or(i64::MAX));
            }
            for (run_id, (files, bytes)) in sums {
                diesel::update(sync_runs::table.find(run_id))
                    .set((
                        sync_runs::files.eq(sync_runs::files + files),
                        sync_runs::bytes.eq(sync_runs::bytes + bytes),
                    ))
                    .execute(conn)
                    .await?;
            }
            QueryResult::Ok(of_runs)
        });
        for (file_row, run_id) in of_runs.await? {
            let (Some(run_id), Some(file)) = (run_id, stored.get(&file_row)) else { continue };
            self.count(run_id, fetcher, file).await;
        }
        Ok(())
    }

    /// Counts where a file came from; writes when there are many.
    async fn count(&mut self, run_id: i64, fetcher: &Fetcher, file: &Wanted) {
        let Ok(url) = fetcher.address(file) else { return };
        self.traffic.entry(run_id).or_default().add(&url, &fetcher.proxy, file.facts.size);
        self.uncounted += 1;
        if self.uncounted >= UNCOUNTED_MAX {
            self.write_counts().await;
        }
    }

    /// Writes what was counted and is not in the database yet.
    pub async fn write_counts(&mut self) {
        self.uncounted = 0;
        for (run_id, traffic) in self.traffic.drain() {
            destinations::write_down(&self.pool, run_id, &traffic).await;
        }
    }
}

async fn note_problem(
    conn: &mut AsyncPgConnection,
    fetcher: &Fetcher,
    file: &Wanted,
    problem: &Problem,
) -> Result<(), SyncError> {
    tracing::warn!(file = %file.facts.sha1, %problem, "a file was not fetched");
    if let Problem::Store(error @ StoreError::Digest { .. }) = problem {
        note_refused(conn, file, &fetcher.host(file), error).await?;
    }
    let wait = problem.retry_after();
    Ok(wanted::note_failure(conn, file, &problem.to_string(), problem.kind(), wait).await?)
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
