//! The schema is brought up to date once, by one program at a time, and never by one that is too old.

use crate::support::TestDatabase;
use weir::db::DbError;

#[tokio::test(flavor = "multi_thread")]
async fn several_programs_may_start_at_once_on_an_empty_database() {
    let database = TestDatabase::create_empty().await;
    let starts: Vec<_> = (0..3)
        .map(|_| {
            let url = database.url().clone();
            tokio::spawn(async move { weir::db::migrate(&url).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    let client = database.client().await;
    let row = client.query_one("SELECT count(*) FROM schema_floor", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_older_than_the_schema_allows_is_refused() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    client.execute("UPDATE schema_floor SET oldest_program = '99.0.0'", &[]).await.unwrap();
    let error = weir::db::migrate(database.url()).await.unwrap_err();
    assert!(matches!(&error, DbError::ProgramTooOld { needed, .. } if needed == "99.0.0"), "{error}");
    assert!(error.to_string().contains("needs Weir 99.0.0 or later"));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_one_sentence() {
    let url = weir::db::DatabaseUrl::parse("host=/nowhere/at/all user=weir dbname=weir").unwrap();
    let error = weir::db::connect(&url).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "Could not reach the database \"weir\" at /nowhere/at/all: No such file or directory (os error 2)."
    );
}

#[tokio::test]
async fn a_database_that_goes_away_is_told_within_seconds() {
    let database = TestDatabase::create().await;
    let pool = database.pool().clone();
    drop(database);
    let begun = std::time::Instant::now();
    assert!(pool.get().await.is_err());
    assert!(begun.elapsed() < std::time::Duration::from_secs(9));
}
