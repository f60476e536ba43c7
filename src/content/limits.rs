//! How fast files are fetched, how many at once, and what of the disk is kept free: one row that administrators change.

use chrono::NaiveTime;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::schema::content_limits;

/// Files under way at once, and of those from one host, at most. Ours.
pub const WORKERS_MAX: u8 = 16;
/// How times of day are kept.
const TIME: &str = "%H:%M";

/// The limits in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Rises by one with each save.
    pub version: i64,
    /// Bytes a second over all files together; 0: no limit.
    pub rate: u64,
    /// Another rate for some hours of each day.
    pub other: OtherHours,
    /// Files under way at once, 1 to [`WORKERS_MAX`].
    pub workers: u8,
    /// Of those from one host, 1 to [`WORKERS_MAX`].
    pub per_host: u8,
    /// Bytes of the disk that are never used; `None`: a tenth of the disk, at most 5 GiB.
    pub reserve: Option<u64>,
}

/// Hours with a rate of their own, by the clock of the schedule's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherHours {
    pub enabled: bool,
    pub from: NaiveTime,
    /// The first moment after them; earlier than `from`: of the next day.
    pub until: NaiveTime,
    /// Bytes a second; 0: no limit.
    pub rate: u64,
}

impl Limits {
    /// Bytes a second at a time of day; 0: no limit.
    #[must_use]
    pub fn rate_at(&self, time: NaiveTime) -> u64 {
        let OtherHours { enabled, from, until, rate } = self.other;
        let within = match from <= until {
            true => from <= time && time < until,
            false => from <= time || time < until,
        };
        if enabled && within { rate } else { self.rate }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = content_limits, check_for_backend(diesel::pg::Pg))]
struct Row {
    version: i64,
    rate_bytes: i64,
    other_hours: bool,
    other_from: String,
    other_until: String,
    other_rate_bytes: i64,
    workers: i32,
    per_host: i32,
    reserve_bytes: Option<i64>,
}

/// The limits in force. A time of day that cannot be read is midnight.
///
/// # Errors
/// The database's.
pub async fn load(conn: &mut AsyncPgConnection) -> QueryResult<Limits> {
    let row = content_limits::table.select(Row::as_select()).first(conn).await?;
    let time = |text: &str| NaiveTime::parse_from_str(text, TIME).unwrap_or_default();
    let few = |number: i32| u8::try_from(number).unwrap_or(1).clamp(1, WORKERS_MAX);
    Ok(Limits {
        version: row.version,
        rate: row.rate_bytes.unsigned_abs(),
        other: OtherHours {
            enabled: row.other_hours,
            from: time(&row.other_from),
            until: time(&row.other_until),
            rate: row.other_rate_bytes.unsigned_abs(),
        },
        workers: few(row.workers),
        per_host: few(row.per_host),
        reserve: row.reserve_bytes.map(i64::unsigned_abs),
    })
}

/// Saves the limits if `limits.version` is still the one in force; `false`: somebody saved in between.
///
/// # Errors
/// The database's.
pub async fn save(conn: &mut AsyncPgConnection, limits: &Limits) -> QueryResult<bool> {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let time = |time: NaiveTime| time.format(TIME).to_string();
    let changed = diesel::update(content_limits::table)
        .filter(content_limits::version.eq(limits.version))
        .set((
            content_limits::version.eq(limits.version + 1),
            content_limits::rate_bytes.eq(bytes(limits.rate)),
            content_limits::other_hours.eq(limits.other.enabled),
            content_limits::other_from.eq(time(limits.other.from)),
            content_limits::other_until.eq(time(limits.other.until)),
            content_limits::other_rate_bytes.eq(bytes(limits.other.rate)),
            content_limits::workers.eq(i32::from(limits.workers)),
            content_limits::per_host.eq(i32::from(limits.per_host)),
            content_limits::reserve_bytes.eq(limits.reserve.map(bytes)),
        ))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hours_may_go_over_midnight() {
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        let limits = |from, until, enabled| Limits {
            version: 1,
            rate: 10,
            other: OtherHours { enabled, from, until, rate: 0 },
            workers: 8,
            per_host: 8,
            reserve: None,
        };
        let night = limits(at(22, 0), at(6, 0), true);
        let rates = [at(21, 59), at(22, 0), at(0, 0), at(5, 59), at(6, 0)].map(|time| night.rate_at(time));
        assert_eq!(rates, [10, 0, 0, 0, 10]);
        let day = limits(at(8, 0), at(18, 0), true);
        assert_eq!([at(7, 59), at(8, 0), at(18, 0)].map(|time| day.rate_at(time)), [10, 0, 10]);
        assert_eq!(limits(at(0, 0), at(23, 59), false).rate_at(at(12, 0)), 10);
    }
}
