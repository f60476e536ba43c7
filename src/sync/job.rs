//! The background job of a run: begin it or go on from an interrupted one, watch it, end it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::context::SyncContext;
use super::progress::Progress;
use super::runs::{self, RunState};
use super::{SyncError, destinations, run};
use crate::catalog::publish::PublishCounts;
use crate::db::schema::{run_log, sync_runs};
use crate::jobs::{Job, JobError, Lease};

/// Runs that may follow one another because each was interrupted; more would be a loop.
pub(super) const CONTINUED_MAX: i64 = 25;

/// How often one attempt of the job tries to begin its run when the database fails, a second and more apart.
const BEGIN_ATTEMPTS_MAX: u64 = 3;

/// One synchronization. Repeating it is safe: a run that had begun is closed as interrupted and a new one goes on.
#[derive(Debug, Clone, Deserialize)]
pub struct Synchronize {
    run_id: i64,
}

impl Job for Synchronize {
    const KIND: &'static str = runs::JOB_KIND;
    type Context = SyncContext;

    async fn run(self, context: Arc<SyncContext>, lease: Lease) -> Result<(), JobError> {
        let mut attempt = 1;
        loop {
            let begun = async {
                let mut conn = context.pool.get().await?;
                begin(&mut conn, self.run_id, &lease).await
            };
            match begun.await {
                Ok(Some(run_id)) => return carry_out(&context, run_id, &lease).await,
                Ok(None) => return Ok(()),
                Err(error) if attempt == BEGIN_ATTEMPTS_MAX => {
                    return Err(JobError::Later(error.to_string()));
                }
                Err(error) => tracing::warn!(run.id = self.run_id, %error, "a run could not be begun"),
            }
            tokio::time::sleep(Duration::from_secs(attempt)).await;
            attempt += 1;
        }
    }
}

/// Takes a run from queued to running. A run that another process had begun is closed, and a new one takes its place:
/// the answer is the run to work on.
async fn begin(conn: &mut AsyncPgConnection, run_id: i64, lease: &Lease) -> Result<Option<i64>, SyncError> {
    let started = diesel::update(sync_runs::table.find(run_id))
        .filter(sync_runs::state.eq_any(RunState::Running.words_before()))
        .set((
            sync_runs::state.eq(RunState::Running.as_str()),
            sync_runs::started_at.eq(diesel::dsl::now),
            sync_runs::settings.eq(runs::present_settings()),
        ))
        .execute(conn)
        .await?;
    if started == 1 {
        return Ok(Some(run_id));
    }
    conn.transaction(async |conn| go_on(conn, run_id, lease).await).await
}

async fn go_on(conn: &mut AsyncPgConnection, run_id: i64, lease: &Lease) -> Result<Option<i64>, SyncError> {
    let row: Option<(String, String, String, bool)> = sync_runs::table
        .find(run_id)
        .select((sync_runs::state, sync_runs::trigger, sync_runs::started_by, sync_runs::categories_only))
        .for_update()
        .first(conn)
        .await
        .optional()?;
    let Some((word, trigger, started_by, categories_only)) = row else { return Ok(None) };
    let end = match RunState::from_word(&word) {
        Some(RunState::Running) => RunState::Interrupted,
        Some(RunState::Stopping) => RunState::Canceled,
        Some(RunState::Interrupted) => RunState::Interrupted,
        _ => return Ok(None),
    };
    if word != end.as_str() {
        close(conn, run_id, end, "The process that worked on it ended.").await?;
    }
    if end == RunState::Canceled || chain_length(conn, run_id).await? >= CONTINUED_MAX {
        return Ok(None);
    }
    let next: Option<i64> = diesel::insert_into(sync_runs::table)
        .values((
            sync_runs::state.eq(RunState::Running.as_str()),
            sync_runs::trigger.eq(trigger),
            sync_runs::started_by.eq(started_by),
            sync_runs::categories_only.eq(categories_only),
            sync_runs::started_at.eq(chrono::Utc::now()),
            sync_runs::continues.eq(run_id),
            sync_runs::settings.eq(runs::present_settings()),
        ))
        .on_conflict_do_nothing() // somebody started another run meanwhile: that one does the work
        .returning(sync_runs::id)
        .get_result(conn)
        .await
        .optional()?;
    if let Some(next) = next {
        lease.set_args(conn, json!({ "run_id": next })).await?;
    }
    Ok(next)
}

