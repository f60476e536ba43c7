//! The points at which a run becomes visible: revisions, anchors, what is owed and the run's figures, all at once.

use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::fetch::Owed;
use super::import::once_more;
use super::progress::Figures;
use super::runs::{self, RunState};
use super::sources::{CategoryPart, UpdatePart};
use super::{SyncError, files, sources};
use crate::approvals::{automatic, mirror};
use crate::catalog::publish::{self, PublicationId, PublishCounts, Scope};
use crate::db::planning;
use crate::jobs::Lease;
use crate::protocol::ids::RevisionKey;

/// What a commit point is made of.
pub(super) struct Commit<'a> {
    pub run_id: i64,
    pub lease: &'a Lease,
    pub source_id: i64,
    /// `None`: nothing was stored since the last commit point.
    pub publication: Option<PublicationId>,
    pub owed: &'a Owed,
    /// Owed before, stored now.
    pub arrived: &'a [RevisionKey],
}

impl Commit<'_> {
    /// The run is still this worker's, and stays so until the transaction ends.
    async fn hold(&self, conn: &mut AsyncPgConnection) -> Result<(), SyncError> {
        self.lease.hold(conn).await.map_err(|error| match error {
            crate::jobs::QueueError::LeaseLost { .. } => SyncError::LeaseLost,
            other => other.into(),
        })
    }
}

/// How a run ends well.
pub(super) struct Ending<'a> {
    pub state: RunState,
    pub figures: &'a Figures,
}

/// Makes the categories visible; updates that were stored along with them wait for the updates' commit point.
pub(super) async fn categories(
    conn: &mut AsyncPgConnection,
    commit: &Commit<'_>,
    part: &CategoryPart,
) -> Result<PublishCounts, SyncError> {
    let mut attempt = 1;
    loop {
        let done = conn.transaction(async |conn| {
            let counts = base(conn, commit, Scope::Configuration).await?;
            sources::save_anchors(conn, commit.source_id, Some(part), None).await?;
            runs::add_counts(conn, commit.run_id, &counts).await?;
            Ok(counts)
        });
        let done = done.await;
        if let Some(result) = once_more(done, &mut attempt).await {
            return result;
        }
    }
}

/// Ends a run that was to bring categories only. `false`: somebody asked for everything meanwhile, so it goes on.
pub(super) async fn end_with_categories(
    conn: &mut AsyncPgConnection,
    commit: &Commit<'_>,
    waiting: Option<&CategoryPart>,
    ending: &Ending<'_>,
) -> Result<bool, SyncError> {
    conn.transaction(async |conn| {
        commit.hold(conn).await?;
        if !runs::is_categories_only(conn, commit.run_id).await? {
            return Ok(false);
        }
        if waiting.is_some() {
            sources::save_anchors(conn, commit.source_id, waiting, None).await?;
        }
        let counted = PublishCounts::default(); // with the categories
        runs::finish(conn, commit.run_id, ending.state, ending.figures, &counted, None).await?;
        Ok(true)
    })
    .await
}

/// Makes the updates visible and ends the run. `waiting` are the categories' anchors when nothing came for them.
pub(super) async fn updates(
    conn: &mut AsyncPgConnection,
    commit: &Commit<'_>,
    waiting: Option<&CategoryPart>,
    part: &UpdatePart,
    ending: &Ending<'_>,
) -> Result<PublishCounts, SyncError> {
    let mut attempt = 1;
    loop {
        let done = conn.transaction(async |conn| {
            let counts = base(conn, commit, Scope::Everything).await?;
            if let Some(approvals) = &part.approvals {
                mirror::apply(conn, &approvals.answer, approvals.first).await?;
                if approvals.first {
                    sources::forget_other_approvals(conn, commit.source_id).await?;
                }
            }
            if commit.publication.is_some() || part.approvals.is_some() {
                files::want(conn, Some(commit.run_id)).await?;
            }
            sources::save_anchors(conn, commit.source_id, waiting, Some(part)).await?;
            runs::finish(conn, commit.run_id, ending.state, ending.figures, &counts, None).await?;
            Ok(counts)
        });
        let done = done.await;
        if let Some(result) = once_more(done, &mut attempt).await {
            return result;
        }
    }
}

async fn base(
    conn: &mut AsyncPgConnection,
    commit: &Commit<'_>,
    scope: Scope,
) -> Result<PublishCounts, SyncError> {
    commit.hold(conn).await?;
    let counts = match commit.publication {
        Some(publication) => {
            let counts = publish::publish(conn, publication, scope).await?;
            if counts.revisions > 0 && scope == Scope::Everything {
                if counts.is_small() {
                    planning::step_by_step(conn).await?;
                }
                automatic::apply(conn, publication).await?;
                planning::any_way(conn).await?;
            }
            counts
        }
        None => PublishCounts::default(),
    };
    sources::save_owed(conn, commit.source_id, commit.owed, commit.arrived).await?;
    Ok(counts)
}
