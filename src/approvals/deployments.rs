//! What servers below this one are told: groups, approvals since a moment, declines, license terms.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Side;
use super::groups::{self, Branch};
use super::state::Approval;
use crate::db::schema::{
    accepted_licenses, approvals, declined_updates, publications, updates, withdrawn_approvals,
};

/// An approval with its stable name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub approval_id: Uuid,
    pub approval: Approval,
}

/// The state of one side, taken from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployments {
    /// Whose approvals they are.
    pub side: Side,
    /// The highest stamp looked at.
    pub stamp: i64,
    pub groups: Vec<Branch>,
    pub changed: Vec<Deployment>,
    pub withdrawn: Vec<Uuid>,
    pub declined: Vec<Uuid>,
    pub licenses: Vec<Uuid>,
}

/// What a server below knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The side it was told of.
    pub side: Side,
    /// The stamp it was told up to.
    pub stamp: i64,
}

/// Lists what changed between `known` and the stamp `until`; groups, declines and license terms as a whole.
/// When this server has become a replica since, or stopped being one, everything of the other side is withdrawn.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut AsyncPgConnection,
    known: Option<Known>,
    until: i64,
) -> QueryResult<Deployments> {
    conn.build_transaction()
        .read_only()
        .repeatable_read()
        .run(async |conn| {
            let side = Side::now(conn).await?;
            let newest: Option<i64> =
                publications::table.select(diesel::dsl::max(publications::stamp)).first(conn).await?;
            let stamp = until.min(newest.unwrap_or(0));
            let same = known.filter(|known| known.side == side);
            let since = same.map_or(-1, |known| known.stamp);
            let mut withdrawn = withdrawn_since(conn, side, since, stamp).await?;
            if known.is_some() && same.is_none() {
                withdrawn.extend(all_of_the_other(conn, side).await?);
            }
            Ok(Deployments {
                side,
                stamp,
                groups: groups::tree(conn, side).await?,
                changed: changed(conn, side, since, stamp).await?,
                withdrawn: if known.is_some() { withdrawn } else { Vec::new() },
                declined: declined(conn, side).await?,
                licenses: licenses(conn, side).await?,
            })
        })
        .await
}

async fn changed(
    conn: &mut AsyncPgConnection,
    side: Side,
    since: i64,
    until: i64,
) -> QueryResult<Vec<Deployment>> {
    // An approval of what is not here says nothing to a server below: it could not have it either.
    let rows: Vec<(Uuid, Approval)> = approvals::table
        .inner_join(updates::table.on(updates::update_id.eq(approvals::update_id)))
        .filter(approvals::mirrored.eq(side.mirrored()))
        .filter(approvals::stamp.gt(since))
        .filter(approvals::stamp.le(until))
        .order(approvals::stamp)
        .select((approvals::approval_id, Approval::as_select()))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(approval_id, approval)| Deployment { approval_id, approval }).collect())
}

async fn withdrawn_since(
    conn: &mut AsyncPgConnection,
    side: Side,
    since: i64,
    until: i64,
) -> QueryResult<Vec<Uuid>> {
    withdrawn_approvals::table
        .filter(withdrawn_approvals::mirrored.eq(side.mirrored()))
        .filter(withdrawn_approvals::stamp.gt(since))
        .filter(withdrawn_approvals::stamp.le(until))
        .select(withdrawn_approvals::approval_id)
        .load(conn)
        .await
}

async fn all_of_the_other(conn: &mut AsyncPgConnection, side: Side) -> QueryResult<Vec<Uuid>> {
    approvals::table
        .filter(approvals::mirrored.ne(side.mirrored()))
        .select(approvals::approval_id)
        .load(conn)
        .await
}

async fn declined(conn: &mut AsyncPgConnection, side: Side) -> QueryResult<Vec<Uuid>> {
    declined_updates::table
        .filter(declined_updates::mirrored.eq(side.mirrored()))
        .order(declined_updates::update_id)
        .select(declined_updates::update_id)
        .load(conn)
        .await
}

async fn licenses(conn: &mut AsyncPgConnection, side: Side) -> QueryResult<Vec<Uuid>> {
    accepted_licenses::table
        .filter(accepted_licenses::mirrored.eq(side.mirrored()))
        .order(accepted_licenses::license_id)
        .select(accepted_licenses::license_id)
        .load(conn)
        .await
}
