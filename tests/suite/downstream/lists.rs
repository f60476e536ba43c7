//! Which revisions are listed: the truth tables seen on a real server, row by row.

use chrono::{TimeDelta, Utc};
use weir::catalog::Kind;
use weir::catalog::revision::ImportRevision;
use weir::protocol::ids::SyncAnchor;
use weir::protocol::server_sync::{GetRevisionIdList, IdAndDelta, LanguageAndDelta, RevisionFilter};
use weir::protocol::soap::ErrorCode;

use super::{Upstream, assert_code};
use crate::catalog::build::{Linked, bring, classification, hidden, id, product, store_only, update};

const P: u32 = 1;
const OTHER_P: u32 = 2;
const C: u32 = 11;
const OTHER_C: u32 = 12;
/// A bundle of two levels, and an update that stands alone.
const BUNDLE: u32 = 21;
const MIDDLE: u32 = 22;
const LEAF: u32 = 23;
const SINGLE: u32 = 24;
/// In the other product and the other classification.
const FOREIGN: u32 = 31;
const DETECTOID: u32 = 41;

async fn filled() -> Upstream {
    let upstream = Upstream::start().await;
    let detectoid = ImportRevision { kind: Kind::Detectoid, ..hidden(DETECTOID, 1) };
    bring(
        &upstream.database,
        &[product(P), product(OTHER_P), classification(C), classification(OTHER_C), detectoid],
    )
    .await;
    bring(
        &upstream.database,
        &[
            update(BUNDLE, 1).member_of(&[P, C]).bundles(&[MIDDLE]),
            hidden(MIDDLE, 1).bundles(&[LEAF]),
            hidden(LEAF, 1),
            update(SINGLE, 1).member_of(&[P, C]),
            update(FOREIGN, 1).member_of(&[OTHER_P, OTHER_C]),
        ],
    )
    .await;
    upstream
}

fn wanted(numbers: &[u32], delta: bool) -> Vec<IdAndDelta> {
    numbers.iter().map(|number| IdAndDelta { id: id(*number), delta }).collect()
}

fn filter(categories: &[u32], classifications: &[u32], delta: bool, anchor: Option<&str>) -> RevisionFilter {
    RevisionFilter {
        anchor: anchor.map(|text| SyncAnchor::parse(text).unwrap()),
        categories: wanted(categories, delta),
        classifications: wanted(classifications, delta),
        ..RevisionFilter::default()
    }
}

const NONE: &[u32] = &[];
const OURS: &[u32] = &[BUNDLE, MIDDLE, LEAF, SINGLE];
const EVERYTHING: &[u32] = &[BUNDLE, MIDDLE, LEAF, SINGLE, FOREIGN];

