//! From a document that was read to the columns it is stored in.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::CatalogError;
use super::revision::{
    Encoding, ImportFile, ImportRevision, Relation, RelationKind, RevisionDetails, StoredDocument,
};
use crate::protocol::cabinet;
use crate::protocol::document::{DocumentFile, UpdateDocument};
use crate::protocol::ids::Sha1Digest;
use crate::protocol::server_sync::UpdateBlob;

/// Texts up to this many bytes are not worth deflating.
const PLAIN_MAX_BYTES: usize = 512;

impl ImportRevision {
    /// The revision that `document` describes and `stored` holds; `mu_url` tells where Microsoft
    /// Update offers a file.
    pub fn from_document(
        document: UpdateDocument,
        stored: StoredDocument,
        mu_url: impl Fn(&Sha1Digest) -> Option<String>,
    ) -> Self {
        let title = document.title();
        let description = document
            .text_in(&document.default_language)
            .map(|text| text.description.clone())
            .unwrap_or_default();
        Self {
            key: document.key,
            kind: document.kind,
            approvable: document.approvable,
            expired: document.expired,
            severity: document.severity.code(),
            title,
            description,
            created: document.created,
            relations: relations(&document),
            files: document.files.iter().filter_map(|file| import_file(file, &mu_url)).collect(),
            stored,
            category_type: document.category_type.clone(),
            kb: document.kb.clone(),
            bulletins: document.bulletins.clone(),
            details: details(document),
        }
    }
}

fn relations(document: &UpdateDocument) -> Vec<Relation> {
    let mut relations = Vec::new();
    for (group, members) in document.prerequisites.iter().enumerate() {
        let kind =
            if members.is_category { RelationKind::CategoryPrerequisite } else { RelationKind::Prerequisite };
        let group = group_number(group);
        let of = |target| Relation { kind, group, target, target_revision: None };
        relations.extend(members.any_of.iter().copied().map(of));
    }
    for (group, members) in document.bundles.iter().enumerate() {
        let group = group_number(group);
        relations.extend(members.iter().map(|key| Relation {
            kind: RelationKind::Bundles,
            group,
            target: key.update_id,
            target_revision: Some(key.revision),
        }));
    }
    relations.extend(document.supersedes.iter().map(|target| Relation {
        kind: RelationKind::Supersedes,
        group: 0,
        target: *target,
        target_revision: None,
    }));
    relations
}

/// Groups beyond the column's range fall together; no real document comes near.
fn group_number(place: usize) -> i16 {
    i16::try_from(place).unwrap_or(i16::MAX)
}

fn import_file(file: &DocumentFile, mu_url: impl Fn(&Sha1Digest) -> Option<String>) -> Option<ImportFile> {
    let sha1 = file.sha1.filter(|_| file.usable())?;
    Some(ImportFile {
        sha1: sha1.0,
        sha256: file.sha256.map(|digest| digest.0),
        size: file.size,
        name: file.name.clone(),
        patching: file.patching.clone(),
        mu_url: mu_url(&sha1).unwrap_or_default(),
    })
}

fn details(document: UpdateDocument) -> RevisionDetails {
    let mut more_info_urls: Vec<String> = Vec::new();
    let texts = document.titles.iter().map(|text| &text.more_info_url);
    for url in std::iter::once(&document.more_info_url).chain(texts) {
        if !url.is_empty() && !more_info_urls.contains(url) {
            more_info_urls.push(url.clone());
        }
    }
    RevisionDetails {
        more_info_urls,
        default_language: document.default_language,
        languages: document.languages,
        support_url: document.support_url,
        eula: document.eula.map(|eula| eula.id),
        reboot: document.install.reboot,
        impact: document.install.impact,
        asks_user: document.install.asks_user,
        needs_network: document.install.needs_network,
        removable: document.uninstall.is_some(),
        handler: document.handler,
        release_version: document.release_version,
        display_order: document.display_order,
        excluded_by_default: document.excluded_by_default,
        unusable_files: document
            .files
            .into_iter()
            .filter(|file| !file.usable())
            .map(|file| file.name)
            .collect(),
    }
}

impl StoredDocument {
    /// A document that came as text, deflated where that saves anything.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let plain = || Self { encoding: Encoding::Text, body: Bytes::copy_from_slice(text.as_bytes()) };
        if text.len() <= PLAIN_MAX_BYTES {
            return plain();
        }
        let mut encoder = ZlibEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
        // Writing into memory cannot fail; if it did, the plain text is as good.
        match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
            Ok(body) => Self { encoding: Encoding::Deflated, body: body.into() },
            Err(_) => plain(),
        }
    }

    /// The text of the document, however it is held. At most `limit` bytes are unpacked.
    ///
    /// # Errors
    /// [`CatalogError::Damaged`] when the body does not unpack to text within the limit.
    pub fn whole_text(&self, limit: usize) -> Result<String, CatalogError> {
        match self.text(limit)? {
            Some(text) => Ok(text),
            None => cabinet::decode(&self.body, limit).map_err(|_| CatalogError::Damaged),
        }
    }

    /// The text of a document that is held as text or deflated; `None` for a cabinet. At most `limit` bytes are produced.
    ///
    /// # Errors
    /// [`CatalogError::Damaged`] when the body does not unpack to text within the limit.
    pub fn text(&self, limit: usize) -> Result<Option<String>, CatalogError> {
        let bytes = match self.encoding {
            Encoding::Cabinet => return Ok(None),
            Encoding::Text => self.body.to_vec(),
            Encoding::Deflated => {
                let mut bytes = Vec::new();
                let within = (limit as u64).saturating_add(1);
                ZlibDecoder::new(self.body.as_ref())
                    .take(within)
                    .read_to_end(&mut bytes)
                    .map_err(|_| CatalogError::Damaged)?;
                bytes
            }
        };
        if bytes.len() > limit {
            return Err(CatalogError::Damaged);
        }
        String::from_utf8(bytes).map(Some).map_err(|_| CatalogError::Damaged)
    }
}

impl From<UpdateBlob> for StoredDocument {
    /// Keeps a cabinet as it is and deflates a text.
    fn from(blob: UpdateBlob) -> Self {
        match blob {
            UpdateBlob::Text(text) => Self::of_text(&text),
            UpdateBlob::Compressed(bytes) => Self { encoding: Encoding::Cabinet, body: bytes.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoding, StoredDocument};

    #[test]
    fn a_text_comes_back_as_it_was() {
        for text in ["", "<a/>", &"<upd:Update>é漢</upd:Update>".repeat(500)] {
            let stored = StoredDocument::of_text(text);
            assert_eq!(stored.text(1 << 20).unwrap().as_deref(), Some(text));
        }
        let long = StoredDocument::of_text(&"x".repeat(100_000));
        assert_eq!(long.encoding, Encoding::Deflated);
        assert!(long.body.len() < 1_000);
    }

    #[test]
    fn unpacking_ends_at_the_limit_and_damage_is_named() {
        let long = StoredDocument::of_text(&"x".repeat(100_000));
        assert!(long.text(99_999).is_err());
        let damaged = StoredDocument { encoding: Encoding::Deflated, body: long.body.slice(2..) };
        assert!(damaged.text(1 << 20).is_err());
    }
}
