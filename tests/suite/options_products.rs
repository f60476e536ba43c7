//! Add/Remove Products with five thousand products: in small answers, searched on the server, every box ticked.

use crate::support::{Page, TestApp, Visitor};
use weir::accounts::Role;
use weir::settings::{self, CategoryKind};

const ADDRESS: &str = "/options/synchronization";
const COMPANY: u32 = 1;
const FAMILIES: std::ops::RangeInclusive<u32> = 2..=201;
const PRODUCTS: std::ops::RangeInclusive<u32> = 202..=5_201;

/// A company, 200 families of 25 products each, with the same titles in every family, and in the first
/// family one title twice.
async fn start() -> (TestApp, Visitor) {
    let app = TestApp::start().await;
    let sql = "SET session_replication_role = replica;
        INSERT INTO updates (update_row, update_id, revision_row, revision_number, changed_stamp, arrived_at, kind,
                             approvable, expired, severity, category_type, title, kb, bulletin, created)
        SELECT n, ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n, 1, 1, now(), 2,
               false, false, 0,
               CASE WHEN n = 1 THEN 'Company' WHEN n <= 201 THEN 'ProductFamily' ELSE 'Product' END,
               CASE WHEN n = 1 THEN 'Example' WHEN n <= 201 THEN 'Family ' || n - 1
                    WHEN n = 402 THEN 'Edition 0' ELSE 'Edition ' || (n - 202) / 200 END, '', '', now()
        FROM generate_series(1, 5201) n;
        INSERT INTO update_categories
        SELECT n, 1 FROM generate_series(2, 201) n
        UNION ALL SELECT n, 2 + (n - 202) % 200 FROM generate_series(202, 5201) n";
    app.db.client().await.batch_execute(sql).await.unwrap();
    let visitor = app.sign_in_as("anna", Role::Administrator).await;
    (app, visitor)
}

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// OK with these boxes shown and those ticked.
async fn choose(visitor: &Visitor, seen: &[u32], ticked: &[u32]) -> Page {
    let dialog = visitor.get(&format!("{ADDRESS}/products")).await;
    let (seen, ticked): (Vec<_>, Vec<_>) =
        (seen.iter().map(|one| id(*one)).collect(), ticked.iter().map(|one| id(*one)).collect());
    let csrf = dialog.csrf();
    let mut fields = vec![("csrf", csrf.as_str()), ("draft", ""), ("back", "")];
    fields.extend(seen.iter().map(|one| ("seen", one.as_str())));
    fields.extend(ticked.iter().map(|one| ("tick", one.as_str())));
    let to = visitor.post_raw(&format!("{ADDRESS}/products/choice"), &fields).await;
    assert_eq!(to.status(), 303, "{}", to.body.chars().take(300).collect::<String>());
    visitor.get(to.location()).await
}

async fn save(app: &TestApp, visitor: &Visitor, page: &Page) -> Vec<String> {
    let (version, draft) = (page.field("version"), page.field("draft"));
    let fields = [
        ("version", version.value()),
        ("draft", draft.value()),
        ("schedule.mode", "manual"),
        ("source.kind", "microsoft-update"),
    ];
    let saved = visitor.post(ADDRESS, &fields).await;
    assert_eq!(saved.status(), 303, "{}", saved.body);
    let options = settings::load(&mut *app.db.conn().await).await.unwrap();
    options.selected(CategoryKind::Product).map(|one| one.category_id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_products_are_shown_searched_and_all_ticked() {
    let (app, visitor) = start().await;

    // a page of its own has them all; a dialog has the families
    let whole = visitor.get(&format!("{ADDRESS}/products")).await;
    assert!(whole.body.matches("name=\"tick\"").count() > 5_200);
    let dialog = visitor.get_fragment(&format!("{ADDRESS}/products")).await;
    assert_eq!(dialog.body.matches("name=\"tick\"").count(), 202, "the company, its families and Windows");
    assert!(dialog.body.len() < 300_000, "{}", dialog.body.len());
    let below = format!("{ADDRESS}/products/children?parent={}", id(2));
    let children = visitor.get_fragment(&below).await;
    assert_eq!(children.texts(".title").len(), 25);

    // equal titles are told apart by their place, and by their id where that is the same
    let found = visitor.get(&format!("{ADDRESS}/products?find=edition+7")).await;
    assert_eq!(found.text("p.hint[role=status]"), "200 products match.");
    assert!(found.texts("label").iter().any(|one| one == "Edition 7 in Example › Family 12"));
    let twins: Vec<String> =
        children.texts("label").into_iter().filter(|one| one.starts_with("Edition 0")).collect();
    assert_eq!(twins.len(), 2);
    assert!(twins[0].ends_with(&id(202)) && twins[1].ends_with(&id(402)), "{twins:?}");
    let many = visitor.get(&format!("{ADDRESS}/products?find=edition")).await;
    assert_eq!(many.text("p.hint[role=status]"), "5,000 products match; the first 200 are shown.");

    // every product ticked one by one is not the family, and all of it fits the form
    let products: Vec<u32> = PRODUCTS.collect();
    let page = choose(&visitor, &products, &products).await;
    assert_eq!(save(&app, &visitor, &page).await.len(), 5_001, "and Windows, which was not shown");
    // every box ticked is the company, which stands for all
    let all: Vec<u32> = std::iter::once(COMPANY).chain(FAMILIES).chain(PRODUCTS).collect();
    let page = choose(&visitor, &all, &all).await;
    let chosen = save(&app, &visitor, &page).await;
    assert_eq!(chosen.len(), 2);
    assert!(chosen.contains(&id(COMPANY)));
}

#[tokio::test(flavor = "multi_thread")]
async fn s058_what_came_since_the_last_visit_is_marked_and_the_foot_counts() {
    let (app, visitor) = start().await;
    let opened =
        [("version", "1"), ("draft", ""), ("schedule.mode", "manual"), ("source.kind", "microsoft-update")];
    let open = || async {
        let to = visitor.post_from(ADDRESS, &format!("{ADDRESS}/products"), &opened).await;
        visitor.get(to.location()).await
    };
    let marked = |page: &Page| page.body.matches("new since your last visit").count();
    assert_eq!(marked(&open().await), 0, "on the first visit nothing is new");
    let sql = format!(
        "UPDATE product_visits SET last_at = now() - interval '1 hour';
         SET session_replication_role = replica;
         UPDATE updates SET arrived_at = now() - interval '2 hours' WHERE update_id <> '{}'",
        id(205)
    );
    app.db.client().await.batch_execute(&sql).await.unwrap();
    for _ in 0..2 {
        let page = open().await;
        assert_eq!(marked(&page), 1, "opened again soon it is the same visit");
        assert!(page.text("main").contains("1 new entry since your last visit."));
    }

    let (shown, ticked) = ([id(2), id(202), id(402)], [id(202), id(402)]);
    let mut fields = vec![("draft", ""), ("back", "")];
    fields.extend(shown.iter().map(|one| ("seen", one.as_str())));
    fields.extend(ticked.iter().map(|one| ("tick", one.as_str())));
    let counted = visitor.post_from(ADDRESS, &format!("{ADDRESS}/products/count"), &fields).await;
    assert_eq!(
        counted.body.trim(),
        "1 whole family, 2 single products",
        "Windows is ticked and was not shown"
    );
    let stored: i64 =
        app.db.client().await.query_one("SELECT version FROM sync_options", &[]).await.unwrap().get(0);
    assert_eq!(stored, 1);
}