async fn chain_length(conn: &mut AsyncPgConnection, run_id: i64) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        length: i64,
    }
    let row: Row = diesel::sql_query(
        "WITH RECURSIVE chain AS (
             SELECT id, continues FROM sync_runs WHERE id = $1
             UNION SELECT r.id, r.continues FROM sync_runs r JOIN chain c ON r.id = c.continues)
         SELECT count(*) AS length FROM chain",
    )
    .bind::<diesel::sql_types::BigInt, _>(run_id)
    .get_result(conn)
    .await?;
    Ok(row.length)
}

async fn close(conn: &mut AsyncPgConnection, run_id: i64, end: RunState, why: &str) -> QueryResult<()> {
    diesel::update(sync_runs::table.find(run_id))
        .set((sync_runs::state.eq(end.as_str()), sync_runs::finished_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    diesel::insert_into(run_log::table)
        .values((run_log::run_id.eq(run_id), run_log::level.eq("warning"), run_log::message.eq(why)))
        .execute(conn)
        .await?;
    Ok(())
}

async fn carry_out(context: &SyncContext, run_id: i64, lease: &Lease) -> Result<(), JobError> {
    let progress = Arc::new(Progress::new(run_id));
    let watch_end = CancellationToken::new();
    let outcome = {
        let work = contained(run_id, run::execute(context, run_id, lease, &progress));
        let watch = progress.keep_written(&context.pool, watch_end.clone());
        tokio::select! {
            result = work => result,
            () = watch => Err(SyncError::Canceled),
            () = progress.stop.cancelled() => Err(SyncError::Canceled),
            () = lease.lost().cancelled() => Err(SyncError::LeaseLost),
            () = lease.shutdown().cancelled() => Err(SyncError::ShutDown),
        }
    };
    destinations::write_down(&context.pool, run_id, &progress.traffic).await;
    let Err(error) = outcome else { return Ok(()) };
    if matches!(error, SyncError::LeaseLost) {
        return Err(JobError::Interrupted);
    }
    end(context, run_id, &progress, &error).await;
    match error {
        SyncError::ShutDown => Err(JobError::Interrupted),
        SyncError::Canceled => Err(JobError::Canceled),
        // The run tells the whole story; the queue keeps its first sentence.
        _ => Err(JobError::Failed(error.story(0).message)),
    }
}

/// Turns a panic in `work` into a failure with a number to quote.
async fn contained(run_id: i64, work: impl Future<Output = Result<(), SyncError>>) -> Result<(), SyncError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        let incident = Uuid::new_v4();
        tracing::error!(run.id = run_id, %incident, "a synchronization panicked");
        Err(SyncError::Panicked { incident })
    })
}

/// Writes the end of a run that did not succeed; tries for a while when the database is away.
async fn end(context: &SyncContext, run_id: i64, progress: &Progress, error: &SyncError) {
    let state = match error {
        SyncError::Canceled => RunState::Canceled,
        SyncError::ShutDown => RunState::Interrupted,
        _ => RunState::Failed,
    };
    let figures = progress.figures();
    let story = error.story(figures.revisions);
    let level = if state == RunState::Failed { "error" } else { "info" };
    progress.log(level, story.message.clone());
    for attempt in 1..=10_u64 {
        let written = async {
            let mut conn = context.pool.get().await?;
            // On a full disk there may be room for the end, and none for the lines.
            if let Err(error) = progress.flush_lines(&mut conn).await {
                tracing::warn!(run.id = run_id, %error, "the last lines of a run could not be written");
            }
            let counts = PublishCounts::default();
            runs::finish(&mut conn, run_id, state, &figures, &counts, Some(&story)).await?;
            Ok::<(), SyncError>(())
        };
        match written.await {
            Ok(()) => return,
            Err(error) => tracing::warn!(run.id = run_id, %error, "the end of a run could not be written"),
        }
        tokio::time::sleep(Duration::from_secs(attempt.min(5))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn r011_a_panic_becomes_a_failure_with_a_number() {
        let error = contained(1, async { panic!("a fault inside") }).await.unwrap_err();
        let SyncError::Panicked { incident } = &error else { panic!("{error:?}") };
        let story = error.story(5);
        assert!(story.message.contains(&incident.to_string()) && story.kept.contains('5'));
        assert!(!story.message.contains("a fault inside"));
    }
}
