//! What the source has against what is selected, in words for the Products and Classifications panel.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Scene;
use crate::settings::tree::{NodeKind, expand};
use crate::settings::{CategoryKind, builtin};
use crate::web::words::counted;

/// `3 selections not fetched yet`; empty when all are, or when the source was never asked.
pub(super) fn pending(scene: &Scene) -> String {
    let Some(offer) = scene.offer.as_ref().filter(|_| !scene.current.replica) else { return String::new() };
    let mut wanted: BTreeSet<Uuid> = expand(&scene.tree, &scene.current.selections);
    wanted.retain(|id| !builtin::is_stand_in(&scene.tree, *id));
    wanted.extend(scene.current.selected(CategoryKind::Classification).map(|one| one.category_id));
    match wanted.difference(&offer.fetched).count() {
        0 => String::new(),
        n => format!("{} not fetched yet", counted(n as i64, "selection", "selections")),
    }
}

/// What a replica takes from its upstream server; empty when this server is none.
pub(super) fn offered(scene: &Scene) -> String {
    if !scene.current.replica {
        return String::new();
    }
    let source = scene.current.source.shown();
    let count = |kind: NodeKind| {
        let of_kind = scene.tree.nodes().filter(|node| node.kind == kind);
        of_kind.filter(|node| !builtin::is_stand_in(&scene.tree, node.id)).count() as i64
    };
    if scene.offer.is_none() {
        return format!("Everything {source} offers. The first synchronization tells what that is.");
    }
    format!(
        "Everything {source} offers: {} in {}, and {}.",
        counted(count(NodeKind::Product), "product", "products"),
        counted(count(NodeKind::Family), "family", "families"),
        counted(count(NodeKind::Classification), "classification", "classifications"),
    )
}
