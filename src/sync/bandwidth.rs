//! A limit of bytes a second that all files under way share.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// What may come at once, as a part of a second: small, so that the limit holds over short times too.
const BURST_PART: u32 = 4;

/// The limit in force. It may change while files are under way.
#[derive(Default)]
pub(super) struct Bandwidth {
    /// Bytes a second, 0 for no limit; and what keeps to it.
    current: Mutex<(u64, Option<Arc<Bucket>>)>,
}

struct Bucket {
    limiter: DefaultDirectRateLimiter,
    /// In bytes; never more is asked for at once.
    burst: NonZeroU32,
}

impl Bandwidth {
    /// Sets the limit in bytes a second; 0: none. Above 4 GB a second there is none either.
    pub fn set(&self, rate: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == rate {
            return;
        }
        let bucket = u32::try_from(rate).ok().and_then(NonZeroU32::new).map(|rate| {
            let burst = NonZeroU32::new(rate.get() / BURST_PART).unwrap_or(NonZeroU32::MIN);
            let limiter = RateLimiter::direct(Quota::per_second(rate).allow_burst(burst));
            Arc::new(Bucket { limiter, burst })
        });
        *current = (rate, bucket);
    }

    /// Waits until so many bytes may have come.
    pub async fn take(&self, bytes: usize) {
        let mut left = u32::try_from(bytes).unwrap_or(u32::MAX);
        while let Some(bucket) = self.bucket() {
            let Some(piece) = NonZeroU32::new(left.min(bucket.burst.get())) else { return };
            // A piece is never larger than the burst, so there is always room for it.
            let _ = bucket.limiter.until_n_ready(piece).await;
            left -= piece.get();
        }
    }

    fn bucket(&self) -> Option<Arc<Bucket>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn several_tasks_share_one_limit_and_a_new_one_counts_at_once() {
        let bandwidth = Arc::new(Bandwidth::default());
        bandwidth.take(usize::MAX).await; // no limit

        bandwidth.set(100_000);
        let begun = Instant::now();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let bandwidth = bandwidth.clone();
                tokio::spawn(async move { bandwidth.take(20_000).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // A quarter of a second's worth may come at once, the other 55,000 bytes take their time.
        assert!(begun.elapsed() >= Duration::from_millis(540), "{:?}", begun.elapsed());

        let waiting = {
            let bandwidth = bandwidth.clone();
            tokio::spawn(async move { bandwidth.take(100_000_000).await })
        };
        bandwidth.set(0);
        let ended = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        ended.expect("who waits hears of it").unwrap();
    }
}
