//! Asks the source what there is.

use crate::protocol::ids::{RevisionKey, SyncAnchor};
use crate::protocol::server_sync::RevisionFilter;
use crate::upstream::{UpstreamClient, UpstreamError};

use super::SyncError;
use super::plan::{self, Known, Selection};
use super::progress::Progress;

/// What a source listed, and the anchor to keep when all of it is stored.
pub(super) struct Listing {
    pub anchor: SyncAnchor,
    pub revisions: Vec<RevisionKey>,
}

/// Categories, classifications and detectoids since `anchor`.
pub(super) async fn categories(
    client: &UpstreamClient,
    anchor: Option<SyncAnchor>,
    progress: &Progress,
) -> Result<Listing, SyncError> {
    let filter = plan::category_call(anchor.clone());
    match all(client, vec![filter], progress).await {
        Err(error) if anchor.is_some() && is_refused_anchor(&error) => {
            progress.notice(ANCHOR_REFUSED);
            all(client, vec![plan::category_call(None)], progress).await
        }
        other => other,
    }
}

/// Updates of the selection, new and changed ones only where that is possible.
pub(super) async fn updates(
    client: &UpstreamClient,
    wanted: &Selection,
    known: Option<&Known>,
    progress: &Progress,
) -> Result<Listing, SyncError> {
    match all(client, plan::update_calls(wanted, known)?, progress).await {
        Err(error) if known.is_some() && is_refused_anchor(&error) => {
            progress.notice(ANCHOR_REFUSED);
            all(client, plan::update_calls(wanted, None)?, progress).await
        }
        other => other,
    }
}

const ANCHOR_REFUSED: &str = "The update source did not accept the bookmark of the last synchronization. \
     Everything was listed again; what is stored already was not fetched again.";

fn is_refused_anchor(error: &SyncError) -> bool {
    matches!(error, SyncError::Upstream(UpstreamError::Fault { code, .. }) if code == "InvalidParameters")
}

/// Makes the calls in their order; the first answer's anchor is the oldest.
async fn all(
    client: &UpstreamClient,
    calls: Vec<RevisionFilter>,
    progress: &Progress,
) -> Result<Listing, SyncError> {
    let mut listing: Option<Listing> = None;
    for filter in calls {
        let incremental = filter.anchor.is_some();
        let reply = client.revision_ids(filter).await?;
        let kind = if incremental { "new or changed" } else { "in all" };
        progress.log(
            "info",
            format!("The update source listed {} revisions, {kind}.", reply.new_revisions.len()),
        );
        match &mut listing {
            None => listing = Some(Listing { anchor: reply.anchor, revisions: reply.new_revisions }),
            Some(listing) => listing.revisions.extend(reply.new_revisions),
        }
    }
    listing.ok_or(SyncError::Empty(plan::EmptySelection::Products))
}
