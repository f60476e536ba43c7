//! Reading the audit log, newest first, by key.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::db::schema::audit;

/// One line as it was written.
#[derive(Debug, Clone, Queryable, Selectable, serde::Serialize)]
#[diesel(table_name = audit, check_for_backend(diesel::pg::Pg))]
pub struct Line {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub peer: String,
    pub action: String,
    pub object: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub request_id: String,
}

/// Which lines; an empty text stands for all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The whole name, in any letter case.
    pub actor: String,
    /// The first part of the action: `settings`, or the whole: `settings.save`.
    pub action: String,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// Only lines older than this one.
    pub before: Option<i64>,
}

/// At most `limit` lines.
///
/// # Errors
/// The database's.
pub async fn read(conn: &mut AsyncPgConnection, filter: &Filter, limit: i64) -> QueryResult<Vec<Line>> {
    let mut query = audit::table.select(Line::as_select()).order(audit::id.desc()).limit(limit).into_boxed();
    if !filter.actor.is_empty() {
        let lower = diesel::dsl::sql::<diesel::sql_types::Text>("lower(actor)");
        query = query.filter(lower.eq(filter.actor.to_lowercase()));
    }
    if !filter.action.is_empty() {
        // from "settings" up to everything that begins with "settings."
        let (first, last) = (format!("{}.", filter.action), format!("{}/", filter.action));
        let below = audit::action.ge(first).and(audit::action.lt(last));
        query = query.filter(audit::action.eq(filter.action.clone()).or(below));
    }
    if let Some(since) = filter.since {
        query = query.filter(audit::at.ge(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit::at.lt(until));
    }
    if let Some(before) = filter.before {
        query = query.filter(audit::id.lt(before));
    }
    query.load(conn).await
}
