//! What the list and the detail of updates find.

use weir::catalog::detail::{self, Named};
use weir::catalog::revision::{ImportFile, ImportRevision};
use weir::catalog::search;
use weir::catalog::updates::{self, Column, Cut, PageKey, Sort, State, UpdateFilter, UpdatePage};

use super::build::{Linked, bring, classification, hidden, id, product, publish_now, store_only, update};
use crate::support::TestDatabase;

fn titles(page: &UpdatePage) -> Vec<&str> {
    page.lines.iter().map(|line| line.title.as_str()).collect()
}

async fn find(database: &TestDatabase, filter: UpdateFilter) -> Vec<String> {
    let mut conn = database.conn().await;
    let (page, count) = updates::page(&mut conn, &filter, Sort::default(), Cut::First, 50).await.unwrap();
    assert_eq!(count.at_least, page.lines.len() as i64);
    titles(&page).into_iter().map(str::to_owned).collect()
}

fn text(text: &str) -> UpdateFilter {
    UpdateFilter { text: text.to_owned(), ..UpdateFilter::default() }
}

#[tokio::test]
async fn text_is_found_in_title_article_bulletin_description_and_id() {
    let database = TestDatabase::create().await;
    let rich = ImportRevision {
        title: "Cumulative 100% Update_for Servers".to_owned(),
        description: "Fixes a PRINTER".to_owned(),
        kb: vec!["5031356".to_owned(), "42".to_owned()],
        bulletins: vec!["MS26-001".to_owned()],
        ..update(1, 1)
    };
    bring(&database, &[rich, update(2, 1), hidden(3, 1)]).await;
    for wanted in [
        "cumulative",
        "KB5031356",
        "5031356",
        "kb42",
        "ms26-001",
        "printer",
        "100%",
        "Update_for",
        "servers CUMUL",
    ] {
        assert_eq!(find(&database, text(wanted)).await, ["Cumulative 100% Update_for Servers"], "{wanted}");
    }
    assert_eq!(find(&database, text(&id(2).to_string().to_uppercase())).await, ["Update 2"]);
    assert_eq!(find(&database, text("Update%for")).await, [""; 0]);
    assert_eq!(find(&database, text("100% nowhere")).await, [""; 0]);
    assert_eq!(find(&database, text("  ")).await.len(), 2);
    assert_eq!(find(&database, text("'; DROP TABLE updates; --\\")).await, [""; 0]);
}

/// What is searched, with the categories, and the statement of its index.
async fn searched(database: &TestDatabase) -> Vec<String> {
    let rows = "SELECT s.search || ': ' || concat_ws(' ', VARIADIC ARRAY(
            SELECT i.update_id::text FROM update_ids i WHERE i.id = ANY(s.categories) ORDER BY 1)) FROM update_search s
        UNION ALL SELECT indexdef FROM pg_indexes WHERE indexname = 'update_search_all' ORDER BY 1";
    let found = database.client().await.query(rows, &[]).await.unwrap();
    found.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_a_first_publication_is_searched_by_is_prepared_and_found_by_nobody_before() {
    let (database, plain) = (TestDatabase::create().await, TestDatabase::create().await);
    let categories = [product(1), product(2), classification(3)];
    let updates = [
        update(10, 1).member_of(&[1, 3]).needs(&[2]),
        update(10, 2).member_of(&[2]),
        update(11, 1).bundles(&[12]),
        // belongs to what the bundle around it belongs to, which only the publication knows
        update(12, 1),
        update(13, 1).member_of(&[1]).bundles(&[12]),
        hidden(14, 1),
    ];
    for database in [&database, &plain] {
        bring(database, &categories).await;
        store_only(database, &updates).await;
    }
    let mut conn = database.conn().await;
    assert!(!search::prepare(&mut conn, 1_000).await.unwrap(), "too few");
    assert!(search::prepare(&mut conn, 6).await.unwrap());
    assert_eq!(searched(&database).await.len(), 5, "four that can be approved, and the index");
    assert_eq!(find(&database, text("update")).await, [""; 0]);
    assert!(!search::prepare(&mut conn, 6).await.unwrap(), "once");
    for database in [&database, &plain] {
        publish_now(&mut *database.conn().await).await;
    }
    assert_eq!(searched(&database).await, searched(&plain).await);
    assert_eq!(find(&database, text("update 1")).await.len(), 4);
}

