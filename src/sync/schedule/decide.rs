//! What a look at the clock leads to. Pure: tests bring their own clock.
//!
//! The rules: each moment of the schedule is decided once. A moment that passed while nobody looked is caught up
//! once, unless a run succeeded meanwhile. A moment during a run is skipped. A scheduled run that could not reach the
//! update source is tried again, unless somebody starts a run before.

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{CATCH_UP_AFTER, Facts, Retry};

/// A success so much younger than the interval still counts as the one before: runs do not begin at equal seconds.
const INTERVAL_SLACK: TimeDelta = TimeDelta::hours(1);

/// One moment of the schedule, for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// As the schedule says.
    pub moment: DateTime<Utc>,
    /// 1 to [`super::ATTEMPTS_MAX`].
    pub attempt: i16,
    /// With the random delay.
    pub due_at: DateTime<Utc>,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Wait,
    /// The plan does not fit the options or the clock.
    Plan,
    /// Start a run; `late`: the moment had been missed.
    Begin {
        moment: Moment,
        late: bool,
    },
    /// Start a further attempt.
    Retry(Moment),
    /// A run is at work.
    Skip {
        moment: Moment,
        run_id: i64,
    },
    /// The moment was missed, and there is nothing to catch up.
    Pass(Moment),
}

/// The decision at `now`.
pub(super) fn decide(facts: &Facts, now: DateTime<Utc>) -> Decision {
    if facts.planned_for != facts.version {
        return Decision::Plan;
    }
    let Some((moment, due_at)) = facts.planned else { return Decision::Wait };
    if facts.next_after(None, now).is_some_and(|next| moment > next) {
        return Decision::Plan; // the clock was set back further than to the moment before
    }
    if due_at > now {
        return match facts.retry() {
            Some(Retry { moment, attempt, due_at: at }) if at <= now && at < due_at => {
                Decision::Retry(Moment { moment, attempt, due_at: at })
            }
            _ => Decision::Wait,
        };
    }
    let moment = Moment { moment, attempt: 1, due_at };
    if let Some(run_id) = facts.active_run {
        return Decision::Skip { moment, run_id };
    }
    let late = now - due_at > CATCH_UP_AFTER;
    if late && facts.last_success.is_some_and(|success| now - success < enough(facts.interval())) {
        return Decision::Pass(moment);
    }
    Decision::Begin { moment, late }
}

/// A success younger than this makes catching up needless.
fn enough(interval: TimeDelta) -> TimeDelta {
    interval - INTERVAL_SLACK.min(interval / 2)
}

#[cfg(test)]
mod tests;
