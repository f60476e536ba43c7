//! Add/Remove Products and Add/Remove Classifications: full pages, and dialogs where there is htmx.
//!
//! Opening one keeps everything typed as a draft and works on a copy of it, so that Cancel leaves
//! the page as it was and OK hands the copy back.

use std::collections::BTreeSet;

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::form::Form;
use rocket::{Route, get, post, routes};
use uuid::Uuid;

use super::form::{Fields, Submission};
use super::tree_view::{self, Extent, HITS_MAX, NodeView};
use super::{ADDRESS, Scene, read, view};
use crate::settings::drafts::{self, Draft};
use crate::settings::tree::{self, CategoryTree};
use crate::settings::validate::Typed;
use crate::settings::{CategoryKind, Key, Selected, known_tree_with_counts};
use crate::web::{Administrator, Db, PageError, Reply, Shell, Wants};

pub(super) fn routes() -> Vec<Route> {
    routes![
        open_products,
        show_products,
        find_products,
        choose_products,
        show_children,
        open_classifications,
        show_classifications,
        choose_classifications
    ]
}

/// The form of both dialogs.
#[derive(Template)]
#[template(path = "options/categories.html", blocks = ["form", "list"])]
struct CategoriesPage {
    shell: Shell,
    title: &'static str,
    /// `products` or `classifications`: the end of the addresses.
    part: &'static str,
    draft: Uuid,
    back: String,
    find: String,
    /// Words about the hits of a search; empty: no search.
    hits: String,
    nodes: Vec<NodeView>,
    unknown: Vec<NodeView>,
    counted: String,
    in_dialog: bool,
}

/// A dialog around a form that was rendered already.
#[derive(Template)]
#[template(path = "options/dialog.html")]
pub(super) struct Dialog {
    pub form: String,
}

/// The typed form is kept as a draft, and a copy of it opened for the dialog: (kept, copy).
pub(super) async fn open(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    fields: &Fields,
) -> Result<(Uuid, Uuid), PageError> {
    let (sent, broken_up): (Submission, Vec<String>) = read(conn, account_id, fields).await?;
    let draft = sent.to_draft(broken_up);
    let kept = drafts::store(conn, account_id, sent.draft, &draft).await?;
    let copy = drafts::store(conn, account_id, None, &draft).await?;
    Ok((kept, copy))
}

pub(super) async fn load_draft(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    id: Option<Uuid>,
) -> Result<(Uuid, Draft), PageError> {
    const GONE: PageError = PageError::NotFound { what: "unsaved choice" };
    let id = id.ok_or(GONE)?;
    let draft = drafts::load(conn, account_id, id).await?;
    Ok((id, draft.ok_or(GONE)?))
}

fn ticks(scene: &Scene, draft: &Draft, kind: CategoryKind) -> Vec<Selected> {
    let typed = Typed { values: draft.values.clone(), ..Typed::default() };
    view::meant_ticks(&scene.current, &typed, &scene.tree, kind)
}

fn counted(ticks: &[Selected], kind: CategoryKind) -> String {
    let several = |n: usize, one: &str, many: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    };
    if kind == CategoryKind::Classification {
        return several(ticks.len(), "classification selected", "classifications selected");
    }
    let whole = ticks.iter().filter(|one| one.with_descendants).count();
    let families = several(whole, "whole family", "whole families");
    let singles = several(ticks.len() - whole, "single product", "single products");
    match (whole, ticks.len() - whole) {
        (0, _) => format!("{singles} selected"),
        (_, 0) => format!("{families} selected"),
        _ => format!("{families}, {singles} selected"),
    }
}

fn children_address(draft: Uuid) -> String {
    format!("{ADDRESS}/products/children?draft={draft}")
}

/// Everything of a dialog but where it is drawn.
struct Asked<'a> {
    kind: CategoryKind,
    draft: Uuid,
    back: &'a str,
    find: &'a str,
    wants: Wants,
}

