//! The categories as a dialog draws them: boxes with words, families first, children below.

use std::collections::BTreeMap;

use askama::Template;
use uuid::Uuid;

use crate::settings::tree::{CategoryTree, Look, Looks, NodeKind};
use crate::settings::{CategoryKind, Selected};
use crate::web::words::counted;

/// Most hits of a search that are shown (all are counted).
pub const HITS_MAX: usize = 200;
/// Levels of families drawn, as a guard against circles.
const DEPTH_MAX: u8 = 6;

/// One box and what is below it.
#[derive(Template, Default)]
#[template(path = "shared/tree_node.html")]
pub struct NodeView {
    pub id: Uuid,
    /// The box's id on the page, different for each place a category is shown at.
    pub dom_id: String,
    pub title: String,
    /// What the look means. The page's script keeps it true while boxes are ticked.
    pub words: String,
    /// Where the category is when that is not clear from its place, and how many updates of it are here.
    pub detail: String,
    pub checked: bool,
    pub bar: bool,
    /// Ticked as a whole, with what comes later.
    pub whole: bool,
    pub children: Vec<NodeView>,
    /// `24 products of SQL Server`; the children may still have to be fetched.
    pub below_words: String,
    /// Where the children are to be fetched from when opened first; empty: they are here.
    pub fetch: String,
    pub open: bool,
}

/// How much of the tree is drawn at once.
#[derive(Clone, Copy)]
pub enum Extent<'a> {
    /// Everything, for pages without a script.
    Whole,
    /// Children come when their family is opened, from this address.
    OnOpening(&'a str),
}

/// The roots with what is below them.
pub fn roots(tree: &CategoryTree, ticks: &[Selected], extent: Extent<'_>) -> Vec<NodeView> {
    let looks = Looks::new(tree, ticks);
    nodes(tree, &looks, &tree.roots(), None, extent, 0)
}

/// The children of one family.
pub fn below(tree: &CategoryTree, ticks: &[Selected], parent: Uuid, extent: Extent<'_>) -> Vec<NodeView> {
    let looks = Looks::new(tree, ticks);
    nodes(tree, &looks, tree.children(parent), Some(parent), extent, 1)
}

/// A flat list, with the way to each in its words.
pub fn flat(tree: &CategoryTree, ticks: &[Selected], ids: &[Uuid]) -> Vec<NodeView> {
    let looks = Looks::new(tree, ticks);
    let shown: Vec<Uuid> = ids.iter().copied().take(HITS_MAX).collect();
    let places = |id: Uuid| (tree.get(id).map(|node| node.title.to_lowercase()), tree.path(id));
    let mut same: BTreeMap<_, usize> = BTreeMap::new();
    for id in &shown {
        *same.entry(places(*id)).or_default() += 1;
    }
    let view = |id: &Uuid| {
        let mut one = node(tree, &looks, *id, None)?;
        let path = tree.path(*id).join(" › ");
        let place = if path.is_empty() { path } else { format!("in {path}") };
        one.detail = join(&place, &one.detail);
        if same[&places(*id)] > 1 {
            one.detail = join(&one.detail, &id.to_string());
        }
        Some(one)
    };
    shown.iter().filter_map(view).collect()
}

/// Classifications, one by one.
pub fn classifications(tree: &CategoryTree, ticks: &[Selected]) -> Vec<NodeView> {
    flat(tree, ticks, &tree.classifications())
}

/// Ticks whose category nobody names any more, so that they can be unticked.
pub fn unknown(tree: &CategoryTree, ticks: &[Selected], kind: CategoryKind) -> Vec<NodeView> {
    let lost = ticks.iter().filter(|one| one.kind == kind && !tree.has(one.category_id, kind));
    lost.map(|one| NodeView {
        id: one.category_id,
        dom_id: format!("unknown-{}", one.category_id),
        title: one.category_id.to_string(),
        detail: "not known to the update source any more".to_owned(),
        checked: true,
        ..NodeView::default()
    })
    .collect()
}

fn nodes(
    tree: &CategoryTree,
    looks: &Looks<'_>,
    ids: &[Uuid],
    parent: Option<Uuid>,
    extent: Extent<'_>,
    depth: u8,
) -> Vec<NodeView> {
    let mut titles: BTreeMap<String, usize> = BTreeMap::new();
    for one in ids.iter().filter_map(|id| tree.get(*id)) {
        *titles.entry(one.title.to_lowercase()).or_default() += 1;
    }
    ids.iter()
        .filter_map(|id| {
            let mut one = node(tree, looks, *id, parent)?;
            if titles.get(&one.title.to_lowercase()).is_some_and(|count| *count > 1) {
                one.detail = join(&one.detail, &one.id.to_string());
            }
            // A company is only the way to its families, so it is open from the start.
            let is_way =
                depth == 0 && tree.children(*id).iter().any(|child| !tree.children(*child).is_empty());
            one.open = is_way;
            if !tree.children(*id).is_empty() && depth < DEPTH_MAX {
                match extent {
                    Extent::OnOpening(address) if !is_way => {
                        one.fetch = format!("{address}&parent={id}");
                    }
                    _ => {
                        let below = tree.children(*id);
                        one.children = nodes(tree, looks, below, Some(*id), extent, depth + 1);
                    }
                }
            }
            Some(one)
        })
        .collect()
}

fn node(tree: &CategoryTree, looks: &Looks<'_>, id: Uuid, parent: Option<Uuid>) -> Option<NodeView> {
    let known = tree.get(id)?;
    let look = looks.of(id);
    let words = match look {
        Look::Empty | Look::Ticked => String::new(),
        Look::Whole => "all products, and future ones".to_owned(),
        Look::Inherited => "included".to_owned(),
        Look::Part { ticked, all } => {
            format!("{ticked} of {all} selected, future ones not included")
        }
    };
    let here = match known.updates {
        0 => String::new(),
        n => format!("{} here", counted(n as i64, "update", "updates")),
    };
    let detail = join(&here, if known.is_new { "new since your last visit" } else { "" });
    Some(NodeView {
        id,
        dom_id: format!("{}-{id}", parent.map(|one| one.to_string()).unwrap_or_default()),
        title: known.title.clone(),
        words,
        detail,
        checked: look.is_checked(),
        bar: matches!(look, Look::Part { .. }),
        whole: look == Look::Whole,
        below_words: below_words(tree, id, &known.title),
        ..NodeView::default()
    })
}

fn below_words(tree: &CategoryTree, id: Uuid, title: &str) -> String {
    let below = tree.children(id);
    let are_products =
        below.iter().all(|one| tree.get(*one).is_some_and(|node| node.kind == NodeKind::Product));
    let (one, many) = if are_products { ("product", "products") } else { ("family", "families") };
    format!("{} of {title}", counted(below.len() as i64, one, many))
}

fn join(one: &str, other: &str) -> String {
    if one.is_empty() || other.is_empty() { format!("{one}{other}") } else { format!("{one}; {other}") }
}
