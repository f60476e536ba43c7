//! Add/Remove Classifications: a flat list, chosen one by one.

use std::collections::BTreeSet;

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::{Route, State, get, post, routes};
use uuid::Uuid;

use super::dialog::{Frame, Work, over_the_page};
use super::form::{Fields, Names};
use super::meant;
use super::tree_view::{self, NodeView};
use crate::content::Store;
use crate::settings::{CategoryKind, Key};
use crate::web::submitted::Form;
use crate::web::{Administrator, Db, PageError, Reply, Shell, Wants};

pub(super) fn routes() -> Vec<Route> {
    routes![open_classifications, show_classifications, choose_classifications]
}

const KIND: CategoryKind = CategoryKind::Classification;

/// What its form has.
struct Dialog;

impl Names for Dialog {
    fn include(name: &str) -> bool {
        ["csrf", "draft", "back", "seen", "tick"].contains(&name)
    }
}

#[derive(Template)]
#[template(path = "options/classifications.html", blocks = ["form"])]
struct ClassificationsPage {
    shell: Shell,
    frame: Frame,
    nodes: Vec<NodeView>,
}

async fn show(
    conn: &mut AsyncPgConnection,
    shell: Shell,
    mut work: Work,
    wants: Wants,
) -> Result<Reply, PageError> {
    let account_id = shell.account.as_ref().map_or(0, |account| account.id);
    work.load_tree(conn, account_id).await?;
    let tree = &work.scene.tree;
    let ticks = meant::ticks(&work.scene.current, &work.typed(), tree, KIND);
    let mut nodes = tree_view::classifications(tree, &ticks);
    nodes.extend(tree_view::unknown(tree, &ticks, KIND));
    let frame = work.frame("Add/Remove Classifications", wants);
    let page = ClassificationsPage { shell, frame, nodes };
    match wants {
        Wants::Page => Reply::ok(&page),
        Wants::Fragment => over_the_page(page.as_form().render()),
    }
}

#[post("/options/synchronization/classifications", data = "<fields>")]
async fn open_classifications(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    let work = Work::open(&mut db.0, admin.account.id, &fields, wants).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, true).await?;
    match wants {
        Wants::Page => Ok(Reply::SeeOther(work.address("classifications"))),
        Wants::Fragment => show(&mut db.0, admin.shell, work, wants).await,
    }
}

#[get("/options/synchronization/classifications?<draft>&<back>")]
async fn show_classifications(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    draft: Option<&str>,
    back: Option<&str>,
) -> Result<Reply, PageError> {
    let (draft, back) = (draft.unwrap_or_default(), back.unwrap_or_default());
    let work = Work::load(&mut db.0, admin.account.id, draft, back).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, false).await?;
    show(&mut db.0, admin.shell, work, wants).await
}

#[post("/options/synchronization/classifications/choice", data = "<fields>")]
async fn choose_classifications(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    store: &State<Store>,
    fields: Form<Fields<Dialog>>,
) -> Result<Reply, PageError> {
    let (draft, back) = (fields.first("draft"), fields.first("back"));
    let mut work = Work::load(&mut db.0, admin.account.id, draft, back).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, true).await?;
    let (seen, ticked): (BTreeSet<Uuid>, BTreeSet<Uuid>) = (fields.ids("seen"), fields.ids("tick"));
    let current = meant::ticks(&work.scene.current, &work.typed(), &work.scene.tree, KIND);
    let kept = current.iter().map(|one| one.category_id).filter(|id| !seen.contains(id));
    let chosen: BTreeSet<Uuid> = kept.chain(ticked.intersection(&seen).copied()).collect();
    work.draft.values.insert(Key::Classifications, meant::ids_text(chosen));
    work.finish(&mut db.0, admin, wants, store).await
}
