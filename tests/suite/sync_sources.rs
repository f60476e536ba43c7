//! Whose anchor is whose: another update source and back.

use uuid::Uuid;
use weir::protocol::server_sync::RevisionFilter;
use weir::protocol::soap::Method;

use crate::support::bench::{Bench, asked};
use crate::support::documents::{self, OTHER_PRODUCT, PRODUCT};
use crate::support::upstream::{Trouble, Upstream};

fn lists(upstream: &Upstream) -> Vec<RevisionFilter> {
    upstream.take_calls().into_iter().filter_map(|call| call.filter).collect()
}

const BOTH: &[(Uuid, bool)] = &[(PRODUCT, false), (OTHER_PRODUCT, false)];

#[tokio::test(flavor = "multi_thread")]
async fn r052_each_source_has_its_own_anchors_and_they_are_kept() {
    let bench = Bench::start().await;
    let first = &bench.upstream;
    first.publish(documents::categories());
    first.publish(documents::updates(PRODUCT, 0, 20));
    first.publish(documents::updates(OTHER_PRODUCT, 500, 7));
    assert_eq!(bench.succeed().await.new, 20);

    let second = Upstream::start().await;
    second.publish(documents::categories());
    second.publish(documents::updates(PRODUCT, 10, 30)); // ten of them are those of the first
    bench.point_to(second.port(), BOTH).await;
    let run = bench.succeed().await;
    assert_eq!(run.new, 20);
    assert!(run.source_name.contains(&second.port().to_string()));
    let calls = second.take_calls();
    assert!(calls.iter().filter_map(|call| call.filter.as_ref()).all(|filter| filter.anchor.is_none()));
    assert_eq!(asked(&calls).len(), 20, "what is stored already was fetched again");
    assert_eq!(bench.stored().await.len(), 4 + 40);

    // Back at the first: it goes on where it stood; what was selected since comes with its back catalogue.
    first.take_calls();
    first.publish(documents::updates(PRODUCT, 900, 2));
    bench.point_to(first.port(), BOTH).await;
    assert_eq!(bench.succeed().await.new, 2 + 7);
    let filters = lists(first);
    assert!(filters[0].get_config && filters[0].anchor.is_some());
    let without: Vec<_> = filters.iter().filter(|filter| filter.anchor.is_none()).collect();
    assert_eq!(without.len(), 1);
    assert_eq!(without[0].categories.iter().map(|entry| entry.id).collect::<Vec<_>>(), [OTHER_PRODUCT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r032_a_restored_upstream_is_listed_in_full_and_nothing_is_there_twice() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 30));
    bench.succeed().await;
    for method in [Method::GetConfigData, Method::GetRevisionIdList] {
        bench.upstream.trouble(method, 1, Trouble::Fault("ServerChanged"));
        bench.upstream.take_calls();
        let run = bench.succeed().await;
        assert_eq!((run.new, run.revisions, run.notices().len()), (0, 0, 1), "{method:?}");
        let filters = lists(&bench.upstream);
        assert!(filters.iter().rev().take(2).all(|filter| filter.anchor.is_none()));
        assert_eq!(bench.stored().await, bench.upstream.keys());
    }
    bench.upstream.trouble(Method::GetConfigData, 1_000, Trouble::Fault("ServerChanged"));
    let run = bench.synchronize().await;
    assert!(run.error().unwrap().message.contains("ServerChanged"), "it says so for ever, and the run ends");
}
