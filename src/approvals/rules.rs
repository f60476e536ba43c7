//! The rules by which a synchronization approves new updates by itself.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{ApprovalError, Side, groups};
use crate::accounts::audit;
use crate::db::schema::approval_rules;

/// One rule: updates of these classifications, for these groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rule {
    pub on: bool,
    pub classifications: Vec<Uuid>,
    pub groups: Vec<Uuid>,
}

/// Everything the page Automatic Approval Options saves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rules {
    /// Rises with each save.
    #[serde(skip)]
    pub version: i64,
    /// Approve for detection. Default: on, Critical and Security Updates, all computers.
    pub detect: Rule,
    /// Approve for installation. Default: off. Where both rules fit, this one counts.
    pub install: Rule,
    /// A new revision of an approved update is approved like the one before; an expired one is declined.
    pub latest_revision: bool,
}

type Row = (i64, (bool, Vec<Uuid>, Vec<Uuid>), (bool, Vec<Uuid>, Vec<Uuid>), bool);

/// The rules as saved.
///
/// # Errors
/// The database's.
pub async fn load(conn: &mut AsyncPgConnection) -> QueryResult<Rules> {
    use approval_rules::dsl;
    let (version, detect, install, latest_revision): Row = dsl::approval_rules
        .select((
            dsl::version,
            (dsl::detect, dsl::detect_classifications, dsl::detect_groups),
            (dsl::install, dsl::install_classifications, dsl::install_groups),
            dsl::latest_revision,
        ))
        .first(conn)
        .await?;
    let rule = |(on, classifications, groups)| Rule { on, classifications, groups };
    Ok(Rules { version, detect: rule(detect), install: rule(install), latest_revision })
}

/// Saves `rules` over the version they were read with; the answer says whether anything changed.
///
/// # Errors
/// [`ApprovalError::Replica`], [`ApprovalError::RulesChanged`] when somebody was faster, a rule that is on
/// and names nothing, an unknown group, or the database's.
pub async fn save(
    conn: &mut AsyncPgConnection,
    rules: &Rules,
    entry: audit::Entry<'_>,
) -> Result<bool, ApprovalError> {
    use approval_rules::dsl;
    for rule in [&rules.detect, &rules.install].into_iter().filter(|rule| rule.on) {
        if rule.classifications.is_empty() {
            return Err(ApprovalError::RuleWithoutClassification);
        }
        if rule.groups.is_empty() {
            return Err(ApprovalError::RuleWithoutGroup);
        }
    }
    conn.transaction(async |conn| {
        let side = Side::now(conn).await?;
        if side == Side::Mirrored {
            return Err(ApprovalError::Replica);
        }
        let tree = groups::tree(conn, side).await?;
        let known = |id: &Uuid| tree.iter().any(|branch| branch.group.group_id == *id);
        if !rules.detect.groups.iter().chain(&rules.install.groups).all(known) {
            return Err(ApprovalError::UnknownGroup);
        }
        let before = load(conn).await?;
        if before.version != rules.version {
            return Err(ApprovalError::RulesChanged);
        }
        if before == *rules {
            return Ok(false);
        }
        let changed = diesel::update(dsl::approval_rules.filter(dsl::version.eq(rules.version)))
            .set((
                dsl::version.eq(rules.version + 1),
                dsl::detect.eq(rules.detect.on),
                dsl::detect_classifications.eq(&rules.detect.classifications),
                dsl::detect_groups.eq(&rules.detect.groups),
                dsl::install.eq(rules.install.on),
                dsl::install_classifications.eq(&rules.install.classifications),
                dsl::install_groups.eq(&rules.install.groups),
                dsl::latest_revision.eq(rules.latest_revision),
            ))
            .execute(conn)
            .await?;
        if changed == 0 {
            return Err(ApprovalError::RulesChanged);
        }
        let entry = audit::Entry {
            action: "approval.rules",
            object: "automatic approval",
            before: Some(serde_json::json!(before)),
            after: Some(serde_json::json!(rules)),
            ..entry
        };
        audit::record(conn, entry).await?;
        Ok(true)
    })
    .await
}
