//! What is fetched next, out of a long list.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use weir::content::wanted;

use crate::support::TestDatabase;

/// All are wanted at one moment. No statistics are made of the tables before the end of the test.
const LONG: &str = "
ALTER TABLE files SET (autovacuum_enabled = off);
ALTER TABLE content_files SET (autovacuum_enabled = off);
INSERT INTO files (sha1, size, name) SELECT decode(lpad(to_hex(n), 40, '0'), 'hex'), n, n || '.cab'
FROM generate_series(1, 20000) n;
INSERT INTO content_files (file_row) SELECT id FROM files";

#[derive(QueryableByName)]
struct Read {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// Rows of both tables that this connection read and did not report yet.
async fn read(conn: &mut AsyncPgConnection) -> i64 {
    let found: Read = diesel::sql_query(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint AS rows
         FROM pg_stat_xact_user_tables WHERE relname IN ('files', 'content_files')",
    )
    .get_result(conn)
    .await
    .unwrap();
    found.rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_files_of_a_long_list_are_found_without_reading_all_of_it() {
    let database = TestDatabase::create().await;
    database.client().await.batch_execute(LONG).await.unwrap();
    let mut conn = database.conn().await;
    let all: Vec<i32> =
        wanted::due(&mut conn, &[], 20_000).await.unwrap().iter().map(|one| one.file_row).collect();
    assert!(all.len() == 20_000 && all.is_sorted());
    let done = conn.transaction(async |conn| {
        let before = read(conn).await;
        let due = wanted::due(conn, &all[..300], 1_000).await?;
        assert!(due.iter().map(|one| one.file_row).eq(all[300..1_300].iter().copied()));
        let rows = read(conn).await - before;
        assert!((2_000..3_000).contains(&rows), "{rows} rows were read for 1,000 files");
        QueryResult::Ok(())
    });
    done.await.unwrap();
}
