//! GetUpdateData: the documents of revisions and the addresses of their files. Source: MS-WSUSSS 3.1.4.6.

use super::Cookie;
use crate::protocol::ids::{RevisionKey, Sha1Digest};

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUpdateData {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    /// As asked, repetitions included.
    pub update_ids: Vec<RevisionKey>,
}

/// The document of a revision in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateBlob {
    /// The document itself.
    Text(String),
    /// A cabinet with the document in UTF-16LE, as received.
    Compressed(Vec<u8>),
}

/// One revision of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateData {
    pub key: RevisionKey,
    pub blob: UpdateBlob,
    pub file_digests: Vec<Sha1Digest>,
}

/// Where the original of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    pub digest: Sha1Digest,
    /// `None` when the file was published locally. Some addresses are short-lived.
    pub mu_url: Option<String>,
}

/// The answer. It may hold fewer revisions than were asked for: ask again for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetUpdateDataReply {
    pub updates: Vec<UpdateData>,
    /// For all updates of the answer together.
    pub file_urls: Vec<FileUrl>,
}
