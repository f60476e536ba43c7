//! What publications did to updates: came, was revised, expired, was superseded; for reports and differences.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::CatalogError;

/// What happened to an update that can be approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Seen for the first time.
    New,
    /// A newer revision.
    Revised,
    /// Withdrawn by its publisher.
    Expired,
    /// Another update replaces it from now on. It may be one of the others as well.
    Superseded,
}

impl ChangeKind {
    /// All, in the order of a report.
    pub const ALL: [Self; 4] = [Self::New, Self::Revised, Self::Expired, Self::Superseded];

    /// As stored.
    pub fn code(self) -> i16 {
        match self {
            Self::New => 0,
            Self::Revised => 1,
            Self::Expired => 2,
            Self::Superseded => 3,
        }
    }

    /// As in addresses and exports.
    pub fn key(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Revised => "revised",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }

    /// `None` for a word that is none.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }
}

/// Which publications count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From one moment, and before another one.
    Time {
        /// The first moment that counts.
        from: DateTime<Utc>,
        /// The first moment that does not.
        before: DateTime<Utc>,
    },
    /// What the synchronizations after one, up to another and with it, brought.
    Runs {
        /// Does not count itself.
        after: i64,
        /// The last that counts.
        upto: i64,
    },
}

impl Span {
    /// The condition, and its two values, which are $1 and $2.
    fn sql(self) -> (&'static str, i64, i64) {
        match self {
            Self::Time { from, before } => {
                ("c.stamp >= $1 AND c.stamp < $2", from.timestamp_millis(), before.timestamp_millis())
            }
            Self::Runs { after, upto } => ("c.run_id > $1 AND c.run_id <= $2", after, upto),
        }
    }
}

/// How many updates each thing happened to. An update counts once among the first three: expired before new, and
/// new before revised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub new: i64,
    pub revised: i64,
    pub expired: i64,
    pub superseded: i64,
}

impl Counts {
    /// Of one kind.
    pub fn of(&self, kind: ChangeKind) -> i64 {
        match kind {
            ChangeKind::New => self.new,
            ChangeKind::Revised => self.revised,
            ChangeKind::Expired => self.expired,
            ChangeKind::Superseded => self.superseded,
        }
    }
}

/// An update something happened to.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Changed {
    #[diesel(sql_type = SqlUuid)]
    pub update_id: Uuid,
    /// Its title now.
    #[diesel(sql_type = Text)]
    pub title: String,
    /// Its classifications, joined by commas.
    #[diesel(sql_type = Text)]
    pub classification: String,
    /// Article numbers, digits only, joined by blanks.
    #[diesel(sql_type = Text)]
    pub kb: String,
    /// Its revision now.
    #[diesel(sql_type = Integer)]
    pub revision: i32,
    #[diesel(sql_type = BigInt)]
    stamp: i64,
    /// The synchronization that did it last; `None`: not by one.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub run_id: Option<i64>,
}

impl Changed {
    /// When it became visible here for the last time in the span.
    pub fn at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.stamp).unwrap_or_default()
    }
}

/// One row an update: what all its changes in the span come to.
const NET: &str = "
WITH net AS (
    SELECT c.update_row, max(c.stamp) AS stamp, max(c.run_id) AS run_id,
           CASE WHEN bool_or(c.change = 2) THEN 2 WHEN bool_or(c.change = 0) THEN 0
                WHEN bool_or(c.change = 1) THEN 1 END AS what,
           bool_or(c.change = 3) AS superseded
    FROM update_changes c WHERE $span GROUP BY c.update_row)";

/// Counts what happened in `span`.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn counts(conn: &mut AsyncPgConnection, span: Span) -> Result<Counts, CatalogError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        new: i64,
        #[diesel(sql_type = BigInt)]
        revised: i64,
        #[diesel(sql_type = BigInt)]
        expired: i64,
        #[diesel(sql_type = BigInt)]
        superseded: i64,
    }
    let (condition, first, last) = span.sql();
    let Row { new, revised, expired, superseded } = diesel::sql_query(format!(
        "{} SELECT count(*) FILTER (WHERE what = 0) AS new, count(*) FILTER (WHERE what = 1) AS revised,
                count(*) FILTER (WHERE what = 2) AS expired, count(*) FILTER (WHERE superseded) AS superseded
            FROM net",
        NET.replace("$span", condition)
    ))
    .bind::<BigInt, _>(first)
    .bind::<BigInt, _>(last)
    .get_result(conn)
    .await?;
    Ok(Counts { new, revised, expired, superseded })
}

/// The updates of one kind in `span`, newest first; at most `limit`.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    span: Span,
    kind: ChangeKind,
    limit: i64,
) -> Result<Vec<Changed>, CatalogError> {
    let (condition, first, last) = span.sql();
    let of_kind = match kind {
        ChangeKind::Superseded => "n.superseded AND $3 = 3",
        _ => "n.what = $3",
    };
    Ok(diesel::sql_query(format!(
        "{}, shown AS (
            SELECT * FROM net n WHERE {of_kind} ORDER BY n.stamp DESC, n.update_row DESC LIMIT $4)
        SELECT u.update_id, u.title, u.kb, u.revision_number AS revision, n.stamp, n.run_id,
               coalesce((SELECT string_agg(c.title, ', ' ORDER BY c.title) FROM update_categories m
                         JOIN updates c ON c.update_row = m.category_row AND c.kind = 3
                         WHERE m.update_row = u.update_row), '') AS classification
        FROM shown n JOIN updates u ON u.update_row = n.update_row
        ORDER BY n.stamp DESC, n.update_row DESC",
        NET.replace("$span", condition)
    ))
    .bind::<BigInt, _>(first)
    .bind::<BigInt, _>(last)
    .bind::<SmallInt, _>(kind.code())
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::ChangeKind;

    #[test]
    fn kinds_come_back_from_their_words() {
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::of_key(kind.key()), Some(kind));
        }
        assert_eq!(ChangeKind::of_key("gone"), None);
    }
}
