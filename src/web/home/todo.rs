//! What needs a person, the most pressing first.

use crate::settings::{CategoryKind, SourceKind, SyncOptions};
use crate::web::synchronizations::StatusBox;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToDo {
    /// Kind of the notice: bad, warn or info.
    pub kind: &'static str,
    pub text: String,
    pub href: String,
    /// What the link says.
    pub label: &'static str,
}

/// All of them. `open` is the number of updates without a decision, in words.
pub(super) fn list(
    status: &StatusBox,
    options: &SyncOptions,
    has_updates: bool,
    mirrored: bool,
    open: &Option<String>,
) -> Vec<ToDo> {
    let mut all = Vec::new();
    if let Some(run) = status.last.as_ref().filter(|run| run.kind == "bad" || run.word.contains("problems")) {
        let failed = run.kind == "bad";
        let why = run.error.as_ref().map_or(String::new(), |error| format!(": {}", error.message));
        all.push(ToDo {
            kind: if failed { "bad" } else { "warn" },
            text: match failed {
                true => format!("The last synchronization failed{}", full_stop(why)),
                false => format!("The last synchronization had problems{}", full_stop(why)),
            },
            href: format!("/synchronizations/{}", run.id),
            label: "See what to do",
        });
    }
    // Before the first synchronization the check list says these.
    if has_updates {
        let missing = missing(options);
        if !missing.is_empty() {
            all.push(ToDo {
                kind: "warn",
                text: missing.to_owned(),
                href: "/options/synchronization".to_owned(),
                label: "Synchronization Options",
            });
        }
    }
    if let Some(open) = open.as_ref().filter(|_| !mirrored) {
        let (one, waits) = if open == "1" { ("update", "waits") } else { ("updates", "wait") };
        all.push(ToDo {
            kind: "info",
            text: format!("{open} {one} {waits} for approval."),
            href: "/updates?approval=not-approved".to_owned(),
            label: "Review updates",
        });
    }
    all
}

fn missing(options: &SyncOptions) -> &'static str {
    let none = |kind| !options.replica && options.selected(kind).next().is_none();
    if options.source.kind == SourceKind::Upstream && options.source.server.is_empty() {
        "No upstream server is named, so synchronizations fail."
    } else if none(CategoryKind::Product) {
        "No product is chosen, so synchronizations bring no updates."
    } else if none(CategoryKind::Classification) {
        "No classification is chosen, so synchronizations bring no updates."
    } else {
        ""
    }
}

fn full_stop(text: String) -> String {
    if text.ends_with('.') { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::full_stop;

    #[test]
    fn a_sentence_ends_once() {
        assert_eq!(full_stop(": Nobody answers.".to_owned()), ": Nobody answers.");
        assert_eq!(full_stop(String::new()), ".");
    }
}
