//! Target groups: the tree of computer groups that updates are approved for.

use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{ALL_COMPUTERS, ApprovalError, Side};
use crate::accounts::audit;
use crate::catalog::publish;
use crate::db::schema::{approvals, target_groups};

/// Longest name, in characters. Source: the console of WSUS.
pub const NAME_CHARS_MAX: usize = 256;
/// Most groups of one server. Ours.
pub const GROUPS_MAX: usize = 1_000;
/// Deepest nesting below the root. Ours.
pub const DEPTH_MAX: usize = 20;

/// A group and its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = target_groups)]
pub struct Group {
    /// The same on every server that mirrors it.
    pub group_id: Uuid,
    /// `None` for the root.
    pub parent_id: Option<Uuid>,
    pub name: String,
    /// On every server; cannot be renamed or deleted.
    pub builtin: bool,
}

/// A group as a line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub group: Group,
    /// 0 for the root.
    pub depth: usize,
}

/// The groups of one side, each after its parent, siblings by name. A group whose parent is
/// unknown stands below the root.
///
/// # Errors
/// The database's.
pub async fn tree(conn: &mut AsyncPgConnection, side: Side) -> QueryResult<Vec<Branch>> {
    let groups: Vec<Group> = target_groups::table
        .filter(target_groups::builtin.or(target_groups::mirrored.eq(side.mirrored())))
        .order(target_groups::name)
        .select(Group::as_select())
        .load(conn)
        .await?;
    Ok(sorted(groups))
}

fn sorted(groups: Vec<Group>) -> Vec<Branch> {
    let known: HashSet<Uuid> = groups.iter().map(|group| group.group_id).collect();
    let mut below: BTreeMap<Uuid, Vec<Group>> = BTreeMap::new();
    let mut waiting = Vec::new();
    for group in groups.into_iter().rev() {
        if group.group_id == ALL_COMPUTERS {
            waiting.push(Branch { group, depth: 0 });
        } else {
            let parent = group.parent_id.filter(|id| known.contains(id)).unwrap_or(ALL_COMPUTERS);
            below.entry(parent).or_default().push(group);
        }
    }
    let mut tree = Vec::new();
    while let Some(branch) = waiting.pop() {
        let children = below.remove(&branch.group.group_id).unwrap_or_default();
        waiting.extend(children.into_iter().map(|group| Branch { group, depth: branch.depth + 1 }));
        tree.push(branch);
    }
    tree
}

/// Adds a group below `parent` and returns its id.
///
/// # Errors
/// [`ApprovalError::Replica`], an unusable name or place, or the database's.
pub async fn add(
    conn: &mut AsyncPgConnection,
    name: &str,
    parent: Uuid,
    entry: audit::Entry<'_>,
) -> Result<Uuid, ApprovalError> {
    let name = checked(name)?;
    conn.transaction(async |conn| {
        let tree = own_tree(conn).await?;
        if tree.len() >= GROUPS_MAX {
            return Err(ApprovalError::GroupCount);
        }
        let above = find(&tree, parent)?;
        if above.depth >= DEPTH_MAX {
            return Err(ApprovalError::GroupDepth);
        }
        let group = Group { group_id: Uuid::new_v4(), parent_id: Some(parent), name, builtin: false };
        diesel::insert_into(target_groups::table).values(&group).execute(conn).await.map_err(taken)?;
        publish::stamp(conn).await?;
        let after = serde_json::json!({ "name": group.name, "parent": above.group.name });
        audit::record(
            conn,
            audit::Entry { action: "group.add", object: &group.name, after: Some(after), ..entry },
        )
        .await?;
        Ok(group.group_id)
    })
    .await
}

/// Gives a group another name.
///
/// # Errors
/// [`ApprovalError::Replica`], an unusable name, an unknown or built-in group, or the database's.
pub async fn rename(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    name: &str,
    entry: audit::Entry<'_>,
) -> Result<(), ApprovalError> {
    let name = checked(name)?;
    conn.transaction(async |conn| {
        let tree = own_tree(conn).await?;
        let group = changeable(&tree, id)?;
        diesel::update(target_groups::table.find(id))
            .set(target_groups::name.eq(&name))
            .execute(conn)
            .await
            .map_err(taken)?;
        publish::stamp(conn).await?;
        let (before, after) =
            (serde_json::json!({ "name": group.name }), serde_json::json!({ "name": name }));
        let entry = audit::Entry {
            action: "group.rename",
            object: &group.name,
            before: Some(before),
            after: Some(after),
            ..entry
        };
        Ok(audit::record(conn, entry).await?)
    })
    .await
}

