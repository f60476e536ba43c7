//! `GET /api/v1/status`: what the boxes on Home show, for a program that watches this server.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rocket::get;
use serde::Serialize;

use super::{Caller, Json, Refusal};
use crate::approvals::Side;
use crate::catalog::updates::{self, ApprovalFilter, UpdateFilter};
use crate::content::overview;
use crate::sync::runs::{self, Run};
use crate::sync::schedule;
use crate::web::PageError;
use crate::web::synchronizations::options;

/// Fields are only ever added under this address.
#[derive(Serialize)]
pub struct Status {
    version: &'static str,
    /// The owner of the token, and what the token may do now.
    user: String,
    role: &'static str,
    /// The update source, as on the options page.
    source: String,
    /// The synchronization that waits or is at work.
    active_run: Option<RunFacts>,
    /// The one that ended last.
    last_run: Option<RunFacts>,
    /// `null`: synchronizing manually.
    next_run_at: Option<DateTime<Utc>>,
    updates: Number,
    /// Updates nobody decided about.
    not_approved: Number,
    files: Vec<FilesFacts>,
}

#[derive(Serialize)]
struct RunFacts {
    id: i64,
    state: &'static str,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    new: i64,
    revised: i64,
    expired: i64,
    failed: i64,
}

/// Counting stops where it would take long.
#[derive(Serialize)]
struct Number {
    at_least: i64,
    more: bool,
}

#[derive(Serialize)]
struct FilesFacts {
    state: String,
    files: i64,
    bytes: i64,
}

fn facts(run: Run) -> RunFacts {
    RunFacts {
        id: run.id,
        state: run.state().as_str(),
        started_at: run.started_at,
        finished_at: run.finished_at,
        new: run.new,
        revised: run.revised,
        expired: run.expired,
        failed: run.failed,
    }
}

#[get("/api/v1/status")]
pub(super) async fn show_status(caller: Result<Caller, Refusal>) -> Result<Json<Status>, Refusal> {
    Ok(Json(load(caller?).await?))
}

async fn load(caller: Caller) -> Result<Status, PageError> {
    let mut db = caller.db;
    let conn = &mut db.0;
    let options = options(conn).await?;
    let mirrored = Side::now(conn).await?.mirrored();
    let amounts = overview::amounts(conn).await?.into_iter();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        role: caller.account.role.as_str(),
        user: caller.account.name,
        source: options.source.shown(),
        active_run: runs::active(conn).await?.map(facts),
        last_run: runs::last_finished(conn).await?.map(facts),
        next_run_at: schedule::next_due(conn).await?,
        updates: number(conn, ApprovalFilter::Any, mirrored).await?,
        not_approved: number(conn, ApprovalFilter::NotApproved, mirrored).await?,
        files: amounts
            .map(|one| FilesFacts { state: one.state, files: one.files, bytes: one.bytes })
            .collect(),
    })
}

async fn number(
    conn: &mut AsyncPgConnection,
    approval: ApprovalFilter,
    mirrored: bool,
) -> Result<Number, PageError> {
    let filter = UpdateFilter { approval, mirrored, ..UpdateFilter::default() };
    let count = updates::count(conn, &filter).await?;
    Ok(Number { at_least: count.at_least, more: count.more })
}
