//! The clock of an update source, as its answers tell it, beside ours.

use chrono::{DateTime, TimeDelta, Utc};

/// The `Date` header has whole seconds, and the answer was under way.
const AGREE_MAX: TimeDelta = TimeDelta::seconds(2);
/// A clock that differs by more is pointed out.
const OFF_MAX: TimeDelta = TimeDelta::minutes(5);

/// How far our clock is ahead of that of an update source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockDifference(TimeDelta);

impl ClockDifference {
    pub fn between(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> Self {
        Self(ours - theirs)
    }

    pub fn is_far(self) -> bool {
        self.0.abs() > OFF_MAX
    }

    /// A sentence, with what to do when it is far.
    pub fn words(self) -> String {
        if self.0.abs() <= AGREE_MAX {
            return "The clocks of both servers agree.".to_owned();
        }
        let seconds = self.0.num_seconds();
        let word = if seconds > 0 { "ahead of" } else { "behind" };
        let far = match seconds.abs() {
            seconds @ ..120 => format!("{seconds} s"),
            seconds => format!("{} min", seconds / 60),
        };
        let todo = if self.is_far() { " Set the one that is wrong." } else { "" };
        format!("The clock of this computer is {far} {word} that of the source.{todo}")
    }
}
