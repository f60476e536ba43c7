//! Approving and declining: each change is one transaction with its audit entry.

use chrono::{DateTime, Datelike, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::history::{self, Deed};
use super::state::{self, Candidate};
use super::{ALL_COMPUTERS, Action, ApprovalError, Side, groups};
use crate::accounts::audit;
use crate::catalog::publish;
use crate::content::chosen;
use crate::db::schema::{accepted_licenses, approvals, declined_updates};

/// Updates one change may name.
pub const UPDATES_MAX: usize = 1_000;
/// Years in which a deadline may be. Ours; servers below cannot read one far outside of them, and then take no
/// approval at all.
const DEADLINE_YEARS: std::ops::RangeInclusive<i32> = 1970..=2999;

/// What one group gets. `None`: no approval of its own, so that its parent's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupChoice {
    pub group_id: Uuid,
    pub action: Option<Action>,
}

/// What somebody wants for some updates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub updates: Vec<Uuid>,
    /// Only these groups change.
    pub groups: Vec<GroupChoice>,
    /// For Install and Remove.
    pub deadline: Option<DateTime<Utc>>,
    /// The license terms of the updates were read and accepted.
    pub accept_licenses: bool,
    /// Why, for the history; may be empty.
    pub reason: String,
}

/// What was changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    pub updates: usize,
    /// Approvals set or withdrawn.
    pub approvals: usize,
}

/// Checks a change without doing it: the candidates it concerns.
///
/// # Errors
/// The first [`ApprovalError`] that stands in its way.
pub async fn check(conn: &mut AsyncPgConnection, change: &Change) -> Result<Vec<Candidate>, ApprovalError> {
    if Side::now(conn).await? == Side::Mirrored {
        return Err(ApprovalError::Replica);
    }
    if change.updates.is_empty() || change.updates.len() > UPDATES_MAX {
        return Err(ApprovalError::UnknownUpdate);
    }
    let tree = groups::tree(conn, Side::Own).await?;
    let known = |id| tree.iter().any(|branch| branch.group.group_id == id);
    if !change.groups.iter().all(|choice| known(choice.group_id)) {
        return Err(ApprovalError::UnknownGroup);
    }
    let candidates = state::candidates(conn, Side::Own, &change.updates).await?;
    if candidates.len() != change.updates.len() {
        return Err(ApprovalError::UnknownUpdate);
    }
    for candidate in &candidates {
        allowed(candidate, change)?;
    }
    Ok(candidates)
}

/// The rules for one update.
fn allowed(candidate: &Candidate, change: &Change) -> Result<(), ApprovalError> {
    let wants = |action| change.groups.iter().any(|choice| choice.action == Some(action));
    let title = || candidate.title.clone();
    let acts = wants(Action::Install) || wants(Action::Remove);
    if change.deadline.is_some() && !acts {
        return Err(ApprovalError::DeadlineWithout);
    }
    if change.deadline.is_some_and(|moment| !DEADLINE_YEARS.contains(&moment.year())) {
        return Err(ApprovalError::DeadlineYear);
    }
    if candidate.expired && (acts || wants(Action::Detect)) {
        return Err(ApprovalError::Expired { title: title() });
    }
    if wants(Action::Remove) && !candidate.removable {
        return Err(ApprovalError::NotRemovable { title: title() });
    }
    if change.deadline.is_some() && candidate.asks_user {
        return Err(ApprovalError::AsksUser { title: title() });
    }
    if wants(Action::Install) && candidate.license.is_some() && !change.accept_licenses {
        return Err(ApprovalError::License { title: title() });
    }
    Ok(())
}

/// Approves: sets or clears what each named group gets. A declined update that is approved is
/// declined no longer. Approving for nothing but what is there already changes nothing.
///
/// # Errors
/// As [`check`].
pub async fn approve(
    conn: &mut AsyncPgConnection,
    change: &Change,
    entry: audit::Entry<'_>,
) -> Result<Changed, ApprovalError> {
    conn.transaction(async |conn| {
        // The stamp comes first: its lock keeps a run from publishing a revision in between.
        let stamp = publish::stamp(conn).await?;
        let candidates = check(conn, change).await?;
        let before = state::of(conn, Side::Own, &change.updates).await?;
        history::record(conn, Deed::Approve, entry.actor, &change.reason, &change.updates, stamp).await?;
        if change.accept_licenses {
            accept(conn, &candidates, entry.actor).await?;
        }
        let mut changed = Changed::default();
        for choice in &change.groups {
            changed.approvals += match choice.action {
                // At the root there is no parent to take it from.
                Some(Action::NotApproved) if choice.group_id == ALL_COMPUTERS => {
                    withdraw(conn, &change.updates, Some(choice.group_id), stamp).await?
                }
                Some(action) => set(conn, change, choice.group_id, action, entry.actor, stamp).await?,
                None => withdraw(conn, &change.updates, Some(choice.group_id), stamp).await?,
            };
        }
        if change.groups.iter().any(|choice| !matches!(choice.action, None | Some(Action::NotApproved))) {
            changed.approvals += undecline(conn, &change.updates).await?;
        }
        changed.updates = candidates.len();
        chosen::refresh(conn, None).await?;
        let shown = |approval: &state::Approval| {
            json!({ "update": approval.update_id, "group": approval.group_id, "action": approval.action().key() })
        };
        let wanted: Vec<_> = change
            .groups
            .iter()
            .map(|choice| json!({ "group": choice.group_id, "action": choice.action.map_or("inherit", Action::key) }))
            .collect();
        let entry = audit::Entry {
            action: "approval.change",
            object: &object(&candidates),
            before: Some(json!({ "approvals": before.iter().map(shown).collect::<Vec<_>>() })),
            after: Some(json!({ "updates": change.updates, "groups": wanted, "deadline": change.deadline,
                "reason": change.reason })),
            ..entry
        };
        audit::record(conn, entry).await?;
        Ok(changed)
    })
    .await
}

