//! `weir content`: the stored update files, by the running server or by this process.

use std::time::Duration;

use clap::Subcommand;
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::{CliError, Context};
use crate::accounts::audit;
use crate::app::background::Background;
use crate::config::Config;
use crate::content::checks::{self, Check, CheckKind};
use crate::content::cleanup::{self, Plan, Why};
use crate::content::{limits, overview};
use crate::jobs::{self, QueueError};

/// Between two looks at the check.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For a job of this process to give up.
const STOP_WITHIN: Duration = Duration::from_secs(25);
/// Who asks, in the audit log.
const ACTOR: &str = "command line";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read every stored file again; what is damaged is moved aside and fetched again
    Verify {
        /// Say that this is the right folder although none of its files is there; all are fetched again
        #[arg(long)]
        confirm: bool,
    },
    /// Remove files that nothing refers to, and files of declined updates
    Cleanup {
        /// Only tell what would be removed
        #[arg(long)]
        dry_run: bool,
        /// Remove them although they are more than one fifth of the store
        #[arg(long)]
        confirm: bool,
    },
    /// Count files and bytes
    Stats,
}

pub(super) async fn run(command: Command, config: Config) -> Result<(), CliError> {
    let context = Context::open(config).await?;
    let outcome = match command {
        Command::Verify { confirm } => check(&context, CheckKind::Verify, confirm).await,
        Command::Cleanup { dry_run: true, .. } => dry_run(&context).await,
        Command::Cleanup { dry_run: false, confirm } => check(&context, CheckKind::CleanUp, confirm).await,
        Command::Stats => stats(&context).await,
    };
    drop(context.pool);
    context.database.close().await;
    println!("{}", outcome?);
    Ok(())
}

async fn dry_run(context: &Context) -> Result<String, CliError> {
    let mut conn = context.pool.get().await?;
    let plan = cleanup::plan(&mut conn, &context.store()?).await.map_err(anyhow::Error::from)?;
    Ok(plan_text(&plan))
}

fn plan_text(plan: &Plan) -> String {
    let reasons = Why::ALL.into_iter().filter_map(|why| {
        let (files, bytes) = plan.part(why);
        (files > 0).then(|| format!("{}: {files} files, {bytes} bytes\n", why.words()))
    });
    let mut text: String = reasons.collect();
    for item in &plan.items {
        text.push_str(&format!("{} {}\n", item.place, item.size));
    }
    text.push_str(&format!(
        "{} of {} files would be removed, {} of {} bytes.",
        plan.items.len(),
        plan.stored_files,
        plan.bytes(),
        plan.stored_bytes
    ));
    if plan.is_large() {
        text.push_str(" This is more than one fifth of the store and has to be confirmed with --confirm.");
    }
    text
}

async fn stats(context: &Context) -> Result<String, CliError> {
    let mut conn = context.pool.get().await?;
    let amounts = overview::amounts(&mut conn).await?;
    let states = [("stored", "Stored"), ("wanted", "Coming"), ("failed", "Not fetched")];
    let mut text = String::new();
    for (state, label) in states {
        let (files, bytes) =
            amounts.iter().find(|one| one.state == state).map_or((0, 0), |one| (one.files, one.bytes));
        text.push_str(&format!("{label}: {files} files, {bytes} bytes\n"));
    }
    let reserve = limits::load(&mut conn).await?.reserve;
    let store = context.store()?.with_reserve(reserve);
    let space = store.space().await.map_err(anyhow::Error::from)?;
    if let Some(address) = store.bucket_address() {
        text.push_str(&format!("Kept in the bucket {address}\n"));
    }
    Ok(format!("{text}Free on the disk: {} bytes, of which {} are kept free", space.free, space.reserve))
}

/// Asks for a check and waits for its end; works itself while no other process does.
async fn check(context: &Context, kind: CheckKind, confirmed: bool) -> Result<String, CliError> {
    let mut conn = context.pool.get().await?;
    let asked = conn.transaction(async |conn| request(conn, kind, confirmed).await).await;
    drop(conn);
    let Some(id) = asked.map_err(anyhow::Error::from)? else {
        return Err(CliError::failed(
            "The stored files are being looked after already. Try again when that has ended.",
        ));
    };
    let mut own = None;
    let ended = tokio::select! {
        ended = follow(context, id, &mut own) => ended,
        _ = tokio::signal::ctrl_c() => Err(CliError::silent(130)),
    };
    if let Some(background) = own {
        background.stop(STOP_WITHIN).await;
    }
    report(&ended?)
}

async fn request(
    conn: &mut AsyncPgConnection,
    kind: CheckKind,
    confirmed: bool,
) -> Result<Option<i64>, QueueError> {
    let id = checks::request(conn, kind, ACTOR, confirmed).await?;
    if id.is_some() {
        let action = match kind {
            CheckKind::Verify => "content.verify",
            CheckKind::CleanUp => "content.clean-up",
        };
        audit::record(conn, audit::Entry { actor: ACTOR, action, ..audit::Entry::default() }).await?;
    }
    Ok(id)
}

async fn follow(context: &Context, id: i64, own: &mut Option<Background>) -> Result<Check, CliError> {
    loop {
        let mut conn = context.pool.get().await?;
        match checks::find(&mut conn, id).await? {
            Some(check) if check.active => {}
            Some(check) => return Ok(check),
            None => return Err(CliError::failed("The check is no longer in the database.")),
        }
        if own.is_none() && !jobs::any_worker_alive(&mut conn).await.map_err(anyhow::Error::from)? {
            *own = Some(context.work_here().await?);
        }
        drop(conn);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn report(check: &Check) -> Result<String, CliError> {
    if !check.error.is_empty() {
        return Err(CliError::failed(format!("It ended early: {}.", check.error)));
    }
    if check.finished_at.is_none() {
        return Err(CliError::failed("It was stopped before its end."));
    }
    Ok(match check.kind() {
        CheckKind::Verify => format!(
            "{} files read, {} bytes: {} damaged, {} missing, {} found that were not on the list.",
            check.done, check.bytes, check.damaged, check.missing, check.adopted
        ),
        CheckKind::CleanUp => format!("{} files removed, {} bytes.", check.removed, check.bytes),
    })
}