#[tokio::test]
async fn filters_take_what_is_below_a_family_and_leave_out_the_expired() {
    let database = TestDatabase::create().await;
    let batch = [
        product(1),
        product(2).member_of(&[1]),
        product(3),
        classification(4),
        classification(5),
        update(10, 1).member_of(&[2, 4]),
        update(11, 1).member_of(&[3, 4]),
        update(12, 1).member_of(&[2, 5]).supersedes(&[10]),
        update(13, 1).member_of(&[2, 4]).expired(),
    ];
    bring(&database, &batch).await;
    let family = UpdateFilter { product: Some(id(1)), ..UpdateFilter::default() };
    assert_eq!(find(&database, family.clone()).await, ["Update 12", "Update 10"]);
    let both = UpdateFilter { classification: Some(id(4)), ..family.clone() };
    assert_eq!(find(&database, both.clone()).await, ["Update 10"]);
    let expired = UpdateFilter { state: State::Any, ..both.clone() };
    assert_eq!(find(&database, expired).await, ["Update 13", "Update 10"]);
    let current = UpdateFilter { state: State::Current, ..family };
    assert_eq!(find(&database, current.clone()).await, ["Update 12"]);
    let superseded = UpdateFilter { state: State::Superseded, ..current.clone() };
    assert_eq!(find(&database, superseded).await, ["Update 10"]);
    let expired = UpdateFilter { state: State::Expired, ..current };
    assert_eq!(find(&database, expired).await, ["Update 13"]);
    let unknown = UpdateFilter { product: Some(id(999)), ..UpdateFilter::default() };
    assert_eq!(find(&database, unknown).await, [""; 0]);
}

#[tokio::test]
async fn pages_follow_each_other_and_lead_back() {
    let database = TestDatabase::create().await;
    let same_day = update(1, 1).created;
    let batch: Vec<ImportRevision> =
        (1..=7).map(|number| ImportRevision { created: same_day, ..update(number, 1) }).collect();
    bring(&database, &batch).await;
    let mut conn = database.conn().await;
    let filter = UpdateFilter::default();
    let first = updates::list(&mut conn, &filter, Sort::default(), Cut::First, 3).await.unwrap();
    assert_eq!((first.lines.len(), first.has_before, first.has_after), (3, false, true));
    let after = Cut::After(first.lines[2].key);
    let second = updates::list(&mut conn, &filter, Sort::default(), after, 3).await.unwrap();
    assert_eq!((second.lines.len(), second.has_before, second.has_after), (3, true, true));
    let third =
        updates::list(&mut conn, &filter, Sort::default(), Cut::After(second.lines[2].key), 3).await.unwrap();
    assert_eq!((third.lines.len(), third.has_before, third.has_after), (1, true, false));
    let back =
        updates::list(&mut conn, &filter, Sort::default(), Cut::Before(third.lines[0].key), 3).await.unwrap();
    assert_eq!(back.lines, second.lines);
    assert!(back.has_before && back.has_after);
    let start = updates::list(&mut conn, &filter, Sort::default(), Cut::Before(second.lines[0].key), 3)
        .await
        .unwrap();
    assert_eq!(start.lines, first.lines);
    assert!(!start.has_before);
}

