//! The tree of companies, families and products, and what a tick in it means. Pure.
//!
//! Ticking a parent means everything below it and what comes later. Ticking all children one by one
//! never ticks the parent. Unticking one child of a ticked parent turns the parent into its other
//! children, and what comes later is no longer included.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::options::{CategoryKind, Selected};

/// What a category is, as its source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    Company,
    Family,
    Product,
    Classification,
}

impl NodeKind {
    /// The kind for a `CategoryType` of an update document; `None`: not one that can be chosen.
    #[must_use]
    pub fn from_category_type(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "company" => Some(Self::Company),
            "productfamily" => Some(Self::Family),
            "product" => Some(Self::Product),
            "updateclassification" => Some(Self::Classification),
            _ => None,
        }
    }

    fn half(self) -> CategoryKind {
        match self {
            Self::Classification => CategoryKind::Classification,
            _ => CategoryKind::Product,
        }
    }
}

/// One category that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: Uuid,
    pub title: String,
    pub kind: NodeKind,
    /// Categories it is filed under; ids that are not in the tree are passed over.
    pub parents: Vec<Uuid>,
    /// How many updates of it are known here; 0 before the first run.
    pub updates: u64,
    /// It came after the person's visit before this one.
    pub is_new: bool,
}

/// How the check box of a category looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing of it is ticked.
    Empty,
    /// A single product is ticked.
    Ticked,
    /// The parent itself is ticked: all products, and future ones.
    Whole,
    /// A parent above it is ticked.
    Inherited,
    /// Some or all products below are ticked one by one; future ones are not included.
    Part { ticked: usize, all: usize },
}

impl Look {
    /// Is the box drawn with a tick?
    #[must_use]
    pub fn is_checked(self) -> bool {
        matches!(self, Self::Ticked | Self::Whole | Self::Inherited)
    }
}

/// All categories known, by id, with the way down.
#[derive(Debug, Clone, Default)]
pub struct CategoryTree {
    nodes: BTreeMap<Uuid, Node>,
    children: BTreeMap<Uuid, Vec<Uuid>>,
}