/// Declines: withdraws every approval and hides the updates from computers and lists.
///
/// # Errors
/// [`ApprovalError::Replica`], [`ApprovalError::UnknownUpdate`], or the database's.
pub async fn decline(
    conn: &mut AsyncPgConnection,
    updates: &[Uuid],
    reason: &str,
    entry: audit::Entry<'_>,
) -> Result<Changed, ApprovalError> {
    conn.transaction(async |conn| {
        let stamp = publish::stamp(conn).await?;
        let change = Change { updates: updates.to_vec(), ..Change::default() };
        let candidates = check(conn, &change).await?;
        history::record(conn, Deed::Decline, entry.actor, reason, updates, stamp).await?;
        let approvals = withdraw(conn, updates, None, stamp).await?;
        mark_declined(conn, updates, entry.actor).await?;
        let entry = audit::Entry {
            action: "approval.decline",
            object: &object(&candidates),
            after: Some(json!({ "updates": updates, "approvals withdrawn": approvals, "reason": reason })),
            ..entry
        };
        audit::record(conn, entry).await?;
        Ok(Changed { updates: candidates.len(), approvals })
    })
    .await
}

/// Takes a decline back; the updates are not approved then.
///
/// # Errors
/// As [`decline`].
pub async fn restore(
    conn: &mut AsyncPgConnection,
    updates: &[Uuid],
    entry: audit::Entry<'_>,
) -> Result<Changed, ApprovalError> {
    conn.transaction(async |conn| {
        let stamp = publish::stamp(conn).await?;
        let change = Change { updates: updates.to_vec(), ..Change::default() };
        let candidates = check(conn, &change).await?;
        history::record(conn, Deed::Restore, entry.actor, "", updates, stamp).await?;
        let count = undecline(conn, updates).await?;
        let entry = audit::Entry {
            action: "approval.restore",
            object: &object(&candidates),
            after: Some(json!({ "updates": updates })),
            ..entry
        };
        audit::record(conn, entry).await?;
        Ok(Changed { updates: count, approvals: 0 })
    })
    .await
}

/// One title, or how many.
fn object(candidates: &[Candidate]) -> String {
    match candidates {
        [one] => one.title.clone(),
        many => format!("{} updates", many.len()),
    }
}

/// Sets one action for one group. An approval that stays the same keeps its stamp.
async fn set(
    conn: &mut AsyncPgConnection,
    change: &Change,
    group: Uuid,
    action: Action,
    actor: &str,
    stamp: i64,
) -> QueryResult<usize> {
    let deadline = change.deadline.filter(|_| matches!(action, Action::Install | Action::Remove));
    diesel::sql_query(
        "INSERT INTO approvals AS a (update_id, revision_number, group_id, action, deadline, approved_by, stamp)
         SELECT u.update_id, u.revision_number, $2, $3, $4, $5, $6
         FROM updates u WHERE u.update_id = ANY($1)
         ON CONFLICT (update_id, group_id, mirrored) DO UPDATE SET
             revision_number = excluded.revision_number, action = excluded.action, deadline = excluded.deadline,
             approved_by = excluded.approved_by, approved_at = now(), stamp = excluded.stamp
         WHERE (a.revision_number, a.action, a.deadline)
             IS DISTINCT FROM (excluded.revision_number, excluded.action, excluded.deadline)",
    )
    .bind::<Array<SqlUuid>, _>(&change.updates)
    .bind::<SqlUuid, _>(group)
    .bind::<SmallInt, _>(action.code())
    .bind::<Nullable<Timestamptz>, _>(deadline)
    .bind::<Text, _>(actor)
    .bind::<BigInt, _>(stamp)
    .execute(conn)
    .await
}

/// Withdraws the approvals of one group, or of all.
async fn withdraw(
    conn: &mut AsyncPgConnection,
    updates: &[Uuid],
    group: Option<Uuid>,
    stamp: i64,
) -> QueryResult<usize> {
    let mut wanted = approvals::table
        .filter(approvals::update_id.eq_any(updates))
        .filter(approvals::mirrored.eq(false))
        .select(approvals::approval_id)
        .into_boxed();
    if let Some(group) = group {
        wanted = wanted.filter(approvals::group_id.eq(group));
    }
    let ids: Vec<Uuid> = wanted.load(conn).await?;
    diesel::delete(approvals::table.filter(approvals::approval_id.eq_any(&ids))).execute(conn).await?;
    mark_withdrawn(conn, &ids, stamp, Side::Own).await?;
    Ok(ids.len())
}

