//! The list at size: no filter scans the table of updates, whatever it asks for.
//!
//! `WEIR_SCALE=500000 cargo test --test suite scale -- --nocapture` loads so many and prints how long each filter
//! took at the server, the median of five. `make torture` loads a million.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weir::catalog::updates::{self, ApprovalFilter, Column, Cut, FileState, Sort, State, UpdateFilter};

use super::build::id;
use crate::support::{TestDatabase, is_torture};

/// Rows loaded unless `WEIR_SCALE` says otherwise.
const ROWS: i64 = 50_000;
/// Longest time of one page with its count, at any size; asked for where somebody measures.
const PATIENCE: Duration = Duration::from_millis(100);

/// $N updates of 60 products in 6 families and 12 classifications, ten years of them, by 200 synchronizations; a third
/// superseded, a tenth expired, some approved, some declined, some with files.
const LOAD: &str = include_str!("scale.sql");

/// A database with `rows` updates and fresh statistics. Indexes are built after the rows, which takes a tenth.
async fn loaded(rows: i64) -> TestDatabase {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let sql = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('updates', 'update_search')
        AND indexdef NOT LIKE '%UNIQUE%'";
    let indexes: Vec<(String, String)> =
        client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(indexes.len() > 4);
    for (name, _) in &indexes {
        client.batch_execute(&format!("DROP INDEX {name}")).await.unwrap();
    }
    client.batch_execute(&LOAD.replace("$N", &rows.to_string())).await.unwrap();
    for (_, definition) in &indexes {
        client.batch_execute(definition).await.unwrap();
    }
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
    database
}

/// Forty filters with their orders: each alone, then together.
fn filters() -> Vec<(&'static str, UpdateFilter, Sort)> {
    let any = UpdateFilter { approval: ApprovalFilter::Any, state: State::Any, ..UpdateFilter::default() };
    let plain = UpdateFilter::default();
    let text = |text: &str| UpdateFilter { text: text.to_owned(), ..UpdateFilter::default() };
    let of = |product: Option<u32>, class: Option<u32>| UpdateFilter {
        product: product.map(id),
        classification: class.map(id),
        ..UpdateFilter::default()
    };
    let approved = |approval| UpdateFilter { approval, ..UpdateFilter::default() };
    let in_state = |state| UpdateFilter { state, ..UpdateFilter::default() };
    let files = |state| UpdateFilter { files: Some(state), ..UpdateFilter::default() };
    let days = |from: i64, before: i64| UpdateFilter {
        arrived_from: Some(chrono::Utc::now() - chrono::TimeDelta::days(from)),
        arrived_before: Some(chrono::Utc::now() - chrono::TimeDelta::days(before)),
        ..UpdateFilter::default()
    };
    let by = |column, descending| Sort { column, descending };
    let usual = Sort::default();
    vec![
        ("nothing", plain.clone(), usual),
        ("everything", any.clone(), usual),
        ("oldest first", plain.clone(), by(Column::Released, false)),
        ("by title", plain.clone(), by(Column::Title, false)),
        ("by title from the end", any.clone(), by(Column::Title, true)),
        ("by KB", plain.clone(), by(Column::Kb, false)),
        ("by severity", plain.clone(), by(Column::Severity, true)),
        ("by classification", plain.clone(), by(Column::Classification, false)),
        ("by classification from the end", plain.clone(), by(Column::Classification, true)),
        ("by approval", any.clone(), by(Column::Approval, false)),
        ("by approval from the end", any.clone(), by(Column::Approval, true)),
        ("by files", plain.clone(), by(Column::Files, false)),
        ("a KB number", text("KB4000777"), usual),
        ("digits of a KB number", text("4000777"), usual),
        ("a frequent word", text("cumulative"), usual),
        ("words of every update", text("install restarted"), usual),
        ("a rare build", text("build 7919 "), usual),
        ("three words", text("security office arm64"), usual),
        ("no such word", text("zeppelin"), usual),
        ("frequent and none", text("cumulative zeppelin"), usual),
        ("an update id", text("10000000-0000-4000-8000-000000000100"), usual),
        ("a hash in the description", text("c4ca4238a0b923820dcc509a6f75849b"), usual),
        ("a product", of(Some(30), None), usual),
        ("a family", of(Some(3), None), usual),
        ("a classification", of(None, Some(70)), usual),
        ("a family and a classification", of(Some(3), Some(71)), usual),
        ("a product and a classification", of(Some(40), Some(75)), usual),
        ("a family by title", of(Some(2), None), by(Column::Title, false)),
        ("a product that is none", of(Some(60_000_000), None), usual),
        ("not approved", approved(ApprovalFilter::NotApproved), usual),
        ("waits for license terms", approved(ApprovalFilter::WaitsForLicense), usual),
        ("approved for installation", approved(ApprovalFilter::Action(0)), usual),
        ("approved for removal", approved(ApprovalFilter::Action(1)), usual),
        ("declined", approved(ApprovalFilter::Declined), usual),
        ("superseded", in_state(State::Superseded), usual),
        ("expired", in_state(State::Expired), by(Column::Title, false)),
        ("files failed", files(FileState::Failed), usual),
        ("files not wanted", files(FileState::NotWanted), usual),
        ("arrived last week", days(7, 0), usual),
        ("arrived in one week long ago", days(190, 183), by(Column::Title, false)),
        ("what a run brought", UpdateFilter { run: Some(50), ..any.clone() }, usual),
        (
            "everything at once",
            UpdateFilter {
                text: "security x64".to_owned(),
                approval: ApprovalFilter::NotApproved,
                state: State::Current,
                ..of(Some(2), Some(72))
            },
            by(Column::Severity, true),
        ),
    ]
}

