//! The short lists on the panel: what is selected, in a few words each.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::settings::CategoryKind;
use crate::settings::Selected;
use crate::settings::builtin::WINDOWS;
use crate::settings::tree::{CategoryTree, Look, Looks};

/// More than these are counted, not listed.
const SHOWN_MAX: usize = 24;

/// The words for the ticks of one half of the panel.
pub fn chips(tree: &CategoryTree, ticks: &[Selected], kind: CategoryKind) -> Vec<String> {
    let ticks: Vec<Selected> = ticks.iter().copied().filter(|one| one.kind == kind).collect();
    let looks = Looks::new(tree, &ticks);
    let mut words = Vec::new();
    let mut singles: BTreeMap<Option<Uuid>, Vec<Uuid>> = BTreeMap::new();
    for tick in &ticks {
        match tree.get(tick.category_id) {
            None => words.push(format!("Unknown here: {}", tick.category_id)),
            Some(_) if tick.category_id == WINDOWS && tick.with_descendants => {
                words.push("All Windows Products".to_owned());
            }
            Some(node) if tick.with_descendants => {
                words.push(format!("{}: all products, and future ones", node.title));
            }
            Some(node) => {
                let parent = node.parents.iter().copied().find(|id| tree.get(*id).is_some());
                singles.entry(parent).or_default().push(node.id);
            }
        }
    }
    for (parent, ids) in singles {
        match parent.and_then(|id| tree.get(id)) {
            Some(parent) if ids.len() > 1 => {
                let all = match looks.of(parent.id) {
                    Look::Part { all, .. } => all,
                    _ => tree.children(parent.id).len(),
                };
                words.push(format!("{}: {} of {all}", parent.title, ids.len()));
            }
            _ => words.extend(ids.iter().filter_map(|id| single(tree, *id))),
        }
    }
    words.sort_by_key(|word| word.to_lowercase());
    if words.len() > SHOWN_MAX {
        let more = words.len() - SHOWN_MAX;
        words.truncate(SHOWN_MAX);
        words.push(format!("and {more} more"));
    }
    words
}

/// The title of one product, with the way to it where another one is called the same.
fn single(tree: &CategoryTree, id: Uuid) -> Option<String> {
    let node = tree.get(id)?;
    let has_twin = tree.nodes().any(|other| other.id != id && other.title == node.title);
    let path = tree.path(id).join(" › ");
    Some(if has_twin && !path.is_empty() {
        format!("{} (in {path})", node.title)
    } else {
        node.title.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::builtin;

    #[test]
    fn whole_families_singles_and_unknown_ones_each_have_their_words() {
        let nodes = builtin::nodes(&[]);
        let products: Vec<Uuid> =
            nodes.iter().filter(|one| one.parents == [WINDOWS]).map(|one| one.id).collect();
        let tree = CategoryTree::new(nodes);
        let shown = |ids: &[Uuid]| {
            let ticks: Vec<Selected> = ids.iter().map(|id| tree.tick(*id, CategoryKind::Product)).collect();
            chips(&tree, &ticks, CategoryKind::Product)
        };
        assert_eq!(shown(&[WINDOWS]), ["All Windows Products"]);
        assert_eq!(shown(&products[..1]), ["Windows 11"]);
        assert_eq!(shown(&products[..3]), ["Windows: 3 of 21"]);
        assert_eq!(shown(&[Uuid::nil()]), [format!("Unknown here: {}", Uuid::nil())]);
    }
}
