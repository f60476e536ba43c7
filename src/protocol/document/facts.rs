//! The facts of one revision, as read from its document.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::protocol::ids::{RevisionKey, Sha1Digest, Sha256Digest};

/// What a revision is. The numbers are those of the column `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum UpdateKind {
    Software = 0,
    Driver = 1,
    /// Company, family or product; also a category that does not say what it is.
    Category = 2,
    Classification = 3,
    Detectoid = 4,
}

impl UpdateKind {
    /// The number stored in the database.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// The kind of a stored number; `None` for a number we never write.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Software, Self::Driver, Self::Category, Self::Classification, Self::Detectoid]
            .into_iter()
            .find(|kind| kind.code() == code)
    }

    /// True for what travels in the categories phase of a synchronization.
    pub fn is_configuration(self) -> bool {
        matches!(self, Self::Category | Self::Classification | Self::Detectoid)
    }
}

/// Severity of a security update. The numbers are those of the column `severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(i16)]
pub enum Severity {
    #[default]
    Unspecified = 0,
    Low = 1,
    Moderate = 2,
    Important = 3,
    Critical = 4,
}

impl Severity {
    /// The number stored in the database.
    pub fn code(self) -> i16 {
        self as i16
    }
}

/// Title and texts in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct LocalizedText {
    /// As written, in lower case: `en`, `pt-br`, `all`.
    pub language: String,
    pub title: String,
    pub description: String,
    pub uninstall_notes: String,
    pub more_info_url: String,
    pub support_url: String,
}

/// One condition: at least one of these must be there. All groups of a document must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrerequisiteGroup {
    /// Written `IsCategory="true"`: membership in a product or classification.
    pub is_category: bool,
    pub any_of: Vec<Uuid>,
}

/// Why a file of a document cannot be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileProblem {
    /// No SHA-1 digest, one of the wrong length, or one that is not base64.
    Digest,
    /// A digest algorithm we do not know.
    Algorithm,
    /// A size that is missing, negative or not a number.
    Size,
}

/// One file named by a document. The name is text to show and never a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFile {
    /// `None` when the document gives no readable SHA-1.
    pub sha1: Option<Sha1Digest>,
    pub sha256: Option<Sha256Digest>,
    pub name: String,
    /// Bytes; 0 when unreadable.
    pub size: i64,
    /// `SelfContained`, `Express`, …; empty when not said.
    pub patching: String,
    pub modified: Option<DateTime<Utc>>,
    pub problem: Option<FileProblem>,
}

impl DocumentFile {
    /// True when the file can be fetched and verified.
    pub fn usable(&self) -> bool {
        self.problem.is_none() && self.sha1.is_some()
    }
}

/// One language of a licence text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EulaFile {
    pub language: String,
    pub file: DocumentFile,
}

/// The licence an administrator has to accept first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eula {
    pub id: Uuid,
    pub files: Vec<EulaFile>,
}

/// How installing or removing behaves; the words are the document's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Behavior {
    /// `Normal`, `Minor`, `RequiresExclusiveHandling`; empty when not said.
    pub impact: String,
    /// `NeverReboots`, `AlwaysRequiresReboot`, `CanRequestReboot`; empty when not said.
    pub reboot: String,
    pub asks_user: bool,
    pub needs_network: bool,
}

/// One device a driver is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct DriverFacts {
    pub hardware_id: String,
    pub manufacturer: String,
    pub provider: String,
    pub model: String,
    pub class: String,
    pub version: String,
    pub date: String,
}

/// The facts of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateDocument {
    pub key: RevisionKey,
    pub kind: UpdateKind,
    /// An administrator may approve it; false for bundled children, categories and detectoids.
    pub approvable: bool,
    pub expired: bool,
    pub severity: Severity,
    /// `Company`, `ProductFamily`, `Product`, `UpdateClassification`, another word, or `None`.
    pub category_type: Option<String>,
    pub excluded_by_default: bool,
    pub prohibits_updates: bool,
    pub prohibits_subcategories: bool,
    pub display_order: Option<i32>,
    /// Publication date of this revision; 1970 when missing or unreadable.
    pub created: DateTime<Utc>,
    /// Lower case; `en` when not said.
    pub default_language: String,
    pub titles: Vec<LocalizedText>,
    /// Article numbers without `KB`.
    pub kb: Vec<String>,
    pub bulletins: Vec<String>,
    pub support_url: String,
    pub more_info_url: String,
    pub eula: Option<Eula>,
    /// Languages this revision is for; empty: neutral.
    pub languages: Vec<String>,
    pub prerequisites: Vec<PrerequisiteGroup>,
    /// Groups of exact revisions; one of each group is installed.
    pub bundles: Vec<Vec<RevisionKey>>,
    pub supersedes: Vec<Uuid>,
    pub files: Vec<DocumentFile>,
    pub drivers: Vec<DriverFacts>,
    pub install: Behavior,
    pub uninstall: Option<Behavior>,
    pub handler: String,
    /// Bytes, as declared; 0 on bundles.
    pub max_download_size: i64,
    pub publisher: Option<Uuid>,
    pub compatible_protocol: String,
    pub release_version: String,
    pub is_beta: bool,
    pub is_mandatory: bool,
    pub os_upgrade: String,
}

impl UpdateDocument {
    /// The texts in the wanted language, or along the chain default language, `en`, first; `None` when the document
    /// has no titles at all.
    pub fn text_in(&self, wanted: &str) -> Option<&LocalizedText> {
        [wanted, self.default_language.as_str(), "en"]
            .into_iter()
            .find_map(|language| {
                self.titles
                    .iter()
                    .find(|text| text.language.eq_ignore_ascii_case(language) && !text.title.is_empty())
            })
            .or_else(|| self.titles.iter().find(|text| !text.title.is_empty()))
    }

    /// The title along the same chain, and at its end the update id; never empty.
    pub fn title_in(&self, wanted: &str) -> String {
        match self.text_in(wanted) {
            Some(text) => text.title.clone(),
            None => self.key.update_id.to_string(),
        }
    }

    /// The title in the document's default language; never empty.
    pub fn title(&self) -> String {
        self.title_in(&self.default_language)
    }
}
