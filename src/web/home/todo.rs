//! What needs a person, the most pressing first.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::settings::{CategoryKind, ScheduleMode, SourceKind, SyncOptions};
use crate::web::moment::Moment;
use crate::web::synchronizations::StatusBox;
use crate::web::words::counted;

/// So much later than its interval a success is missed.
const LATE_AFTER: TimeDelta = TimeDelta::hours(1);

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

/// What the list is made from.
pub(super) struct Facts<'a> {
    pub status: &'a StatusBox,
    pub options: &'a SyncOptions,
    pub has_updates: bool,
    /// The upstream server decides about approvals.
    pub mirrored: bool,
    /// Updates without a decision, in words; `None`: none.
    pub open: &'a Option<String>,
    /// The last success; `None`: never.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// Files that did not come.
    pub files_failed: i64,
    /// Nothing more is fetched until there is room.
    pub disk_is_full: bool,
    pub now: DateTime<Utc>,
    /// In which the person sees times.
    pub zone: Tz,
}

/// All of them.
pub(super) fn list(facts: &Facts<'_>) -> Vec<ToDo> {
    let Facts { status, options, has_updates, mirrored, open, .. } = *facts;
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
    all.extend(overdue(facts));
    all.extend(store(facts));
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

/// A schedule whose synchronizations do not succeed any more, or do not even begin.
fn overdue(facts: &Facts<'_>) -> Option<ToDo> {
    let schedule = &facts.options.schedule;
    if schedule.mode == ScheduleMode::Manual {
        return None;
    }
    let interval = TimeDelta::hours(24) / i32::from(schedule.per_day.max(1));
    // A schedule that was saved just now could not have done anything yet.
    let since = facts.succeeded_at.unwrap_or_default().max(facts.options.saved_at);
    let is_late = facts.now - since > interval + LATE_AFTER;
    is_late.then(|| ToDo {
        kind: "warn",
        text: match facts.succeeded_at {
            Some(at) => format!(
                "No synchronization has succeeded since {}, though {} planned.",
                Moment::new(at, facts.zone).shown,
                match schedule.per_day {
                    1 => "one a day is".to_owned(),
                    n => format!("{n} a day are"),
                }
            ),
            None => "No synchronization has succeeded yet, though they are planned.".to_owned(),
        },
        href: "/synchronizations".to_owned(),
        label: "See synchronizations",
    })
}

fn store(facts: &Facts<'_>) -> Option<ToDo> {
    let text = if facts.disk_is_full {
        "The disk of the content store is full. Fetching files waits for room.".to_owned()
    } else if facts.files_failed > 0 {
        let (files, were) = match facts.files_failed {
            1 => ("1 update file".to_owned(), "was"),
            n => (counted(n, "update file", "update files"), "were"),
        };
        format!("{files} {were} not fetched.")
    } else {
        return None;
    };
    Some(ToDo { kind: "warn", text, href: "/content-store".to_owned(), label: "Content store" })
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
