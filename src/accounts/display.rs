//! How a person wants pages to look: the colours, and the time zone of the times on them.

use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::audit;
use crate::db::schema::accounts;

/// The colours of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    /// As stored, in the cookie and in `data-theme`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Anything unknown is the system's.
    pub fn of(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// What a person chose; `None`: nothing, and the usual one counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Display {
    pub theme: Option<Theme>,
    /// The usual one is the schedule's.
    pub time_zone: Option<Tz>,
}

impl Display {
    /// From the two columns. A zone that this program does not know counts as none.
    pub(super) fn stored(theme: Option<&str>, time_zone: Option<&str>) -> Self {
        Self { theme: theme.map(Theme::of), time_zone: time_zone.and_then(|name| name.parse().ok()) }
    }

    fn facts(self) -> Value {
        json!({ "theme": self.theme.map(Theme::as_str), "time_zone": self.time_zone.map(|zone| zone.name()) })
    }
}

/// What the account chose; nothing for one that is gone.
///
/// # Errors
/// The database's.
pub async fn of(conn: &mut AsyncPgConnection, account_id: i64) -> QueryResult<Display> {
    let row: Option<(Option<String>, Option<String>)> = accounts::table
        .find(account_id)
        .select((accounts::theme, accounts::time_zone))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(theme, zone)| Display::stored(theme.as_deref(), zone.as_deref())).unwrap_or_default())
}

/// Keeps a choice, with one line in the audit log when it is another one.
///
/// # Errors
/// The database's.
pub async fn save(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    wanted: Display,
    by: audit::Entry<'_>,
) -> QueryResult<()> {
    conn.transaction(async |conn| {
        let before = of(conn, account_id).await?;
        if before == wanted {
            return Ok(());
        }
        diesel::update(accounts::table.find(account_id))
            .set((
                accounts::theme.eq(wanted.theme.map(Theme::as_str)),
                accounts::time_zone.eq(wanted.time_zone.map(|zone| zone.name())),
            ))
            .execute(conn)
            .await?;
        let (before, after) = (Some(before.facts()), Some(wanted.facts()));
        audit::record(conn, audit::Entry { action: "profile.display", before, after, ..by }).await
    })
    .await
}

/// Keeps the colours alone.
///
/// # Errors
/// The database's.
pub async fn save_theme(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    theme: Theme,
    by: audit::Entry<'_>,
) -> QueryResult<()> {
    let before = of(conn, account_id).await?;
    save(conn, account_id, Display { theme: Some(theme), ..before }, by).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_and_an_unknown_zone_counts_as_none() {
        let chosen = Display::stored(Some("dark"), Some("Asia/Taipei"));
        assert_eq!(chosen, Display { theme: Some(Theme::Dark), time_zone: Some(Tz::Asia__Taipei) });
        assert_eq!(Display::stored(None, Some("Mars/Olympus")), Display::default());
        for theme in [Theme::System, Theme::Light, Theme::Dark] {
            assert_eq!(Theme::of(theme.as_str()), theme);
        }
    }
}
