//! One run as the templates see it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::sync::RunError;
use crate::sync::runs::{Phase, Run, RunState};
use crate::web::moment::{Moment, span};
use crate::web::words::{grouped, size};

/// The words of a run, ready to print.
#[derive(Debug, Clone)]
pub struct RunView {
    pub id: i64,
    /// Kind of the badge: ok, warn, bad, info or idle.
    pub kind: &'static str,
    /// Success, Failed, Canceled, Unknown, or what it is doing.
    pub word: &'static str,
    pub is_active: bool,
    pub is_stopping: bool,
    /// Manual, Scheduled or Command line.
    pub trigger: &'static str,
    pub started_by: String,
    pub requested: Moment,
    pub started: Option<Moment>,
    pub finished: Option<Moment>,
    pub took: String,
    pub source: String,
    /// Name and port of the proxy server; empty for none.
    pub proxy: String,
    pub new: String,
    pub revised: String,
    pub expired: String,
    pub revisions: String,
    pub failed: String,
    pub megabytes: String,
    /// `2 of 3: getting update information`.
    pub phase: String,
    /// `120 a second, about 26 s left`; empty when the phase has no total.
    pub pace: String,
    /// What the update source sent so far.
    pub received: String,
    pub done: i64,
    /// `None`: not known, the bar only shows that something happens.
    pub total: Option<i64>,
    /// `1,204 of 4,210`.
    pub counts: String,
    /// Whole percent of this phase; `None` while the total is not known.
    pub percent: Option<i64>,
    pub error: Option<RunError>,
    pub notices: Vec<String>,
    pub continues: Option<i64>,
}

impl RunView {
    /// The run as people in `zone` see it at `now`.
    pub fn new(run: &Run, zone: Tz, now: DateTime<Utc>) -> Self {
        let state = run.state();
        let (kind, word) = badge(state);
        let total = run.total.filter(|total| *total > 0);
        let counts = match total {
            Some(total) => format!("{} of {}", grouped(run.done.min(total)), grouped(total)),
            None if run.done > 0 => grouped(run.done),
            None => String::new(),
        };
        Self {
            id: run.id,
            kind,
            word,
            is_active: state.is_active(),
            is_stopping: state == RunState::Stopping,
            trigger: match run.trigger.as_str() {
                _ if run.categories_only => "Products only",
                "schedule" => "Scheduled",
                "command" => "Command line",
                _ => "Manual",
            },
            started_by: run.started_by.clone(),
            requested: Moment::new(run.requested_at, zone),
            started: run.started_at.map(|at| Moment::new(at, zone)),
            finished: run.finished_at.map(|at| Moment::new(at, zone)),
            took: span(run.duration(now)),
            source: run.source_name.clone(),
            proxy: run.proxy().unwrap_or_default().to_owned(),
            new: grouped(run.new),
            revised: grouped(run.revised),
            expired: grouped(run.expired),
            revisions: grouped(run.revisions),
            failed: grouped(run.failed),
            megabytes: format!("{:.1} MB", run.bytes as f64 / 1e6),
            phase: phase(state, run.phase(), run.is_of_replica()),
            pace: pace(run),
            received: size(run.received),
            done: run.done,
            total,
            counts,
            percent: total.map(|total| (run.done * 100 / total).clamp(0, 100)),
            error: run.error(),
            notices: run.notices(),
            continues: run.continues,
        }
    }

    /// What the tab of the browser says: `42 % · Synchronizing`.
    pub fn tab_title(&self) -> String {
        match (self.is_active, self.percent) {
            (true, Some(percent)) => format!("{percent} % · Synchronizing"),
            (true, None) => "Synchronizing".to_owned(),
            (false, _) => format!("{} · Synchronization {}", self.word, self.id),
        }
    }

    /// The sentence for screen readers; it changes only at phases, quarters and the end.
    pub fn spoken(&self) -> String {
        if !self.is_active {
            return format!("The synchronization has ended: {}.", self.word);
        }
        match self.percent.map(|percent| percent / 25 * 25) {
            Some(quarter) if quarter > 0 => format!("{}, {quarter} percent", self.phase),
            _ => self.phase.clone(),
        }
    }
}

fn badge(state: RunState) -> (&'static str, &'static str) {
    match state {
        RunState::Queued => ("info", "Waiting"),
        RunState::Running => ("info", "Running"),
        RunState::Stopping => ("info", "Stopping"),
        RunState::Succeeded => ("ok", "Success"),
        RunState::SucceededWithProblems => ("warn", "Success, with problems"),
        RunState::Failed => ("bad", "Failed"),
        RunState::Canceled => ("warn", "Canceled"),
        RunState::Interrupted => ("idle", "Unknown"),
    }
}

/// What it is doing, as the n-th of so many steps; a replica has one more.
fn phase(state: RunState, phase: Option<Phase>, replica: bool) -> String {
    let steps = if replica { 4 } else { 3 };
    let step = |number, doing| format!("{number} of {steps}: {doing}");
    match (state, phase) {
        (RunState::Queued, _) => "Waiting to begin".to_owned(),
        (RunState::Stopping, _) => "Stopping".to_owned(),
        (RunState::Running, None | Some(Phase::Connect)) => "Connecting".to_owned(),
        (RunState::Running, Some(Phase::Categories)) => step(1, "getting products and classifications"),
        (RunState::Running, Some(Phase::Updates)) => step(2, "getting update information"),
        (RunState::Running, Some(Phase::Approvals)) => step(3, "getting approvals"),
        (RunState::Running, Some(Phase::Publish)) => step(steps, "making the updates visible"),
        _ => String::new(),
    }
}

/// The rate and the time left once both are steady. The time is of this phase: nobody knows the next one's.
fn pace(run: &Run) -> String {
    match (run.state(), run.total, run.rate) {
        (RunState::Running, Some(1..), Some(rate)) => {
            let left = run.time_left().map_or_else(String::new, |left| format!(", {} left", about(left)));
            format!("{} a second{left}", grouped(rate.round() as i64))
        }
        (RunState::Running, Some(1..), None) => "estimating the time left".to_owned(),
        _ => String::new(),
    }
}

/// `about 26 s`, `about 4 min`, `about 2 h`: never more exact than it can be.
fn about(left: chrono::TimeDelta) -> String {
    match left.num_seconds().max(1) {
        seconds @ 0..90 => format!("about {seconds} s"),
        seconds @ 90..5_400 => format!("about {} min", (seconds + 30) / 60),
        seconds => format!("about {} h", (seconds + 1_800) / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_result_are_those_of_the_original() {
        let word = |state| badge(state).1;
        assert_eq!(word(RunState::Succeeded), "Success");
        assert_eq!(word(RunState::Failed), "Failed");
        assert_eq!(word(RunState::Canceled), "Canceled");
        assert_eq!(word(RunState::Interrupted), "Unknown");
    }

    #[test]
    fn steps_are_counted_with_those_of_a_replica() {
        let shown = |at, replica| phase(RunState::Running, Some(at), replica);
        assert_eq!(shown(Phase::Publish, false), "3 of 3: making the updates visible");
        assert_eq!(shown(Phase::Approvals, true), "3 of 4: getting approvals");
        assert_eq!(shown(Phase::Publish, true), "4 of 4: making the updates visible");
    }

    #[test]
    fn a_time_left_is_rounded_to_what_can_be_known() {
        let shown = |seconds| about(chrono::TimeDelta::seconds(seconds));
        assert_eq!(
            [shown(0), shown(26), shown(100), shown(7_000)],
            ["about 1 s", "about 26 s", "about 2 min", "about 2 h"]
        );
    }
}
