//! The states of a job and the ways between them. The database refuses every other way with a trigger.

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// In the queue, perhaps until a later moment.
    Waiting,
    /// A worker holds its lease.
    Running,
    Succeeded,
    Failed,
    Canceled,
}

impl JobState {
    /// Every state there is.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Succeeded, Self::Failed, Self::Canceled];

    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// The state of this word; `None` for a word that no version of ours writes.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// True until the job has ended.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }

    /// May a job in this state become `next`? Staying is always allowed. An ended job never changes: trying again is
    /// a new job.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self == next
            || match self {
                Self::Waiting => matches!(next, Self::Running | Self::Canceled),
                // Back to waiting: its worker is gone, gave it back, or wants to try again later.
                Self::Running => true,
                Self::Succeeded | Self::Failed | Self::Canceled => false,
            }
    }
}
