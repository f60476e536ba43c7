//! The list of products that a filter offers: families with everything below them.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::settings::builtin;
use crate::settings::tree::{CategoryTree, NodeKind};

/// Deepest indentation that is shown.
const DEPTH_MAX: usize = 6;

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProductChoice {
    pub id: Uuid,
    /// The title, moved to the right by its depth.
    pub label: String,
}

/// Companies, families and products that the catalogue knows, each below what it belongs to; each once.
pub(super) fn products(tree: &CategoryTree) -> Vec<ProductChoice> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<(Uuid, usize)> = tree.roots().into_iter().rev().map(|id| (id, 0)).collect();
    let mut choices = Vec::new();
    while let Some((id, depth)) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Some(node) = tree.get(id) else { continue };
        let known = node.kind != NodeKind::Classification && !builtin::is_stand_in(tree, id);
        if known {
            let label = format!("{}{}", "\u{2003}".repeat(depth.min(DEPTH_MAX)), node.title);
            choices.push(ProductChoice { id, label });
        }
        let below = depth + usize::from(known);
        waiting.extend(tree.children(id).iter().rev().map(|child| (*child, below)));
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tree::Node;

    #[test]
    fn families_come_before_what_is_below_them_and_circles_end() {
        let id = |number| Uuid::from_u128(0xabc0 + number);
        let node = |number: u128, title: &str, kind, parents: &[u128]| Node {
            id: id(number),
            title: title.to_owned(),
            kind,
            parents: parents.iter().map(|parent| id(*parent)).collect(),
            updates: 0,
            is_new: false,
        };
        let tree = CategoryTree::new([
            node(1, "Company", NodeKind::Company, &[]),
            node(2, "Family", NodeKind::Family, &[1]),
            node(3, "Product", NodeKind::Product, &[2, 3]),
            node(4, "Alone", NodeKind::Product, &[]),
            node(5, "Tools", NodeKind::Classification, &[]),
        ]);
        let labels: Vec<String> = products(&tree).into_iter().map(|choice| choice.label).collect();
        assert_eq!(labels, ["Alone", "Company", "\u{2003}Family", "\u{2003}\u{2003}Product"]);
    }
}
