//! Moments on the wire.
//!
//! A `dateTime` carries up to seven fraction digits and a `Z`, an offset, or nothing (then it is UTC).
//! Real messages hold the years 1, 1753 and 9999 as stand-ins for "never"; all are read like any other.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc};

/// More fraction digits than nanoseconds can hold are refused. Real servers send at most seven.
const FRACTION_DIGITS_MAX: usize = 9;
/// Offsets run from -14:00 to +14:00. Source: XML Schema part 2, 3.2.7.
const OFFSET_MINUTES_MAX: i32 = 14 * 60;

/// The Expiration of the cookie that stands for none, sent to services without sessions.
pub const NEVER_EXPIRES: &str = "9999-12-31T23:59:59.9999999";

/// The text is not a `dateTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time looks like 2026-11-22T18:00:00Z")]
pub struct TimeError;

/// Reads a `dateTime`; without zone it is UTC.
///
/// # Errors
/// [`TimeError`] for anything else, impossible days and leap seconds included.
pub fn parse(text: &str) -> Result<DateTime<Utc>, TimeError> {
    let (date, rest) = text.split_once(['T', 't']).ok_or(TimeError)?;
    let (clock, offset) = split_zone(rest)?;
    let moment = NaiveDateTime::new(parse_date(date)?, parse_clock(clock)?);
    // The offset of a sentinel must not push it out of range: chrono's range is far wider than 1..9999.
    let zoned = offset.from_local_datetime(&moment).single().ok_or(TimeError)?;
    Ok(zoned.with_timezone(&Utc))
}

/// Writes `2026-11-22T18:00:00.0000000Z`, the form real servers send.
pub fn format(moment: DateTime<Utc>) -> String {
    let nanos = moment.to_rfc3339_opts(SecondsFormat::Nanos, true);
    // Nine fraction digits and `Z`; the wire has seven.
    match nanos.strip_suffix('Z') {
        Some(digits) if digits.len() > 2 => format!("{}Z", &digits[..digits.len() - 2]),
        _ => nanos,
    }
}

fn split_zone(text: &str) -> Result<(&str, FixedOffset), TimeError> {
    let utc = FixedOffset::east_opt(0).ok_or(TimeError)?;
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Ok((clock, utc));
    }
    let Some(at) = text.find(['+', '-']) else { return Ok((text, utc)) };
    let (clock, zone) = text.split_at(at);
    let (hours, minutes) = zone[1..].split_once(':').ok_or(TimeError)?;
    let total = number(hours, 2)? * 60 + number(minutes, 2)?;
    if number(minutes, 2)? > 59 || total > OFFSET_MINUTES_MAX {
        return Err(TimeError);
    }
    let seconds = if zone.starts_with('-') { -total * 60 } else { total * 60 };
    Ok((clock, FixedOffset::east_opt(seconds).ok_or(TimeError)?))
}

fn parse_date(text: &str) -> Result<NaiveDate, TimeError> {
    let mut parts = text.splitn(3, '-');
    let mut part = |digits| number(parts.next().unwrap_or(""), digits);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    NaiveDate::from_ymd_opt(year, month.unsigned_abs(), day.unsigned_abs()).ok_or(TimeError)
}

fn parse_clock(text: &str) -> Result<NaiveTime, TimeError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.splitn(3, ':');
    let mut part = || number(parts.next().unwrap_or(""), 2).map(i32::unsigned_abs);
    let (hour, minute, second) = (part()?, part()?, part()?);
    if fraction.is_empty() || fraction.len() > FRACTION_DIGITS_MAX {
        return Err(TimeError);
    }
    let scale = 10_i64.pow((FRACTION_DIGITS_MAX - fraction.len()) as u32);
    let nanos = i64::from(number(fraction, fraction.len())?) * scale;
    let nanos = u32::try_from(nanos).map_err(|_| TimeError)?;
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos).ok_or(TimeError)
}

/// Exactly `digits` decimal digits.
fn number(text: &str, digits: usize) -> Result<i32, TimeError> {
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TimeError);
    }
    text.parse().map_err(|_| TimeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p56_sentinels_and_times_without_zone_are_read() {
        for (text, shown) in [
            ("0001-01-01T00:00:00", "0001-01-01T00:00:00.0000000Z"),
            ("1753-01-01T00:00:00", "1753-01-01T00:00:00.0000000Z"),
            (NEVER_EXPIRES, "9999-12-31T23:59:59.9999999Z"),
            ("2026-11-22T18:00:00Z", "2026-11-22T18:00:00.0000000Z"),
            ("2026-11-22T18:00:00.5", "2026-11-22T18:00:00.5000000Z"),
            ("2026-11-22T18:00:00.1234567+02:30", "2026-11-22T15:30:00.1234567Z"),
            ("2026-11-22T18:00:00-08:00", "2026-11-23T02:00:00.0000000Z"),
        ] {
            assert_eq!(parse(text).map(format), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn p56_offsets_at_the_ends_of_the_calendar_do_not_overflow() {
        assert!(parse("9999-12-31T23:59:59.9999999-14:00").is_ok());
        assert!(parse("0001-01-01T00:00:00+14:00").is_ok());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "T",
            "2026-11-22",
            "2026-02-30T00:00:00",
            "2026-11-22T24:00:01Z",
            "2026-11-22T18:00Z",
            "2026-11-22T18:00:00+15:00",
            "2026-11-22T18:00:00.Z",
            "2026-11-22T18:00:00.1234567890Z",
            "2026-11-22T18:00:60Z",
            "99999-01-01T00:00:00Z",
            "2026-11-22 18:00:00",
            "2026-11-22T1８:00:00Z",
        ] {
            assert_eq!(parse(text), Err(TimeError), "{text}");
        }
    }
}