fn page(shell: Shell, scene: &Scene, draft: &Draft, asked: &Asked<'_>) -> CategoriesPage {
    let tree: &CategoryTree = &scene.tree;
    let ticks = ticks(scene, draft, asked.kind);
    let in_dialog = asked.wants == Wants::Fragment;
    let address = children_address(asked.draft);
    let find = asked.find.trim();
    let mut hits = String::new();
    let (title, part, nodes) = match asked.kind {
        CategoryKind::Classification => {
            ("Add/Remove Classifications", "classifications", tree_view::classifications(tree, &ticks))
        }
        CategoryKind::Product if find.is_empty() => {
            let extent = if in_dialog { Extent::OnOpening(&address) } else { Extent::Whole };
            ("Add/Remove Products", "products", tree_view::roots(tree, &ticks, extent))
        }
        CategoryKind::Product => {
            let found = tree.find(find);
            hits = match found.len() {
                0 => "No product matches.".to_owned(),
                1 => "1 product matches.".to_owned(),
                n if n > HITS_MAX => format!("{n} products match; the first {HITS_MAX} are shown."),
                n => format!("{n} products match."),
            };
            ("Add/Remove Products", "products", tree_view::flat(tree, &ticks, &found))
        }
    };
    CategoriesPage {
        shell,
        title,
        part,
        draft: asked.draft,
        back: asked.back.to_owned(),
        find: find.to_owned(),
        hits,
        nodes,
        unknown: tree_view::unknown(tree, &ticks, asked.kind),
        counted: counted(&ticks, asked.kind),
        in_dialog,
    }
}

fn answer(page: CategoriesPage, wants: Wants) -> Result<Reply, PageError> {
    match wants {
        Wants::Page => Reply::ok(&page),
        Wants::Fragment => {
            let form = page.as_form().render().map_err(PageError::internal)?;
            Reply::ok(&Dialog { form })
        }
    }
}

async fn open_dialog(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    fields: &Fields,
    kind: CategoryKind,
) -> Result<Reply, PageError> {
    let (kept, copy) = open(&mut db.0, admin.account.id, fields).await?;
    let back = kept.to_string();
    if wants == Wants::Page {
        let part = if kind == CategoryKind::Product { "products" } else { "classifications" };
        return Ok(Reply::SeeOther(format!("{ADDRESS}/{part}?draft={copy}&back={back}")));
    }
    show(admin, db, Asked { kind, draft: copy, back: &back, find: "", wants }).await
}

async fn show(admin: Administrator, mut db: Db, asked: Asked<'_>) -> Result<Reply, PageError> {
    let (_, draft) = load_draft(&mut db.0, admin.account.id, Some(asked.draft)).await?;
    let mut scene = Scene::load(&mut db.0).await?;
    scene.tree = known_tree_with_counts(&mut db.0).await?;
    let wants = asked.wants;
    answer(page(admin.shell, &scene, &draft, &asked), wants)
}

/// Puts the boxes of the submitted form into the draft it names.
async fn take(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    fields: &Fields,
    kind: CategoryKind,
) -> Result<(Uuid, Scene, Draft), PageError> {
    let (id, mut draft) = load_draft(conn, account_id, fields.id("draft")).await?;
    let scene = Scene::load(conn).await?;
    let ids = |name: &str| -> BTreeSet<Uuid> {
        fields.all(name).filter_map(|text| Uuid::try_parse(text).ok()).collect()
    };
    let (seen, ticked) = (ids("seen"), ids("tick"));
    let current = ticks(&scene, &draft, kind);
    let (key, chosen) = match kind {
        CategoryKind::Product => {
            let applied = tree::apply(&scene.tree, &current, &seen, &ticked);
            for id in &applied.broken_up {
                let title = scene.tree.get(*id).map(|node| node.title.clone());
                draft.broken_up.extend(title.filter(|one| !draft.broken_up.contains(one)));
            }
            (Key::Products, applied.ticks.iter().map(|one| one.category_id).collect())
        }
        CategoryKind::Classification => {
            let kept = current.iter().map(|one| one.category_id).filter(|id| !seen.contains(id));
            let new = ticked.intersection(&seen).copied();
            (Key::Classifications, kept.chain(new).collect::<Vec<_>>())
        }
    };
    let text: Vec<String> = chosen.iter().map(Uuid::to_string).collect();
    draft.values.insert(key, text.join(","));
    drafts::store(conn, account_id, Some(id), &draft).await?;
    Ok((id, scene, draft))
}

