//! Reads approvals for pages: what counts for an update, in all and by group.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Action, Side};
use crate::db::schema::{accepted_licenses, approvals, declined_updates, revisions, updates};

/// An approval of one group.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = approvals)]
pub struct Approval {
    pub update_id: Uuid,
    pub revision_number: i32,
    pub group_id: Uuid,
    #[diesel(column_name = action)]
    code: i16,
    /// By when it must be installed or removed; `None`: no deadline.
    pub deadline: Option<DateTime<Utc>>,
    pub approved_by: String,
    pub approved_at: DateTime<Utc>,
}

impl Approval {
    /// What is to be done.
    pub fn action(&self) -> Action {
        Action::of(self.code).unwrap_or(Action::NotApproved)
    }
}

/// What counts for one update in all its groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hidden from every computer.
    pub declined: bool,
    /// The strongest action of any group: install, then remove, then detect.
    pub action: Option<Action>,
    /// Groups with an approval of their own of that action.
    pub groups: usize,
}

impl Summary {
    /// In words, for a list.
    pub fn words(self) -> String {
        match (self.declined, self.action) {
            (true, _) => "Declined".to_owned(),
            (false, None | Some(Action::NotApproved)) => Action::NotApproved.label().to_owned(),
            (false, Some(action)) if self.groups > 1 => {
                format!("{} ({} groups)", action.label(), self.groups)
            }
            (false, Some(action)) => action.label().to_owned(),
        }
    }

    fn add(&mut self, action: Action) {
        let strength = |action: Action| action.code();
        match self.action {
            Some(held) if strength(held) < strength(action) => {}
            Some(held) if held == action => self.groups += 1,
            _ => (self.action, self.groups) = (Some(action), 1),
        }
    }
}

/// The summaries of some updates; one without any row is missing, which means "not approved".
///
/// # Errors
/// The database's.
pub async fn summaries(
    conn: &mut AsyncPgConnection,
    side: Side,
    ids: &[Uuid],
) -> QueryResult<HashMap<Uuid, Summary>> {
    let mut found: HashMap<Uuid, Summary> = HashMap::new();
    for approval in of(conn, side, ids).await? {
        found.entry(approval.update_id).or_default().add(approval.action());
    }
    let declined: Vec<Uuid> = declined_updates::table
        .filter(declined_updates::mirrored.eq(side.mirrored()))
        .filter(declined_updates::update_id.eq_any(ids))
        .select(declined_updates::update_id)
        .load(conn)
        .await?;
    for id in declined {
        found.entry(id).or_default().declined = true;
    }
    Ok(found)
}

/// The approvals of some updates.
///
/// # Errors
/// The database's.
pub async fn of(conn: &mut AsyncPgConnection, side: Side, ids: &[Uuid]) -> QueryResult<Vec<Approval>> {
    approvals::table
        .filter(approvals::update_id.eq_any(ids))
        .filter(approvals::mirrored.eq(side.mirrored()))
        .select(Approval::as_select())
        .load(conn)
        .await
}

/// What must be known of an update before it is approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub update_id: Uuid,
    pub revision_number: i32,
    pub title: String,
    pub expired: bool,
    /// It can be removed once it is installed.
    pub removable: bool,
    /// It may ask the user for input, and so takes no deadline.
    pub asks_user: bool,
    /// License terms that were not accepted yet.
    pub license: Option<Uuid>,
}

/// The updates of `ids` that can be approved at all, by title.
///
/// # Errors
/// The database's.
pub async fn candidates(
    conn: &mut AsyncPgConnection,
    side: Side,
    ids: &[Uuid],
) -> QueryResult<Vec<Candidate>> {
    let rows: Vec<(Uuid, i32, String, bool, serde_json::Value)> = updates::table
        .inner_join(revisions::table.on(revisions::id.eq(updates::revision_row)))
        .filter(updates::update_id.eq_any(ids))
        .filter(updates::approvable)
        .order((updates::title, updates::update_row))
        .select((
            updates::update_id,
            updates::revision_number,
            updates::title,
            updates::expired,
            revisions::details,
        ))
        .load(conn)
        .await?;
    let license =
        |details: &serde_json::Value| details["eula"].as_str().and_then(|text| Uuid::try_parse(text).ok());
    let named: Vec<Uuid> = rows.iter().filter_map(|row| license(&row.4)).collect();
    let accepted: Vec<Uuid> = accepted_licenses::table
        .filter(accepted_licenses::license_id.eq_any(&named))
        .filter(accepted_licenses::mirrored.eq(side.mirrored()))
        .select(accepted_licenses::license_id)
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(update_id, revision_number, title, expired, details)| Candidate {
            update_id,
            revision_number,
            title,
            expired,
            removable: details["removable"].as_bool().unwrap_or(false),
            asks_user: details["asks_user"].as_bool().unwrap_or(false),
            license: license(&details).filter(|id| !accepted.contains(id)),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_action_is_shown_with_its_groups() {
        let mut summary = Summary::default();
        assert_eq!(summary.words(), "Not approved");
        summary.add(Action::Detect);
        assert_eq!(summary.words(), "Detect only");
        summary.add(Action::Install);
        summary.add(Action::Detect);
        assert_eq!(summary.words(), "Install");
        summary.add(Action::Install);
        assert_eq!(summary.words(), "Install (2 groups)");
        summary.declined = true;
        assert_eq!(summary.words(), "Declined");
    }
}
