//! What the pages tell about the queue and the processes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::instance::IS_ALIVE;
use super::{JobState, QueueError};

/// One job as people see it.
#[derive(Debug, Clone, QueryableByName)]
pub struct JobRow {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Jsonb)]
    pub args: serde_json::Value,
    #[diesel(sql_type = Text, column_name = state)]
    state_word: String,
    /// Not begun before.
    #[diesel(sql_type = Timestamptz)]
    pub run_after: DateTime<Utc>,
    /// How often it was begun.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Text)]
    pub last_error: String,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub started_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub finished_at: Option<DateTime<Utc>>,
    /// Asked to end and not ended yet.
    #[diesel(sql_type = Bool)]
    pub cancel_requested: bool,
    /// Name of the process that works on it.
    #[diesel(sql_type = Nullable<Text>)]
    pub owner_name: Option<String>,
}

impl JobRow {
    /// Where the job is in its life. An unknown word counts as failed.
    #[must_use]
    pub fn state(&self) -> JobState {
        JobState::from_word(&self.state_word).unwrap_or(JobState::Failed)
    }
}

const COLUMNS: &str = "SELECT j.id, j.kind, j.args, j.state, j.run_after, j.attempts, j.last_error,
    j.created_at, j.started_at, j.finished_at, j.cancel_requested, i.name AS owner_name
    FROM jobs j LEFT JOIN instances i ON i.id = j.owner";

/// Jobs in these states, the latest first; at most `limit`.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn list_jobs(
    conn: &mut AsyncPgConnection,
    states: &[JobState],
    limit: i64,
) -> Result<Vec<JobRow>, QueueError> {
    let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let query = format!(
        "{COLUMNS} WHERE j.state = ANY($1) ORDER BY coalesce(j.finished_at, j.created_at) DESC, j.id DESC LIMIT $2"
    );
    let rows = diesel::sql_query(query)
        .bind::<diesel::sql_types::Array<Text>, _>(words)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    Ok(rows)
}

/// One job.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn find_job(conn: &mut AsyncPgConnection, job_id: i64) -> Result<Option<JobRow>, QueueError> {
    let query = diesel::sql_query(format!("{COLUMNS} WHERE j.id = $1"));
    Ok(query.bind::<BigInt, _>(job_id).get_result(conn).await.optional()?)
}

/// One process as people see it.
#[derive(Debug, Clone, QueryableByName)]
pub struct InstanceRow {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    pub id: uuid::Uuid,
    /// Name of its machine.
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub version: String,
    /// `console`, `services`, `worker`, joined by commas.
    #[diesel(sql_type = Text)]
    pub roles: String,
    #[diesel(sql_type = Timestamptz)]
    pub started_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub heartbeat_at: DateTime<Utc>,
    /// It holds its lock at this moment.
    #[diesel(sql_type = Bool)]
    pub alive: bool,
}

/// Processes of the last day, those alive first; at most 100.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn list_instances(conn: &mut AsyncPgConnection) -> Result<Vec<InstanceRow>, QueueError> {
    let query = format!(
        "SELECT i.id, i.name, i.version, i.roles, i.started_at, i.heartbeat_at, {IS_ALIVE} AS alive
         FROM instances i ORDER BY alive DESC, i.name, i.started_at LIMIT 100"
    );
    Ok(diesel::sql_query(query).load(conn).await?)
}