#[tokio::test(flavor = "multi_thread")]
async fn p12_truth_table_of_the_filter() {
    let upstream = filled().await;
    for (categories, classifications, expected) in [
        (NONE, NONE, EVERYTHING),
        (&[P], NONE, NONE),
        (NONE, &[C], NONE),
        (&[P], &[OTHER_C], NONE),
        (&[OTHER_P], &[C], NONE),
        (&[P], &[C], OURS),
        (&[P, OTHER_P], &[C], OURS),
        (&[P, 999], &[C, 998], OURS),
        (&[P, OTHER_P], &[C, OTHER_C], EVERYTHING),
    ] {
        for delta in [true, false] {
            let (listed, _) = upstream.list(filter(categories, classifications, delta, None)).await;
            assert_eq!(listed, expected, "{categories:?} {classifications:?} {delta}");
        }
    }
    let mut with_languages = filter(&[P], &[C], true, None);
    with_languages.languages = vec![LanguageAndDelta { id: 1033, delta: true }];
    with_languages.get_63_language_only = true;
    assert_eq!(upstream.list(with_languages).await.0, OURS);
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_truth_table_of_anchor_and_delta() {
    let upstream = filled().await;
    let (_, recent) = upstream.list(filter(&[], &[], true, None)).await;
    let other_counter = recent.replacen("1,", "777,", 1);
    let future = format!("1,{}", (Utc::now() + TimeDelta::days(900)).format("%Y-%m-%d %H:%M:%S%.3f"));
    let old = "1,2006-01-01 00:00:00.000";
    for (lists, delta, anchor, expected) in [
        (false, true, recent.as_str(), NONE),
        (true, false, &recent, OURS),
        (true, true, &recent, NONE),
        (true, true, old, OURS),
        (false, true, old, EVERYTHING),
        (true, true, &other_counter, NONE),
        (true, true, &future, NONE),
    ] {
        let (categories, classifications): (&[u32], &[u32]) = if lists { (&[P], &[C]) } else { (&[], &[]) };
        let (listed, _) = upstream.list(filter(categories, classifications, delta, Some(anchor))).await;
        assert_eq!(listed, expected, "{lists} {delta} {anchor}");
    }
    let request = GetRevisionIdList {
        cookie: Some(upstream.session().await),
        filter: filter(&[P], &[C], true, Some("garbage")),
    };
    assert_code(&upstream.fault(&request).await, ErrorCode::InvalidParameters, "filter");
}

#[tokio::test(flavor = "multi_thread")]
async fn p14_bundled_children_are_listed_at_every_level() {
    let upstream = filled().await;
    let (listed, _) = upstream.list(filter(&[P], &[C], true, None)).await;
    assert!(listed.contains(&MIDDLE) && listed.contains(&LEAF));
}

#[tokio::test(flavor = "multi_thread")]
async fn p14_a_child_that_arrives_after_its_parent_is_listed_then() {
    let upstream = filled().await;
    bring(&upstream.database, &[update(51, 1).member_of(&[P, C]).bundles(&[52])]).await;
    let (_, anchor) = upstream.list(filter(&[P], &[C], true, None)).await;
    bring(&upstream.database, &[hidden(52, 1).bundles(&[53]), hidden(61, 1)]).await;
    let (listed, anchor) = upstream.list(filter(&[P], &[C], true, Some(&anchor))).await;
    assert_eq!(listed, [52]);
    bring(&upstream.database, &[hidden(53, 1)]).await;
    assert_eq!(upstream.list(filter(&[P], &[C], true, Some(&anchor))).await.0, [53]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p15_the_configuration_holds_no_updates_and_ignores_the_lists() {
    let upstream = filled().await;
    let config =
        |categories: &[u32]| RevisionFilter { get_config: true, ..filter(categories, &[], true, None) };
    let expected = [P, OTHER_P, C, OTHER_C, DETECTOID];
    assert_eq!(upstream.list(config(&[])).await.0, expected);
    let (listed, anchor) = upstream.list(config(&[P])).await;
    assert_eq!(listed, expected);
    bring(&upstream.database, &[product(3), update(71, 1).member_of(&[P, C])]).await;
    let later = RevisionFilter { anchor: Some(SyncAnchor::parse(anchor).unwrap()), ..config(&[]) };
    assert_eq!(upstream.list(later).await.0, [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_what_is_published_between_two_lists_comes_exactly_once() {
    let upstream = filled().await;
    let (_, anchor) = upstream.list(filter(&[P], &[C], true, None)).await;
    // Stored, but published only later: the state that is not there yet is not listed, and not lost.
    store_only(&upstream.database, &[update(81, 1).member_of(&[P, C])]).await;
    let (listed, anchor) = upstream.list(filter(&[P], &[C], true, Some(&anchor))).await;
    assert_eq!(listed, NONE);
    bring(&upstream.database, &[update(SINGLE, 2).member_of(&[P, C])]).await;
    let (listed, anchor) = upstream.list(filter(&[P], &[C], true, Some(&anchor))).await;
    assert_eq!(listed, [SINGLE, 81]);
    assert_eq!(upstream.list(filter(&[P], &[C], true, Some(&anchor))).await.0, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_lists_taken_while_an_import_runs_miss_nothing_and_repeat_nothing() {
    let upstream = filled().await;
    let (first, mut anchor) = upstream.list(filter(&[P], &[C], true, None)).await;
    assert_eq!(first, OURS);
    let importing = async {
        for number in 100..120 {
            bring(&upstream.database, &[update(number, 1).member_of(&[P, C])]).await;
        }
    };
    let mut seen = Vec::new();
    let asking = async {
        while seen.len() < 20 {
            let (listed, next) = upstream.list(filter(&[P], &[C], true, Some(&anchor))).await;
            seen.extend(listed);
            anchor = next;
        }
    };
    let both = async { tokio::join!(importing, asking) };
    tokio::time::timeout(std::time::Duration::from_secs(60), both).await.expect("everything is seen");
    seen.sort_unstable();
    assert_eq!(seen, (100..120).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn p17_only_the_highest_revision_is_listed() {
    let upstream = filled().await;
    bring(&upstream.database, &[update(SINGLE, 200).member_of(&[P, C])]).await;
    let request =
        GetRevisionIdList { cookie: Some(upstream.session().await), filter: filter(&[P], &[C], true, None) };
    let listed = upstream.call(&request).await.unwrap().new_revisions;
    let singles: Vec<_> = listed.iter().filter(|key| key.update_id == id(SINGLE)).collect();
    assert_eq!(singles.iter().map(|key| key.revision).collect::<Vec<_>>(), [200]);
}
