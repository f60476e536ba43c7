//! What differs between two sets of options, key by key.

use serde_json::{Value, json};

use super::keys::{Key, Panel};
use super::options::SyncOptions;

/// One setting that differs, with both values as the audit log keeps them (no secrets).
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub key: Key,
    pub before: Value,
    pub after: Value,
}

/// The differences in the order of the page; empty when the two mean the same.
#[must_use]
pub fn between(before: &SyncOptions, after: &SyncOptions) -> Vec<Change> {
    Key::ALL.iter().filter_map(|&key| change(key, before, after)).collect()
}

fn change(key: Key, before: &SyncOptions, after: &SyncOptions) -> Option<Change> {
    if key == Key::ProxyPassword {
        let (old, new) = (&before.proxy.password, &after.proxy.password);
        let word = match (old, new) {
            (Some(_), Some(_)) => "changed",
            (None, Some(_)) => "set",
            (_, None) => "unset",
        };
        return (old != new).then(|| Change { key, before: key.value(before), after: json!(word) });
    }
    let (old, new) = match key {
        // Whether a tick stands for what is below it is part of the choice.
        Key::Products => (ticks(before), ticks(after)),
        _ => (key.value(before), key.value(after)),
    };
    (old != new).then_some(Change { key, before: old, after: new })
}

fn ticks(options: &SyncOptions) -> Value {
    options
        .selected(super::options::CategoryKind::Product)
        .map(|one| match one.with_descendants {
            true => json!(format!("{} and all below", one.category_id)),
            false => json!(one.category_id),
        })
        .collect()
}

/// The panels in which something changed, each once, in the order of the page.
#[must_use]
pub fn panels(changes: &[Change]) -> Vec<Panel> {
    Panel::ALL.into_iter().filter(|panel| changes.iter().any(|one| one.key.panel() == *panel)).collect()
}
