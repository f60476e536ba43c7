//! `weir sync`: one synchronization, by the running server or by this process.

use std::time::Duration;

use chrono::Utc;
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use super::{CliError, Context};
use crate::app::background::Background;
use crate::config::Config;
use crate::content::wanted;
use crate::db::Pool;
use crate::jobs;
use crate::settings;
use crate::sync::SyncError;
use crate::sync::runs::{self, Requested, Run, RunState, Trigger};

/// Between two looks at the run.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For a job of this process to give up after Ctrl-C.
const STOP_WITHIN: Duration = Duration::from_secs(25);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Wait for the end and report it
    #[arg(long)]
    wait: bool,
    /// Report as JSON; the last line is one object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, config: Config) -> Result<(), CliError> {
    let context = Context::open(config).await?;
    let outcome = synchronize(&args, &context).await;
    drop(context.pool);
    context.database.close().await;
    let run = outcome?;
    match run {
        Some(run) if run.state() == RunState::Succeeded => Ok(()),
        Some(_) => Err(CliError::silent(1)),
        None => Ok(()),
    }
}

/// The run when it has ended; `None` when a server works on it and nobody waits.
async fn synchronize(args: &Args, context: &Context) -> Result<Option<Run>, CliError> {
    let mut conn = connection(&context.pool).await?;
    let requested = runs::request(&mut conn, Trigger::Command, "command line").await.map_err(failed)?;
    let is_alive = jobs::any_worker_alive(&mut conn).await.map_err(failed)?;
    drop(conn);
    announce(args, &requested);
    if is_alive && !args.wait {
        if args.json {
            let result = if requested.joined { "joined" } else { "started" };
            println!("{}", json!({ "id": requested.run_id, "result": result, "error": null }));
        }
        return Ok(None);
    }
    let mut own = None;
    let ended = tokio::select! {
        ended = follow(context, requested.run_id, &mut own) => Some(ended),
        _ = tokio::signal::ctrl_c() => None,
    };
    if let Some(background) = own {
        background.stop(STOP_WITHIN).await;
    }
    let Some(ended) = ended else { return Err(CliError::silent(130)) };
    let run = ended?;
    report(args, &run);
    Ok(Some(run))
}

/// Waits for the end of a run, also over an interruption; works itself while no other process does.
async fn follow(context: &Context, run_id: i64, own: &mut Option<Background>) -> Result<Run, CliError> {
    let mut run_id = run_id;
    loop {
        let mut conn = connection(&context.pool).await?;
        let Some(run) = runs::get(&mut conn, run_id).await.map_err(failed)? else {
            return Err(CliError::failed("The synchronization is no longer in the database."));
        };
        if !run.state().is_active() {
            match runs::successor(&mut conn, run_id).await.map_err(failed)? {
                Some(next) if run.state() == RunState::Interrupted => run_id = next,
                _ if files_are_coming(&mut conn, &run).await? => {}
                _ => return Ok(run),
            }
        }
        if own.is_none() && !jobs::any_worker_alive(&mut conn).await.map_err(failed)? {
            *own = Some(context.work_here().await?);
        }
        drop(conn);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether the run downloads files at once and some of them are still under way.
async fn files_are_coming(conn: &mut AsyncPgConnection, run: &Run) -> Result<bool, CliError> {
    let files = settings::files_in_force(conn).await.map_err(failed)?.files;
    Ok(!files.deferred && wanted::missing_of_run(conn, run.id).await.map_err(failed)? > 0)
}

async fn connection(pool: &Pool) -> Result<crate::db::PooledConnection<'_>, CliError> {
    pool.get().await.map_err(|error| CliError::failed(format!("The database does not answer: {error}.")))
}

fn failed(error: impl Into<SyncError>) -> CliError {
    CliError::failed(error.into().story(0).message)
}

fn announce(args: &Args, requested: &Requested) {
    if args.json {
        return;
    }
    let Requested { run_id, joined, started_by, requested_at } = requested;
    if *joined {
        println!("Synchronization {run_id} is running already; {started_by} began it at {requested_at:.0}.");
    } else {
        println!("Synchronization {run_id} begins.");
    }
}

fn report(args: &Args, run: &Run) {
    if args.json {
        println!("{}", as_json(run));
        return;
    }
    for notice in run.notices() {
        println!("{notice}");
    }
    match run.error() {
        Some(error) => println!("{} {} {}", error.message, error.kept, error.advice),
        None => println!(
            "Done: {} new, {} revised, {} expired; {} revisions stored, {} not.",
            run.new, run.revised, run.expired, run.revisions, run.failed
        ),
    }
}

fn as_json(run: &Run) -> Value {
    let error =
        run.error().map(|error| json!({ "code": error.code, "message": error.message, "hop": error.hop }));
    json!({
        "id": run.id,
        "result": run.state().as_str(),
        "error": error,
        "new": run.new,
        "revised": run.revised,
        "expired": run.expired,
        "revisions": run.revisions,
        "failed": run.failed,
        "files": run.files,
        "bytes": run.bytes,
        "duration_ms": run.duration(Utc::now()).num_milliseconds(),
    })
}
