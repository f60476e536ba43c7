//! Verifications and clean-ups as rows: who asked, how far it is, what came of it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use crate::db::schema::content_checks;
use crate::jobs::{self, Enqueued, QueueError};

/// The job's kind in the queue; there is one at a time, whatever it does.
pub const JOB_KIND: &str = "content_check";
/// Ended checks are kept so long, as runs are. Ours.
pub const CHECKS_KEPT: TimeDelta = TimeDelta::days(396);

/// What a check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// Reads every stored file again and compares its digests.
    Verify,
    /// Removes what is not needed.
    CleanUp,
}

impl CheckKind {
    /// The word kept in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::CleanUp => "cleanup",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Check {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    pub requested_by: String,
    #[diesel(sql_type = Timestamptz)]
    pub requested_at: DateTime<Utc>,
    /// Whoever asked has said yes to what is refused otherwise.
    #[diesel(sql_type = Bool)]
    pub confirmed: bool,
    /// `None`: it was ended before, or has not.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub finished_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = BigInt)]
    pub total: i64,
    #[diesel(sql_type = BigInt)]
    pub done: i64,
    /// Read by a verification, freed by a clean-up.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    #[diesel(sql_type = BigInt)]
    pub damaged: i64,
    #[diesel(sql_type = BigInt)]
    pub missing: i64,
    #[diesel(sql_type = BigInt)]
    pub adopted: i64,
    #[diesel(sql_type = BigInt)]
    pub removed: i64,
    /// Why it ended early; empty: it did not.
    #[diesel(sql_type = Text)]
    pub error: String,
    /// It waits or is at work.
    #[diesel(sql_type = Bool)]
    pub active: bool,
}

impl Check {
    /// What it does. An unknown word is a verification, which takes nothing away.
    #[must_use]
    pub fn kind(&self) -> CheckKind {
        if self.kind == CheckKind::CleanUp.as_str() { CheckKind::CleanUp } else { CheckKind::Verify }
    }
}

/// What a check has found so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Files to look at.
    pub total: i64,
    pub done: i64,
    /// Read by a verification, freed by a clean-up.
    pub bytes: i64,
    pub damaged: i64,
    pub missing: i64,
    pub adopted: i64,
    pub removed: i64,
}

/// Asks for a check, in the caller's transaction; `None`: one is waiting or at work already.
///
/// # Errors
/// The database's.
pub async fn request(
    conn: &mut AsyncPgConnection,
    kind: CheckKind,
    by: &str,
    confirmed: bool,
) -> Result<Option<i64>, QueueError> {
    let id: i64 = diesel::insert_into(content_checks::table)
        .values((
            content_checks::kind.eq(kind.as_str()),
            content_checks::requested_by.eq(by),
            content_checks::confirmed.eq(confirmed),
        ))
        .returning(content_checks::id)
        .get_result(conn)
        .await?;
    if jobs::enqueue(conn, JOB_KIND, JOB_KIND, json!({ "check_id": id })).await? == Enqueued::AlreadyThere {
        diesel::delete(content_checks::table.find(id)).execute(conn).await?;
        return Ok(None);
    }
    Ok(Some(id))
}

macro_rules! checks {
    ($rest:literal) => {
        concat!(
            "SELECT c.*, EXISTS (SELECT FROM jobs j WHERE j.kind = 'content_check'
                 AND j.state IN ('waiting', 'running') AND (j.args ->> 'check_id')::bigint = c.id) AS active
             FROM content_checks c ",
            $rest
        )
    };
}

/// One check.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, id: i64) -> QueryResult<Option<Check>> {
    diesel::sql_query(checks!("WHERE c.id = $1")).bind::<BigInt, _>(id).get_result(conn).await.optional()
}

/// The latest check of a kind.
///
/// # Errors
/// The database's.
pub async fn latest(conn: &mut AsyncPgConnection, kind: CheckKind) -> QueryResult<Option<Check>> {
    let query = diesel::sql_query(checks!("WHERE c.kind = $1 ORDER BY c.id DESC LIMIT 1"));
    query.bind::<Text, _>(kind.as_str()).get_result(conn).await.optional()
}

/// The check begins, or begins again.
///
/// # Errors
/// The database's.
pub async fn begin(conn: &mut AsyncPgConnection, id: i64) -> QueryResult<()> {
    let none: Option<DateTime<Utc>> = None;
    diesel::update(content_checks::table.find(id))
        .set((
            content_checks::started_at.eq(diesel::dsl::now),
            content_checks::finished_at.eq(none),
            content_checks::error.eq(""),
        ))
        .execute(conn)
        .await?;
    note(conn, id, Figures::default()).await
}

/// Writes down how far it is.
///
/// # Errors
/// The database's.
pub async fn note(conn: &mut AsyncPgConnection, id: i64, figures: Figures) -> QueryResult<()> {
    diesel::update(content_checks::table.find(id))
        .set((
            content_checks::total.eq(figures.total),
            content_checks::done.eq(figures.done),
            content_checks::bytes.eq(figures.bytes),
            content_checks::damaged.eq(figures.damaged),
            content_checks::missing.eq(figures.missing),
            content_checks::adopted.eq(figures.adopted),
            content_checks::removed.eq(figures.removed),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The check is over; `error` says why it ended early and is empty otherwise.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut AsyncPgConnection, id: i64, error: &str) -> QueryResult<()> {
    let error: String = error.chars().filter(|sign| *sign != '\0').take(500).collect();
    diesel::update(content_checks::table.find(id))
        .set((content_checks::finished_at.eq(diesel::dsl::now), content_checks::error.eq(error)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes checks that were asked for before `now` minus [`CHECKS_KEPT`]. Returns how many.
///
/// # Errors
/// The database's.
pub async fn remove_old(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    let old = content_checks::table.filter(content_checks::requested_at.lt(now - CHECKS_KEPT));
    diesel::delete(old).execute(conn).await
}
