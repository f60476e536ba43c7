//! What is to be done with which update, for which group of computers.
//!
//! Nothing is done with an update until it is approved. An approval belongs to an update and a
//! target group; groups form a tree, and a group without an approval of its own has its parent's.
//! This module owns `target_groups`, `approvals`, `withdrawn_approvals`, `declined_updates`,
//! `accepted_licenses`, `approval_rules` and `approval_changes`.
//!
//! Each row is the server's own or was mirrored from the upstream server of a replica. Only one
//! kind counts at a time ([`Side`]); the other sleeps and returns when the mode changes back.

pub mod automatic;
pub mod change;
pub mod deployments;
pub mod groups;
pub mod history;
pub mod mirror;
pub mod rules;
pub mod run_now;
pub mod state;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::{Uuid, uuid};

use crate::catalog::CatalogError;
use crate::db::schema::sync_options;

/// Every computer; the root of the tree.
pub const ALL_COMPUTERS: Uuid = uuid!("a0a08746-4dbe-4a37-9adf-9e7652c0b421");
/// Computers that were put into no group yet.
pub const UNASSIGNED_COMPUTERS: Uuid = uuid!("b73ca6ed-5727-47f3-84de-015e03f6a88a");

/// What is to be done. The numbers are the protocol's. Source: MS-WSUSSS 2.2.4, ServerSyncDeployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Install it.
    Install,
    /// Remove it from computers that have it.
    Remove,
    /// Find out which computers need it.
    Detect,
    /// Nothing, also where the parent group says otherwise.
    NotApproved,
}

impl Action {
    /// All, in the order of a list of choices.
    pub const ALL: [Self; 4] = [Self::Install, Self::Detect, Self::Remove, Self::NotApproved];

    /// As stored and as sent.
    pub fn code(self) -> i16 {
        match self {
            Self::Install => 0,
            Self::Remove => 1,
            Self::Detect => 2,
            Self::NotApproved => 3,
        }
    }

    /// `None` for a number that is no action.
    pub fn of(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.code() == code)
    }

    /// As in addresses and forms.
    pub fn key(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Remove => "remove",
            Self::Detect => "detect",
            Self::NotApproved => "not-approved",
        }
    }

    /// `None` for a word that is no action.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.key() == key)
    }

    /// As shown on screen.
    pub fn label(self) -> &'static str {
        match self {
            Self::Install => "Install",
            Self::Remove => "Remove",
            Self::Detect => "Detect only",
            Self::NotApproved => "Not approved",
        }
    }
}

/// Whose approvals count now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This server's own.
    Own,
    /// Those of the upstream server this one is a replica of.
    Mirrored,
}

impl Side {
    /// By the saved replica setting.
    ///
    /// # Errors
    /// The database's.
    pub async fn now(conn: &mut AsyncPgConnection) -> QueryResult<Self> {
        let replica: bool = sync_options::table.select(sync_options::replica).first(conn).await?;
        Ok(if replica { Self::Mirrored } else { Self::Own })
    }

    /// The value of the column `mirrored`.
    pub fn mirrored(self) -> bool {
        self == Self::Mirrored
    }
}

/// Why something about approvals did not work. The sentences are for the person at the keyboard.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("This server is a replica: its upstream server decides on approvals and groups.")]
    Replica,
    #[error("Some of the selected updates are not here any more, or cannot be approved.")]
    UnknownUpdate,
    #[error("One of the groups does not exist any more.")]
    UnknownGroup,
    #[error("{title} has expired and cannot be approved. Decline it instead.")]
    Expired { title: String },
    #[error("{title} cannot be removed once it is installed.")]
    NotRemovable { title: String },
    #[error(
        "{title} may ask the user for input and does not support an installation deadline. Clear the deadline."
    )]
    AsksUser { title: String },
    #[error("Accept the license terms of {title} first.")]
    License { title: String },
    #[error(
        "There is nothing to undo: the last change was undone already, or a synchronization has changed its updates since."
    )]
    NothingToUndo,
    #[error("A deadline belongs to Install or Remove.")]
    DeadlineWithout,
    #[error("Enter a deadline in one of the years 1970 to 2999.")]
    DeadlineYear,
    #[error("Enter a name of 1 to {} characters.", groups::NAME_CHARS_MAX)]
    GroupName,
    #[error("There is already a group with this name.")]
    GroupNameTaken,
    #[error("{name} is on every server and cannot be changed.")]
    GroupBuiltin { name: String },
    #[error("A group cannot stand below itself.")]
    GroupCircle,
    #[error("There are already {} groups.", groups::GROUPS_MAX)]
    GroupCount,
    #[error("Groups can be nested {} deep.", groups::DEPTH_MAX)]
    GroupDepth,
    #[error("Somebody else has saved these rules meanwhile. Look at them again.")]
    RulesChanged,
    #[error("Select at least one classification, or clear the rule.")]
    RuleWithoutClassification,
    #[error("Select at least one computer group, or clear the rule.")]
    RuleWithoutGroup,
    /// An upstream server sent approvals that cannot be right.
    #[error("the approvals of the upstream server cannot be right: {reason}")]
    Upstream { reason: &'static str },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn actions_come_back_from_number_and_word() {
        for action in Action::ALL {
            assert_eq!(Action::of(action.code()), Some(action));
            assert_eq!(Action::of_key(action.key()), Some(action));
        }
        assert_eq!(Action::of(4), None);
        assert_eq!(Action::of_key("Install"), None);
    }
}
