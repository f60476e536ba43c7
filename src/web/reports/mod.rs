//! Reports: what synchronizations brought, how the server is set up, and what changed between two points; each as a
//! page, to print, as CSV and as JSON.

mod changed;
mod differences;
mod settings_summary;
mod synchronization_results;

use askama::Template;
use rocket::{Route, get, routes};

use super::{PageError, Reply, Reporter, Shell};
use crate::reports::settings::SummaryError;

pub(super) fn routes() -> Vec<Route> {
    [
        routes![show_reports],
        synchronization_results::routes(),
        settings_summary::routes(),
        differences::routes(),
    ]
    .concat()
}

#[derive(Template)]
#[template(path = "reports/index.html")]
struct IndexPage {
    shell: Shell,
}

#[get("/reports")]
fn show_reports(reporter: Reporter) -> Result<Reply, PageError> {
    Reply::ok(&IndexPage { shell: reporter.shell })
}

impl From<SummaryError> for PageError {
    fn from(error: SummaryError) -> Self {
        match error {
            SummaryError::Database(error) => error.into(),
            SummaryError::Approvals(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
