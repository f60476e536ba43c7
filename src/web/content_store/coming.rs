//! The files that are being fetched at this moment, and how fast.

use chrono::Utc;
use diesel_async::AsyncPgConnection;

use crate::content::Store;
use crate::content::overview::{self, UnderWay};
use crate::protocol::ids::Sha1Digest;
use crate::web::{PageError, words};

/// Under this age of a try, in milliseconds, its rate would be a guess.
const STEADY_MS: i64 = 1_000;

/// What is under way.
pub(super) struct Incoming {
    pub files: Vec<Flow>,
    /// Of all together; empty while it is not known.
    pub rate: String,
}

/// One file that is under way.
pub(super) struct Flow {
    pub name: String,
    pub size: String,
    pub here: String,
    /// In percent, for the bar.
    pub percent: i64,
    /// Empty while it is not known.
    pub rate: String,
}

impl Incoming {
    pub async fn load(conn: &mut AsyncPgConnection, store: &Store) -> Result<Self, PageError> {
        let (mut files, mut sum) = (Vec::new(), 0);
        for one in overview::under_way(conn).await? {
            let here = match Sha1Digest::from_slice(&one.sha1) {
                Ok(sha1) => i64::try_from(store.partial_len(&sha1).await).unwrap_or(i64::MAX),
                Err(_) => 0,
            };
            let rate = rate(&one, here);
            sum += rate.unwrap_or_default();
            files.push(Flow {
                percent: percent(here, one.size),
                name: one.name,
                size: words::size(one.size),
                here: words::size(here),
                rate: rate.map(per_second).unwrap_or_default(),
            });
        }
        Ok(Self { files, rate: if sum > 0 { per_second(sum) } else { String::new() } })
    }
}

fn percent(here: i64, size: i64) -> i64 {
    if size <= 0 { 0 } else { (here.saturating_mul(100) / size).clamp(0, 100) }
}

fn per_second(bytes: i64) -> String {
    format!("{} a second", words::size(bytes))
}

/// Bytes a second since the try began.
fn rate(one: &UnderWay, here: i64) -> Option<i64> {
    let age = (Utc::now() - one.begun_at?).num_milliseconds();
    let came = here - one.begun_bytes;
    (age >= STEADY_MS && came > 0).then(|| came.saturating_mul(1_000) / age)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_rate_is_told_when_it_is_more_than_a_guess() {
        let begun = |seconds| UnderWay {
            name: String::new(),
            sha1: Vec::new(),
            size: 100_000,
            begun_at: Some(Utc::now() - TimeDelta::seconds(seconds)),
            begun_bytes: 10_000,
        };
        assert_eq!(rate(&begun(0), 50_000), None, "too young");
        assert_eq!(rate(&begun(10), 5_000), None, "it began again");
        let steady = rate(&begun(10), 50_000).unwrap();
        assert!((3_990..=4_000).contains(&steady), "{steady}");
        assert_eq!([percent(0, 0), percent(1, 3), percent(9, 3)], [0, 33, 100]);
    }
}
