//! The rows behind the Synchronization Options: read in one statement, written in one transaction.

use std::str::FromStr;

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::actor::Actor;
use super::audit;
use super::changes::{self, Change};
use super::error::SettingsError;
use super::options::{
    CategoryKind, FileStore, Files, Languages, Proxy, Schedule, ScheduleMode, Selected, Source, SourceKind,
    SyncOptions,
};
use crate::db::Keep;
use crate::db::schema::{selected_categories, sync_options};

/// A save that went through.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The version now in force; unchanged when nothing changed.
    pub version: i64,
    /// What changed, in the order of the page; empty: nothing did, and nothing was written.
    pub changes: Vec<Change>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sync_options, check_for_backend(diesel::pg::Pg))]
struct OptionsRow {
    version: i64,
    saved_at: DateTime<Utc>,
    saved_by: String,
    schedule_mode: String,
    schedule_time: String,
    schedule_per_day: i32,
    schedule_time_zone: String,
    source_kind: String,
    source_server: String,
    source_port: i32,
    source_ssl: bool,
    source_ca: String,
    source_content_port: Option<i32>,
    replica: bool,
    proxy_enabled: bool,
    proxy_server: String,
    proxy_port: i32,
    proxy_credentials: bool,
    proxy_user: String,
    proxy_domain: String,
    proxy_password: Option<Vec<u8>>,
    proxy_basic: bool,
    files_store: String,
    files_deferred: bool,
    files_express: bool,
    files_languages: String,
    files_from_microsoft: bool,
}

/// The options in force. One statement, so that row and selections are of one version.
///
/// # Errors
/// [`SettingsError::Unreadable`] for a stored value of a newer program, else the database's.
pub async fn load(conn: &mut AsyncPgConnection) -> Result<SyncOptions, SettingsError> {
    let column = |name: &str| format!("ARRAY(SELECT {name} FROM selected_categories ORDER BY category_id)");
    let (row, ids, kinds, whole): (OptionsRow, Vec<Uuid>, Vec<String>, Vec<bool>) = sync_options::table
        .select((
            OptionsRow::as_select(),
            sql::<Array<SqlUuid>>(&column("category_id")),
            sql::<Array<Text>>(&column("kind")),
            sql::<Array<Bool>>(&column("with_descendants")),
        ))
        .kept()
        .get_result(conn)
        .await?;
    let mut options = row.into_options()?;
    for ((category_id, kind), with_descendants) in ids.into_iter().zip(kinds).zip(whole) {
        let kind = category_kind(&kind)?;
        options.selections.push(Selected { category_id, kind, with_descendants });
    }
    Ok(options)
}

/// The schedule's time zone alone.
///
/// # Errors
/// As [`load`].
pub async fn time_zone(conn: &mut AsyncPgConnection) -> Result<Tz, SettingsError> {
    let name: String = sync_options::table.select(sync_options::schedule_time_zone).first(conn).await?;
    read_zone(&name)
}

fn read_zone(name: &str) -> Result<Tz, SettingsError> {
    Tz::from_str(name).map_err(|_| unreadable("schedule.time_zone", name))
}

/// Saves `wanted` whole or not at all, with one audit entry, if `expected_version` is still the one
/// in force. `version`, `saved_at` and `saved_by` of `wanted` are ignored.
///
/// # Errors
/// [`SettingsError::Conflict`] when somebody saved in between, else the database's.
pub async fn save(
    conn: &mut AsyncPgConnection,
    expected_version: i64,
    wanted: &SyncOptions,
    actor: &Actor,
) -> Result<Saved, SettingsError> {
    conn.transaction(async |conn| {
        let version: i64 = sync_options::table.select(sync_options::version).for_update().first(conn).await?;
        let current = load(conn).await?;
        let changes = changes::between(&current, wanted);
        // First, so that the second of two equal submissions meets its own result, not a conflict.
        if changes.is_empty() {
            return Ok(Saved { version, changes });
        }
        if version != expected_version {
            return Err(SettingsError::Conflict(Box::new(current)));
        }
        write_row(conn, version + 1, wanted, &actor.name).await?;
        if current.selections != wanted.selections {
            write_selections(conn, &wanted.selections).await?;
        }
        audit::record(conn, actor, &changes).await?;
        Ok(Saved { version: version + 1, changes })
    })
    .await
}

