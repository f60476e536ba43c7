//! The rules over updates that are here already: what they would do, and doing it.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::history::{self, Deed};
use super::rules::{self, Rule, Rules};
use super::{Action, ApprovalError, Side, automatic};
use crate::accounts::audit;
use crate::catalog::publish;
use crate::content::chosen;

/// An update a rule fits.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Fit {
    #[diesel(sql_type = SqlUuid)]
    pub update_id: Uuid,
    #[diesel(sql_type = Text)]
    pub title: String,
    /// License terms that were not accepted yet hold it back.
    #[diesel(sql_type = Bool)]
    pub waits: bool,
}

/// What running the rules would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Approved for installation.
    pub install: Vec<Fit>,
    /// Approved for detection; none of those above.
    pub detect: Vec<Fit>,
    /// Would be approved for installation, were their license terms accepted.
    pub waiting: Vec<Fit>,
}

/// Updates a rule fits, where a group of the rule has no approval yet. What somebody has approved stays; only an
/// approval for detection gives way to one for installation. $1 classifications, $2 groups, $3 action.
const FITS: &str = "
    FROM updates u
    JOIN revisions r ON r.id = u.revision_row
    CROSS JOIN target_groups g
    LEFT JOIN approvals a ON a.update_id = u.update_id AND a.group_id = g.group_id AND NOT a.mirrored
    CROSS JOIN LATERAL (SELECT $3 = 0 AND r.details->>'eula' IS NOT NULL AND NOT EXISTS (
        SELECT FROM accepted_licenses l
        WHERE l.license_id::text = r.details->>'eula' AND NOT l.mirrored) AS waits) license
    WHERE u.approvable AND NOT u.expired AND g.group_id = ANY($2) AND NOT g.mirrored
      AND (a.action IS NULL OR (a.action = 2 AND $3 = 0))
      AND EXISTS (SELECT FROM update_categories m JOIN updates c ON c.update_row = m.category_row
                  WHERE m.update_row = u.update_row AND c.update_id = ANY($1))
      AND NOT EXISTS (SELECT FROM declined_updates d WHERE d.update_id = u.update_id AND NOT d.mirrored)";

async fn fits(conn: &mut AsyncPgConnection, rule: &Rule, action: Action) -> QueryResult<Vec<Fit>> {
    if !rule.on {
        return Ok(Vec::new());
    }
    diesel::sql_query(format!("SELECT DISTINCT u.update_id, u.title, license.waits {FITS} ORDER BY u.title"))
        .bind::<Array<SqlUuid>, _>(&rule.classifications)
        .bind::<Array<SqlUuid>, _>(&rule.groups)
        .bind::<SmallInt, _>(action.code())
        .load(conn)
        .await
}

/// What the saved rules would do now with updates that are here.
///
/// # Errors
/// [`ApprovalError::Replica`], or the database's.
pub async fn outlook(conn: &mut AsyncPgConnection) -> Result<Outlook, ApprovalError> {
    if Side::now(conn).await? == Side::Mirrored {
        return Err(ApprovalError::Replica);
    }
    let rules = rules::load(conn).await?;
    look(conn, &rules).await
}

async fn look(conn: &mut AsyncPgConnection, rules: &Rules) -> Result<Outlook, ApprovalError> {
    let fits_install = fits(conn, &rules.install, Action::Install).await?;
    let (waiting, install): (Vec<Fit>, Vec<Fit>) = fits_install.into_iter().partition(|fit| fit.waits);
    let taken: std::collections::HashSet<Uuid> = install.iter().map(|fit| fit.update_id).collect();
    let mut detect = fits(conn, &rules.detect, Action::Detect).await?;
    detect.retain(|fit| !taken.contains(&fit.update_id));
    Ok(Outlook { install, detect, waiting })
}

/// Runs the saved rules over the updates that are here. `version` is that of the rules the person has looked at.
/// Returns how many updates were approved.
///
/// # Errors
/// [`ApprovalError::Replica`]; [`ApprovalError::RulesChanged`] when the rules were saved meanwhile; else the
/// database's.
pub async fn run(
    conn: &mut AsyncPgConnection,
    version: i64,
    entry: audit::Entry<'_>,
) -> Result<usize, ApprovalError> {
    conn.transaction(async |conn| {
        let stamp = publish::stamp(conn).await?;
        if Side::now(conn).await? == Side::Mirrored {
            return Err(ApprovalError::Replica);
        }
        let rules = rules::load(conn).await?;
        if rules.version != version {
            return Err(ApprovalError::RulesChanged);
        }
        let outlook = look(conn, &rules).await?;
        let updates: Vec<Uuid> =
            outlook.install.iter().chain(&outlook.detect).map(|fit| fit.update_id).collect();
        if updates.is_empty() {
            return Ok(0);
        }
        history::record(conn, Deed::Rules, entry.actor, "", &updates, stamp).await?;
        for (rule, action) in [(&rules.install, Action::Install), (&rules.detect, Action::Detect)] {
            approve(conn, rule, action, stamp).await?;
        }
        chosen::refresh(conn, None).await?;
        let after = json!({ "install": outlook.install.len(), "detect": outlook.detect.len(),
            "waiting for license terms": outlook.waiting.len() });
        let entry = audit::Entry {
            action: "approval.run-rules",
            object: "automatic approval",
            after: Some(after),
            ..entry
        };
        audit::record(conn, entry).await?;
        Ok(updates.len())
    })
    .await
}

async fn approve(
    conn: &mut AsyncPgConnection,
    rule: &Rule,
    action: Action,
    stamp: i64,
) -> QueryResult<usize> {
    if !rule.on {
        return Ok(0);
    }
    diesel::sql_query(format!(
        "INSERT INTO approvals AS held (update_id, revision_number, group_id, action, approved_by, stamp)
         SELECT u.update_id, u.revision_number, g.group_id, $3, $4, $5 {FITS} AND NOT license.waits
         ON CONFLICT (update_id, group_id, mirrored) DO UPDATE SET
             revision_number = excluded.revision_number, action = excluded.action, deadline = NULL,
             approved_by = excluded.approved_by, approved_at = now(), stamp = excluded.stamp"
    ))
    .bind::<Array<SqlUuid>, _>(&rule.classifications)
    .bind::<Array<SqlUuid>, _>(&rule.groups)
    .bind::<SmallInt, _>(action.code())
    .bind::<Text, _>(automatic::ACTOR)
    .bind::<diesel::sql_types::BigInt, _>(stamp)
    .execute(conn)
    .await
}
