//! Add/Remove Products: the tree of products, families first. Only boxes that were shown change.

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::{Route, State, get, post, routes};
use uuid::Uuid;

use super::ADDRESS;
use super::dialog::{Frame, Work, over_the_page};
use super::form::{Fields, Names};
use super::meant::{self, BrokenUp};
use super::tree_view::{self, Extent, HITS_MAX, NodeView};
use crate::content::Store;
use crate::settings::tree::{self, Answer, CategoryTree, NodeKind};
use crate::settings::{CategoryKind, Key, Selected, visits};
use crate::web::submitted::Form;
use crate::web::words::{counted, grouped};
use crate::web::{Administrator, Db, PageError, Reply, Shell, Wants};

pub(super) fn routes() -> Vec<Route> {
    routes![open_products, show_products, find_products, count_products, choose_products, show_children]
}

const KIND: CategoryKind = CategoryKind::Product;

/// What its form has.
struct Dialog;

impl Names for Dialog {
    fn include(name: &str) -> bool {
        ["csrf", "draft", "back", "seen", "tick", "own", "find", "told"].contains(&name)
    }
}

#[derive(Template)]
#[template(path = "options/products.html", blocks = ["form", "list"])]
struct ProductsPage {
    shell: Shell,
    frame: Frame,
    find: String,
    /// Words about the hits of a search; empty: no search.
    hits: String,
    nodes: Vec<NodeView>,
    counted: String,
    /// Families that will no longer include future products.
    broken_up: Vec<BrokenUp>,
    /// OK was chosen before this was said.
    asks_again: bool,
    /// No update source has told its products yet.
    is_builtin: bool,
    /// What came since the last visit, in words; empty: nothing.
    news: String,
}

impl ProductsPage {
    fn new(shell: Shell, work: &Work, find: &str, wants: Wants) -> Self {
        let tree = &work.scene.tree;
        let ticks = ticks(work);
        let find = find.trim();
        let address = work.address("products/children");
        let (mut nodes, hits) = if find.is_empty() {
            let extent = if wants == Wants::Fragment { Extent::OnOpening(&address) } else { Extent::Whole };
            (tree_view::roots(tree, &ticks, extent), String::new())
        } else {
            let found = tree.find(find);
            (tree_view::flat(tree, &ticks, &found), hits_words(found.len()))
        };
        if find.is_empty() {
            nodes.extend(tree_view::unknown(tree, &ticks, KIND));
        }
        Self {
            shell,
            frame: work.frame("Add/Remove Products", wants),
            find: find.to_owned(),
            hits,
            nodes,
            counted: counted_words(&ticks),
            broken_up: meant::broken_up(&work.scene.current, &ticks, tree),
            asks_again: false,
            is_builtin: work.scene.offer.is_none(),
            news: news_words(tree),
        }
    }

    fn answer(&self, wants: Wants) -> Result<Reply, PageError> {
        match wants {
            Wants::Page => Reply::ok(self),
            Wants::Fragment => over_the_page(self.as_form().render()),
        }
    }
}

fn ticks(work: &Work) -> Vec<Selected> {
    meant::ticks(&work.scene.current, &work.typed(), &work.scene.tree, KIND)
}

fn hits_words(found: usize) -> String {
    match found {
        0 => "No product matches.".to_owned(),
        1 => "1 product matches.".to_owned(),
        n if n > HITS_MAX => {
            format!("{} products match; the first {HITS_MAX} are shown.", grouped(n as i64))
        }
        n => format!("{n} products match."),
    }
}

fn news_words(tree: &CategoryTree) -> String {
    let new = tree.nodes().filter(|node| node.is_new && node.kind != NodeKind::Classification).count();
    match new {
        0 => String::new(),
        n => format!("{} since your last visit.", counted(n as i64, "new entry", "new entries")),
    }
}

fn counted_words(ticks: &[Selected]) -> String {
    let whole = ticks.iter().filter(|one| one.with_descendants).count();
    let single = ticks.len() - whole;
    let families = counted(whole as i64, "whole family", "whole families");
    let products = counted(single as i64, "single product", "single products");
    match (whole, single) {
        (0, _) => products,
        (_, 0) => families,
        _ => format!("{families}, {products}"),
    }
}

/// Puts the boxes of the submitted form into the draft it names.
async fn take(
    conn: &mut AsyncPgConnection,
    admin: &Administrator,
    fields: &Fields<Dialog>,
) -> Result<Work, PageError> {
    let (draft, back) = (fields.first("draft"), fields.first("back"));
    let mut work = Work::load(conn, admin.account.id, draft, back).await?;
    work.refuse_if_locked(conn, &admin.shell, true).await?;
    let answer = Answer { seen: fields.ids("seen"), ticked: fields.ids("tick"), own: fields.ids("own") };
    let chosen = tree::apply(&work.scene.tree, &ticks(&work), &answer);
    let ids = chosen.iter().map(|one| one.category_id);
    work.draft.values.insert(Key::Products, meant::ids_text(ids));
    Ok(work)
}

