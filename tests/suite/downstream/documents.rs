//! GetUpdateData: stored documents, limits, and short answers.

use bytes::Bytes;
use weir::catalog::revision::{Encoding, ImportFile, StoredDocument};
use weir::downstream::{ANSWER_LEN_MAX, UPDATES_MAX};
use weir::protocol::ids::RevisionKey;
use weir::protocol::server_sync::{GetUpdateData, UpdateBlob};
use weir::protocol::soap::ErrorCode;

use super::{Upstream, assert_code};
use crate::catalog::build::{bring, id, store_only, update};

fn key(number: u32, revision: i32) -> RevisionKey {
    RevisionKey { update_id: id(number), revision }
}

async fn ask(upstream: &Upstream, update_ids: Vec<RevisionKey>) -> GetUpdateData {
    GetUpdateData { cookie: Some(upstream.session().await), update_ids }
}

#[tokio::test(flavor = "multi_thread")]
async fn p18_the_number_of_ids_is_limited_and_an_unknown_one_fails_the_call() {
    let upstream = Upstream::start().await;
    let many: Vec<_> = (1..=200).map(|number| update(number, 1)).collect();
    bring(&upstream.database, &many).await;
    store_only(&upstream.database, &[update(300, 1)]).await;
    let keys = |count: usize| (1..=count as u32).map(|number| key(number, 1)).collect::<Vec<_>>();
    let reply = upstream.call(&ask(&upstream, keys(UPDATES_MAX)).await).await.unwrap();
    assert_eq!(reply.updates.len(), UPDATES_MAX);
    for wrong in [keys(UPDATES_MAX + 1), vec![]] {
        let fault = upstream.fault(&ask(&upstream, wrong).await).await;
        assert_code(&fault, ErrorCode::InvalidParameters, "updateIds");
    }
    for unknown in [key(999, 1), key(1, 2), key(300, 1)] {
        let fault = upstream.fault(&ask(&upstream, vec![key(1, 1), unknown]).await).await;
        assert_code(&fault, ErrorCode::InternalServerError, "");
    }
    let twice = upstream.call(&ask(&upstream, vec![key(5, 1), key(5, 1)]).await).await.unwrap();
    assert_eq!(twice.updates.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p17_older_stored_revisions_are_still_served() {
    let upstream = Upstream::start().await;
    bring(&upstream.database, &[update(1, 1)]).await;
    bring(&upstream.database, &[update(1, 2)]).await;
    let reply = upstream.call(&ask(&upstream, vec![key(1, 1)]).await).await.unwrap();
    assert_eq!(reply.updates[0].blob, UpdateBlob::Text("<Update>1 1</Update>".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn p19_documents_come_back_unchanged_in_the_form_they_arrived_in() {
    let upstream = Upstream::start().await;
    let text = format!("<Update>\r\n\t&amp; ä \u{1F980} ]]&gt; {}</Update>", "x".repeat(3_000));
    let cabinet = b"MSCF\0\x01\xff".repeat(300);
    let file = |byte: u8| ImportFile {
        sha1: [byte; 20],
        sha256: None,
        size: 1,
        name: "a.cab".into(),
        patching: String::new(),
        mu_url: if byte == 1 { "http://dl.example/a.cab?x=1&y=2".into() } else { String::new() },
    };
    let mut deflated = update(1, 1);
    deflated.stored = StoredDocument::of_text(&text);
    assert_eq!(deflated.stored.encoding, Encoding::Deflated);
    deflated.files = vec![file(1), file(2)];
    let mut packed = update(2, 1);
    packed.stored = StoredDocument { encoding: Encoding::Cabinet, body: Bytes::from(cabinet.clone()) };
    packed.files = vec![file(1)];
    bring(&upstream.database, &[deflated, packed]).await;
    let reply = upstream.call(&ask(&upstream, vec![key(2, 1), key(1, 1)]).await).await.unwrap();
    assert_eq!(reply.updates[0].blob, UpdateBlob::Compressed(cabinet));
    assert_eq!(reply.updates[1].blob, UpdateBlob::Text(text));
    assert_eq!(reply.updates[1].file_digests.len(), 2);
    let mut urls: Vec<_> =
        reply.file_urls.iter().map(|url| (url.digest.0[0], url.mu_url.as_deref())).collect();
    urls.sort_unstable();
    assert_eq!(urls, [(1, Some("http://dl.example/a.cab?x=1&y=2")), (2, None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p20_a_long_answer_ends_at_an_item_and_holds_at_least_one() {
    let upstream = Upstream::start().await;
    let of_len = |number, len| {
        let mut revision = update(number, 1);
        let body = Bytes::from(vec![b'x'; len]);
        revision.stored = StoredDocument { encoding: Encoding::Text, body };
        revision
    };
    let big = ANSWER_LEN_MAX + 100_000;
    bring(&upstream.database, &[of_len(1, big), of_len(2, 900_000), of_len(3, 900_000), of_len(4, 900_000)])
        .await;
    let asked = |numbers: &[u32]| numbers.iter().map(|number| key(*number, 1)).collect::<Vec<_>>();
    for (numbers, served) in [(&[1, 2][..], 1), (&[2, 1], 1), (&[2, 3, 4], 2), (&[4], 1)] {
        let reply = upstream.call(&ask(&upstream, asked(numbers)).await).await.unwrap();
        assert_eq!(reply.updates.len(), served, "{numbers:?}");
        assert_eq!(reply.updates[0].key, key(numbers[0], 1));
    }
}