/// Remembers approvals that are gone, for servers below that know them.
pub(super) async fn mark_withdrawn(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    stamp: i64,
    side: Side,
) -> QueryResult<()> {
    diesel::sql_query(
        "INSERT INTO withdrawn_approvals (approval_id, stamp, mirrored) SELECT unnest($1), $2, $3
         ON CONFLICT (approval_id) DO UPDATE SET stamp = excluded.stamp",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<BigInt, _>(stamp)
    .bind::<Bool, _>(side.mirrored())
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn mark_declined(
    conn: &mut AsyncPgConnection,
    updates: &[Uuid],
    actor: &str,
) -> QueryResult<()> {
    let rows: Vec<_> = updates
        .iter()
        .map(|id| (declined_updates::update_id.eq(*id), declined_updates::declined_by.eq(actor)))
        .collect();
    diesel::insert_into(declined_updates::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

async fn undecline(conn: &mut AsyncPgConnection, updates: &[Uuid]) -> QueryResult<usize> {
    let wanted = declined_updates::table
        .filter(declined_updates::update_id.eq_any(updates))
        .filter(declined_updates::mirrored.eq(false));
    diesel::delete(wanted).execute(conn).await
}

async fn accept(conn: &mut AsyncPgConnection, candidates: &[Candidate], actor: &str) -> QueryResult<()> {
    let rows: Vec<_> = candidates
        .iter()
        .filter_map(|candidate| candidate.license)
        .map(|id| (accepted_licenses::license_id.eq(id), accepted_licenses::accepted_by.eq(actor)))
        .collect();
    diesel::insert_into(accepted_licenses::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate() -> Candidate {
        Candidate {
            update_id: Uuid::nil(),
            revision_number: 1,
            title: "An update".to_owned(),
            expired: false,
            removable: false,
            asks_user: false,
            license: None,
        }
    }

    fn wanting(action: Action) -> Change {
        let choice = GroupChoice { group_id: ALL_COMPUTERS, action: Some(action) };
        Change { groups: vec![choice], ..Change::default() }
    }

    #[test]
    fn s168_only_what_can_be_removed_is_removed() {
        let change = wanting(Action::Remove);
        assert!(matches!(allowed(&candidate(), &change), Err(ApprovalError::NotRemovable { .. })));
        assert!(allowed(&Candidate { removable: true, ..candidate() }, &change).is_ok());
    }

    #[test]
    fn s167_what_asks_the_user_takes_no_deadline() {
        let change = Change { deadline: Some(Utc::now()), ..wanting(Action::Install) };
        assert!(allowed(&candidate(), &change).is_ok());
        let asking = Candidate { asks_user: true, ..candidate() };
        assert!(matches!(allowed(&asking, &change), Err(ApprovalError::AsksUser { .. })));
        let detect = Change { deadline: Some(Utc::now()), ..wanting(Action::Detect) };
        assert!(matches!(allowed(&candidate(), &detect), Err(ApprovalError::DeadlineWithout)));
    }

    #[test]
    fn a_deadline_that_servers_below_cannot_read_is_not_stored() {
        for text in ["1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"] {
            let change = Change { deadline: Some(text.parse().unwrap()), ..wanting(Action::Install) };
            let refused = allowed(&candidate(), &change);
            assert!(matches!(refused, Err(ApprovalError::DeadlineYear)), "{text}: {refused:?}");
        }
        let far = Change { deadline: Some(DateTime::<Utc>::MAX_UTC), ..wanting(Action::Install) };
        assert!(matches!(allowed(&candidate(), &far), Err(ApprovalError::DeadlineYear)));
        for text in ["1970-01-01T00:00:00Z", "2999-12-31T23:59:59Z"] {
            let moment = text.parse().unwrap();
            let change = Change { deadline: Some(moment), ..wanting(Action::Install) };
            assert!(allowed(&candidate(), &change).is_ok(), "{text}");
            assert!(crate::protocol::server_sync::is_deadline(&moment), "{text}");
        }
    }

    #[test]
    fn s144_expired_updates_are_declined_only() {
        let expired = Candidate { expired: true, ..candidate() };
        for action in [Action::Install, Action::Detect] {
            assert!(matches!(allowed(&expired, &wanting(action)), Err(ApprovalError::Expired { .. })));
        }
        assert!(allowed(&expired, &wanting(Action::NotApproved)).is_ok());
    }

    #[test]
    fn license_terms_are_accepted_before_an_installation() {
        let licensed = Candidate { license: Some(Uuid::nil()), ..candidate() };
        assert!(matches!(allowed(&licensed, &wanting(Action::Install)), Err(ApprovalError::License { .. })));
        assert!(allowed(&licensed, &wanting(Action::Detect)).is_ok());
        let accepted = Change { accept_licenses: true, ..wanting(Action::Install) };
        assert!(allowed(&licensed, &accepted).is_ok());
    }
}
