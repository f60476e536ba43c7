//! How far a run is, written to its row at most twice a second, and the wish to stop, read from there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio_util::sync::CancellationToken;

use super::calls::{Call, Ledger};
use super::pace::Pace;
use super::state::{Phase, RunState};
use crate::db::Pool;
use crate::db::schema::sync_runs;
use crate::upstream::{CallRecord, Traffic};

/// Between two looks at whether to stop. Each may write twice: the figures, and what belongs to the log.
const INTERVAL: Duration = Duration::from_secs(1);
/// Lines kept of one run.
const LOG_LINES_MAX: usize = 5_000;
/// Notices kept of one run.
const NOTICES_MAX: usize = 100;

/// Figures of a run so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub source_id: Option<i64>,
    pub source_name: String,
    /// `None`: not begun, or ended.
    pub phase: Option<Phase>,
    /// Of this phase.
    pub done: i64,
    pub total: Option<i64>,
    /// `done` a second; `None` while that is not steady.
    pub rate: Option<f64>,
    /// Calls of the update source, and the bytes of its answers.
    pub calls: i64,
    pub received: i64,
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
    calls: Ledger,
    pace: Pace,
}

/// What is to be written next.
struct Unwritten {
    figures: Option<Figures>,
    lines: Vec<LogLine>,
    calls: Vec<Call>,
}

/// The progress of one run; shared by everything that works on it.
pub(super) struct Progress {
    run_id: i64,
    inner: Mutex<Inner>,
    /// Triggers when somebody asked to stop.
    pub stop: CancellationToken,
    /// What the calls of the run brought.
    pub traffic: Arc<Traffic>,
}

impl Progress {
    pub fn new(run_id: i64) -> Self {
        Self { run_id, inner: Mutex::default(), stop: CancellationToken::new(), traffic: Arc::default() }
    }

    /// Begins a phase; its counts start again.
    pub fn phase(&self, phase: Phase, total: Option<usize>) {
        self.change(|figures| {
            figures.phase = Some(phase);
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

    /// Notes a call of the update source.
    pub fn called(&self, record: CallRecord) {
        let mut inner = self.lock();
        inner.figures.calls += 1;
        inner.figures.received += i64::try_from(record.bytes).unwrap_or(i64::MAX);
        inner.changed = true;
        inner.calls.note(record);
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

    /// Writes what is not written yet, in two statements at most; answers with the run's state.
    pub async fn flush(&self, conn: &mut AsyncPgConnection) -> QueryResult<String> {
        self.note_pace();
        let unwritten = self.take_unwritten();
        self.write_story(conn, unwritten.lines, unwritten.calls).await?;
        let Some(figures) = unwritten.figures else {
            return sync_runs::table.find(self.run_id).select(sync_runs::state).first(conn).await;
        };
        let name = (!figures.source_name.is_empty()).then_some(figures.source_name.as_str());
        // A run that ended keeps what was written at its end.
        let at_work = [RunState::Running.as_str(), RunState::Stopping.as_str()];
        let written =
            diesel::update(sync_runs::table.find(self.run_id).filter(sync_runs::state.eq_any(at_work)))
                .set((
                    (
                        sync_runs::phase.eq(figures.phase.map_or("", Phase::as_str)),
                        sync_runs::done.eq(figures.done),
                        sync_runs::total.eq(figures.total),
                        sync_runs::rate.eq(figures.rate),
                        sync_runs::calls.eq(figures.calls),
                        sync_runs::received.eq(figures.received),
                    ),
                    (
                        sync_runs::revisions.eq(figures.revisions),
                        sync_runs::bytes.eq(figures.bytes),
                        sync_runs::failed.eq(figures.failed),
                        sync_runs::notices.eq(serde_json::json!(figures.notices)),
                        figures.source_id.map(|id| sync_runs::source_id.eq(id)),
                        name.map(|name| sync_runs::source_name.eq(name)),
                    ),
                ))
                .returning(sync_runs::state)
                .get_result(conn)
                .await
                .optional();
        match written {
            Ok(state) => Ok(state.unwrap_or_else(|| "ended".to_owned())),
            Err(error) => {
                self.lock().changed = true;
                Err(error)
            }
        }
    }

    /// Writes the lines and calls that are not written yet.
    pub async fn flush_lines(&self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        let (lines, calls) = {
            let mut inner = self.lock();
            (std::mem::take(&mut inner.lines), inner.calls.take())
        };
        self.write_story(conn, lines, calls).await
    }

    fn note_pace(&self) {
        let mut inner = self.lock();
        let done = inner.figures.done;
        inner.pace.note(Instant::now(), done);
        let rate = inner.pace.rate();
        inner.changed |= rate != inner.figures.rate;
        inner.figures.rate = rate;
    }

    fn take_unwritten(&self) -> Unwritten {
        let mut inner = self.lock();
        let changed = std::mem::take(&mut inner.changed);
        Unwritten {
            figures: changed.then(|| inner.figures.clone()),
            lines: std::mem::take(&mut inner.lines),
            calls: inner.calls.take(),
        }
    }

    /// Lines and calls in one statement. What could not be written is written next time.
    async fn write_story(
        &self,
        conn: &mut AsyncPgConnection,
        mut lines: Vec<LogLine>,
        calls: Vec<Call>,
    ) -> QueryResult<()> {
        if lines.is_empty() && calls.is_empty() {
            return Ok(());
        }
        let written = insert_story(conn, self.run_id, &lines, &calls).await;
        if written.is_err() {
            let mut inner = self.lock();
            lines.append(&mut inner.lines);
            inner.lines = lines;
            inner.calls.put_back(calls);
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn insert_story(
    conn: &mut AsyncPgConnection,
    run_id: i64,
    lines: &[LogLine],
    calls: &[Call],
) -> QueryResult<()> {
    let of_lines = |part: fn(&LogLine) -> &str| lines.iter().map(part).collect::<Vec<_>>();
    let of_calls = |part: fn(&Call) -> &str| calls.iter().map(part).collect::<Vec<_>>();
    diesel::sql_query(
        "WITH lines AS (INSERT INTO run_log (run_id, at, level, message) SELECT $1, l.* FROM unnest($2, $3, $4) l)
         INSERT INTO run_calls (run_id, at, operation, duration_ms, bytes, outcome)
         SELECT $1, c.* FROM unnest($5, $6, $7, $8, $9) c",
    )
    .bind::<BigInt, _>(run_id)
    .bind::<Array<Timestamptz>, _>(lines.iter().map(|line| line.at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of_lines(|line| line.level))
    .bind::<Array<Text>, _>(of_lines(|line| &line.message))
    .bind::<Array<Timestamptz>, _>(calls.iter().map(|call| call.at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of_calls(|call| &call.operation))
    .bind::<Array<BigInt>, _>(calls.iter().map(|call| call.duration_ms).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(calls.iter().map(|call| call.bytes).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(of_calls(|call| &call.outcome))
    .execute(conn)
    .await
    .map(drop)
}
