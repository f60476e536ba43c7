//! **Jobs**: what works in the background, what waits and what failed, with cancel and retry; and what became of the
//! last moments of the schedule.

mod change;
mod view;

use askama::Template;
use rocket::{Route, get, routes};

use super::moment::Moment;
use super::{Db, Operator, PageError, Reply, Shell};
use crate::jobs::{self, JobState, QueueError};
use crate::sync::schedule;
use view::{JobView, MomentView, attempt_words};

/// Jobs shown of each group.
const JOBS_MAX: i64 = 50;
/// Moments of the schedule shown.
const MOMENTS_MAX: i64 = 14;

pub(super) fn routes() -> Vec<Route> {
    routes![show_jobs, change::cancel_job, change::retry_job]
}

#[derive(Template)]
#[template(path = "jobs/index.html")]
struct JobsPage {
    shell: Shell,
    active: Vec<JobView>,
    failed: Vec<JobView>,
    ended: Vec<JobView>,
    moments: Vec<MomentView>,
    next: Option<Moment>,
    /// The next one is another attempt: `2 of 3`.
    retry: Option<String>,
}

#[get("/jobs")]
async fn show_jobs(operator: Operator, mut db: Db) -> Result<Reply, PageError> {
    let conn = &mut *db.0;
    let zone = operator.shell.zone;
    let mut groups = Vec::new();
    let states: [&[JobState]; 3] = [
        &[JobState::Running, JobState::Waiting],
        &[JobState::Failed],
        &[JobState::Succeeded, JobState::Canceled],
    ];
    for states in states {
        let rows = jobs::list_jobs(conn, states, JOBS_MAX).await?;
        groups.push(rows.iter().map(|job| JobView::new(job, zone)).collect::<Vec<_>>());
    }
    let [active, failed, ended] = <[Vec<JobView>; 3]>::try_from(groups).unwrap_or_default();
    let moments = schedule::list_moments(conn, MOMENTS_MAX).await?;
    let next = schedule::next_due(conn).await?.map(|at| Moment::new(at, zone));
    let retry = schedule::pending_retry(conn).await?.as_ref().map(attempt_words);
    let moments = moments.iter().map(|row| MomentView::new(row, zone)).collect();
    Reply::ok(&JobsPage { shell: operator.shell, active, failed, ended, moments, next, retry })
}

impl From<QueueError> for PageError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Query(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
