//! The list at size: no filter scans the table of updates, whatever it asks for.
//!
//! `WEIR_SCALE=500000 cargo test --test suite scale -- --nocapture` loads so many and prints how long each filter
//! took at the server, the median of five.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;
use weir::catalog::updates::{self, ApprovalFilter, Column, Cut, FileState, Sort, State, UpdateFilter};

use super::build::id;
use crate::support::TestDatabase;

/// Rows loaded unless `WEIR_SCALE` says otherwise.
const ROWS: i64 = 50_000;
/// Longest time of one page with its count, at any size; asked for where somebody measures.
const PATIENCE: Duration = Duration::from_millis(100);

/// $N updates of 60 products in 6 families and 12 classifications, ten years of them, by 200 synchronizations; a third
/// superseded, a tenth expired, some approved, some declined, some with files.
const LOAD: &str = r#"
INSERT INTO publications (stamp) VALUES (1);
INSERT INTO update_ids (update_id)
    SELECT ('10000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid FROM generate_series(1, 80 + $N) n;
CREATE TEMPORARY TABLE made AS
SELECT n, CASE WHEN n <= 68 THEN 2 WHEN n <= 80 THEN 3 ELSE 0 END AS kind,
    CASE WHEN n <= 80 THEN 'Category ' || n ELSE
        (ARRAY['Cumulative Update', 'Security Update', 'Definition Update', 'Servicing Stack Update', 'Driver Update',
               'Feature Update', 'Dynamic Update', 'Preview Update'])[1 + n % 8] || ' for ' ||
        (ARRAY['Windows 11', 'Windows 10', 'Windows Server 2022', 'Office 2016', 'SQL Server 2019', 'Exchange',
               'Visual Studio', '.NET 8.0', 'Microsoft Edge'])[1 + n / 8 % 9] || ' for ' ||
        (ARRAY['x64', 'x86', 'arm64'])[1 + n / 72 % 3] || '-based Systems, build ' || (n::bigint * 7919) % 100003 ||
        ' (KB' || 4000000 + n || ')' END AS title,
    CASE WHEN n <= 80 THEN '' ELSE (4000000 + n)::text END AS kb,
    now() - (n * 31 % 3650) * interval '1 day' - n * interval '1 second' AS created
FROM generate_series(1, 80 + $N) n;
INSERT INTO revisions (update_row, revision_number, publication_id, published, kind, approvable, expired, severity,
    category_type, title, description, kb, created, details)
SELECT n, 1, 1, true, kind, kind = 0, kind = 0 AND n % 10 = 3, CASE WHEN kind = 0 THEN n % 5 ELSE 0 END,
    CASE kind WHEN 2 THEN CASE WHEN n <= 6 THEN 'ProductFamily' ELSE 'Product' END WHEN 3 THEN 'UpdateClassification' END,
    title, 'Install this update to resolve issues in the product. After it is installed the computer may have to be '
    || 'restarted. Reference ' || md5(n::text) || ' ' || repeat('More words about the matter. ', 12), kb, created,
    CASE WHEN kind = 0 AND n % 400 = 3 THEN '{"eula": "00000000-0000-0000-0000-0000000000e1"}'::jsonb ELSE '{}' END
FROM made ORDER BY n;
INSERT INTO updates (update_row, update_id, revision_row, revision_number, changed_stamp, first_run_id, last_run_id,
    arrived_at, kind, approvable, expired, superseded, severity, category_type, title, kb, bulletin, created)
SELECT r.update_row, i.update_id, r.id, 1, 1, 1 + r.update_row % 200, 1 + r.update_row % 200,
    now() - (r.update_row % 200) * interval '1 day', r.kind, r.approvable, r.expired, r.update_row % 3 = 0, r.severity,
    r.category_type, r.title, r.kb, '', r.created
FROM revisions r JOIN update_ids i ON i.id = r.update_row ORDER BY r.update_row;
INSERT INTO update_categories (update_row, category_row)
SELECT n, 1 + n % 6 FROM generate_series(7, 68) n
UNION SELECT n, 7 + n % 62 FROM generate_series(81, 80 + $N) n
UNION SELECT n, 69 + n / 62 % 12 FROM generate_series(81, 80 + $N) n;
INSERT INTO update_search (update_row, search, categories)
SELECT u.update_row, lower(concat_ws(' ', r.title, 'kb' || r.kb, u.update_id::text, r.description)),
    ARRAY(SELECT m.category_row FROM update_categories m WHERE m.update_row = u.update_row)
FROM updates u JOIN revisions r ON r.id = u.revision_row WHERE u.approvable;
INSERT INTO update_changes (stamp, update_row, change, run_id)
SELECT 2 + n % 200, n, 0, 1 + n % 200 FROM generate_series(81, 80 + $N) n;
INSERT INTO approvals (update_id, revision_number, group_id, action, approved_by, stamp)
SELECT update_id, 1, 'a0a08746-4dbe-4a37-9adf-9e7652c0b421',
    CASE WHEN update_row % 20 = 1 THEN 0 WHEN update_row % 5000 = 7 THEN 1 ELSE 2 END, 'anna', 1
FROM updates WHERE approvable AND (update_row % 3 = 1 OR update_row % 5000 = 7);
INSERT INTO declined_updates (update_id, declined_by)
SELECT update_id, 'anna' FROM updates WHERE approvable AND update_row % 7 = 5;
INSERT INTO files (sha1, size, name)
SELECT decode(lpad(to_hex(n), 40, '0'), 'hex'), 1000, 'f' FROM generate_series(1, 4000) n;
INSERT INTO revision_files (revision_row, file_row) SELECT r.id, f.id FROM files f JOIN revisions r ON r.update_row = 80 + f.id * 7;
INSERT INTO content_files (file_row, state)
SELECT id, CASE WHEN id % 50 = 0 THEN 'failed' WHEN id % 9 = 0 THEN 'wanted' ELSE 'stored' END FROM files
"#;

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
async fn no_filter_scans_the_table_of_updates() {
    let measuring = std::env::var("WEIR_SCALE").ok().and_then(|text| text.parse().ok());
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

#[test]
fn the_ids_of_the_load_are_those_of_the_builder() {
    assert_eq!(id(256), Uuid::parse_str("10000000-0000-4000-8000-000000000100").unwrap());
}
