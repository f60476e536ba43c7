//! `/updates/decline` and `/updates/restore`: asked once more, then done; and `/updates/undo`.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, get, post, routes};
use uuid::Uuid;

use super::approve::read_ids;
use super::done::Done;
use super::way_back;
use crate::approvals::{ApprovalError, Side, change, history, state};
use crate::web::submitted::Form;
use crate::web::{Db, Operator, PageError, Reply, Shell, words};

/// Titles shown; the rest is counted.
const TITLES_MAX: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    routes![show_decline, decline, restore, undo]
}

#[derive(Template)]
#[template(path = "updates/decline.html")]
struct DeclinePage {
    shell: Shell,
    back: String,
    ids: Vec<Uuid>,
    count: String,
    titles: Vec<String>,
    more: usize,
    /// Approvals that are withdrawn with it.
    approvals: usize,
}

#[derive(FromForm)]
struct IdsForm {
    id: Vec<String>,
    #[field(default = String::new())]
    back: String,
    #[field(default = String::new())]
    reason: String,
}

#[get("/updates/decline?<id>&<back>")]
async fn show_decline(
    operator: Operator,
    mut db: Db,
    id: Vec<String>,
    back: Option<&str>,
) -> Result<Reply, PageError> {
    let back = way_back(back.unwrap_or_default()).to_owned();
    let ids = read_ids(&id)?;
    if ids.is_empty() {
        return Ok(Reply::SeeOther(back));
    }
    let side = Side::now(&mut db.0).await?;
    if side == Side::Mirrored {
        return Err(ApprovalError::Replica.into());
    }
    let found = state::candidates(&mut db.0, side, &ids).await?;
    if found.len() != ids.len() {
        return Err(ApprovalError::UnknownUpdate.into());
    }
    let approvals = state::of(&mut db.0, side, &ids).await?.len();
    Reply::ok(&DeclinePage {
        shell: operator.shell,
        back,
        count: words::counted(ids.len() as i64, "update", "updates"),
        more: found.len().saturating_sub(TITLES_MAX),
        titles: found.into_iter().take(TITLES_MAX).map(|one| one.title).collect(),
        approvals,
        ids,
    })
}

#[post("/updates/decline", data = "<form>")]
async fn decline(operator: Operator, mut db: Db, form: Form<IdsForm>) -> Result<Reply, PageError> {
    let ids = read_ids(&form.id)?;
    let changed = change::decline(&mut db.0, &ids, &form.reason, operator.shell.audit("", "")).await?;
    let done = Done::Declined(u32::try_from(changed.updates).unwrap_or(u32::MAX));
    Ok(Reply::SeeOther(done.after(way_back(&form.back))))
}

#[post("/updates/restore", data = "<form>")]
async fn restore(operator: Operator, mut db: Db, form: Form<IdsForm>) -> Result<Reply, PageError> {
    let ids = read_ids(&form.id)?;
    let changed = change::restore(&mut db.0, &ids, operator.shell.audit("", "")).await?;
    let done = Done::Restored(u32::try_from(changed.updates).unwrap_or(u32::MAX));
    Ok(Reply::SeeOther(done.after(way_back(&form.back))))
}

#[derive(FromForm)]
struct UndoForm {
    #[field(default = String::new())]
    back: String,
}

#[post("/updates/undo", data = "<form>")]
async fn undo(operator: Operator, mut db: Db, form: Form<UndoForm>) -> Result<Reply, PageError> {
    let changed = history::undo(&mut db.0, operator.shell.audit("", "")).await?;
    let done = Done::Undone(u32::try_from(changed.updates).unwrap_or(u32::MAX));
    Ok(Reply::SeeOther(done.after(way_back(&form.back))))
}
