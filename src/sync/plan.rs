//! What to ask the update source for. Pure: no clock, no database, no network.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::protocol::ids::SyncAnchor;
use crate::protocol::server_sync::{IdAndDelta, LanguageAndDelta, RevisionFilter};

/// A selection in the ids the source knows: single products and classifications, nothing inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub products: BTreeSet<Uuid>,
    pub classifications: BTreeSet<Uuid>,
    /// Language ids; empty means all.
    pub languages: BTreeSet<i32>,
}

/// A selection that would ask for everything or for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmptySelection {
    #[error("No product is selected that this update source offers.")]
    Products,
    #[error("No classification is selected.")]
    Classifications,
}

/// What was obtained from this source before: the anchor, and the selection it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub selection: Selection,
    pub anchor: SyncAnchor,
}

/// The call that lists categories, classifications and detectoids.
pub fn category_call(anchor: Option<SyncAnchor>) -> RevisionFilter {
    RevisionFilter { anchor, get_config: true, ..RevisionFilter::default() }
}

/// The calls that list updates, in the order in which they must be made. The anchor to keep is that of the first
/// answer: it is the oldest, and anchors cannot be compared.
///
/// What was synchronized before is asked for incrementally; what is newly selected comes in calls of its own without
/// an anchor, because a source would give only its recent changes else. What is no longer selected is not mentioned.
/// Other languages than before mean a full listing. Source: observed behaviour of the filter, MS-WSUSSS 3.1.4.5.
///
/// # Errors
/// [`EmptySelection`] when either set is empty: a source takes an empty filter for "everything" and half a filter
/// for "nothing".
pub fn update_calls(
    wanted: &Selection,
    known: Option<&Known>,
) -> Result<Vec<RevisionFilter>, EmptySelection> {
    if wanted.products.is_empty() {
        return Err(EmptySelection::Products);
    }
    if wanted.classifications.is_empty() {
        return Err(EmptySelection::Classifications);
    }
    let Some(known) = known.filter(|known| known.selection.languages == wanted.languages) else {
        return Ok(vec![full(wanted, &wanted.products, &wanted.classifications)]);
    };
    let (old_products, new_products) = split(&wanted.products, &known.selection.products);
    let (old_classes, new_classes) = split(&wanted.classifications, &known.selection.classifications);
    let mut calls = Vec::new();
    if !old_products.is_empty() && !old_classes.is_empty() {
        calls.push(incremental(wanted, &old_products, &old_classes, &known.anchor));
    }
    if !new_products.is_empty() {
        calls.push(full(wanted, &new_products, &wanted.classifications));
    }
    if !old_products.is_empty() && !new_classes.is_empty() {
        calls.push(full(wanted, &old_products, &new_classes));
    }
    Ok(calls)
}

/// How many revisions to ask for at once, given what the source says it allows.
///
/// Zero and negative numbers mean the usual 100; more than 100 is never asked for.
pub fn batch_size(advertised: i32) -> usize {
    match advertised {
        1..=99 => usize::try_from(advertised).unwrap_or(1),
        _ => 100,
    }
}

fn split(wanted: &BTreeSet<Uuid>, known: &BTreeSet<Uuid>) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    wanted.iter().copied().partition(|id| known.contains(id))
}

fn full(wanted: &Selection, products: &BTreeSet<Uuid>, classes: &BTreeSet<Uuid>) -> RevisionFilter {
    filter(wanted, products, classes, None)
}

fn incremental(
    wanted: &Selection,
    products: &BTreeSet<Uuid>,
    classes: &BTreeSet<Uuid>,
    anchor: &SyncAnchor,
) -> RevisionFilter {
    filter(wanted, products, classes, Some(anchor.clone()))
}

