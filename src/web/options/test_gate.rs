//! How often **Test connection** may be pressed: each test opens connections to whatever host was typed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tests of one account within [`WINDOW`]. Ours.
const TESTS_MAX: usize = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// The tests of the last minute in this process.
#[derive(Debug, Default)]
pub struct TestGate {
    begun: Mutex<HashMap<i64, Vec<Instant>>>,
}

impl TestGate {
    /// Counts one test of an account.
    ///
    /// # Errors
    /// The seconds to wait when there were too many; then nothing is counted.
    pub(super) fn begin(&self, account_id: i64, now: Instant) -> Result<(), u64> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|_, moments| {
            moments.retain(|at| now.duration_since(*at) < WINDOW);
            !moments.is_empty()
        });
        let own = begun.entry(account_id).or_default();
        match own.first() {
            Some(first) if own.len() >= TESTS_MAX => Err((WINDOW - now.duration_since(*first)).as_secs() + 1),
            _ => {
                own.push(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_for_each_account() {
        let (gate, start) = (TestGate::default(), Instant::now());
        for _ in 0..TESTS_MAX {
            assert_eq!(gate.begin(1, start), Ok(()));
        }
        assert_eq!(gate.begin(1, start + Duration::from_secs(20)), Err(41));
        assert_eq!(gate.begin(2, start), Ok(()));
        assert_eq!(gate.begin(1, start + WINDOW), Ok(()));
    }
}