#[tokio::test]
async fn every_order_holds_through_all_its_pages_in_both_ways() {
    let database = TestDatabase::create().await;
    let mut batch = vec![classification(90), classification(91)];
    for number in 1..=23_u32 {
        let mut one = update(number, 1);
        one.severity = i16::try_from(number % 5).unwrap();
        one.title = format!("Title {}", (number * 7) % 11);
        one.kb = vec![(5_000_000 + (number * 3) % 7).to_string()];
        one.created = update(number % 6, 1).created;
        batch.push(match number % 3 {
            0 => one.member_of(&[90]),
            1 => one.member_of(&[91, 90]),
            _ => one,
        });
    }
    bring(&database, &batch).await;
    let decide = "INSERT INTO approvals (update_id, revision_number, group_id, action, approved_by, stamp)
        SELECT update_id, 1, 'a0a08746-4dbe-4a37-9adf-9e7652c0b421', update_row % 4, 'anna', 1
        FROM updates WHERE approvable AND update_row % 5 > 0;
        INSERT INTO declined_updates (update_id, declined_by)
        SELECT update_id, 'anna' FROM updates WHERE approvable AND update_row % 7 = 0";
    database.client().await.batch_execute(decide).await.unwrap();
    let mut conn = database.conn().await;
    let filter = UpdateFilter { approval: updates::ApprovalFilter::Any, ..UpdateFilter::default() };
    let all = updates::Count { at_least: 23, more: false };
    for column in Column::ALL {
        for descending in [true, false] {
            let sort = Sort { column, descending };
            let (mut cut, mut seen, mut pages) = (Cut::First, Vec::new(), Vec::new());
            loop {
                let page = updates::list(&mut conn, &filter, sort, cut, 4).await.unwrap();
                assert_eq!(page.has_before, !seen.is_empty(), "{sort:?}");
                // what is counted first may be cut out of what was found
                let counted = updates::page(&mut conn, &filter, sort, cut, 4).await.unwrap();
                assert_eq!(counted, (page.clone(), all), "{sort:?}");
                seen.extend(page.lines.clone());
                pages.push(page.clone());
                if !page.has_after {
                    break;
                }
                cut = Cut::After(page.lines.last().unwrap().key);
            }
            let mut ids: Vec<_> = seen.iter().map(|line| line.update_id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((ids.len(), seen.len()), (23, 23), "{sort:?}");
            let before = Cut::Before(pages[3].lines[0].key);
            let back = updates::list(&mut conn, &filter, sort, before, 4).await.unwrap();
            assert_eq!(back, pages[2], "{sort:?}");
            let counted = updates::page(&mut conn, &filter, sort, before, 4).await.unwrap();
            assert_eq!(counted, (back, all), "{sort:?}");
            let in_order = match column {
                Column::Title => seen.is_sorted_by_key(|line| line.title.clone()),
                Column::Kb => seen.is_sorted_by_key(|line| line.kb.clone()),
                Column::Released => seen.is_sorted_by_key(|line| line.created),
                Column::Severity => seen.is_sorted_by_key(|line| line.severity),
                _ => seen.is_sorted_by_key(|line| line.key.class),
            };
            let falls =
                descending && !matches!(column, Column::Classification | Column::Approval | Column::Files);
            assert!(in_order != falls, "{sort:?}");
        }
    }
    let lost = Cut::After(PageKey { class: 0, update_row: 1_000_000 });
    let page = updates::list(&mut conn, &filter, Sort::default(), lost, 4).await.unwrap();
    assert!(!page.has_before && page.lines.len() == 4, "a place that is gone is the beginning");
    let counted = updates::page(&mut conn, &filter, Sort::default(), lost, 4).await.unwrap();
    assert_eq!(counted, (page.clone(), all));

    let last = &page.lines[3];
    let after = Cut::After(last.key);
    let next = updates::list(&mut conn, &filter, Sort::default(), after, 4).await.unwrap();
    let expire = "UPDATE updates SET expired = true WHERE update_row = $1";
    database.client().await.execute(expire, &[&last.key.update_row]).await.unwrap();
    let (page, count) = updates::page(&mut conn, &filter, Sort::default(), after, 4).await.unwrap();
    assert_eq!(page, next, "a place that does not match any more is still a place");
    assert_eq!(count.at_least, 22);
}

#[tokio::test]
async fn files_of_bundled_children_count_for_the_update() {
    let database = TestDatabase::create().await;
    let file = |number: u8| ImportFile {
        sha1: [number; 20],
        sha256: None,
        size: 1_000,
        name: format!("{number}.exe"),
        patching: String::new(),
        mu_url: String::new(),
    };
    let with = |number, files: &[u8]| ImportRevision {
        files: files.iter().map(|number| file(*number)).collect(),
        ..hidden(number, 1)
    };
    let batch = [
        with(20, &[1]),
        with(21, &[2, 3]),
        with(22, &[4]),
        update(10, 1).bundles(&[20]),
        update(11, 1).bundles(&[21]),
        update(12, 1).bundles(&[22, 20]),
        update(13, 1),
    ];
    bring(&database, &batch).await;
    let put = "INSERT INTO content_files (file_row, state) SELECT id,
        CASE get_byte(sha1, 0) WHEN 1 THEN 'stored' WHEN 2 THEN 'stored' WHEN 3 THEN 'wanted' ELSE 'failed' END FROM files";
    let client = database.client().await;
    client.batch_execute(put).await.unwrap();
    let few = "SELECT";
    let many_coming = "WITH more AS (INSERT INTO files (sha1, size, name)
            SELECT decode(lpad(to_hex(n), 40, '0'), 'hex'), 1, 'f' FROM generate_series(1, 5001) n RETURNING id)
        INSERT INTO content_files (file_row, state) SELECT id, 'wanted' FROM more";
    let many_stored =
        "UPDATE content_files c SET state = 'stored' FROM files f WHERE f.id = c.file_row AND f.size = 1";
    let states = [
        (updates::FileState::Stored, "Update 10"),
        (updates::FileState::Coming, "Update 11"),
        (updates::FileState::Failed, "Update 12"),
        (updates::FileState::NotWanted, "Update 13"),
    ];
    let mut conn = database.conn().await;
    for amount in [few, many_coming, many_stored] {
        client.batch_execute(amount).await.unwrap();
        for (state, wanted) in states {
            let filter = UpdateFilter { files: Some(state), ..UpdateFilter::default() };
            assert_eq!(find(&database, filter.clone()).await, [wanted], "{state:?} {amount}");
            let page = updates::list(&mut conn, &filter, Sort::default(), Cut::First, 50).await.unwrap();
            assert_eq!(page.lines[0].files, state, "the line says the same as the filter");
        }
        let sort = Sort { column: Column::Files, descending: false };
        let page = updates::list(&mut conn, &UpdateFilter::default(), sort, Cut::First, 50).await.unwrap();
        let listed: Vec<_> = page.lines.iter().map(|line| (line.files, line.title.as_str())).collect();
        assert_eq!(listed, states, "{amount}");
    }
}