#[derive(QueryableByName)]
struct Scans {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Sequential scans of the table of updates in this transaction so far.
async fn scans(conn: &mut AsyncPgConnection) -> i64 {
    let found: Scans = diesel::sql_query(
        "SELECT coalesce(sum(seq_scan), 0)::bigint AS count FROM pg_stat_xact_user_tables WHERE relname = 'updates'",
    )
    .get_result(conn)
    .await
    .unwrap();
    found.count
}

#[tokio::test(flavor = "multi_thread")]
async fn r249_no_filter_scans_the_table_of_updates() {
    let measuring = std::env::var("WEIR_SCALE").ok().and_then(|text| text.parse().ok());
    let measuring = measuring.or(is_torture().then_some(1_000_000));
    let database = loaded(measuring.unwrap_or(ROWS)).await;
    let mut conn = database.conn().await;
    let mut times: Vec<(Duration, &str)> = Vec::new();
    for (name, filter, sort) in filters() {
        let scanned = conn
            .transaction::<_, diesel::result::Error, _>(async |conn| {
                let before = scans(conn).await;
                let (first, count) = updates::page(conn, &filter, sort, Cut::First, 50).await.unwrap();
                assert!(count.more || count.at_least >= first.lines.len() as i64);
                if let Some(line) = first.lines.last().filter(|_| first.has_after) {
                    updates::page(conn, &filter, sort, Cut::After(line.key), 50).await.unwrap();
                }
                Ok(scans(conn).await - before)
            })
            .await
            .unwrap();
        assert_eq!(scanned, 0, "{name}: the table of updates was scanned");
        if measuring.is_some() {
            let mut tries = Vec::new();
            for _ in 0..5 {
                let began = Instant::now();
                updates::page(&mut conn, &filter, sort, Cut::First, 50).await.unwrap();
                tries.push(began.elapsed());
            }
            tries.sort_unstable();
            let time = tries[2];
            println!("{:>6.1} ms  {name}", time.as_secs_f64() * 1e3);
            times.push((time, name));
        }
    }
    if measuring.is_some() {
        times.sort_unstable();
        let p95 = times[times.len() * 95 / 100];
        println!("p95 {:?}, slowest {:?}", p95, times.last().unwrap());
        let slow: Vec<_> = times.iter().filter(|(time, _)| *time > PATIENCE).collect();
        assert!(slow.is_empty(), "slower than {PATIENCE:?}: {slow:?}");
    }
}

/// A sample of the newest updates decides how words and categories are looked for; what is found is the same.
#[tokio::test(flavor = "multi_thread")]
async fn rare_and_frequent_words_and_categories_find_what_is_there() {
    let database = loaded(20_000).await;
    let text = |text: &str| UpdateFilter { text: text.to_owned(), ..UpdateFilter::default() };
    let of = |category: u32, text: &str| UpdateFilter {
        product: Some(id(category)),
        text: text.to_owned(),
        ..UpdateFilter::default()
    };
    let both = |product, class| UpdateFilter { classification: Some(id(class)), ..of(product, "") };
    for (filter, words, categories) in [
        (text("Cumulative"), vec!["cumulative"], vec![]), // one of eight
        (text("cumulative Install"), vec!["cumulative", "install"], vec![]),
        (text("office arm64"), vec!["office", "arm64"], vec![]), // each often, together seldom
        (text("install 777"), vec!["install", "777"], vec![]),   // one everywhere, one rare
        (of(30, ""), vec![], vec![30]),                          // one of sixty
        (of(3, ""), vec![], vec![3]),                            // one of six
        (of(30, "security"), vec!["security"], vec![30]),
        (both(3, 71), vec![], vec![3, 71]),   // one of seventy
        (both(30, 71), vec![], vec![30, 71]), // one of seven hundred
    ] {
        assert!(finds_what_is_there(&database, filter, &words, &categories).await > 0);
    }
    let zeppelin = text("100% zeppelin");
    assert_eq!(finds_what_is_there(&database, zeppelin, &["100\\%", "zeppelin"], &[]).await, 0);

    // None of the newest are members, so the sample takes thousands of the others for rare.
    let change = "UPDATE update_search SET categories = categories || 71 WHERE NOT categories @> '{71}';
        INSERT INTO update_categories SELECT update_row, 71 FROM update_search ON CONFLICT DO NOTHING;
        CREATE TEMPORARY TABLE newest AS
            SELECT update_row FROM update_search ORDER BY update_row DESC LIMIT 500;
        DELETE FROM update_categories WHERE update_row IN (TABLE newest);
        UPDATE update_search SET categories = '{}' WHERE update_row IN (TABLE newest);
        ANALYZE";
    database.client().await.batch_execute(change).await.unwrap();
    for (filter, categories) in [(of(3, ""), vec![3]), (both(3, 71), vec![3, 71])] {
        assert!(finds_what_is_there(&database, filter, &[], &categories).await > updates::COUNT_MAX);
    }
}

/// Compares all pages of a filter with what plain SQL finds, and answers how much that is.
async fn finds_what_is_there(
    database: &TestDatabase,
    filter: UpdateFilter,
    words: &[&str],
    categories: &[i32],
) -> i64 {
    let mut conn = database.conn().await;
    let patterns: Vec<String> = words.iter().map(|word| format!("%{word}%")).collect();
    let sql = "SELECT u.update_id FROM updates u JOIN update_search s USING (update_row)
        WHERE NOT u.expired AND s.search LIKE ALL ($1)
          AND NOT EXISTS (SELECT FROM declined_updates d WHERE d.update_id = u.update_id)
          AND NOT EXISTS (SELECT FROM unnest($2::int[]) wanted (row) WHERE NOT EXISTS (
               SELECT FROM update_categories m
               WHERE m.update_row = u.update_row AND (m.category_row = wanted.row OR m.category_row IN
                   (SELECT update_row FROM update_categories WHERE category_row = wanted.row))))
        ORDER BY u.created DESC, u.update_row DESC";
    let rows = database.client().await.query(sql, &[&patterns, &categories]).await.unwrap();
    let expected: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let all = expected.len() as i64;
    let (mut found, mut cut) = (Vec::new(), Cut::First);
    loop {
        let (page, count) = updates::page(&mut conn, &filter, Sort::default(), cut, 200).await.unwrap();
        let number = all.min(updates::COUNT_MAX);
        assert_eq!((count.at_least, count.more), (number, all > number), "{filter:?}");
        found.extend(page.lines.iter().map(|line| line.update_id));
        match page.lines.last().filter(|_| page.has_after) {
            Some(line) => cut = Cut::After(line.key),
            None => break,
        }
    }
    assert_eq!(found, expected, "{filter:?}");
    all
}

#[test]
fn the_ids_of_the_load_are_those_of_the_builder() {
    assert_eq!(id(256), Uuid::parse_str("10000000-0000-4000-8000-000000000100").unwrap());
}
