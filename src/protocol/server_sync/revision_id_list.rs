//! GetRevisionIdList: which revisions there are, or are new since an anchor. Source: MS-WSUSSS 3.1.4.5.

use uuid::Uuid;

use super::Cookie;
use crate::protocol::ids::{RevisionKey, SyncAnchor};

/// A product, family or classification that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdAndDelta {
    pub id: Uuid,
    /// True: only what changed since the anchor. False: everything under it again.
    pub delta: bool,
}

/// A language that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageAndDelta {
    /// Windows language number (LCID).
    pub id: i32,
    pub delta: bool,
}

/// What to list. Two empty lists mean everything; exactly one empty list selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RevisionFilter {
    /// The anchor of the last answer; `None` the first time.
    pub anchor: Option<SyncAnchor>,
    /// True: categories, classifications and detectoids. False: updates.
    pub get_config: bool,
    pub get_63_language_only: bool,
    pub categories: Vec<IdAndDelta>,
    pub classifications: Vec<IdAndDelta>,
    pub languages: Vec<LanguageAndDelta>,
}

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRevisionIdList {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    pub filter: RevisionFilter,
}

/// The answer: complete, in no useful order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRevisionIdListReply {
    pub anchor: SyncAnchor,
    /// When read: sorted, each revision once, however often the server listed it.
    pub new_revisions: Vec<RevisionKey>,
}