#[tokio::test]
async fn the_detail_names_what_it_knows_and_marks_what_never_came() {
    let database = TestDatabase::create().await;
    let file = ImportFile {
        sha1: [1; 20],
        sha256: Some([2; 32]),
        size: 12,
        name: "a.exe".to_owned(),
        patching: "SelfContained".to_owned(),
        mu_url: String::new(),
    };
    let batch = [
        product(1),
        classification(2),
        update(10, 1),
        ImportRevision { files: vec![file], ..hidden(12, 1) },
        update(11, 1).member_of(&[1, 2]).needs(&[88]).supersedes(&[10, 99]).bundles(&[12]),
    ];
    bring(&database, &batch).await;
    let mut conn = database.conn().await;
    let named = |number: u32, title: &str| Named { update_id: id(number), title: Some(title.to_owned()) };
    let stranger = |number: u32| Named { update_id: id(number), title: None };
    let found = detail::find(&mut conn, id(11)).await.unwrap().unwrap();
    assert_eq!(found.products, [named(1, "Product 1")]);
    assert_eq!(found.classifications, [named(2, "Classification 2")]);
    assert_eq!(found.prerequisites, [[stranger(88)]]);
    assert_eq!(found.supersedes, [named(10, "Update 10"), stranger(99)]);
    assert_eq!(found.bundles, [named(12, "Update 12")]);
    let child = detail::find(&mut conn, id(12)).await.unwrap().unwrap();
    assert_eq!(child.bundled_by, [named(11, "Update 11")]);
    assert_eq!((child.files[0].size, child.files[0].sha1.len()), (12, 20));
    let old = detail::find(&mut conn, id(10)).await.unwrap().unwrap();
    assert!(old.superseded);
    assert_eq!(old.superseded_by, [named(11, "Update 11")]);
    assert!(detail::find(&mut conn, id(99)).await.unwrap().is_none());
}
