//! Looks, ticks and unticks on a small tree with two levels of families.

use super::*;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// 1 Microsoft > 10 Windows > 11 Windows 10, 12 Windows 11, 20 Windows Server > 21 2019, 22 2022;
/// 1 > 30 SQL Server > 31 SQL Server 2019; 40 a classification.
fn tree() -> CategoryTree {
    let node = |number, title: &str, kind, parents: &[u128]| Node {
        id: id(number),
        title: title.to_owned(),
        kind,
        parents: parents.iter().copied().map(id).collect(),
        updates: 0,
        is_new: false,
    };
    CategoryTree::new([
        node(1, "Microsoft", NodeKind::Company, &[]),
        node(10, "Windows", NodeKind::Family, &[1]),
        node(11, "Windows 10", NodeKind::Product, &[10]),
        node(12, "Windows 11", NodeKind::Product, &[10]),
        node(20, "Windows Server", NodeKind::Family, &[10]),
        node(21, "2019", NodeKind::Product, &[20]),
        node(22, "2022", NodeKind::Product, &[20]),
        node(30, "SQL Server", NodeKind::Family, &[1, 999]),
        node(31, "SQL Server 2019", NodeKind::Product, &[30]),
        node(40, "Security Updates", NodeKind::Classification, &[]),
    ])
}

fn set(numbers: &[u128]) -> BTreeSet<Uuid> {
    numbers.iter().copied().map(id).collect()
}

fn ticks(numbers: &[u128]) -> Vec<Selected> {
    let tree = tree();
    numbers.iter().map(|number| tree.tick(id(*number), CategoryKind::Product)).collect()
}

fn ids_of(ticks: &[Selected]) -> BTreeSet<Uuid> {
    ticks.iter().map(|tick| tick.category_id).collect()
}

#[test]
fn a_ticked_parent_stands_for_the_products_below_now_and_later() {
    let tree = tree();
    assert_eq!(expand(&tree, &ticks(&[10])), set(&[11, 12, 21, 22]));
    assert_eq!(expand(&tree, &ticks(&[11, 30])), set(&[11, 31]));
    let mut nodes: Vec<Node> = tree.nodes().cloned().collect();
    nodes.push(Node {
        id: id(13),
        title: "Windows 12".to_owned(),
        kind: NodeKind::Product,
        parents: vec![id(10)],
        updates: 0,
        is_new: false,
    });
    let grown = CategoryTree::new(nodes);
    assert!(expand(&grown, &ticks(&[10])).contains(&id(13)));
    assert!(!expand(&grown, &ticks(&[11, 12, 20])).contains(&id(13)));
}

#[test]
fn a_family_that_is_not_known_stands_for_nothing() {
    let unknown = Selected { category_id: id(77), kind: CategoryKind::Product, with_descendants: true };
    assert_eq!(expand(&tree(), &[unknown]), BTreeSet::new());
    let single = Selected { with_descendants: false, ..unknown };
    assert_eq!(expand(&tree(), &[single]), set(&[77]));
}

#[test]
fn a_parent_has_three_looks() {
    let tree = tree();
    assert_eq!(tree.look(&ticks(&[]), id(10)), Look::Empty);
    assert_eq!(tree.look(&ticks(&[11]), id(10)), Look::Part { ticked: 1, all: 4 });
    // all of them one by one are still not the parent
    assert_eq!(tree.look(&ticks(&[11, 12, 21, 22]), id(10)), Look::Part { ticked: 4, all: 4 });
    assert_eq!(tree.look(&ticks(&[10]), id(10)), Look::Whole);
    assert_eq!(tree.look(&ticks(&[10]), id(21)), Look::Inherited);
    assert_eq!(tree.look(&ticks(&[20]), id(10)), Look::Part { ticked: 2, all: 4 });
}

fn answer(seen: &[u128], ticked: &[u128], own: &[u128]) -> Answer {
    Answer { seen: set(seen), ticked: set(ticked), own: set(own) }
}

#[test]
fn unticking_a_child_of_a_ticked_parent_keeps_the_others_one_by_one() {
    let tree = tree();
    let seen = [10, 11, 12, 20, 21, 22];
    let left = apply(&tree, &ticks(&[10]), &answer(&seen, &[10, 11, 20, 21, 22], &[]));
    assert_eq!(ids_of(&left), set(&[11, 20]));
    // one level further down, the family in between is taken apart too
    let left = apply(&tree, &ticks(&[10]), &answer(&seen, &[10, 11, 12, 20, 21], &[]));
    assert_eq!(ids_of(&left), set(&[11, 12, 21]));
}

#[test]
fn unticking_a_parent_clears_what_was_ticked_through_it() {
    let left = apply(&tree(), &ticks(&[10, 31]), &answer(&[10, 11, 12], &[11, 12], &[]));
    assert_eq!(ids_of(&left), set(&[31]));
}

#[test]
fn unticking_a_parent_and_some_of_its_children_keeps_the_rest_for_themselves() {
    let seen = [10, 11, 12, 20, 21, 22];
    let left = apply(&tree(), &ticks(&[10]), &answer(&seen, &[11], &[]));
    assert_eq!(ids_of(&left), set(&[11]));
    // with a script the page says which ticks are meant, also when nothing else was unticked
    let left = apply(&tree(), &ticks(&[30]), &answer(&[30, 31], &[31], &[31]));
    assert_eq!(ids_of(&left), set(&[31]));
}

#[test]
fn ticking_a_parent_takes_in_single_ticks_below_it() {
    let left = apply(&tree(), &ticks(&[11, 21]), &answer(&[10, 11, 12], &[10, 11], &[]));
    assert_eq!(left, ticks(&[10]));
}

#[test]
fn what_was_not_seen_is_not_changed() {
    let left = apply(&tree(), &ticks(&[11, 31]), &answer(&[30], &[], &[]));
    assert_eq!(ids_of(&left), set(&[11, 31]));
    // nor can an id be ticked that the page did not show, or that is no product
    let left = apply(&tree(), &ticks(&[11]), &answer(&[40], &[31, 40], &[31, 40]));
    assert_eq!(ids_of(&left), set(&[11]));
}

#[test]
fn a_circle_does_not_hang() {
    let node = |number, parent| Node {
        id: id(number),
        title: number.to_string(),
        kind: NodeKind::Family,
        parents: vec![id(parent)],
        updates: 0,
        is_new: false,
    };
    let tree = CategoryTree::new([node(1, 2), node(2, 1), node(3, 3)]);
    assert_eq!(tree.descendants(id(1)), set(&[2]));
    assert_eq!(tree.path(id(1)).len(), 1);
    let all = set(&[1, 2, 3]);
    let answer = Answer { seen: all, ticked: set(&[1]), own: BTreeSet::new() };
    let _ = apply(&tree, &[tree.tick(id(1), CategoryKind::Product)], &answer);
}

#[test]
fn search_is_by_part_of_the_title_in_any_case() {
    let tree = tree();
    assert_eq!(tree.find("wIndows s"), [id(20)]);
    assert_eq!(tree.find("2019").len(), 2);
    assert_eq!(tree.path(id(21)), ["Microsoft", "Windows", "Windows Server"]);
}
