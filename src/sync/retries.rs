//! What is tried again, how often and after which wait: the constants the engine works with, in words.

use std::time::Duration;

use super::{fetch, import, job, schedule};
use crate::upstream::{REPEATED, RetryPolicy, SIGN_INS_MAX, TransportLimits};

/// One thing that is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What goes wrong.
    pub what: String,
    /// What is done about it, how often.
    pub then: String,
    /// The wait before, or empty.
    pub wait: String,
}

fn rule(what: impl Into<String>, then: impl Into<String>, wait: impl Into<String>) -> Rule {
    Rule { what: what.into(), then: then.into(), wait: wait.into() }
}

/// Every rule, from one call up to the schedule.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let policy = RetryPolicy::default();
    let calls = policy.attempts_max;
    let doubled = format!(
        "{} before the second attempt, then twice as long each time, up to {}. A wait that the server asks for is kept up to {}.",
        words(policy.first_wait),
        words(policy.wait_max),
        words(policy.retry_after_max)
    );
    let mut rules: Vec<Rule> = REPEATED
        .iter()
        .map(|what| rule(*what, format!("The call is made up to {calls} times."), doubled.clone()))
        .collect();
    rules.extend([
        rule(
            "The server does not accept the cookie (InvalidCookie)",
            format!("Weir signs in again and repeats the call, up to {SIGN_INS_MAX} times without progress."),
            "",
        ),
        rule(
            "InternalServerError for a batch of revisions",
            format!(
                "The batch is halved until the revision is found that the server cannot give; the others are stored. After {} such answers without a good one the synchronization fails.",
                fetch::INTERNAL_ERRORS_MAX
            ),
            "",
        ),
        rule(
            "An answer with revisions that cannot be read, or is too large",
            format!("The batch is halved in the same way, up to {} times without a good answer.", fetch::UNREADABLE_MAX),
            "",
        ),
        rule(
            "The server does not accept the bookmark of the last synchronization, or was replaced (ServerChanged)",
            "Everything is listed once again. What is stored is not fetched again.",
            "",
        ),
        rule(
            "Another transaction of the database was in the way",
            format!("The transaction is begun up to {} times.", import::ATTEMPTS_MAX),
            "A tenth of a second, then twice as long each time.",
        ),
        rule(
            "A revision was listed and could not be stored",
            "Each later synchronization with the same update source asks for it first.",
            "",
        ),
        rule(
            "The server ended in the middle of a synchronization",
            format!("Another one goes on from there by itself, up to {} times in a row.", job::CONTINUED_MAX),
            "As soon as a server is there.",
        ),
        rule(
            "A scheduled synchronization could not reach the update source",
            format!("It is started up to {} times for one moment of the schedule.", schedule::ATTEMPTS_MAX),
            format!("{} minutes.", schedule::RETRY_AFTER.num_minutes()),
        ),
        rule(
            "Any other error",
            "The synchronization ends and says why. What was completely stored is kept.",
            "",
        ),
    ]);
    rules
}

/// After how long, and from which size on, a call counts as failed.
#[must_use]
pub fn limits() -> Vec<(&'static str, String)> {
    let limits = TransportLimits::default();
    let mebibytes = |bytes: usize| format!("{} MiB", bytes >> 20);
    vec![
        ("To connect, through the proxy server and with SSL", words(limits.connect)),
        ("Until the answer begins", words(limits.headers)),
        ("Without any data in an answer", words(limits.idle)),
        ("For a whole call", words(limits.call)),
        (
            "Lowest rate of an answer",
            format!("{} KiB in {}", limits.rate_min_bytes >> 10, words(limits.rate_window)),
        ),
        ("Size of an answer with revisions, unpacked", mebibytes(limits.documents_max_bytes)),
        ("Size of any other answer, unpacked", mebibytes(limits.answer_max_bytes)),
    ]
}

/// `half a second`, `20 seconds`, `3 minutes`.
fn words(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (0, 500) => "half a second".to_owned(),
        (0, millis) => format!("{millis} milliseconds"),
        (1, _) => "1 second".to_owned(),
        (seconds, _) if seconds >= 120 && seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        (seconds, _) => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_name_the_figures_that_the_engine_uses() {
        let text: String =
            rules().iter().map(|rule| format!("{} {} {}\n", rule.what, rule.then, rule.wait)).collect();
        let policy = RetryPolicy::default();
        for figure in [
            format!("up to {} times.", policy.attempts_max),
            format!("up to {}.", words(policy.retry_after_max)),
            format!("up to {} times for one moment", schedule::ATTEMPTS_MAX),
            format!("{} minutes.", schedule::RETRY_AFTER.num_minutes()),
            format!("up to {} times in a row", job::CONTINUED_MAX),
        ] {
            assert!(text.contains(&figure), "{figure} is not in {text}");
        }
        assert!(limits().iter().any(|(_, limit)| limit == "288 MiB"));
    }
}
