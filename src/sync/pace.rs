//! How fast a phase goes. Told only when it is steady, because a guess that jumps is worse than none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pace is that of this span.
const WINDOW: Duration = Duration::from_secs(12);
/// No pace is told before so much of a phase was seen.
const SEEN_MIN: Duration = Duration::from_secs(5);
/// Steady: neither half of the span is faster than the other by more than this.
const FACTOR_MAX: f64 = 2.0;

/// What was seen of one phase.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seen: VecDeque<(Instant, i64)>,
}

impl Pace {
    /// Notes that `done` pieces are done at `now`. A smaller number than before is another phase.
    pub fn note(&mut self, now: Instant, done: i64) {
        if self.seen.back().is_some_and(|(_, before)| done < *before) {
            self.seen.clear();
        }
        self.seen.push_back((now, done));
        while self.seen.len() > 2 && self.seen.get(1).is_some_and(|(at, _)| now - *at >= WINDOW) {
            self.seen.pop_front();
        }
    }

    /// Pieces a second; `None` while it is not steady.
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = (*self.seen.front()?, *self.seen.back()?);
        if last.0 - first.0 < SEEN_MIN {
            return None;
        }
        let middle = *self.seen.get(self.seen.len() / 2)?;
        let (one, other) = (between(first, middle)?, between(middle, last)?);
        let steady = one.max(other) <= FACTOR_MAX * one.min(other);
        (steady && one > 0.0).then(|| between(first, last)).flatten()
    }
}

fn between(from: (Instant, i64), to: (Instant, i64)) -> Option<f64> {
    let seconds = (to.0 - from.0).as_secs_f64();
    (seconds > 0.0).then(|| (to.1 - from.1) as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rate after each of these counts, one a second.
    fn rates(counts: &[i64]) -> Vec<Option<f64>> {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let mut rates = Vec::new();
        for (second, count) in counts.iter().enumerate() {
            pace.note(start + Duration::from_secs(second as u64), *count);
            rates.push(pace.rate());
        }
        rates
    }

    #[test]
    fn nothing_is_told_before_five_seconds_of_a_steady_pace() {
        let steady: Vec<i64> = (0..30).map(|second| second * 40).collect();
        let told = rates(&steady);
        assert!(told[..5].iter().all(Option::is_none), "{told:?}");
        assert!(told[5..].iter().all(|rate| *rate == Some(40.0)), "{told:?}");
    }

    #[test]
    fn a_pace_that_changes_is_not_told_until_it_is_steady_again() {
        let counts: Vec<i64> = (0..40).map(|second: i64| second * 10 + (second - 15).max(0) * 200).collect();
        let told = rates(&counts);
        assert!(told[14].is_some() && told[19].is_none() && told[39] == Some(210.0), "{told:?}");
        let stalled: Vec<i64> = (0..20).map(|second: i64| second.min(8) * 10).collect();
        assert!(rates(&stalled)[19].is_none());
    }

    #[test]
    fn another_phase_begins_anew() {
        let told = rates(&[0, 10, 20, 30, 40, 50, 60, 0, 10, 20]);
        assert!(told[6].is_some() && told[7..].iter().all(Option::is_none), "{told:?}");
    }
}