/// Deletes a group, the groups below it and their approvals. Computers in them become unassigned.
///
/// # Errors
/// [`ApprovalError::Replica`], an unknown or built-in group, or the database's.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    entry: audit::Entry<'_>,
) -> Result<usize, ApprovalError> {
    conn.transaction(async |conn| {
        let tree = own_tree(conn).await?;
        let group = changeable(&tree, id)?.clone();
        let gone = with_descendants(&tree, id);
        let stamp = publish::stamp(conn).await?;
        let withdrawn: Vec<Uuid> = diesel::delete(
            approvals::table.filter(approvals::group_id.eq_any(&gone)).filter(approvals::mirrored.eq(false)),
        )
        .returning(approvals::approval_id)
        .get_results(conn)
        .await?;
        super::change::mark_withdrawn(conn, &withdrawn, stamp, Side::Own).await?;
        diesel::delete(target_groups::table.filter(target_groups::group_id.eq_any(&gone)))
            .execute(conn)
            .await?;
        let before = serde_json::json!({ "groups": gone.len(), "approvals": withdrawn.len() });
        let entry =
            audit::Entry { action: "group.delete", object: &group.name, before: Some(before), ..entry };
        audit::record(conn, entry).await?;
        Ok(withdrawn.len())
    })
    .await
}

/// The group and everything below it.
pub fn with_descendants(tree: &[Branch], id: Uuid) -> Vec<Uuid> {
    let Some(at) = tree.iter().position(|branch| branch.group.group_id == id) else { return Vec::new() };
    let depth = tree[at].depth;
    let below = tree[at + 1..].iter().take_while(|branch| branch.depth > depth);
    std::iter::once(id).chain(below.map(|branch| branch.group.group_id)).collect()
}

async fn own_tree(conn: &mut AsyncPgConnection) -> Result<Vec<Branch>, ApprovalError> {
    match Side::now(conn).await? {
        Side::Mirrored => Err(ApprovalError::Replica),
        Side::Own => Ok(tree(conn, Side::Own).await?),
    }
}

fn find(tree: &[Branch], id: Uuid) -> Result<&Branch, ApprovalError> {
    tree.iter().find(|branch| branch.group.group_id == id).ok_or(ApprovalError::UnknownGroup)
}

fn changeable(tree: &[Branch], id: Uuid) -> Result<&Group, ApprovalError> {
    let group = &find(tree, id)?.group;
    if group.builtin {
        return Err(ApprovalError::GroupBuiltin { name: group.name.clone() });
    }
    Ok(group)
}

fn checked(name: &str) -> Result<String, ApprovalError> {
    let name = name.trim();
    let count = name.chars().count();
    if count == 0 || count > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(ApprovalError::GroupName);
    }
    Ok(name.to_owned())
}

fn taken(error: diesel::result::Error) -> ApprovalError {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
    match error {
        DatabaseError(UniqueViolation, _) => ApprovalError::GroupNameTaken,
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: u128, parent: Option<Uuid>, name: &str) -> Group {
        Group { group_id: Uuid::from_u128(id), parent_id: parent, name: name.to_owned(), builtin: false }
    }

    #[test]
    fn a_tree_lists_each_group_after_its_parent_and_strays_below_the_root() {
        let root =
            Group { group_id: ALL_COMPUTERS, parent_id: None, name: "All Computers".into(), builtin: true };
        let groups = vec![
            group(1, Some(Uuid::from_u128(2)), "Berlin"),
            group(2, Some(ALL_COMPUTERS), "Clients"),
            group(3, Some(Uuid::from_u128(99)), "Stray"),
            root,
        ];
        let tree = sorted(groups);
        let shown: Vec<_> = tree.iter().map(|branch| (branch.depth, branch.group.name.as_str())).collect();
        assert_eq!(shown, [(0, "All Computers"), (1, "Clients"), (2, "Berlin"), (1, "Stray")]);
        assert_eq!(with_descendants(&tree, Uuid::from_u128(2)), [Uuid::from_u128(2), Uuid::from_u128(1)]);
        assert_eq!(with_descendants(&tree, ALL_COMPUTERS).len(), 4);
    }

    #[test]
    fn groups_in_a_circle_are_left_out_and_do_not_hang() {
        let circle = vec![group(1, Some(Uuid::from_u128(2)), "A"), group(2, Some(Uuid::from_u128(1)), "B")];
        assert!(sorted(circle).is_empty());
    }

    #[test]
    fn names_are_trimmed_and_must_be_visible() {
        assert_eq!(checked("  Servers ").unwrap(), "Servers");
        for bad in ["", "   ", "a\u{0}b", "a\nb", &"x".repeat(257)] {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
    }
}
