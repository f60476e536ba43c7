//! A replica takes over groups, approvals, declines and license terms of its upstream server.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::groups::NAME_CHARS_MAX;
use super::{ALL_COMPUTERS, ApprovalError, Side, UNASSIGNED_COMPUTERS, change};
use crate::catalog::publish;
use crate::db::schema::approvals;
use crate::protocol::server_sync::{GetDeploymentsReply, SyncDeployment, SyncTargetGroup};

/// What an answer changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mirrored {
    pub groups: usize,
    /// Approvals that are new or different.
    pub approvals: usize,
    pub withdrawn: usize,
    pub declined: usize,
}

/// Makes this server's mirrored side equal to an answer. `first`: the question named no anchor, so the answer
/// holds every approval there is. Call it in the transaction that stores the new anchor. An approval of an update
/// or a group that is not here yet is kept; it counts once that arrives.
///
/// # Errors
/// [`ApprovalError::Upstream`] for an answer without the built-in groups: taking it at its word would delete
/// everything. Else the database's.
pub async fn apply(
    conn: &mut AsyncPgConnection,
    answer: &GetDeploymentsReply,
    first: bool,
) -> Result<Mirrored, ApprovalError> {
    let named = |id| answer.groups.iter().any(|group| group.group_id == id);
    if !named(ALL_COMPUTERS) || !named(UNASSIGNED_COMPUTERS) {
        return Err(ApprovalError::Upstream { reason: "the list of groups lacks All Computers" });
    }
    let stamp = publish::stamp(conn).await?;
    let groups = replace_groups(conn, &answer.groups).await?;
    let mut gone = answer.dead_deployments.clone();
    if first {
        gone.extend(absent(conn, &answer.deployments).await?);
    }
    gone.extend(without_group(conn, &answer.groups).await?);
    let withdrawn = withdraw(conn, &gone, stamp).await?;
    let approvals = store(conn, answer, stamp).await?;
    let declined = replace_declined(conn, &answer.hidden_updates).await?;
    replace_licenses(conn, &answer.accepted_licenses).await?;
    Ok(Mirrored { groups, approvals, withdrawn, declined })
}

