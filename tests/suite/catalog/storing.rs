//! Storing in bulk: once each, in any order, and never what breaks a rule.

use weir::catalog::Kind;
use weir::catalog::import::missing;
use weir::catalog::revision::{ImportFile, ImportRevision};
use weir::protocol::ids::RevisionKey;

use super::build::{Linked, bring, classification, id, product, publish_now, store_only, update};
use crate::support::TestDatabase;

async fn number(database: &TestDatabase, sql: &str) -> i64 {
    database.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn i2_a_batch_stored_again_changes_nothing() {
    let database = TestDatabase::create().await;
    let batch = [update(1, 1).member_of(&[8, 9]), update(1, 2), update(2, 1).supersedes(&[1])];
    let first = store_only(&database, &batch).await;
    assert_eq!((first.stored, first.already), (3, 0));
    assert_eq!(first.bytes, batch.iter().map(|revision| revision.stored.body.len() as u64).sum::<u64>());
    let second = store_only(&database, &batch).await;
    assert_eq!((second.stored, second.already, second.bytes), (0, 3, 0));
    assert_eq!(number(&database, "SELECT count(*) FROM revisions").await, 3);
    assert_eq!(number(&database, "SELECT count(*) FROM documents").await, 3);
    assert_eq!(number(&database, "SELECT count(*) FROM relations").await, 3);
    assert_eq!(number(&database, "SELECT count(*) FROM update_ids").await, 4);
}

#[tokio::test]
async fn what_is_known_is_told_from_what_is_new_in_any_order() {
    let database = TestDatabase::create().await;
    store_only(&database, &[update(2, 1), product(4), update(6, 3)]).await;
    let forged = ImportRevision { kind: Kind::Category, ..update(6, 4) };
    let batch = [update(1, 1), update(2, 1), update(3, 1), forged, update(2, 2), product(4), update(5, 1)];
    let stored = store_only(&database, &batch).await;
    assert_eq!((stored.stored, stored.already), (4, 2));
    let refused: Vec<RevisionKey> = stored.refused.iter().map(|refused| refused.key).collect();
    assert_eq!(refused, [RevisionKey { update_id: id(6), revision: 4 }]);
    assert_eq!(number(&database, "SELECT count(*) FROM revisions").await, 7);
}

#[tokio::test]
async fn r042_of_two_contents_for_one_revision_the_first_is_kept() {
    let database = TestDatabase::create().await;
    let other = ImportRevision { title: "Another title".to_owned(), ..update(1, 1) };
    let stored = store_only(&database, &[update(1, 1), other.clone()]).await;
    assert_eq!((stored.stored, stored.already), (1, 1));
    store_only(&database, &[other]).await;
    let client = database.client().await;
    let title: String = client.query_one("SELECT title FROM revisions", &[]).await.unwrap().get(0);
    assert_eq!(title, "Update 1");
}

#[tokio::test]
async fn r111_an_update_that_turns_into_another_kind_is_refused() {
    let database = TestDatabase::create().await;
    bring(&database, &[product(1), classification(2), update(3, 1)]).await;
    let tree =
        "SELECT string_agg(concat_ws(' ', update_id, kind, revision_number, title), ', ' ORDER BY update_id)
                FROM updates WHERE kind IN (2, 3)";
    let client = database.client().await;
    let before: String = client.query_one(tree, &[]).await.unwrap().get(0);
    let forged = ImportRevision { kind: Kind::Software, ..update(1, 7) };
    let crossed = ImportRevision { kind: Kind::Category, ..update(2, 7) };
    let driver = ImportRevision { kind: Kind::Driver, ..update(3, 2) };
    let stored = store_only(&database, &[forged, crossed, driver]).await;
    assert_eq!(stored.stored, 1);
    let refused: Vec<String> = stored.refused.iter().map(|refused| refused.reason.clone()).collect();
    assert_eq!(stored.refused[0].key, RevisionKey { update_id: id(1), revision: 7 });
    assert_eq!(
        refused,
        [
            "it says it is a software update, but this update is known as a product or product family",
            "it says it is a product or product family, but this update is known as a classification",
        ]
    );
    publish_now(&mut *database.conn().await).await;
    let after: String = client.query_one(tree, &[]).await.unwrap().get(0);
    assert_eq!(after, before);
    let both = [update(5, 1), ImportRevision { kind: Kind::Detectoid, ..update(5, 2) }];
    assert_eq!(store_only(&database, &both).await.refused.len(), 1);
}

#[tokio::test]
async fn r023_nul_characters_and_negative_numbers_are_refused_and_stop_nobody() {
    let database = TestDatabase::create().await;
    let in_title = ImportRevision { title: "a\0b".to_owned(), ..update(1, 1) };
    let mut in_details = update(2, 1);
    in_details.details.unusable_files.push("x\0".to_owned());
    let mut honest = update(4, 1);
    honest.details.support_url = "\\u0000 is only text".to_owned();
    let stored = store_only(&database, &[in_title, in_details, update(3, -1), honest]).await;
    assert_eq!(stored.stored, 1);
    assert_eq!(stored.refused.len(), 3);
}

#[tokio::test]
async fn a_file_is_stored_once_and_learns_what_was_missing() {
    let database = TestDatabase::create().await;
    let file = ImportFile {
        sha1: [7; 20],
        sha256: None,
        size: 5_000_000_000,
        name: "..\\a.cab".to_owned(),
        patching: String::new(),
        mu_url: String::new(),
    };
    let with =
        |number, file: &ImportFile| ImportRevision { files: vec![file.clone(); 2], ..update(number, 1) };
    store_only(&database, &[with(1, &file), with(2, &file)]).await;
    let better =
        ImportFile { sha256: Some([9; 32]), mu_url: "http://x.test/a.cab".to_owned(), ..file.clone() };
    store_only(&database, &[with(3, &better)]).await;
    store_only(&database, &[with(4, &file)]).await;
    assert_eq!(number(&database, "SELECT count(*) FROM revision_files").await, 4);
    let client = database.client().await;
    let row = client.query_one("SELECT size, sha256, mu_url FROM files", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 5_000_000_000);
    assert_eq!(row.get::<_, Vec<u8>>(1), [9; 32]);
    assert_eq!(row.get::<_, String>(2), "http://x.test/a.cab");
}

#[tokio::test]
async fn r039_missing_is_what_is_listed_and_not_stored_each_once_in_order() {
    let database = TestDatabase::create().await;
    store_only(&database, &[update(1, 1), update(2, 3).needs(&[5])]).await;
    let key = |number, revision| RevisionKey { update_id: id(number), revision };
    let listed = [key(9, 1), key(1, 1), key(2, 2), key(9, 1), key(5, 1), key(2, 3)];
    let client = database.client().await;
    assert_eq!(missing(&client, listed.to_vec()).await.unwrap(), [key(9, 1), key(2, 2), key(5, 1)]);
    assert_eq!(missing(&client, Vec::new()).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_importers_of_the_same_revisions_store_each_once() {
    let database = TestDatabase::create().await;
    let forward: Vec<ImportRevision> =
        (0..200).map(|number| update(number, 1).needs(&[1_000 + number])).collect();
    let backward: Vec<ImportRevision> = forward.iter().rev().cloned().collect();
    let (left, right) = tokio::join!(store_only(&database, &forward), store_only(&database, &backward));
    assert_eq!(left.stored + right.stored, 200);
    assert_eq!(number(&database, "SELECT count(*) FROM relations").await, 200);
}
