//! GetUpdateData: stored documents, as they were received.

use std::collections::HashMap;

use super::{Refusal, Services};
use crate::catalog::listing::{self, FileRow};
use crate::catalog::revision::StoredDocument;
use crate::protocol::ids::{RevisionKey, Sha1Digest};
use crate::protocol::server_sync::{FileUrl, GetUpdateData, GetUpdateDataReply, UpdateBlob, UpdateData};
use crate::protocol::soap::ErrorCode;

/// Revisions one request may ask for; advertised by GetConfigData.
pub const UPDATES_MAX: usize = 100;
/// Bytes an answer may have before it ends early, one document at least. Source: Windows, 2,000,000.
pub const ANSWER_LEN_MAX: usize = 2_000_000;
/// Bytes one stored document may unpack to.
const DOCUMENT_LEN_MAX: usize = 256 * 1024 * 1024;

/// As many of the documents as fit, in the order they were asked for, each once.
///
/// # Errors
/// InvalidParameters `updateIds` for none or too many; InternalServerError for a revision we do not have.
pub async fn update_data(services: &Services, request: GetUpdateData) -> Result<GetUpdateDataReply, Refusal> {
    if request.update_ids.is_empty() || request.update_ids.len() > UPDATES_MAX {
        return Err(Refusal::parameter("updateIds"));
    }
    let mut keys: Vec<RevisionKey> = Vec::with_capacity(request.update_ids.len());
    for key in request.update_ids {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut conn = services.borrow().await?;
    let held = listing::find(&mut conn, &keys).await?;
    let held: HashMap<_, _> = held.into_iter().map(|row| (row.key, row)).collect();
    let mut rows = Vec::with_capacity(keys.len());
    let mut stored_bytes = 0;
    for key in &keys {
        let row = held.get(key).ok_or_else(|| Refusal::plain(ErrorCode::InternalServerError))?;
        stored_bytes += row.stored_bytes;
        // What is stored is never longer than what is sent, so nothing that fits is left out here.
        if rows.is_empty() || stored_bytes <= ANSWER_LEN_MAX {
            rows.push((row.row, *key));
        }
    }
    let wanted: Vec<i32> = rows.iter().map(|(row, _)| *row).collect();
    let mut documents = listing::documents(&mut conn, &wanted).await?;
    let files = listing::files(&mut conn, &wanted).await?;
    drop(conn);

    let mut reply = GetUpdateDataReply { updates: Vec::with_capacity(rows.len()), file_urls: urls(&files)? };
    for (row, key) in rows {
        let stored = documents.remove(&row).ok_or_else(|| Refusal::internal("a revision has no document"))?;
        let file_digests =
            files.iter().filter(|file| file.revision_row == row).map(digest).collect::<Result<_, _>>()?;
        reply.updates.push(UpdateData { key, blob: blob(&stored)?, file_digests });
    }
    reply.fit(ANSWER_LEN_MAX);
    Ok(reply)
}

/// A cabinet goes out as it came in; everything else as text.
fn blob(stored: &StoredDocument) -> Result<UpdateBlob, Refusal> {
    Ok(match stored.text(DOCUMENT_LEN_MAX)? {
        Some(text) => UpdateBlob::Text(text),
        None => UpdateBlob::Compressed(stored.body.to_vec()),
    })
}

fn digest(file: &FileRow) -> Result<Sha1Digest, Refusal> {
    Sha1Digest::from_slice(&file.sha1).map_err(Refusal::internal)
}

/// Each file's address once, however many revisions share it.
fn urls(files: &[FileRow]) -> Result<Vec<FileUrl>, Refusal> {
    let mut urls: Vec<FileUrl> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for file in files {
        let digest = digest(file)?;
        if seen.insert(digest) {
            urls.push(FileUrl { digest, mu_url: Some(file.mu_url.clone()).filter(|url| !url.is_empty()) });
        }
    }
    Ok(urls)
}
