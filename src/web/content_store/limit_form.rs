//! `/content-store/limits`: how fast files are fetched, how many at once, and what of the disk is kept free.

use askama::Template;
use chrono::NaiveTime;
use diesel_async::AsyncConnection;
use rocket::form::FromForm;
use rocket::{get, post};
use serde_json::{Value, json};

use crate::accounts::audit;
use crate::content::limits::{self, Limits, OtherHours, WORKERS_MAX};
use crate::settings;
use crate::web::submitted::Form;
use crate::web::words::size;
use crate::web::{Administrator, Db, Field, PageError, Reply, Shell};

/// Bytes of the units that are typed.
const KB: u64 = 1_000;
const GB: u64 = 1_000_000_000;
/// Largest numbers taken: 4 GB a second, and a reserve of 100 TB. Ours.
const RATE_KB_MAX: u64 = 4_000_000;
const RESERVE_GB_MAX: u64 = 100_000;

/// The limits in words.
pub(super) fn in_words(limits: &Limits) -> String {
    let mut words = format!("{}, {} at once", rate_words(limits.rate), limits.workers);
    let OtherHours { enabled, from, until, rate } = limits.other;
    if enabled {
        let (from, until) = (from.format("%H:%M"), until.format("%H:%M"));
        words.push_str(&format!("; from {from} to {until} {}", rate_words(rate).to_lowercase()));
    }
    words
}

fn rate_words(rate: u64) -> String {
    match rate {
        0 => "As fast as possible".to_owned(),
        rate => format!("At most {} a second", size(i64::try_from(rate).unwrap_or(i64::MAX))),
    }
}

#[derive(Template)]
#[template(path = "content_store/limits.html")]
struct LimitsPage {
    shell: Shell,
    version: i64,
    zone: String,
    fields: Fields,
    /// Somebody saved in between.
    conflict: bool,
}

/// The form as shown.
struct Fields {
    rate: Field,
    other_hours: Field,
    other_from: Field,
    other_until: Field,
    other_rate: Field,
    workers: Field,
    per_host: Field,
    reserve: Field,
}

impl Fields {
    fn of(limits: &Limits) -> Self {
        let number = |value: u64| if value == 0 { String::new() } else { value.to_string() };
        let time = |time: NaiveTime| time.format("%H:%M").to_string();
        Self {
            rate: Field::new("rate", number(limits.rate / KB)),
            other_hours: Field::new("other_hours", limits.other.enabled.to_string()),
            other_from: Field::new("other_from", time(limits.other.from)),
            other_until: Field::new("other_until", time(limits.other.until)),
            other_rate: Field::new("other_rate", number(limits.other.rate / KB)),
            workers: Field::new("workers", limits.workers.to_string()),
            per_host: Field::new("per_host", limits.per_host.to_string()),
            reserve: Field::new("reserve", limits.reserve.map_or_else(String::new, gigabytes)),
        }
    }

    fn typed(form: LimitsForm) -> Self {
        Self {
            rate: Field::new("rate", form.rate),
            other_hours: Field::new("other_hours", form.other_hours.to_string()),
            other_from: Field::new("other_from", form.other_from),
            other_until: Field::new("other_until", form.other_until),
            other_rate: Field::new("other_rate", form.other_rate),
            workers: Field::new("workers", form.workers),
            per_host: Field::new("per_host", form.per_host),
            reserve: Field::new("reserve", form.reserve),
        }
    }

    /// The limits that were typed; `None`: something is wrong, and beside its field now.
    fn read(&mut self, version: i64) -> Option<Limits> {
        let rate = take(&mut self.rate, kilobytes);
        let other_rate = take(&mut self.other_rate, kilobytes);
        let from = take(&mut self.other_from, time);
        let mut until = take(&mut self.other_until, time);
        let enabled = self.other_hours.is("true");
        if enabled && from.is_some() && from == until {
            self.other_until.error = Some("Enter another time than the first.".to_owned());
            until = None;
        }
        let workers = take(&mut self.workers, few);
        let per_host = take(&mut self.per_host, few);
        let reserve = take(&mut self.reserve, reserve);
        Some(Limits {
            version,
            rate: rate?,
            other: OtherHours { enabled, from: from?, until: until?, rate: other_rate? },
            workers: workers?,
            per_host: per_host?,
            reserve: reserve?,
        })
    }
}

/// Reads a field; what is wrong is written beside it.
fn take<T>(field: &mut Field, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
    match read(field.value.trim()) {
        Ok(value) => Some(value),
        Err(sentence) => {
            field.error = Some(sentence);
            None
        }
    }
}

fn kilobytes(text: &str) -> Result<u64, String> {
    match text {
        "" => Ok(0),
        text => match text.parse::<u64>() {
            Ok(number @ 1..=RATE_KB_MAX) => Ok(number * KB),
            _ => Err(format!("Enter whole KB a second, 1 to {RATE_KB_MAX}, or nothing for no limit.")),
        },
    }
}

fn time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| "Enter a time such as 22:00.".to_owned())
}

