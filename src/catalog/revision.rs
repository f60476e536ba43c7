//! A revision on its way into the database: the document as received and the facts taken from it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Kind;
use crate::protocol::ids::RevisionKey;

/// Everything that is stored of one revision.
#[derive(Debug, Clone)]
pub struct ImportRevision {
    /// Update id and revision number, as in the document.
    pub key: RevisionKey,
    /// What kind of update it is.
    pub kind: Kind,
    /// Whether an administrator may approve it (`ExplicitlyDeployable`).
    pub approvable: bool,
    /// Whether it was withdrawn (`PublicationState` Expired).
    pub expired: bool,
    /// Severity by MSRC: 0 unspecified, 1 low, 2 moderate, 3 important, 4 critical.
    pub severity: i16,
    /// `CategoryType` of a category: Company, ProductFamily, Product, UpdateClassification.
    pub category_type: Option<String>,
    /// Title in the default language.
    pub title: String,
    /// Description in the default language; may be empty.
    pub description: String,
    /// Knowledge base article numbers, digits only.
    pub kb: Vec<String>,
    /// Security bulletin ids.
    pub bulletins: Vec<String>,
    /// `CreationDate`: when this revision was released.
    pub created: DateTime<Utc>,
    /// What only the detail page shows.
    pub details: RevisionDetails,
    /// Links to other updates, which need not exist.
    pub relations: Vec<Relation>,
    /// Its files, those without a usable SHA-1 left out.
    pub files: Vec<ImportFile>,
    /// The document itself.
    pub stored: StoredDocument,
}

/// Facts that only the detail page shows; kept as JSON, so new ones need no migration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RevisionDetails {
    /// Language the titles fall back to, such as `en`.
    pub default_language: String,
    /// Languages the revision is made for; empty: neutral.
    pub languages: Vec<String>,
    /// Where to get help. As received: it may not be a web address at all.
    pub support_url: String,
    /// Where to read more, one for each language it is given in. As received.
    pub more_info_urls: Vec<String>,
    /// Id of the licence terms, if there are any.
    pub eula: Option<Uuid>,
    /// `RebootBehavior` of the installation, as received.
    pub reboot: String,
    /// `Impact` of the installation, as received.
    pub impact: String,
    /// Whether the installation may ask the user.
    pub asks_user: bool,
    /// Whether the installation needs the network.
    pub needs_network: bool,
    /// Whether it can be removed again.
    pub removable: bool,
    /// What installs it, a URI.
    pub handler: String,
    /// Build number, where the vendor gives one.
    pub release_version: String,
    /// Place of a category among its siblings.
    pub display_order: Option<i32>,
    /// Whether a category should not be chosen for the user.
    pub excluded_by_default: bool,
    /// Files that name no usable SHA-1; they can never be downloaded.
    pub unusable_files: Vec<String>,
}

/// What a link to another update means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// Must be there first.
    Prerequisite,
    /// A prerequisite in a group marked as category: membership.
    CategoryPrerequisite,
    /// Replaced by this one.
    Supersedes,
    /// Part of this one.
    Bundles,
}

impl RelationKind {
    /// The number in `relations.kind`.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Prerequisite => 0,
            Self::CategoryPrerequisite => 1,
            Self::Supersedes => 2,
            Self::Bundles => 3,
        }
    }
}

/// A link to another update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Relation {
    /// What the link means.
    pub kind: RelationKind,
    /// Members of one "at least one of" group share a number.
    pub group: i16,
    /// The other update.
    pub target: Uuid,
    /// The exact revision, for bundles only.
    pub target_revision: Option<i32>,
}

/// A file of a revision. Files are the same when their SHA-1 is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFile {
    /// The digest that names the file.
    pub sha1: [u8; 20],
    /// The second digest, where given.
    pub sha256: Option<[u8; 32]>,
    /// Length in bytes.
    pub size: i64,
    /// Name as received: to show, never a path.
    pub name: String,
    /// `PatchingType` as received; may be empty.
    pub patching: String,
    /// Where Microsoft Update offers it; empty when unknown.
    pub mu_url: String,
}

/// The document as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// How `body` holds the text.
    pub encoding: Encoding,
    /// The bytes.
    pub body: Bytes,
}

/// How the body of a [`StoredDocument`] holds the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-8 text.
    Text,
    /// The cabinet that came from the update source.
    Cabinet,
    /// UTF-8 text, deflated (zlib) by us.
    Deflated,
}

impl Encoding {
    /// The number in `documents.encoding`.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Cabinet => 1,
            Self::Deflated => 2,
        }
    }

    /// The encoding with this number.
    ///
    /// # Errors
    /// [`super::CatalogError::Unknown`] for any other number.
    pub fn from_code(code: i16) -> Result<Self, super::CatalogError> {
        Ok(match code {
            0 => Self::Text,
            1 => Self::Cabinet,
            2 => Self::Deflated,
            other => {
                return Err(super::CatalogError::Unknown {
                    what: "document encoding",
                    value: other.to_string(),
                });
            }
        })
    }
}
