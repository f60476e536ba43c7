//! What was decided for one update: the approval of each group, and who changed what.

use std::collections::HashMap;

use chrono_tz::Tz;
use uuid::Uuid;

use crate::approvals::history::{self, Past};
use crate::approvals::state::{self, Approval, Summary};
use crate::approvals::{ALL_COMPUTERS, Action, Side, groups};
use crate::content::overview;
use crate::web::{Db, PageError, words};

/// A change of approvals by a person.
pub(super) struct HistoryLine {
    pub at: String,
    pub actor: String,
    pub what: &'static str,
    pub reason: String,
    pub undone: bool,
}

/// What one group gets.
pub(super) struct GroupApproval {
    pub group: String,
    pub depth: usize,
    pub action: &'static str,
    /// It is the approval of the group above.
    pub inherited: bool,
    /// Empty without an approval.
    pub revision: String,
    pub deadline: String,
    pub by: String,
    pub at: String,
}

/// What was decided for one update.
pub(super) struct Decisions {
    /// State and last error of files by their SHA-1.
    pub files: Vec<(Vec<u8>, String, String)>,
    pub summary: Summary,
    pub approvals: Vec<GroupApproval>,
    /// Revision, and what a group gets of it.
    pub by_revision: Vec<(i32, String)>,
    pub history: Vec<HistoryLine>,
    pub decided_by: Option<String>,
}

pub(super) async fn decisions(
    db: &mut Db,
    id: Uuid,
    zone: Tz,
    digests: &[Vec<u8>],
) -> Result<Decisions, PageError> {
    let side = Side::now(&mut db.0).await?;
    let summary = state::summaries(&mut db.0, side, &[id]).await?.remove(&id).unwrap_or_default();
    let held = state::of(&mut db.0, side, &[id]).await?;
    let tree = groups::tree(&mut db.0, side).await?;
    let own = |group: Uuid| held.iter().find(|one| one.group_id == group);
    // Each group comes after its parent, whose answer it has when it has none of its own.
    let mut effective: HashMap<Uuid, Option<&Approval>> = HashMap::new();
    let (mut approvals, mut by_revision) = (Vec::new(), Vec::new());
    for branch in &tree {
        let group = &branch.group;
        let parent = group.parent_id.filter(|parent| effective.contains_key(parent)).unwrap_or(ALL_COMPUTERS);
        let mine = own(group.group_id);
        let counts = mine.or_else(|| effective.get(&parent).copied().flatten());
        effective.insert(group.group_id, counts);
        if let Some(one) = mine {
            by_revision.push((one.revision_number, format!("{} for {}", one.action().label(), group.name)));
        }
        approvals.push(GroupApproval {
            group: group.name.clone(),
            depth: branch.depth.min(8),
            inherited: mine.is_none() && group.group_id != ALL_COMPUTERS,
            action: counts.map_or(Action::NotApproved, Approval::action).label(),
            revision: counts.map(|one| one.revision_number.to_string()).unwrap_or_default(),
            deadline: counts
                .and_then(|one| one.deadline)
                .map_or_else(|| "None".to_owned(), |at| words::moment(at, zone)),
            by: mine.map(|one| one.approved_by.clone()).unwrap_or_default(),
            at: mine.map(|one| words::moment(one.approved_at, zone)).unwrap_or_default(),
        });
    }
    let history = history::of_update(&mut db.0, id).await?;
    let files = overview::states(&mut db.0, digests).await?;
    Ok(Decisions {
        files,
        summary,
        approvals,
        by_revision,
        history: history.into_iter().map(|past| HistoryLine::new(past, zone)).collect(),
        decided_by: super::decided_by(&mut db.0, side).await?,
    })
}

impl HistoryLine {
    fn new(past: Past, zone: Tz) -> Self {
        let Past { at, actor, deed, reason, undone, .. } = past;
        Self { at: words::moment(at, zone), actor, what: deed.words(), reason, undone }
    }
}
