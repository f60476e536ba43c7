//! Changes of approvals by people: who, why, and what was there before, so that the last one can be undone.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::change::{Changed, mark_withdrawn};
use super::{ApprovalError, Side};
use crate::accounts::audit;
use crate::catalog::publish;
use crate::content::chosen;

/// Longest reason, in characters; the rest is cut. Ours.
pub const REASON_CHARS_MAX: usize = 500;
/// Changes of one update that its page names.
pub const LINES_MAX: i64 = 50;

/// What a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Approve,
    Decline,
    Restore,
    /// The rules were run over existing updates.
    Rules,
}

impl Deed {
    const ALL: [Self; 4] = [Self::Approve, Self::Decline, Self::Restore, Self::Rules];

    fn key(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
            Self::Restore => "restore",
            Self::Rules => "rules",
        }
    }

    /// In words, for a list.
    pub fn words(self) -> &'static str {
        match self {
            Self::Approve => "Approval changed",
            Self::Decline => "Declined",
            Self::Restore => "Decline taken back",
            Self::Rules => "Rules run over existing updates",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    pub at: DateTime<Utc>,
    pub actor: String,
    pub deed: Deed,
    /// As given; may be empty.
    pub reason: String,
    /// How many updates it was about.
    pub updates: i64,
    pub undone: bool,
}

/// Writes down what is there now and is about to change. Call it in the transaction of the change, before it.
pub(super) async fn record(
    conn: &mut AsyncPgConnection,
    deed: Deed,
    actor: &str,
    reason: &str,
    updates: &[Uuid],
    stamp: i64,
) -> QueryResult<()> {
    let reason: String = reason.trim().chars().filter(|sign| *sign != '\0').take(REASON_CHARS_MAX).collect();
    diesel::sql_query(
        "INSERT INTO approval_changes (actor, deed, reason, updates, stamp, before)
         SELECT $1, $2, $3, $4, $5, jsonb_build_object(
             'approvals', coalesce((SELECT jsonb_agg(to_jsonb(a) - 'stamp' - 'mirrored' - 'approval_id')
                 FROM approvals a WHERE a.update_id = ANY($4) AND NOT a.mirrored), '[]'),
             'declined', coalesce((SELECT jsonb_agg(to_jsonb(d) - 'mirrored')
                 FROM declined_updates d WHERE d.update_id = ANY($4) AND NOT d.mirrored), '[]'))",
    )
    .bind::<Text, _>(actor)
    .bind::<Text, _>(deed.key())
    .bind::<Text, _>(reason)
    .bind::<Array<SqlUuid>, _>(updates)
    .bind::<BigInt, _>(stamp)
    .execute(conn)
    .await
    .map(drop)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    actor: String,
    #[diesel(sql_type = Text)]
    deed: String,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Bool)]
    undone: bool,
}

impl Row {
    fn past(self) -> Past {
        let Self { at, actor, deed, reason, count: updates, undone, .. } = self;
        let deed = Deed::ALL.into_iter().find(|one| one.key() == deed).unwrap_or(Deed::Approve);
        Past { at, actor, deed, reason, updates, undone }
    }
}

/// Changes of one update, newest first; at most [`LINES_MAX`].
///
/// # Errors
/// The database's.
pub async fn of_update(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Vec<Past>> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT id, at, actor, deed, reason, cardinality(updates)::bigint AS count, undone
         FROM approval_changes WHERE updates @> ARRAY[$1] ORDER BY id DESC LIMIT $2",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<BigInt, _>(LINES_MAX)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(Row::past).collect())
}

/// The last change, when it was not undone already.
///
/// # Errors
/// The database's.
pub async fn last(conn: &mut AsyncPgConnection) -> QueryResult<Option<Past>> {
    Ok(last_row(conn).await?.map(Row::past).filter(|past| !past.undone))
}

async fn last_row(conn: &mut AsyncPgConnection) -> QueryResult<Option<Row>> {
    diesel::sql_query(
        "SELECT id, at, actor, deed, reason, cardinality(updates)::bigint AS count, undone
         FROM approval_changes ORDER BY id DESC LIMIT 1",
    )
    .get_result(conn)
    .await
    .optional()
}