fn few(text: &str) -> Result<u8, String> {
    match text.parse::<u8>() {
        Ok(number @ 1..=WORKERS_MAX) => Ok(number),
        _ => Err(format!("Enter a number from 1 to {WORKERS_MAX}.")),
    }
}

/// Gigabytes, of which tenths count.
fn reserve(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let digit = |text: &str| (text.len() == 1).then(|| text.parse::<u64>().ok()).flatten();
    match (whole.parse::<u64>(), digit(tenths)) {
        (Ok(whole @ 0..=RESERVE_GB_MAX), Some(tenths)) => Ok(Some(whole * GB + tenths * (GB / 10))),
        _ => Err("Enter GB, such as 20 or 0.5, or nothing for a tenth of the disk.".to_owned()),
    }
}

fn gigabytes(bytes: u64) -> String {
    match (bytes / GB, bytes % GB / (GB / 10)) {
        (whole, 0) => whole.to_string(),
        (whole, tenths) => format!("{whole}.{tenths}"),
    }
}

/// What was typed.
#[derive(FromForm)]
pub(super) struct LimitsForm {
    version: i64,
    #[field(default = String::new())]
    rate: String,
    #[field(default = false)]
    other_hours: bool,
    #[field(default = String::new())]
    other_from: String,
    #[field(default = String::new())]
    other_until: String,
    #[field(default = String::new())]
    other_rate: String,
    #[field(default = String::new())]
    workers: String,
    #[field(default = String::new())]
    per_host: String,
    #[field(default = String::new())]
    reserve: String,
}

async fn page(shell: Shell, db: &mut Db, version: i64, fields: Fields) -> Result<LimitsPage, PageError> {
    let options = settings::load(&mut db.0).await.map_err(PageError::internal)?;
    let zone = options.schedule.time_zone.name().to_owned();
    Ok(LimitsPage { shell, version, zone, fields, conflict: false })
}

#[get("/content-store/limits")]
pub(super) async fn show_limits(administrator: Administrator, mut db: Db) -> Result<Reply, PageError> {
    let limits = limits::load(&mut db.0).await?;
    Reply::ok(&page(administrator.shell, &mut db, limits.version, Fields::of(&limits)).await?)
}

#[post("/content-store/limits", data = "<form>")]
pub(super) async fn save_limits(
    administrator: Administrator,
    mut db: Db,
    form: Form<LimitsForm>,
) -> Result<Reply, PageError> {
    let (version, shell) = (form.version, administrator.shell);
    let mut fields = Fields::typed(form.into_inner());
    let Some(wanted) = fields.read(version) else {
        return Reply::refused(&page(shell, &mut db, version, fields).await?);
    };
    let saved =
        db.0.transaction(async |conn| {
            let before = limits::load(conn).await?;
            if same(&before, &wanted) {
                return Ok(true);
            }
            let saved = limits::save(conn, &wanted).await?;
            if saved {
                let entry = audit::Entry {
                    before: Some(as_json(&before)),
                    after: Some(as_json(&wanted)),
                    ..shell.audit("content.limits", "")
                };
                audit::record(conn, entry).await?;
            }
            Ok::<_, PageError>(saved)
        })
        .await?;
    if !saved {
        let limits = limits::load(&mut db.0).await?;
        let page =
            LimitsPage { conflict: true, ..page(shell, &mut db, limits.version, Fields::of(&limits)).await? };
        return Reply::refused(&page);
    }
    Ok(Reply::SeeOther("/content-store".to_owned()))
}

/// Apart from the version, which a save raises.
fn same(one: &Limits, other: &Limits) -> bool {
    Limits { version: 0, ..one.clone() } == Limits { version: 0, ..other.clone() }
}

fn as_json(limits: &Limits) -> Value {
    let time = |time: NaiveTime| time.format("%H:%M").to_string();
    json!({
        "bytes_per_second": limits.rate,
        "other_hours": limits.other.enabled,
        "other_from": time(limits.other.from),
        "other_until": time(limits.other.until),
        "other_bytes_per_second": limits.other.rate,
        "files_at_once": limits.workers,
        "files_at_once_from_a_host": limits.per_host,
        "reserve_bytes": limits.reserve,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_written_alike() {
        assert_eq!((kilobytes(""), kilobytes("500")), (Ok(0), Ok(500_000)));
        for wrong in ["0", "-1", "1.5", "4000001", "99999999999999999999", "fast"] {
            assert!(kilobytes(wrong).is_err(), "{wrong}");
        }
        for text in ["", "0", "20", "0.5", "100000.9"] {
            let read = reserve(text).unwrap();
            assert_eq!(read.map_or_else(String::new, gigabytes), text);
        }
        for wrong in ["1,5", "0.55", ".5", "-1", "1.", "100001", "1.-"] {
            assert!(reserve(wrong).is_err(), "{wrong}");
        }
        assert_eq!((few("1"), few("16")), (Ok(1), Ok(16)));
        assert!(few("0").is_err() && few("17").is_err() && few("").is_err());
    }
}