#[post("/options/synchronization/products", data = "<fields>")]
async fn open_products(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    let mut work = Work::open(&mut db.0, admin.account.id, &fields, wants).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, true).await?;
    visits::record(&mut db.0, admin.account.id).await?;
    if wants == Wants::Page {
        return Ok(Reply::SeeOther(work.address("products")));
    }
    work.load_tree(&mut db.0, admin.account.id).await?;
    ProductsPage::new(admin.shell, &work, "", wants).answer(wants)
}

#[get("/options/synchronization/products?<draft>&<back>&<find>")]
async fn show_products(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    draft: Option<&str>,
    back: Option<&str>,
    find: Option<&str>,
) -> Result<Reply, PageError> {
    let (draft, back) = (draft.unwrap_or_default(), back.unwrap_or_default());
    let mut work = Work::load(&mut db.0, admin.account.id, draft, back).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, false).await?;
    work.load_tree(&mut db.0, admin.account.id).await?;
    ProductsPage::new(admin.shell, &work, find.unwrap_or_default(), wants).answer(wants)
}

/// Keeps the boxes as they are and shows what matches.
#[post("/options/synchronization/products/find", data = "<fields>")]
async fn find_products(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    fields: Form<Fields<Dialog>>,
) -> Result<Reply, PageError> {
    let mut work = take(&mut db.0, &admin, &fields).await?;
    work.keep(&mut db.0, admin.account.id).await?;
    let find = fields.first("find");
    if wants == Wants::Page {
        let find: String = url::form_urlencoded::byte_serialize(find.as_bytes()).collect();
        return Ok(Reply::SeeOther(format!("{}&find={find}", work.address("products"))));
    }
    work.load_tree(&mut db.0, admin.account.id).await?;
    Reply::ok(&ProductsPage::new(admin.shell, &work, find, wants).as_list())
}

/// How much the boxes of the form stand for, as they are ticked and before anything is kept.
#[post("/options/synchronization/products/count", data = "<fields>")]
async fn count_products(
    admin: Administrator,
    mut db: Db,
    fields: Form<Fields<Dialog>>,
) -> Result<Reply, PageError> {
    let work = take(&mut db.0, &admin, &fields).await?;
    Reply::ok(&Counted { counted: counted_words(&ticks(&work)) })
}

/// The words at the foot of the dialog.
#[derive(Template)]
#[template(source = "{{ counted }}", ext = "html")]
struct Counted {
    counted: String,
}

/// OK. A family that loses its future products is said first; then a second OK is needed, unless the
/// dialog said it already.
#[post("/options/synchronization/products/choice", data = "<fields>")]
async fn choose_products(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    store: &State<Store>,
    fields: Form<Fields<Dialog>>,
) -> Result<Reply, PageError> {
    let mut work = take(&mut db.0, &admin, &fields).await?;
    let told = fields.ids("told");
    let broken_up = meant::broken_up(&work.scene.current, &ticks(&work), &work.scene.tree);
    if broken_up.iter().all(|one| told.contains(&one.id)) {
        return work.finish(&mut db.0, admin, wants, store).await;
    }
    work.keep(&mut db.0, admin.account.id).await?;
    work.load_tree(&mut db.0, admin.account.id).await?;
    let mut page = ProductsPage::new(admin.shell, &work, "", wants);
    page.asks_again = true;
    page.answer(wants)
}

/// What is below one family, when it is opened.
#[derive(Template)]
#[template(path = "options/children.html")]
struct Children {
    nodes: Vec<NodeView>,
}

#[get("/options/synchronization/products/children?<draft>&<back>&<parent>")]
async fn show_children(
    admin: Administrator,
    mut db: Db,
    draft: Option<&str>,
    back: Option<&str>,
    parent: &str,
) -> Result<Reply, PageError> {
    let (draft, back) = (draft.unwrap_or_default(), back.unwrap_or_default());
    let mut work = Work::load(&mut db.0, admin.account.id, draft, back).await?;
    work.load_tree(&mut db.0, admin.account.id).await?;
    let parent = Uuid::try_parse(parent).unwrap_or_default();
    let address = format!("{ADDRESS}/products/children?draft={draft}&back={back}");
    let nodes = tree_view::below(&work.scene.tree, &ticks(&work), parent, Extent::OnOpening(&address));
    Reply::ok(&Children { nodes })
}
