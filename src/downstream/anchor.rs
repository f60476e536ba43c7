//! Anchors as we write them: `1,2026-11-22 18:00:00.123`.
//!
//! Only the time part is judged, the counter and a missing counter are not. Source: what real servers do.

use chrono::{DateTime, Utc};

use crate::protocol::time;

/// The anchor for a moment in milliseconds since 1970.
pub fn write(millis: i64) -> String {
    let moment = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH);
    format!("1,{}", moment.format("%Y-%m-%d %H:%M:%S%.3f"))
}

/// The moment of an anchor in milliseconds since 1970; `None` for what is no anchor at all.
pub fn read(text: &str) -> Option<i64> {
    let moment = match text.split_once(',') {
        Some((counter, moment))
            if !counter.is_empty() && counter.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            moment
        }
        Some(_) => return None,
        None => text,
    };
    // The same as a wire time, but for the blank, and without any zone.
    let (date, clock) = moment.trim().split_once(' ')?;
    if !clock.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')) {
        return None;
    }
    let moment: DateTime<Utc> = time::parse(&format!("{date}T{clock}")).ok()?;
    Some(moment.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_comes_back_as_it_was() {
        for millis in [0, 1_790_000_000_123, 1_790_000_000_000] {
            assert_eq!(read(&write(millis)), Some(millis));
        }
        assert_eq!(write(1_790_000_000_123), "1,2026-09-21 14:13:20.123");
    }

    #[test]
    fn p13_only_the_time_part_decides() {
        assert_eq!(read("9438,2026-10-04 16:33:26.670"), read("1,2026-10-04 16:33:26.670"));
        assert_eq!(read("2026-10-04 16:33:26.670"), read("1,2026-10-04 16:33:26.67"));
        assert!(read("1,9999-12-31 23:59:59.999").is_some());
    }

    #[test]
    fn r230_rubbish_is_no_anchor() {
        for text in [
            "garbage",
            "",
            ",",
            "1,",
            "x,2026-10-04 16:33:26.670",
            "1,2026-13-04 16:33:26.670",
            "1,2026-10-04 16:33:26.670Z",
            "1,2026-10-04 16:33:26+01:00",
            "'; DROP TABLE updates; --",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
