//! What somebody means by what was typed and ticked so far.

use uuid::Uuid;

use crate::settings::tree::{CategoryTree, Look, Looks};
use crate::settings::validate::{PasswordInput, Typed, Valid, World, parse_ticks, validate};
use crate::settings::{CategoryKind, Key, OwnServices, Selected, SyncOptions};

/// A family that was ticked as a whole and now is single products.
pub struct BrokenUp {
    pub id: Uuid,
    pub title: String,
}

/// The options as typed, with each value that cannot be read left as saved.
pub fn options(current: &SyncOptions, typed: &Typed, tree: &CategoryTree) -> SyncOptions {
    // The own services are a matter for saving.
    let own = OwnServices::none();
    let world = World { tree, own: &own };
    let mut readable = typed.clone();
    readable.password = PasswordInput::Keep;
    for _ in 0..Key::ALL.len() {
        match validate(current, &readable, world) {
            Ok(Valid { options, .. }) => return options,
            Err(errors) => {
                for one in errors.0 {
                    readable.values.remove(&one.key);
                    // a value that is missing is not cured by leaving it out
                    match one.key {
                        Key::ProxyServer | Key::ProxyUser | Key::ProxyPassword => {
                            readable.values.insert(Key::ProxyEnabled, "false".to_owned());
                        }
                        Key::SourceServer | Key::SourceKind => {
                            readable.values.remove(&Key::SourceKind);
                            readable.values.remove(&Key::Replica);
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    current.clone()
}

/// The ticks of one half as chosen so far; unlike [`options`], an empty choice stays empty.
pub fn ticks(current: &SyncOptions, typed: &Typed, tree: &CategoryTree, kind: CategoryKind) -> Vec<Selected> {
    let key = match kind {
        CategoryKind::Product => Key::Products,
        CategoryKind::Classification => Key::Classifications,
    };
    match typed.values.get(&key) {
        Some(text) => {
            parse_ticks(text, &current.selected(kind).collect::<Vec<_>>(), tree, kind).unwrap_or_default()
        }
        None => current.selected(kind).collect(),
    }
}

/// Families that are ticked as a whole in what is saved and only in part under `ticks`.
pub fn broken_up(current: &SyncOptions, ticks: &[Selected], tree: &CategoryTree) -> Vec<BrokenUp> {
    let looks = Looks::new(tree, ticks);
    let whole = current.selected(CategoryKind::Product).filter(|one| one.with_descendants);
    whole
        .filter(|one| matches!(looks.of(one.category_id), Look::Part { .. }))
        .filter_map(|one| tree.get(one.category_id))
        .map(|node| BrokenUp { id: node.id, title: node.title.clone() })
        .collect()
}

/// Ids as they are kept in a draft.
pub fn ids_text(ids: impl IntoIterator<Item = Uuid>) -> String {
    ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}