async fn choose(
    admin: Administrator,
    mut db: Db,
    fields: &Fields,
    kind: CategoryKind,
) -> Result<Reply, PageError> {
    let (id, ..) = take(&mut db.0, admin.account.id, fields, kind).await?;
    if let Some(back) = fields.id("back") {
        drafts::forget(&mut db.0, admin.account.id, back).await?;
    }
    Ok(Reply::SeeOther(format!("{ADDRESS}?draft={id}")))
}

#[post("/options/synchronization/products", data = "<fields>")]
async fn open_products(
    admin: Administrator,
    db: Db,
    wants: Wants,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    open_dialog(admin, db, wants, &fields, CategoryKind::Product).await
}

#[get("/options/synchronization/products?<draft>&<back>&<find>")]
async fn show_products(
    admin: Administrator,
    db: Db,
    wants: Wants,
    draft: &str,
    back: Option<&str>,
    find: Option<&str>,
) -> Result<Reply, PageError> {
    let draft = Uuid::try_parse(draft).unwrap_or_default();
    let kind = CategoryKind::Product;
    let back = back.unwrap_or_default();
    show(admin, db, Asked { kind, draft, back, find: find.unwrap_or_default(), wants }).await
}

/// Keeps the boxes as they are and shows what matches.
#[post("/options/synchronization/products/find", data = "<fields>")]
async fn find_products(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    let kind = CategoryKind::Product;
    let (id, mut scene, draft) = take(&mut db.0, admin.account.id, &fields, kind).await?;
    let (find, back) = (fields.first("find"), fields.first("back"));
    if wants == Wants::Page {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("draft", &id.to_string()).append_pair("back", back);
        query.append_pair("find", find);
        return Ok(Reply::SeeOther(format!("{ADDRESS}/products?{}", query.finish())));
    }
    scene.tree = known_tree_with_counts(&mut db.0).await?;
    let asked = Asked { kind, draft: id, back, find, wants };
    Reply::ok(&page(admin.shell, &scene, &draft, &asked).as_list())
}

#[post("/options/synchronization/products/choice", data = "<fields>")]
async fn choose_products(admin: Administrator, db: Db, fields: Form<Fields>) -> Result<Reply, PageError> {
    choose(admin, db, &fields, CategoryKind::Product).await
}

/// What is below one family, when it is opened.
#[derive(Template)]
#[template(path = "options/children.html")]
struct Children {
    nodes: Vec<NodeView>,
}

#[get("/options/synchronization/products/children?<draft>&<parent>")]
async fn show_children(
    admin: Administrator,
    mut db: Db,
    draft: &str,
    parent: &str,
) -> Result<Reply, PageError> {
    let id = Uuid::try_parse(draft).ok();
    let (id, draft) = load_draft(&mut db.0, admin.account.id, id).await?;
    let mut scene = Scene::load(&mut db.0).await?;
    scene.tree = known_tree_with_counts(&mut db.0).await?;
    let parent = Uuid::try_parse(parent).unwrap_or_default();
    let ticks = ticks(&scene, &draft, CategoryKind::Product);
    let address = children_address(id);
    let nodes = tree_view::below(&scene.tree, &ticks, parent, Extent::OnOpening(&address));
    Reply::ok(&Children { nodes })
}

#[post("/options/synchronization/classifications", data = "<fields>")]
async fn open_classifications(
    admin: Administrator,
    db: Db,
    wants: Wants,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    open_dialog(admin, db, wants, &fields, CategoryKind::Classification).await
}

#[get("/options/synchronization/classifications?<draft>&<back>")]
async fn show_classifications(
    admin: Administrator,
    db: Db,
    wants: Wants,
    draft: &str,
    back: Option<&str>,
) -> Result<Reply, PageError> {
    let draft = Uuid::try_parse(draft).unwrap_or_default();
    let kind = CategoryKind::Classification;
    show(admin, db, Asked { kind, draft, back: back.unwrap_or_default(), find: "", wants }).await
}

#[post("/options/synchronization/classifications/choice", data = "<fields>")]
async fn choose_classifications(
    admin: Administrator,
    db: Db,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    choose(admin, db, &fields, CategoryKind::Classification).await
}
