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
    let client = bench.db.client().await;
    let approve = "INSERT INTO approvals (update_id, revision_number, group_id, action, approved_by, stamp)
                   SELECT update_id, revision_number, 'b73ca6ed-5727-47f3-84de-015e03f6a88a', 0, 'test', 1
                   FROM updates WHERE kind = 0 LIMIT 3";
    assert_eq!(client.execute(approve, &[]).await.unwrap(), 3);
    client.batch_execute("UPDATE sources SET deployment_anchor = 'old'").await.unwrap();
    for method in [Method::GetConfigData, Method::GetRevisionIdList] {
        bench.upstream.trouble(method, 1, Trouble::Fault("ServerChanged"));
        bench.upstream.take_calls();
        let run = bench.succeed().await;
        assert_eq!((run.new, run.revisions, run.notices().len()), (0, 0, 1), "{method:?}");
        let filters = lists(&bench.upstream);
        assert!(filters.iter().rev().take(2).all(|filter| filter.anchor.is_none()));
        assert_eq!(bench.stored().await, bench.upstream.keys());
        let kept = "SELECT (SELECT count(*) FROM approvals WHERE approved_by = 'test'), (SELECT deployment_anchor IS NULL FROM sources)";
        let row = client.query_one(kept, &[]).await.unwrap();
        assert_eq!(
            (row.get::<_, i64>(0), row.get::<_, bool>(1)),
            (3, true),
            "approvals stay, the anchor goes"
        );
    }
    bench.upstream.trouble(Method::GetConfigData, 1_000, Trouble::Fault("ServerChanged"));
    let run = bench.synchronize().await;
    assert!(run.error().unwrap().message.contains("ServerChanged"), "it says so for ever, and the run ends");
}
