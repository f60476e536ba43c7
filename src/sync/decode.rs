//! From an item of an answer to a revision that can be stored: unpack, read, check.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::catalog::revision::ImportRevision;
use crate::protocol::cabinet;
use crate::protocol::document::UpdateDocument;
use crate::protocol::ids::{RevisionKey, Sha1Digest};
use crate::protocol::server_sync::{FileUrl, UpdateBlob, UpdateData};

/// Bytes of one document after unpacking.
pub(super) const DOCUMENT_MAX_BYTES: usize = 256 << 20;
/// Unpacked bytes in memory at the same moment, all workers together.
const BUDGET_BYTES: usize = 256 << 20;
/// The budget is counted in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;
/// Small documents are unpacked together, up to this many bytes.
const GROUP_BYTES: usize = 4 << 20;

/// What came out of one document.
pub(super) type Decoded = Result<ImportRevision, (RevisionKey, String)>;

/// Unpacks and reads documents within one memory budget.
#[derive(Clone)]
pub(super) struct Decoder {
    budget: Arc<Semaphore>,
}

impl Decoder {
    pub fn new() -> Self {
        Self { budget: Arc::new(Semaphore::new(BUDGET_BYTES / PIECE_BYTES)) }
    }

    /// Reads all documents of one answer. One that breaks a rule does not stop the others.
    pub async fn decode(&self, items: Vec<UpdateData>, urls: Vec<FileUrl>) -> Vec<Decoded> {
        let urls: HashMap<Sha1Digest, String> =
            urls.into_iter().filter_map(|url| Some((url.digest, url.mu_url?))).collect();
        let urls = Arc::new(urls);
        let mut decoded = Vec::with_capacity(items.len());
        for (size, group) in groups(items) {
            let pieces = size.div_ceil(PIECE_BYTES).clamp(1, BUDGET_BYTES / PIECE_BYTES);
            // Nothing else is held while waiting, so workers cannot block each other.
            let permit =
                self.budget.clone().acquire_many_owned(u32::try_from(pieces).unwrap_or(u32::MAX)).await;
            let keys: Vec<RevisionKey> = group.iter().map(|item| item.key).collect();
            let urls = urls.clone();
            let reading = tokio::task::spawn_blocking(move || {
                let _held = permit;
                group.into_iter().map(|item| read(item, &urls)).collect::<Vec<Decoded>>()
            });
            match reading.await {
                Ok(read) => decoded.extend(read),
                Err(error) => {
                    tracing::error!(%error, "reading documents failed inside");
                    let reason = || "Weir failed while reading its document".to_owned();
                    decoded.extend(keys.into_iter().map(|key| Err((key, reason()))));
                }
            }
        }
        decoded
    }
}

/// Items that are unpacked together, with the bytes they take.
fn groups(items: Vec<UpdateData>) -> Vec<(usize, Vec<UpdateData>)> {
    let mut groups: Vec<(usize, Vec<UpdateData>)> = Vec::new();
    for item in items {
        let size = unpacked_size(&item.blob);
        match groups.last_mut() {
            Some((sum, group)) if *sum + size <= GROUP_BYTES => {
                *sum += size;
                group.push(item);
            }
            _ => groups.push((size, vec![item])),
        }
    }
    groups
}

/// What a document takes in memory: for a cabinet, what its directory says, and the room its text may need, 3 bytes for
/// each unit of 2.
fn unpacked_size(blob: &UpdateBlob) -> usize {
    match blob {
        UpdateBlob::Text(text) => text.len(),
        // CFFILE.cbFile stands at 44 in the cabinets of update servers; elsewhere the guess is only less exact.
        UpdateBlob::Compressed(bytes) => match bytes.get(44..48).and_then(|four| four.try_into().ok()) {
            Some(four) => (u32::from_le_bytes(four) as usize).min(DOCUMENT_MAX_BYTES) * 5 / 2,
            None => bytes.len() * 16,
        },
    }
}

fn read(item: UpdateData, urls: &HashMap<Sha1Digest, String>) -> Decoded {
    let key = item.key;
    let bad = |reason: String| (key, reason);
    let unpacked;
    let text = match &item.blob {
        UpdateBlob::Text(text) => text.as_str(),
        UpdateBlob::Compressed(bytes) => {
            unpacked = cabinet::decode(bytes, DOCUMENT_MAX_BYTES)
                .map_err(|error| bad(format!("its document cannot be unpacked: {error}")))?;
            unpacked.as_str()
        }
    };
    let document =
        UpdateDocument::parse(text).map_err(|error| bad(format!("its document cannot be read: {error}")))?;
    if document.key != key {
        return Err(bad(format!("its document says it is {}", document.key)));
    }
    Ok(ImportRevision::from_document(document, item.blob.into(), |digest| urls.get(digest).cloned()))
}
