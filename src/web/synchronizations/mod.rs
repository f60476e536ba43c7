//! Synchronizations: the list, one run with its story, starting and stopping, and live progress.

mod events;
mod list;
mod one;
mod report;
mod start;
mod status;
mod view;

pub(super) use one::LiveFragment;
pub(super) use start::{address, begin_once};
pub use start::{begin, halt};
pub use status::StatusBox;
pub(super) use view::RunView;

use diesel_async::AsyncPgConnection;
use rocket::{Route, routes};

use super::PageError;
use crate::settings::{self, SettingsError, SyncOptions};
use crate::sync::SyncError;

pub(super) fn routes() -> Vec<Route> {
    routes![
        list::show_runs,
        one::show_run,
        one::show_progress,
        report::download_report,
        events::stream_events,
        start::start_run,
        start::start_categories,
        start::stop_run
    ]
}

/// The saved options, for the zone times are shown in and the source's name.
pub(super) async fn options(conn: &mut AsyncPgConnection) -> Result<SyncOptions, PageError> {
    settings::load(conn).await.map_err(|error: SettingsError| PageError::internal(error))
}

impl From<SyncError> for PageError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Query(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