impl CategoryTree {
    /// Builds the tree; of nodes with the same id the first one counts.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Self {
        let mut tree = Self::default();
        for node in nodes {
            tree.nodes.entry(node.id).or_insert(node);
        }
        let mut children: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for node in tree.nodes.values() {
            let parents: BTreeSet<Uuid> = node.parents.iter().copied().collect();
            for parent in parents {
                if parent != node.id && tree.nodes.contains_key(&parent) {
                    children.entry(parent).or_default().push(node.id);
                }
            }
        }
        for below in children.values_mut() {
            tree.sort(below);
        }
        tree.children = children;
        tree
    }

    /// The category of this id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// All categories, in no order that matters.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Direct children, by title.
    #[must_use]
    pub fn children(&self, id: Uuid) -> &[Uuid] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Products, families and companies with no known parent, by title.
    #[must_use]
    pub fn roots(&self) -> Vec<Uuid> {
        self.of_kind(|node| node.kind.half() == CategoryKind::Product && !self.has_parent(node))
    }

    /// All classifications, by title.
    #[must_use]
    pub fn classifications(&self) -> Vec<Uuid> {
        self.of_kind(|node| node.kind == NodeKind::Classification)
    }

    /// Is this a category of the wanted half of the panel?
    #[must_use]
    pub fn has(&self, id: Uuid, kind: CategoryKind) -> bool {
        self.get(id).is_some_and(|node| node.kind.half() == kind)
    }

    /// Whether a tick on it stands for what is below: anything but a product without children.
    #[must_use]
    pub fn may_have_children(&self, id: Uuid) -> bool {
        match self.get(id).map(|node| node.kind) {
            Some(NodeKind::Company | NodeKind::Family) => true,
            Some(NodeKind::Product) => !self.children(id).is_empty(),
            Some(NodeKind::Classification) | None => false,
        }
    }

    /// The tick for this id: a parent stands for everything below it.
    #[must_use]
    pub fn tick(&self, id: Uuid, kind: CategoryKind) -> Selected {
        let with_descendants = kind == CategoryKind::Product && self.may_have_children(id);
        Selected { category_id: id, kind, with_descendants }
    }

    /// Everything below, itself not included; safe against circles.
    #[must_use]
    pub fn descendants(&self, id: Uuid) -> BTreeSet<Uuid> {
        let mut found = BTreeSet::new();
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            for &child in self.children(next) {
                if child != id && found.insert(child) {
                    open.push(child);
                }
            }
        }
        found
    }

    /// The titles above it, outermost first, by its first known parent each time.
    #[must_use]
    pub fn path(&self, id: Uuid) -> Vec<&str> {
        let mut titles = Vec::new();
        let mut passed = BTreeSet::from([id]);
        let mut next = id;
        while let Some(parent) = self.first_parent(next) {
            if !passed.insert(parent) {
                break;
            }
            titles.push(self.nodes[&parent].title.as_str());
            next = parent;
        }
        titles.reverse();
        titles
    }

    /// Products whose title contains the words (case does not matter), by title; not cut.
    #[must_use]
    pub fn find(&self, words: &str) -> Vec<Uuid> {
        let words = words.trim().to_lowercase();
        self.of_kind(|node| {
            node.kind.half() == CategoryKind::Product && node.title.to_lowercase().contains(&words)
        })
    }

    /// How the box of this category looks under these ticks.
    #[must_use]
    pub fn look(&self, ticks: &[Selected], id: Uuid) -> Look {
        Looks::new(self, ticks).of(id)
    }

    fn first_parent(&self, id: Uuid) -> Option<Uuid> {
        let node = self.get(id)?;
        node.parents.iter().copied().find(|parent| *parent != id && self.nodes.contains_key(parent))
    }

    fn has_parent(&self, node: &Node) -> bool {
        self.first_parent(node.id).is_some()
    }

    fn of_kind(&self, wanted: impl Fn(&Node) -> bool) -> Vec<Uuid> {
        let mut ids: Vec<Uuid> =
            self.nodes.values().filter(|node| wanted(node)).map(|node| node.id).collect();
        self.sort(&mut ids);
        ids
    }

    fn sort(&self, ids: &mut [Uuid]) {
        ids.sort_by_cached_key(|id| (self.nodes[id].title.to_lowercase(), *id));
    }
}

/// The looks of many boxes under the same ticks, worked out once.
pub struct Looks<'a> {
    tree: &'a CategoryTree,
    ticks: BTreeMap<Uuid, bool>,
    inherited: BTreeSet<Uuid>,
}

impl<'a> Looks<'a> {
    /// Prepares the looks of a tree under these ticks.
    #[must_use]
    pub fn new(tree: &'a CategoryTree, ticks: &[Selected]) -> Self {
        let inherited = ticks
            .iter()
            .filter(|tick| tick.with_descendants)
            .flat_map(|tick| tree.descendants(tick.category_id))
            .collect();
        let ticks = ticks.iter().map(|tick| (tick.category_id, tick.with_descendants)).collect();
        Self { tree, ticks, inherited }
    }

    /// The look of one box.
    #[must_use]
    pub fn of(&self, id: Uuid) -> Look {
        if self.inherited.contains(&id) {
            return Look::Inherited;
        }
        match self.ticks.get(&id) {
            Some(true) => return Look::Whole,
            Some(false) => return Look::Ticked,
            None => {}
        }
        let products = self.products_below(id);
        let ticked = products
            .iter()
            .filter(|one| self.ticks.contains_key(one) || self.inherited.contains(one))
            .count();
        let part_of_parent =
            ticked > 0 || self.tree.descendants(id).iter().any(|one| self.ticks.contains_key(one));
        if part_of_parent { Look::Part { ticked, all: products.len() } } else { Look::Empty }
    }

    fn products_below(&self, id: Uuid) -> Vec<Uuid> {
        let is_product = |one: &Uuid| self.tree.get(*one).is_some_and(|node| node.kind == NodeKind::Product);
        self.tree.descendants(id).into_iter().filter(is_product).collect()
    }
}

