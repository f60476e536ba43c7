//! How far a run is, written to its row at most twice a second, and the wish to stop, read from there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio_util::sync::CancellationToken;

use crate::db::Pool;

/// Between two looks at whether to stop. Each may write twice: the figures, and the lines of the log.
const INTERVAL: Duration = Duration::from_secs(1);
/// Lines kept of one run.
const LOG_LINES_MAX: usize = 5_000;
/// Notices kept of one run.
const NOTICES_MAX: usize = 100;

/// Figures of a run so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub source_id: Option<i64>,
    pub source_name: String,
    /// `connect`, `categories`, `updates` or `publish`.
    pub phase: &'static str,
    /// Of this phase.
    pub done: i64,
    pub total: Option<i64>,
    /// Stored by this run.
    pub revisions: i64,
    pub bytes: i64,
    pub failed: i64,
    pub notices: Vec<String>,
}

struct LogLine {
    at: DateTime<Utc>,
    level: &'static str,
    message: String,
}

#[derive(Default)]
struct Inner {
    figures: Figures,
    changed: bool,
    lines: Vec<LogLine>,
    lines_seen: usize,
}

/// The progress of one run; shared by everything that works on it.
pub(super) struct Progress {
    run_id: i64,
    inner: Mutex<Inner>,
    /// Triggers when somebody asked to stop.
    pub stop: CancellationToken,
}

impl Progress {
    pub fn new(run_id: i64) -> Self {
        Self { run_id, inner: Mutex::default(), stop: CancellationToken::new() }
    }

    /// Begins a phase; its counts start again.
    pub fn phase(&self, phase: &'static str, total: Option<usize>) {
        self.change(|figures| {
            figures.phase = phase;
            figures.done = 0;
            figures.total = total.map(|total| total as i64);
        });
    }

    /// Changes figures.
    pub fn change(&self, change: impl FnOnce(&mut Figures)) {
        let mut inner = self.lock();
        change(&mut inner.figures);
        inner.changed = true;
    }

    /// The figures now.
    pub fn figures(&self) -> Figures {
        self.lock().figures.clone()
    }

    /// Adds a line to the run's log.
    pub fn log(&self, level: &'static str, message: impl Into<String>) {
        let message = message.into();
        tracing::info!(run.id = self.run_id, level, "{message}");
        let mut inner = self.lock();
        inner.lines_seen += 1;
        if inner.lines_seen <= LOG_LINES_MAX {
            inner.lines.push(LogLine { at: Utc::now(), level, message });
        }
    }

    /// Adds a sentence that the run's page shows, once.
    pub fn notice(&self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        self.log("notice", sentence.clone());
        self.change(|figures| {
            if figures.notices.len() < NOTICES_MAX && !figures.notices.contains(&sentence) {
                figures.notices.push(sentence);
            }
        });
    }

    /// Writes what changed until `end`, and triggers `stop` when the row says so.
    pub async fn keep_written(&self, pool: &Pool, end: CancellationToken) {
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            match self.beat(pool).await {
                Ok(state) if state == "running" => {}
                Ok(_) => self.stop.cancel(),
                Err(error) => tracing::debug!(run.id = self.run_id, error, "progress not written"),
            }
        }
    }

    async fn beat(&self, pool: &Pool) -> Result<String, String> {
        let mut conn = pool.get().await.map_err(|error| error.to_string())?;
        self.flush(&mut conn).await.map_err(|error| error.to_string())
    }

    /// Writes what is not written yet; answers with the run's state.
    pub async fn flush(&self, conn: &mut AsyncPgConnection) -> QueryResult<String> {
        let (figures, lines) = {
            let mut inner = self.lock();
            let changed = std::mem::take(&mut inner.changed);
            (changed.then(|| inner.figures.clone()), std::mem::take(&mut inner.lines))
        };
        self.write_lines(conn, &lines).await?;
        let Some(figures) = figures else {
            use crate::db::schema::sync_runs;
            return sync_runs::table.find(self.run_id).select(sync_runs::state).first(conn).await;
        };
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            state: String,
        }
        // A run that ended keeps what was written at its end.
        let row: Row = diesel::sql_query(
            "WITH written AS (UPDATE sync_runs SET phase = $2, done = $3, total = $4, revisions = $5,
                 bytes = $6, failed = $7, notices = $8, source_id = $9, source_name = $10
             WHERE id = $1 AND state IN ('running', 'stopping') RETURNING state)
             SELECT coalesce((SELECT state FROM written), 'ended') AS state",
        )
        .bind::<BigInt, _>(self.run_id)
        .bind::<Text, _>(figures.phase)
        .bind::<BigInt, _>(figures.done)
        .bind::<Nullable<BigInt>, _>(figures.total)
        .bind::<BigInt, _>(figures.revisions)
        .bind::<BigInt, _>(figures.bytes)
        .bind::<BigInt, _>(figures.failed)
        .bind::<Jsonb, _>(serde_json::Value::from(figures.notices))
        .bind::<Nullable<BigInt>, _>(figures.source_id)
        .bind::<Text, _>(figures.source_name)
        .get_result(conn)
        .await?;
        Ok(row.state)
    }

    /// Writes the log lines that are not written yet.
    pub async fn flush_lines(&self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        let lines = std::mem::take(&mut self.lock().lines);
        self.write_lines(conn, &lines).await
    }

    async fn write_lines(&self, conn: &mut AsyncPgConnection, lines: &[LogLine]) -> QueryResult<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let at: Vec<DateTime<Utc>> = lines.iter().map(|line| line.at).collect();
        let levels: Vec<&str> = lines.iter().map(|line| line.level).collect();
        let messages: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
        diesel::sql_query(
            "INSERT INTO run_log (run_id, at, level, message) SELECT $1, l.* FROM unnest($2, $3, $4) l",
        )
        .bind::<BigInt, _>(self.run_id)
        .bind::<Array<Timestamptz>, _>(at)
        .bind::<Array<Text>, _>(levels)
        .bind::<Array<Text>, _>(messages)
        .execute(conn)
        .await?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
