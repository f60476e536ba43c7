//! `/options/groups`: the tree of computer groups.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, get, post, routes};
use uuid::Uuid;

use super::{Administrator, Db, PageError, Reply, Reporter, Shell, updates};
use crate::approvals::groups::{self, Branch, NAME_CHARS_MAX};
use crate::approvals::{ALL_COMPUTERS, ApprovalError, Side};
use crate::web::submitted::{Form, NoFields};

pub(super) fn routes() -> Vec<Route> {
    routes![show_groups, show_group, add_group, rename_group, delete_group]
}

#[derive(Template)]
#[template(path = "options/groups.html")]
struct GroupsPage {
    shell: Shell,
    tree: Vec<Branch>,
    name: String,
    parent: Uuid,
    error: Option<String>,
    decided_by: Option<String>,
    locked: bool,
    name_max: usize,
}

#[derive(Template)]
#[template(path = "options/group.html")]
struct GroupPage {
    shell: Shell,
    id: Uuid,
    saved_name: String,
    name: String,
    /// Groups below it, which are deleted along with it.
    below: usize,
    error: Option<String>,
    name_max: usize,
}

#[derive(FromForm)]
struct AddForm {
    #[field(default = String::new())]
    name: String,
    #[field(default = String::new())]
    parent: String,
}

#[derive(FromForm)]
struct RenameForm {
    #[field(default = String::new())]
    name: String,
}

#[get("/options/groups")]
async fn show_groups(reporter: Reporter, mut db: Db) -> Result<Reply, PageError> {
    Reply::ok(&list(reporter.shell, &mut db, String::new(), ALL_COMPUTERS, None).await?)
}

#[post("/options/groups", data = "<form>")]
async fn add_group(
    administrator: Administrator,
    mut db: Db,
    form: Form<AddForm>,
) -> Result<Reply, PageError> {
    let AddForm { name, parent } = form.into_inner();
    let parent = Uuid::try_parse(&parent).unwrap_or(ALL_COMPUTERS);
    match groups::add(&mut db.0, &name, parent, administrator.shell.audit("", "")).await {
        Ok(_) => Ok(Reply::SeeOther("/options/groups".to_owned())),
        Err(error) => {
            let sentence = Some(typing(error)?);
            Reply::refused(&list(administrator.shell, &mut db, name, parent, sentence).await?)
        }
    }
}

#[get("/options/groups/<id>")]
async fn show_group(administrator: Administrator, mut db: Db, id: &str) -> Result<Reply, PageError> {
    Reply::ok(&one(administrator.shell, &mut db, id, None, None).await?)
}

#[post("/options/groups/<id>", data = "<form>")]
async fn rename_group(
    administrator: Administrator,
    mut db: Db,
    id: &str,
    form: Form<RenameForm>,
) -> Result<Reply, PageError> {
    match groups::rename(&mut db.0, read(id)?, &form.name, administrator.shell.audit("", "")).await {
        Ok(()) => Ok(Reply::SeeOther("/options/groups".to_owned())),
        Err(error) => {
            let sentence = Some(typing(error)?);
            let typed = Some(form.into_inner().name);
            Reply::refused(&one(administrator.shell, &mut db, id, typed, sentence).await?)
        }
    }
}

#[post("/options/groups/<id>/delete", data = "<_nothing>")]
async fn delete_group(
    administrator: Administrator,
    mut db: Db,
    id: &str,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    groups::delete(&mut db.0, read(id)?, administrator.shell.audit("", "")).await?;
    Ok(Reply::SeeOther("/options/groups".to_owned()))
}

fn read(id: &str) -> Result<Uuid, PageError> {
    Uuid::try_parse(id).map_err(|_| ApprovalError::UnknownGroup.into())
}

/// The sentence of an error that belongs beside the name; every other error is a page of its own.
fn typing(error: ApprovalError) -> Result<String, PageError> {
    match error {
        ApprovalError::GroupName
        | ApprovalError::GroupNameTaken
        | ApprovalError::GroupCount
        | ApprovalError::GroupDepth => Ok(error.to_string()),
        other => Err(other.into()),
    }
}

async fn list(
    shell: Shell,
    db: &mut Db,
    name: String,
    parent: Uuid,
    error: Option<String>,
) -> Result<GroupsPage, PageError> {
    let side = Side::now(&mut db.0).await?;
    let decided_by = updates::decided_by(&mut db.0, side).await?;
    Ok(GroupsPage {
        tree: groups::tree(&mut db.0, side).await?,
        locked: decided_by.is_some() || !shell.can_administer(),
        name: name.chars().take(NAME_CHARS_MAX).collect(),
        name_max: NAME_CHARS_MAX,
        decided_by,
        parent,
        error,
        shell,
    })
}

async fn one(
    shell: Shell,
    db: &mut Db,
    id: &str,
    typed: Option<String>,
    error: Option<String>,
) -> Result<GroupPage, PageError> {
    let id = read(id)?;
    if Side::now(&mut db.0).await? == Side::Mirrored {
        return Err(ApprovalError::Replica.into());
    }
    let tree = groups::tree(&mut db.0, Side::Own).await?;
    let branch = tree.iter().find(|branch| branch.group.group_id == id).ok_or(ApprovalError::UnknownGroup)?;
    if branch.group.builtin {
        return Err(ApprovalError::GroupBuiltin { name: branch.group.name.clone() }.into());
    }
    let saved_name = branch.group.name.clone();
    Ok(GroupPage {
        name: typed.unwrap_or_else(|| saved_name.clone()).chars().take(NAME_CHARS_MAX).collect(),
        below: groups::with_descendants(&tree, id).len().saturating_sub(1),
        name_max: NAME_CHARS_MAX,
        saved_name,
        error,
        shell,
        id,
    })
}
