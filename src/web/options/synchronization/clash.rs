//! Two people saved: what one wants beside what is in force.

use chrono_tz::Tz;

use super::chips::chips;
use super::moments;
use crate::settings::changes::{self, Change};
use crate::settings::tree::CategoryTree;
use crate::settings::{CategoryKind, Key, Panel, SyncOptions};

/// Two people saved: what this one wants against what is in force.
pub struct Clash {
    pub saved_by: String,
    pub saved_at: String,
    pub rows: Vec<ClashRow>,
}

impl Clash {
    /// What differs between the two, each in words.
    pub fn between(in_force: &SyncOptions, wanted: &SyncOptions, tree: &CategoryTree, zone: Tz) -> Self {
        let changes = changes::between(in_force, wanted);
        Self {
            saved_by: in_force.saved_by.clone(),
            saved_at: moments::moment(in_force.saved_at, zone),
            rows: changes.iter().map(|change| row(change, in_force, wanted, tree)).collect(),
        }
    }

    /// What happened, in a sentence.
    pub fn title(&self) -> String {
        format!(
            "{} saved these settings while you were changing them ({}). Nothing of yours was saved.",
            self.saved_by, self.saved_at
        )
    }
}

/// One setting of a [`Clash`].
pub struct ClashRow {
    pub label: String,
    pub yours: String,
    pub theirs: String,
}

fn row(change: &Change, in_force: &SyncOptions, wanted: &SyncOptions, tree: &CategoryTree) -> ClashRow {
    let words = |options: &SyncOptions| match change.key {
        Key::Products => chips(tree, &options.selections, CategoryKind::Product).join(", "),
        Key::Classifications => chips(tree, &options.selections, CategoryKind::Classification).join(", "),
        key => shown(&key.text(options)),
    };
    let (yours, theirs) = match change.key {
        Key::ProxyPassword => ("a new one".to_owned(), shown(&Key::ProxyPassword.text(in_force))),
        _ => (words(wanted), words(in_force)),
    };
    let label = format!("{}: {}", Panel::title(change.key.panel()), change.key.label());
    ClashRow { label, yours, theirs }
}

fn shown(text: &str) -> String {
    match text {
        "true" => "yes".to_owned(),
        "false" => "no".to_owned(),
        "" => "nothing".to_owned(),
        "microsoft-update" => "Microsoft Update".to_owned(),
        "upstream" => "an upstream server".to_owned(),
        other => other.chars().take(80).collect(),
    }
}
