//! DownloadFiles: a server below asks for files that are not here yet.

use super::{Refusal, Services};
use crate::content::wanted;
use crate::protocol::server_sync::download_files::DIGESTS_MAX;
use crate::protocol::server_sync::{DownloadFiles, DownloadFilesReply};

/// Puts known files on the list of wanted ones and returns at once; anybody may ask, so only for files of the
/// catalogue, and only where files are stored at all.
///
/// # Errors
/// InvalidParameters `fileDigestList` for none or too many; FileDigestsMissing with those that no revision has.
pub async fn download_files(
    services: &Services,
    request: DownloadFiles,
) -> Result<DownloadFilesReply, Refusal> {
    if request.digests.is_empty() || request.digests.len() > DIGESTS_MAX {
        return Err(Refusal::parameter("fileDigestList"));
    }
    let mut conn = services.borrow().await?;
    let unknown = wanted::ask(&mut conn, &request.digests).await?;
    if unknown.is_empty() {
        return Ok(DownloadFilesReply);
    }
    let names: Vec<String> = unknown.iter().map(|digest| digest.to_base64()).collect();
    Err(Refusal::files_missing(names.join("|")))
}