async fn write_row(
    conn: &mut AsyncPgConnection,
    version: i64,
    wanted: &SyncOptions,
    saved_by: &str,
) -> QueryResult<()> {
    let SyncOptions { schedule, source, proxy, files, replica, .. } = wanted;
    // Two groups, because Diesel's tuples of assignments are meant to stay readable.
    let when_and_where = (
        sync_options::version.eq(version),
        sync_options::saved_at.eq(diesel::dsl::now),
        sync_options::saved_by.eq(saved_by),
        sync_options::schedule_mode.eq(schedule.mode.as_str()),
        sync_options::schedule_time.eq(schedule.time.format("%H:%M").to_string()),
        sync_options::schedule_per_day.eq(i32::from(schedule.per_day)),
        sync_options::schedule_time_zone.eq(schedule.time_zone.name()),
        sync_options::source_kind.eq(source.kind.as_str()),
        sync_options::source_server.eq(&source.server),
        sync_options::source_port.eq(i32::from(source.port)),
        sync_options::source_ssl.eq(source.ssl),
        sync_options::source_ca.eq(&source.ca),
        sync_options::source_content_port.eq(source.content_port.map(i32::from)),
        sync_options::replica.eq(replica),
    );
    let how_and_what = (
        sync_options::proxy_enabled.eq(proxy.enabled),
        sync_options::proxy_server.eq(&proxy.server),
        sync_options::proxy_port.eq(i32::from(proxy.port)),
        sync_options::proxy_credentials.eq(proxy.credentials),
        sync_options::proxy_user.eq(&proxy.user),
        sync_options::proxy_domain.eq(&proxy.domain),
        sync_options::proxy_password.eq(&proxy.password),
        sync_options::proxy_basic.eq(proxy.basic),
        sync_options::files_store.eq(files.store.as_str()),
        sync_options::files_deferred.eq(files.deferred),
        sync_options::files_express.eq(files.express),
        sync_options::files_languages.eq(files.languages.to_text()),
        sync_options::files_from_microsoft.eq(files.from_microsoft),
    );
    diesel::update(sync_options::table).set((when_and_where, how_and_what)).execute(conn).await?;
    Ok(())
}

async fn write_selections(conn: &mut AsyncPgConnection, selections: &[Selected]) -> QueryResult<()> {
    diesel::delete(selected_categories::table).execute(conn).await?;
    // 1,000 rows of three values stay far below the 65,535 parameters of one statement.
    for part in selections.chunks(1_000) {
        let rows: Vec<_> = part
            .iter()
            .map(|one| {
                (
                    selected_categories::category_id.eq(one.category_id),
                    selected_categories::kind.eq(one.kind.as_str()),
                    selected_categories::with_descendants.eq(one.with_descendants),
                )
            })
            .collect();
        diesel::insert_into(selected_categories::table).values(rows).execute(conn).await?;
    }
    Ok(())
}

impl OptionsRow {
    fn into_options(self) -> Result<SyncOptions, SettingsError> {
        Ok(SyncOptions {
            version: self.version,
            saved_at: self.saved_at,
            saved_by: self.saved_by,
            schedule: Schedule {
                mode: match self.schedule_mode.as_str() {
                    "manual" => ScheduleMode::Manual,
                    "daily" => ScheduleMode::Daily,
                    other => return Err(unreadable("schedule.mode", other)),
                },
                time: NaiveTime::parse_from_str(&self.schedule_time, "%H:%M")
                    .map_err(|_| unreadable("schedule.time", &self.schedule_time))?,
                per_day: number("schedule.per_day", self.schedule_per_day)?,
                time_zone: read_zone(&self.schedule_time_zone)?,
            },
            source: Source {
                kind: match self.source_kind.as_str() {
                    "microsoft-update" => SourceKind::MicrosoftUpdate,
                    "upstream" => SourceKind::Upstream,
                    other => return Err(unreadable("source.kind", other)),
                },
                server: self.source_server,
                port: number("source.port", self.source_port)?,
                ssl: self.source_ssl,
                ca: self.source_ca,
                content_port: self
                    .source_content_port
                    .map(|port| number("source.content_port", port))
                    .transpose()?,
            },
            replica: self.replica,
            proxy: Proxy {
                enabled: self.proxy_enabled,
                server: self.proxy_server,
                port: number("proxy.port", self.proxy_port)?,
                credentials: self.proxy_credentials,
                user: self.proxy_user,
                domain: self.proxy_domain,
                password: self.proxy_password,
                basic: self.proxy_basic,
            },
            files: Files {
                store: file_store(&self.files_store)?,
                deferred: self.files_deferred,
                express: self.files_express,
                from_microsoft: self.files_from_microsoft,
                languages: Languages::from_text(&self.files_languages)
                    .ok_or_else(|| unreadable("files.languages", &self.files_languages))?,
            },
            selections: Vec::new(),
        })
    }
}

fn category_kind(text: &str) -> Result<CategoryKind, SettingsError> {
    match text {
        "product" => Ok(CategoryKind::Product),
        "classification" => Ok(CategoryKind::Classification),
        other => Err(unreadable("products", other)),
    }
}

pub(super) fn file_store(text: &str) -> Result<FileStore, SettingsError> {
    match text {
        "local" => Ok(FileStore::Local),
        "source" => Ok(FileStore::Source),
        other => Err(unreadable("files.store", other)),
    }
}

fn number<T: TryFrom<i32>>(key: &'static str, stored: i32) -> Result<T, SettingsError> {
    T::try_from(stored).map_err(|_| unreadable(key, &stored.to_string()))
}

pub(super) fn unreadable(key: &'static str, value: &str) -> SettingsError {
    SettingsError::Unreadable { key, value: value.to_owned() }
}