/// The product ids a selection stands for, with the tree as it is now; classifications are passed
/// over. A tick on something unknown stands for itself, unless it stands for what is below it.
#[must_use]
pub fn expand(tree: &CategoryTree, selected: &[Selected]) -> BTreeSet<Uuid> {
    let mut products = BTreeSet::new();
    for tick in selected.iter().filter(|tick| tick.kind == CategoryKind::Product) {
        let is_product = |id: &Uuid| tree.get(*id).is_some_and(|node| node.kind == NodeKind::Product);
        if !tick.with_descendants || is_product(&tick.category_id) {
            products.insert(tick.category_id);
        }
        if tick.with_descendants {
            products.extend(tree.descendants(tick.category_id).into_iter().filter(is_product));
        }
    }
    products
}

/// The boxes of a product dialog as they came back.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// All boxes that were shown; only these change.
    pub seen: BTreeSet<Uuid>,
    /// Those ticked, boxes that are drawn with a tick because of their parent included.
    pub ticked: BTreeSet<Uuid>,
    /// Those of them that are meant for themselves, as the page's script knows.
    pub own: BTreeSet<Uuid>,
}

/// The ticks of this half after a dialog, sorted by id.
///
/// A box under a ticked parent is drawn with a tick. Unticking it turns the parent into its other
/// children. Unticking the parent clears them all, unless some of them were unticked as well: then
/// those left are meant for themselves.
#[must_use]
pub fn apply(tree: &CategoryTree, current: &[Selected], answer: &Answer) -> Vec<Selected> {
    let looks = Looks::new(tree, current);
    let unticked: BTreeSet<Uuid> = answer.seen.difference(&answer.ticked).copied().collect();
    let mut chosen: BTreeMap<Uuid, Selected> = BTreeMap::new();
    for tick in current {
        let below = if tick.with_descendants { tree.descendants(tick.category_id) } else { BTreeSet::new() };
        let breaks_up = below.iter().any(|id| unticked.contains(id));
        match (unticked.contains(&tick.category_id), breaks_up) {
            (false, false) => {
                chosen.insert(tick.category_id, *tick);
            }
            (false, true) => break_up(tree, tick.category_id, &unticked, &mut chosen, 0),
            (true, true) => {
                let mut left = BTreeMap::new();
                break_up(tree, tick.category_id, &unticked, &mut left, 0);
                left.retain(|id, _| answer.ticked.contains(id));
                chosen.extend(left);
            }
            (true, false) => {}
        }
    }
    let known = answer.ticked.intersection(&answer.seen).filter(|id| tree.has(**id, CategoryKind::Product));
    for id in known {
        // A box that was drawn ticked for its parent says nothing of its own.
        if looks.of(*id) == Look::Empty
            || matches!(looks.of(*id), Look::Part { .. })
            || answer.own.contains(id)
        {
            chosen.entry(*id).or_insert_with(|| tree.tick(*id, CategoryKind::Product));
        }
    }
    drop_covered(tree, &mut chosen);
    chosen.into_values().collect()
}

/// Turns a parent into its children, but for what was unticked. Depth is bounded against circles.
fn break_up(
    tree: &CategoryTree,
    parent: Uuid,
    unticked: &BTreeSet<Uuid>,
    chosen: &mut BTreeMap<Uuid, Selected>,
    depth: u8,
) {
    if depth > 8 {
        return;
    }
    for &child in tree.children(parent) {
        if unticked.contains(&child) {
            continue;
        }
        if tree.descendants(child).iter().any(|id| unticked.contains(id)) {
            break_up(tree, child, unticked, chosen, depth + 1);
        } else {
            chosen.insert(child, tree.tick(child, CategoryKind::Product));
        }
    }
}

/// Drops single ticks below a parent that is ticked as a whole: they are part of it.
fn drop_covered(tree: &CategoryTree, chosen: &mut BTreeMap<Uuid, Selected>) {
    let covered: BTreeSet<Uuid> = chosen
        .values()
        .filter(|tick| tick.with_descendants)
        .flat_map(|tick| tree.descendants(tick.category_id))
        .collect();
    chosen.retain(|id, _| !covered.contains(id));
}

#[cfg(test)]
mod tests;
