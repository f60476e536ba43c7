//! The states of a run, the ways between them, and the phases of its work. The database refuses every other way with
//! a trigger.

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Asked for; no worker has taken it yet.
    Queued,
    /// A worker is in one of its phases ([`Phase`]).
    Running,
    /// Somebody asked it to stop, and the worker has not ended it yet.
    Stopping,
    Succeeded,
    /// Everything is stored but some revisions, which are owed.
    SucceededWithProblems,
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// The process that worked on it ended.
    Interrupted,
}

impl RunState {
    /// Every state there is.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Stopping,
        Self::Succeeded,
        Self::SucceededWithProblems,
        Self::Failed,
        Self::Canceled,
        Self::Interrupted,
    ];

    /// The word in the database and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Succeeded => "succeeded",
            Self::SucceededWithProblems => "succeeded_with_problems",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state of this word; `None` for a word that no version of ours writes.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// True until the run has ended.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Stopping)
    }

    /// May a run in this state become `next`? Staying is always allowed. A run that has ended never changes.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self == next
            || match self {
                // Stopping, when a worker has just taken its job and not begun it yet.
                Self::Queued => {
                    matches!(next, Self::Running | Self::Stopping | Self::Canceled | Self::Interrupted)
                }
                Self::Running => next != Self::Queued,
                // It may have come to its end before the worker heard of the wish.
                Self::Stopping => !next.is_active(),
                _ => false,
            }
    }

    /// The words of the states that may become this one, for the `WHERE` of the change.
    pub(super) fn words_before(self) -> Vec<&'static str> {
        let before = Self::ALL.into_iter().filter(|state| *state != self && state.may_become(self));
        before.map(Self::as_str).collect()
    }
}

/// What a running run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Signing in, and reading the source's configuration.
    Connect,
    /// Categories, classifications and detectoids.
    Categories,
    Updates,
    /// Of a replica: what its upstream server approved.
    Approvals,
    /// The last commit point.
    Publish,
}

impl Phase {
    /// Every phase, in the order of a run.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::Categories, Self::Updates, Self::Approvals, Self::Publish];

    /// The word in the database and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Categories => "categories",
            Self::Updates => "updates",
            Self::Approvals => "approvals",
            Self::Publish => "publish",
        }
    }

    /// The phase of this word; `None` for the empty one of a run that is in none.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_states_and_phases() {
        assert!(RunState::ALL.into_iter().all(|state| RunState::from_word(state.as_str()) == Some(state)));
        assert!(Phase::ALL.into_iter().all(|phase| Phase::from_word(phase.as_str()) == Some(phase)));
        assert_eq!((RunState::from_word("done"), Phase::from_word("")), (None, None));
    }

    #[test]
    fn nothing_leads_out_of_an_end_or_back_into_the_queue() {
        for state in RunState::ALL {
            for next in RunState::ALL.into_iter().filter(|next| *next != state) {
                assert!(!state.may_become(next) || state.is_active(), "{state:?} {next:?}");
                assert!(!state.may_become(next) || next != RunState::Queued, "{state:?} {next:?}");
            }
            assert!(!state.is_active() || state.may_become(RunState::Interrupted), "{state:?} is for ever");
        }
        assert_eq!(RunState::Succeeded.words_before(), ["running", "stopping"]);
    }
}
