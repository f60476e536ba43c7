//! The sample catalogue in a real database: counted as asked, files where they belong.

use std::path::Path;

use weir::sample::{self, Catalogue, ChangeCounts, FillError, Target};

use crate::support::TestDatabase;

const DAY: ChangeCounts = ChangeCounts { new: 25, revised: 10, expired: 5 };

fn target<'a>(database: &'a TestDatabase, folder: &'a Path) -> Target<'a> {
    Target { pool: database.pool(), url: database.url(), content_dir: folder }
}

async fn number(database: &TestDatabase, sql: &str) -> i64 {
    database.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn i2_a_catalogue_and_one_day_of_changes_are_counted_exactly() {
    let (database, folder) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let catalogue = Catalogue::generate(1_000, 1);
    let first = sample::fill(target(&database, folder.path()), catalogue).await.unwrap();
    assert_eq!((first.published.new, first.published.revised, first.published.expired), (950, 0, 50));
    assert_eq!(first.stored as i64, first.published.revisions);
    assert_eq!(number(&database, "SELECT count(*) FROM updates WHERE approvable").await, 1_000);

    let day =
        sample::store(target(&database, folder.path()), move || catalogue.changes(1, DAY)).await.unwrap();
    assert_eq!((day.published.new, day.published.revised, day.published.expired), (25, 10, 5));

    let again = sample::fill(target(&database, folder.path()), catalogue).await.unwrap();
    assert_eq!((again.stored, again.files), (0, 0));
    assert_eq!(number(&database, "SELECT count(*) FROM updates WHERE approvable").await, 1_025);
}

#[tokio::test]
async fn long_documents_are_kept_as_cabinets_and_files_stand_at_their_place() {
    let (database, folder) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let catalogue = Catalogue::generate(120, 2);
    let report = sample::fill(target(&database, folder.path()), catalogue).await.unwrap();
    assert!(number(&database, "SELECT count(*) FROM documents WHERE encoding = 1").await > 20);
    assert!(number(&database, "SELECT count(*) FROM documents WHERE encoding <> 1").await > 20);
    let known = number(&database, "SELECT count(*) FROM files").await;
    assert_eq!(report.files as i64, known);
    for file in catalogue.revisions().flat_map(|revision| revision.files) {
        let stored = std::fs::read(folder.path().join(file.relative_path())).unwrap();
        assert_eq!(stored, file.content());
    }
}

#[tokio::test]
async fn a_content_folder_that_cannot_be_made_is_named() {
    let (database, folder) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let occupied = folder.path().join("content");
    std::fs::write(&occupied, b"a file, not a folder").unwrap();
    let error = sample::fill(target(&database, &occupied), Catalogue::generate(5, 1)).await.unwrap_err();
    assert!(matches!(&error, FillError::File { path, .. } if path.starts_with(&occupied)), "{error}");
}
