//! Approvals a synchronization makes by itself, in the transaction that publishes what it brought.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, SmallInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::rules::{self, Rule};
use super::{Action, ApprovalError, Side, change};
use crate::catalog::publish::{self, PublicationId};
use crate::db::schema::publications;

/// Who approves, in lists and in the audit log.
pub const ACTOR: &str = "automatic approval";

/// What the rules did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Approvals for detection.
    pub detect: usize,
    /// Approvals for installation.
    pub install: usize,
    /// Approvals moved to a newer revision.
    pub moved: usize,
    /// Updates declined because they expired.
    pub declined: usize,
}

/// Applies the rules to what `publication` has just made visible. Call it in the publishing transaction, after
/// `publish::publish`: rules see new updates only, and revisions keep the approvals of the one before.
/// A replica has no rules of its own.
///
/// # Errors
/// The database's.
pub async fn apply(
    conn: &mut AsyncPgConnection,
    publication: PublicationId,
) -> Result<Applied, ApprovalError> {
    if Side::now(conn).await? == Side::Mirrored {
        return Ok(Applied::default());
    }
    let rules = rules::load(conn).await?;
    // As a value: the planner knows how many have this very stamp, and of an unknown one it expects many.
    let visible: Option<i64> =
        publications::table.find(publication.0).select(publications::stamp).first(conn).await?;
    let Some(visible) = visible else { return Ok(Applied::default()) };
    let stamp = publish::stamp(conn).await?;
    let mut applied = Applied::default();
    if rules.latest_revision {
        applied.moved = move_approvals(conn, visible, stamp).await?;
        applied.declined = decline_expired(conn, visible, stamp).await?;
    }
    // Installation first: where both fit, it wins.
    applied.install = approve_new(conn, visible, &rules.install, Action::Install, stamp).await?;
    applied.detect = approve_new(conn, visible, &rules.detect, Action::Detect, stamp).await?;
    Ok(applied)
}

/// Updates that became visible at $1 and were never here before: `arrived_at` is the moment of this very
/// transaction. License terms hold back an installation.
async fn approve_new(
    conn: &mut AsyncPgConnection,
    visible: i64,
    rule: &Rule,
    action: Action,
    stamp: i64,
) -> QueryResult<usize> {
    if !rule.on {
        return Ok(0);
    }
    diesel::sql_query(
        "INSERT INTO approvals (update_id, revision_number, group_id, action, approved_by, stamp)
         SELECT u.update_id, u.revision_number, g.group_id, $4, 'automatic approval', $5
         FROM updates u
         JOIN revisions r ON r.id = u.revision_row
         CROSS JOIN target_groups g
         WHERE u.changed_stamp = $1
           AND u.arrived_at = now() AND u.approvable AND NOT u.expired
           AND g.group_id = ANY($3) AND NOT g.mirrored
           AND EXISTS (SELECT FROM update_categories m JOIN updates c ON c.update_row = m.category_row
                       WHERE m.update_row = u.update_row AND c.update_id = ANY($2))
           AND (NOT $6 OR r.details->>'eula' IS NULL OR EXISTS (
                SELECT FROM accepted_licenses l
                WHERE l.license_id::text = r.details->>'eula' AND NOT l.mirrored))
           AND NOT EXISTS (SELECT FROM declined_updates d WHERE d.update_id = u.update_id AND NOT d.mirrored)
         ON CONFLICT (update_id, group_id, mirrored) DO NOTHING",
    )
    .bind::<BigInt, _>(visible)
    .bind::<Array<SqlUuid>, _>(&rule.classifications)
    .bind::<Array<SqlUuid>, _>(&rule.groups)
    .bind::<SmallInt, _>(action.code())
    .bind::<BigInt, _>(stamp)
    .bind::<Bool, _>(action == Action::Install)
    .execute(conn)
    .await
}

async fn move_approvals(conn: &mut AsyncPgConnection, visible: i64, stamp: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE approvals a SET revision_number = u.revision_number, stamp = $2
         FROM updates u
         WHERE u.changed_stamp = $1
           AND a.update_id = u.update_id AND NOT a.mirrored AND NOT u.expired
           AND a.revision_number < u.revision_number",
    )
    .bind::<BigInt, _>(visible)
    .bind::<BigInt, _>(stamp)
    .execute(conn)
    .await
}

/// An update whose new revision is expired loses its approvals and is declined.
async fn decline_expired(conn: &mut AsyncPgConnection, visible: i64, stamp: i64) -> QueryResult<usize> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let expired: Vec<Gone> = diesel::sql_query(
        "SELECT u.update_id AS id FROM updates u
         WHERE u.changed_stamp = $1
           AND u.arrived_at < now() AND u.approvable AND u.expired
           AND NOT EXISTS (SELECT FROM declined_updates d WHERE d.update_id = u.update_id AND NOT d.mirrored)",
    )
    .bind::<BigInt, _>(visible)
    .load(conn)
    .await?;
    let ids: Vec<Uuid> = expired.into_iter().map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let withdrawn: Vec<Gone> = diesel::sql_query(
        "DELETE FROM approvals WHERE update_id = ANY($1) AND NOT mirrored RETURNING approval_id AS id",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .load(conn)
    .await?;
    let withdrawn: Vec<Uuid> = withdrawn.into_iter().map(|row| row.id).collect();
    change::mark_withdrawn(conn, &withdrawn, stamp, Side::Own).await?;
    change::mark_declined(conn, &ids, ACTOR).await?;
    Ok(ids.len())
}
