//! GetRevisionIdList: which revisions a downstream server should know.

use super::{Refusal, Services, anchor};
use crate::catalog::listing::{self, Changes, Scope, Wanted};
use crate::protocol::ids::SyncAnchor;
use crate::protocol::server_sync::{GetRevisionIdList, GetRevisionIdListReply, IdAndDelta};

/// The list, and an anchor that belongs to exactly the state it was taken from.
///
/// # Errors
/// InvalidParameters `filter` for an anchor that is none.
pub async fn revision_ids(
    services: &Services,
    request: GetRevisionIdList,
) -> Result<GetRevisionIdListReply, Refusal> {
    let filter = request.filter;
    let since = match &filter.anchor {
        None => Changes::All,
        Some(text) => {
            Changes::Since(anchor::read(text.as_str()).ok_or_else(|| Refusal::parameter("filter"))?)
        }
    };
    let scope = if filter.get_config {
        Scope::Configuration
    } else {
        Scope::Updates {
            categories: filter.categories.iter().map(wanted).collect(),
            classifications: filter.classifications.iter().map(wanted).collect(),
            // Languages are no filter on what is listed; one asked for anew brings everything again.
            everything_again: filter.languages.iter().any(|language| !language.delta),
        }
    };
    let mut conn = services.borrow().await?;
    let snapshot = listing::list(&mut conn, &scope, since).await?;
    let anchor = SyncAnchor::parse(anchor::write(snapshot.stamp)).map_err(Refusal::internal)?;
    Ok(GetRevisionIdListReply { anchor, new_revisions: snapshot.revisions })
}

fn wanted(item: &IdAndDelta) -> Wanted {
    Wanted { id: item.id, everything_again: !item.delta }
}