/// The built-in groups exist already, and their names are ours.
async fn replace_groups(conn: &mut AsyncPgConnection, groups: &[SyncTargetGroup]) -> QueryResult<usize> {
    let own: Vec<&SyncTargetGroup> = groups
        .iter()
        .filter(|group| ![ALL_COMPUTERS, UNASSIGNED_COMPUTERS].contains(&group.group_id))
        .collect();
    let ids: Vec<Uuid> = own.iter().map(|group| group.group_id).collect();
    diesel::sql_query("DELETE FROM target_groups WHERE mirrored AND NOT builtin AND group_id <> ALL($1)")
        .bind::<Array<SqlUuid>, _>(&ids)
        .execute(conn)
        .await?;
    let parents: Vec<Uuid> = own.iter().map(|group| group.parent_id).collect();
    let names: Vec<String> = own.iter().map(|group| name(group)).collect();
    // A name may wander from one group to another in one answer, so each gets a passing one first.
    diesel::sql_query("UPDATE target_groups SET name = group_id::text WHERE mirrored AND NOT builtin")
        .execute(conn)
        .await?;
    diesel::sql_query(
        "INSERT INTO target_groups (group_id, parent_id, name, mirrored)
         SELECT DISTINCT ON (lower(name)) id, parent, name, true
         FROM unnest($1, $2, $3) AS g (id, parent, name) ORDER BY lower(name), id
         ON CONFLICT (group_id) DO UPDATE SET parent_id = excluded.parent_id, name = excluded.name
         WHERE target_groups.mirrored",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<Array<SqlUuid>, _>(&parents)
    .bind::<Array<Text>, _>(&names)
    .execute(conn)
    .await
}

/// A usable name for whatever an upstream server calls its group.
fn name(group: &SyncTargetGroup) -> String {
    let name: String = group.name.chars().filter(|sign| !sign.is_control()).take(NAME_CHARS_MAX).collect();
    if name.trim().is_empty() { group.group_id.to_string() } else { name.trim().to_owned() }
}

/// Mirrored approvals that a whole answer does not name.
async fn absent(conn: &mut AsyncPgConnection, named: &[SyncDeployment]) -> QueryResult<Vec<Uuid>> {
    let named: Vec<Uuid> = named.iter().map(|deployment| deployment.deployment_id).collect();
    approvals::table
        .filter(approvals::mirrored)
        .filter(approvals::approval_id.ne_all(named))
        .select(approvals::approval_id)
        .load(conn)
        .await
}

/// Mirrored approvals of groups the upstream server does not have any more.
async fn without_group(conn: &mut AsyncPgConnection, groups: &[SyncTargetGroup]) -> QueryResult<Vec<Uuid>> {
    let groups: Vec<Uuid> = groups.iter().map(|group| group.group_id).collect();
    approvals::table
        .filter(approvals::mirrored)
        .filter(approvals::group_id.ne_all(groups))
        .select(approvals::approval_id)
        .load(conn)
        .await
}

async fn withdraw(conn: &mut AsyncPgConnection, ids: &[Uuid], stamp: i64) -> QueryResult<usize> {
    let gone: Vec<Uuid> = diesel::delete(
        approvals::table.filter(approvals::approval_id.eq_any(ids)).filter(approvals::mirrored),
    )
    .returning(approvals::approval_id)
    .get_results(conn)
    .await?;
    change::mark_withdrawn(conn, &gone, stamp, Side::Mirrored).await?;
    Ok(gone.len())
}

/// The last entry for an update and a group counts. An approval keeps the name its server gave it, so that a
/// chain of replicas speaks of the same one.
async fn store(conn: &mut AsyncPgConnection, answer: &GetDeploymentsReply, stamp: i64) -> QueryResult<usize> {
    let list: Vec<&SyncDeployment> =
        answer.deployments.iter().filter(|one| (0..=3).contains(&one.action)).collect();
    let column = |pick: fn(&SyncDeployment) -> Uuid| list.iter().map(|one| pick(one)).collect::<Vec<_>>();
    let revisions: Vec<i32> = list.iter().map(|one| one.key.revision).collect();
    let actions: Vec<i16> = list.iter().filter_map(|one| i16::try_from(one.action).ok()).collect();
    let deadlines: Vec<Option<DateTime<Utc>>> = list.iter().map(|one| one.deadline).collect();
    let names: Vec<String> = list
        .iter()
        .map(|one| one.admin_name.clone().unwrap_or_else(|| "upstream server".to_owned()).replace('\0', ""))
        .collect();
    let moments: Vec<DateTime<Utc>> = list.iter().map(|one| one.go_live).collect();
    // An approval that got another name upstream would stand in the way of its successor.
    diesel::sql_query(
        "DELETE FROM approvals a USING unnest($1, $2, $3) AS n (id, update_id, group_id)
         WHERE a.mirrored AND a.update_id = n.update_id AND a.group_id = n.group_id AND a.approval_id <> n.id",
    )
    .bind::<Array<SqlUuid>, _>(column(|one| one.deployment_id))
    .bind::<Array<SqlUuid>, _>(column(|one| one.key.update_id))
    .bind::<Array<SqlUuid>, _>(column(|one| one.group_id))
    .execute(conn)
    .await?;
    diesel::sql_query(
        "INSERT INTO approvals AS a (approval_id, update_id, revision_number, group_id, action, deadline,
             approved_by, approved_at, stamp, mirrored)
         SELECT DISTINCT ON (update_id, group_id) id, update_id, revision, group_id, action, deadline, by, at, $9, true
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) WITH ORDINALITY
             AS n (id, update_id, revision, group_id, action, deadline, by, at, place)
         ORDER BY update_id, group_id, place DESC
         ON CONFLICT (approval_id) DO UPDATE SET
             update_id = excluded.update_id, revision_number = excluded.revision_number,
             group_id = excluded.group_id, action = excluded.action, deadline = excluded.deadline,
             approved_by = excluded.approved_by, approved_at = excluded.approved_at, stamp = excluded.stamp
         WHERE a.mirrored AND (a.update_id, a.revision_number, a.group_id, a.action, a.deadline)
             IS DISTINCT FROM (excluded.update_id, excluded.revision_number, excluded.group_id, excluded.action,
                               excluded.deadline)",
    )
    .bind::<Array<SqlUuid>, _>(column(|one| one.deployment_id))
    .bind::<Array<SqlUuid>, _>(column(|one| one.key.update_id))
    .bind::<Array<Integer>, _>(revisions)
    .bind::<Array<SqlUuid>, _>(column(|one| one.group_id))
    .bind::<Array<SmallInt>, _>(actions)
    .bind::<Array<Nullable<Timestamptz>>, _>(deadlines)
    .bind::<Array<Text>, _>(names)
    .bind::<Array<Timestamptz>, _>(moments)
    .bind::<BigInt, _>(stamp)
    .execute(conn)
    .await
}

async fn replace_declined(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> QueryResult<usize> {
    replace(conn, "declined_updates", "update_id", "declined_by", ids).await
}

async fn replace_licenses(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> QueryResult<usize> {
    replace(conn, "accepted_licenses", "license_id", "accepted_by", ids).await
}

/// Makes the mirrored rows of a list equal to `ids`; table and columns are our own words.
async fn replace(
    conn: &mut AsyncPgConnection,
    table: &str,
    column: &str,
    by: &str,
    ids: &[Uuid],
) -> QueryResult<usize> {
    let gone = diesel::sql_query(format!("DELETE FROM {table} WHERE mirrored = $2 AND {column} <> ALL($1)"))
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Bool, _>(true)
        .execute(conn)
        .await?;
    let came = diesel::sql_query(format!(
        "INSERT INTO {table} ({column}, mirrored, {by}) SELECT id, $2, 'upstream server' FROM unnest($1) AS id
         ON CONFLICT DO NOTHING"
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Bool, _>(true)
    .execute(conn)
    .await?;
    Ok(gone + came)
}
