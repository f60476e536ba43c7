//! The **Synchronization Status** box, on Home and on the options page.

use chrono::Utc;
use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;

use super::{RunView, options};
use crate::settings::{ScheduleMode, SyncOptions};
use crate::sync::runs::{self, Run};
use crate::sync::schedule;
use crate::web::PageError;
use crate::web::moment::Moment;

/// Four labelled values, as on the original page. Templates that include the box carry it as the field `status`.
#[derive(Debug, Clone)]
pub struct StatusBox {
    /// The run that ended last; `None`: never.
    pub last: Option<RunView>,
    /// The run that is at work.
    pub active: Option<RunView>,
    /// The options were saved again after the active run had begun.
    pub options_changed: bool,
    /// The next planned run; `None` when synchronizing manually.
    pub next: Option<Moment>,
}

impl StatusBox {
    /// The state of things now, for people in `zone`.
    ///
    /// # Errors
    /// [`PageError`] when the database fails.
    pub async fn load(conn: &mut AsyncPgConnection, zone: Tz) -> Result<Self, PageError> {
        let options = options(conn).await?;
        Self::under(conn, &options, zone).await
    }

    /// The same where the options in force have been read already.
    ///
    /// # Errors
    /// As [`StatusBox::load`].
    pub async fn under(
        conn: &mut AsyncPgConnection,
        options: &SyncOptions,
        zone: Tz,
    ) -> Result<Self, PageError> {
        let (active, last) = runs::active_and_last_finished(conn).await?;
        Self::of(conn, options, (active.as_ref(), last.as_ref()), zone).await
    }

    /// The same of the runs, the active one and the last that ended, that have been read already.
    ///
    /// # Errors
    /// As [`StatusBox::load`].
    pub async fn of(
        conn: &mut AsyncPgConnection,
        options: &SyncOptions,
        (active, last): (Option<&Run>, Option<&Run>),
        zone: Tz,
    ) -> Result<Self, PageError> {
        let now = Utc::now();
        let next = match options.schedule.mode {
            ScheduleMode::Manual => None,
            ScheduleMode::Daily => schedule::next_due(conn).await?,
        };
        Ok(Self {
            last: last.map(|run| RunView::new(run, zone, now)),
            options_changed: active.is_some_and(|run| run.has_older_options(options.version)),
            active: active.map(|run| RunView::new(run, zone, now)),
            next: next.map(|at| Moment::new(at, zone)),
        })
    }
}