/// `Delta` is true exactly when an anchor is sent.
fn filter(
    wanted: &Selection,
    products: &BTreeSet<Uuid>,
    classes: &BTreeSet<Uuid>,
    anchor: Option<SyncAnchor>,
) -> RevisionFilter {
    let delta = anchor.is_some();
    let marked = |ids: &BTreeSet<Uuid>| ids.iter().map(|&id| IdAndDelta { id, delta }).collect();
    RevisionFilter {
        anchor,
        get_config: false,
        get_63_language_only: false,
        categories: marked(products),
        classifications: marked(classes),
        languages: wanted.languages.iter().map(|&id| LanguageAndDelta { id, delta }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u128]) -> BTreeSet<Uuid> {
        numbers.iter().copied().map(Uuid::from_u128).collect()
    }

    fn selection(products: &[u128], classes: &[u128]) -> Selection {
        Selection { products: ids(products), classifications: ids(classes), languages: BTreeSet::new() }
    }

    fn known(products: &[u128], classes: &[u128]) -> Known {
        let anchor = SyncAnchor::parse("9438,2026-11-21 02:00:00.000").unwrap();
        Known { selection: selection(products, classes), anchor }
    }

    /// (anchor sent, delta of every entry, products, classifications)
    fn shape(call: &RevisionFilter) -> (bool, bool, Vec<u128>, Vec<u128>) {
        let entries = || call.categories.iter().chain(&call.classifications);
        let delta = entries().all(|one| one.delta);
        assert!(delta || entries().all(|one| !one.delta), "flags differ");
        let numbers = |list: &[IdAndDelta]| list.iter().map(|one| one.id.as_u128()).collect();
        (call.anchor.is_some(), delta, numbers(&call.categories), numbers(&call.classifications))
    }

    fn shapes(wanted: &Selection, known: Option<&Known>) -> Vec<(bool, bool, Vec<u128>, Vec<u128>)> {
        update_calls(wanted, known).unwrap().iter().map(shape).collect()
    }

    #[test]
    fn the_first_run_asks_for_everything_selected() {
        assert_eq!(shapes(&selection(&[1, 2], &[7]), None), [(false, false, vec![1, 2], vec![7])]);
    }

    #[test]
    fn p31_what_was_synchronized_is_asked_for_with_anchor_and_delta() {
        let calls = shapes(&selection(&[1, 2], &[7]), Some(&known(&[1, 2], &[7])));
        assert_eq!(calls, [(true, true, vec![1, 2], vec![7])]);
    }

    #[test]
    fn p32_new_products_and_classifications_come_without_an_anchor() {
        let calls = shapes(&selection(&[1, 3], &[7, 8]), Some(&known(&[1, 2], &[7])));
        assert_eq!(
            calls,
            [
                (true, true, vec![1], vec![7]),
                (false, false, vec![3], vec![7, 8]),
                (false, false, vec![1], vec![8]),
            ]
        );
    }

    #[test]
    fn nothing_is_sent_for_what_is_no_longer_selected() {
        let calls = shapes(&selection(&[1], &[7]), Some(&known(&[1, 2], &[7, 8])));
        assert_eq!(calls, [(true, true, vec![1], vec![7])]);
        let all_new = shapes(&selection(&[5], &[7]), Some(&known(&[1], &[7])));
        assert_eq!(all_new, [(false, false, vec![5], vec![7])]);
        let other_classes = shapes(&selection(&[1], &[8]), Some(&known(&[1], &[7])));
        assert_eq!(other_classes, [(false, false, vec![1], vec![8])]);
    }

    #[test]
    fn p33_an_empty_set_is_never_sent() {
        assert_eq!(update_calls(&selection(&[], &[7]), None), Err(EmptySelection::Products));
        assert_eq!(update_calls(&selection(&[1], &[]), None), Err(EmptySelection::Classifications));
        for products in [&[1][..], &[1, 2], &[3]] {
            for classes in [&[7][..], &[7, 8], &[9]] {
                for call in update_calls(&selection(products, classes), Some(&known(&[1], &[7]))).unwrap() {
                    assert!(!call.categories.is_empty() && !call.classifications.is_empty());
                }
            }
        }
    }

    #[test]
    fn other_languages_mean_a_full_listing() {
        let mut wanted = selection(&[1], &[7]);
        wanted.languages = [1031].into();
        assert_eq!(shapes(&wanted, Some(&known(&[1], &[7]))), [(false, false, vec![1], vec![7])]);
    }

    #[test]
    fn r048_strange_limits_are_clamped() {
        for (said, used) in
            [(0, 100), (-1, 100), (1, 1), (99, 99), (100, 100), (i32::MAX, 100), (i32::MIN, 100)]
        {
            assert_eq!(batch_size(said), used, "{said}");
        }
    }
}
