//! Numbers, sizes and dates as pages write them.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// `61,204`.
#[must_use]
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 update`, `61,204 updates`.
#[must_use]
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `0.9 GB`, `12.3 MB`, `45 KB`, `12 bytes`; units of 1,000.
#[must_use]
pub fn size(bytes: i64) -> String {
    let value = bytes as f64;
    match bytes.unsigned_abs() {
        0..1_000 => counted(bytes, "byte", "bytes"),
        1_000..1_000_000 => format!("{:.0} KB", value / 1e3),
        1_000_000..900_000_000 => format!("{:.1} MB", value / 1e6),
        900_000_000..900_000_000_000 => format!("{:.1} GB", value / 1e9),
        _ => format!("{:.1} TB", value / 1e12),
    }
}

/// `22 Nov 2026`, of the day it was in UTC: for release dates, which are the same everywhere.
#[must_use]
pub fn day(time: DateTime<Utc>) -> String {
    time.format("%-d %b %Y").to_string()
}

/// `22 Nov 2026, 03:00 (Europe/Berlin)`.
#[must_use]
pub fn moment(time: DateTime<Utc>, zone: Tz) -> String {
    format!("{} ({zone})", time.with_timezone(&zone).format("%-d %b %Y, %H:%M"))
}

/// For the attribute `datetime`.
#[must_use]
pub fn iso(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!(
            [0, 999, 1_000, 61_204, -1_234_567].map(grouped),
            ["0", "999", "1,000", "61,204", "-1,234,567"]
        );
        assert_eq!(counted(1, "update", "updates"), "1 update");
        assert_eq!(counted(0, "update", "updates"), "0 updates");
    }

    #[test]
    fn sizes_keep_one_decimal() {
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(45_200), "45 KB");
        assert_eq!(size(900_000_000), "0.9 GB");
        assert_eq!(size(14_800_000_000), "14.8 GB");
        assert_eq!(size(2_000_000_000_000), "2.0 TB");
    }

    #[test]
    fn times_name_their_zone() {
        let time = Utc.with_ymd_and_hms(2026, 11, 22, 23, 30, 0).unwrap();
        assert_eq!(day(time), "22 Nov 2026");
        assert_eq!(moment(time, chrono_tz::Asia::Taipei), "23 Nov 2026, 07:30 (Asia/Taipei)");
        assert_eq!(iso(time), "2026-11-22T23:30:00Z");
    }
}