/// Makes the updates of the last change what they were before it. Accepted license terms stay accepted, and a group
/// that was deleted meanwhile stays deleted.
///
/// # Errors
/// [`ApprovalError::Replica`]; [`ApprovalError::NothingToUndo`] when the last change was undone already, or a
/// synchronization has changed one of its updates since; else the database's.
pub async fn undo(conn: &mut AsyncPgConnection, entry: audit::Entry<'_>) -> Result<Changed, ApprovalError> {
    conn.transaction(async |conn| {
        let stamp = publish::stamp(conn).await?;
        if Side::now(conn).await? == Side::Mirrored {
            return Err(ApprovalError::Replica);
        }
        let Some(last) = last_row(conn).await?.filter(|row| !row.undone) else {
            return Err(ApprovalError::NothingToUndo);
        };
        let overtaken = diesel::sql_query(
            "SELECT 1 FROM approval_changes c JOIN updates u ON u.update_id = ANY(c.updates)
             WHERE c.id = $1 AND u.changed_stamp > c.stamp LIMIT 1",
        )
        .bind::<BigInt, _>(last.id)
        .execute(conn)
        .await?;
        if overtaken > 0 {
            return Err(ApprovalError::NothingToUndo);
        }
        let approvals = put_back(conn, last.id, stamp).await?;
        chosen::refresh(conn, None).await?;
        let object = format!("{} of {}", last.deed, last.at.format("%Y-%m-%d %H:%M:%S UTC"));
        let after = json!({ "updates": last.count, "by": last.actor });
        audit::record(
            conn,
            audit::Entry { action: "approval.undo", object: &object, after: Some(after), ..entry },
        )
        .await?;
        Ok(Changed { updates: usize::try_from(last.count).unwrap_or(usize::MAX), approvals })
    })
    .await
}

/// Approvals that were not there go, those that were there come back, and so do declines. Servers below are told by
/// the stamp. The answer is how many approvals changed.
async fn put_back(conn: &mut AsyncPgConnection, id: i64, stamp: i64) -> QueryResult<usize> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let gone: Vec<Gone> = diesel::sql_query(
        "DELETE FROM approvals a USING approval_changes c
         WHERE c.id = $1 AND a.update_id = ANY(c.updates) AND NOT a.mirrored AND NOT EXISTS (
             SELECT FROM jsonb_to_recordset(c.before->'approvals') AS b (update_id uuid, group_id uuid)
             WHERE b.update_id = a.update_id AND b.group_id = a.group_id)
         RETURNING a.approval_id AS id",
    )
    .bind::<BigInt, _>(id)
    .load(conn)
    .await?;
    let gone: Vec<Uuid> = gone.into_iter().map(|row| row.id).collect();
    mark_withdrawn(conn, &gone, stamp, Side::Own).await?;
    let back = diesel::sql_query(
        "INSERT INTO approvals AS a (update_id, revision_number, group_id, action, deadline, approved_by, approved_at,
             stamp)
         SELECT b.update_id, b.revision_number, b.group_id, b.action, b.deadline, b.approved_by, b.approved_at, $2
         FROM approval_changes c
         CROSS JOIN jsonb_to_recordset(c.before->'approvals') AS b (update_id uuid, revision_number integer,
             group_id uuid, action smallint, deadline timestamptz, approved_by text, approved_at timestamptz)
         JOIN target_groups g ON g.group_id = b.group_id
         WHERE c.id = $1
         ON CONFLICT (update_id, group_id, mirrored) DO UPDATE SET
             revision_number = excluded.revision_number, action = excluded.action, deadline = excluded.deadline,
             approved_by = excluded.approved_by, approved_at = excluded.approved_at, stamp = excluded.stamp
         WHERE (a.revision_number, a.action, a.deadline)
             IS DISTINCT FROM (excluded.revision_number, excluded.action, excluded.deadline)",
    )
    .bind::<BigInt, _>(id)
    .bind::<BigInt, _>(stamp)
    .execute(conn)
    .await?;
    for declines in [
        "DELETE FROM declined_updates d USING approval_changes c
         WHERE c.id = $1 AND d.update_id = ANY(c.updates) AND NOT d.mirrored AND NOT EXISTS (
             SELECT FROM jsonb_to_recordset(c.before->'declined') AS b (update_id uuid)
             WHERE b.update_id = d.update_id)",
        "INSERT INTO declined_updates (update_id, declined_by, declined_at)
         SELECT b.update_id, b.declined_by, b.declined_at FROM approval_changes c
         CROSS JOIN jsonb_to_recordset(c.before->'declined')
             AS b (update_id uuid, declined_by text, declined_at timestamptz)
         WHERE c.id = $1 ON CONFLICT DO NOTHING",
        "UPDATE approval_changes SET undone = true WHERE id = $1",
    ] {
        diesel::sql_query(declines).bind::<BigInt, _>(id).execute(conn).await?;
    }
    Ok(gone.len() + back)
}
