//! The Updates page: list, filters in the address, one update, and hostile text.

use weir::accounts::{self, Role, views};
use weir::catalog::revision::{ImportFile, ImportRevision};

use crate::catalog::build::{Linked, bring, classification, hidden, id, product, update};
use crate::support::{Page, TestApp, Visitor};

const PASSWORD: &str = "correct horse battery";
const HOSTILE: &str = "<script>alert(1)</script> {{ 7*7 }} \"onload=x' <img src=x onerror=y>";

async fn reader() -> (TestApp, Visitor) {
    let app = TestApp::start().await;
    let mut conn = app.db.conn().await;
    accounts::create(&mut conn, "rita", Role::Reporter, PASSWORD).await.unwrap();
    drop(conn);
    let visitor = app.visitor();
    assert_eq!(visitor.sign_in("rita", PASSWORD).await.status(), 303);
    (app, visitor)
}

fn titles(page: &Page) -> Vec<String> {
    assert_eq!(page.status(), 200, "{}", page.body);
    page.texts("#updates tbody th a")
}

async fn some(app: &TestApp) {
    let batch = [
        product(1),
        product(2).member_of(&[1]),
        classification(3),
        ImportRevision { kb: vec!["5031356".to_owned()], severity: 4, ..update(10, 1).member_of(&[2, 3]) },
        update(11, 1).supersedes(&[10]),
        update(12, 1).expired(),
        hidden(13, 1),
    ];
    bring(&app.db, &batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_catalogue_says_what_will_be_here() {
    let (_app, reader) = reader().await;
    let page = reader.get("/updates").await;
    assert_eq!(page.texts("#updates h2"), ["No updates here yet"]);
    // A reporter may not start a synchronization, so there is no button for it.
    assert!(!page.has("#updates a[href='/synchronize']"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_shows_what_is_current_and_its_facts() {
    let (app, reader) = reader().await;
    some(&app).await;
    let page = reader.get("/updates").await;
    assert_eq!(titles(&page), ["Update 11", "Update 10"]);
    assert_eq!(page.text("#updates [role=status]"), "2 updates");
    let cells = page.texts("#updates tbody tr:nth-child(2) td");
    assert_eq!(
        cells,
        ["Classification 3", "11 Jan 2026", "Critical", "KB5031356", "Not approved", "Not wanted"]
    );
    assert_eq!(page.texts("#updates .badge"), ["– Superseded", "– No longer synchronized"]);
    assert_eq!(page.header("vary"), "HX-Request");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_live_in_the_address_and_come_back_in_the_form() {
    let (app, reader) = reader().await;
    some(&app).await;
    let address = format!("/updates?q=kb5031356&product={}&classification={}&state=all", id(1), id(3));
    let page = reader.get(&address).await;
    assert_eq!(titles(&page), ["Update 10"]);
    assert_eq!(page.field("q").value(), "kb5031356");
    assert_eq!(page.field("product").value(), id(1).to_string());
    assert_eq!(page.field("classification").value(), id(3).to_string());
    assert!(page.has("#state option[value=all][selected]"));
    let all = reader.get("/updates?q=&product=&classification=&state=all").await;
    assert_eq!(titles(&all), ["Update 12", "Update 11", "Update 10"]);
    assert_eq!(titles(&reader.get("/updates?state=current").await), ["Update 11"]);
    let none = reader.get("/updates?q=nowhere").await;
    assert_eq!(none.texts("#updates h2"), ["No update matches"]);
    let strange = reader.get("/updates?product=windows").await;
    assert!(strange.text("#updates").contains("does not exist"));
    let fragment = reader.get_fragment("/updates?q=kb5031356").await;
    assert_eq!(titles(&fragment), ["Update 10"]);
    assert!(!fragment.has("form.filters") && !fragment.has("nav.wide"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r023_odd_addresses_are_answered() {
    let (app, reader) = reader().await;
    some(&app).await;
    for query in [
        "q=%00a%00",
        "q=%ff%fe",
        "q=%25%5c_%27%22",
        "after=1.2.3&before=zzz",
        "after=9223372036854775807.2147483647",
        "state=maybe",
        "q=a&q=b",
        "unknown=1",
    ] {
        let page = reader.get(&format!("/updates?{query}")).await;
        assert!(page.status() < 500, "{query}: {}", page.status());
    }
    let long = reader.get(&format!("/updates?q={}", "a".repeat(3_000))).await;
    assert!(long.status() < 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pager_leads_through_all_updates_and_back() {
    let (app, reader) = reader().await;
    let batch: Vec<ImportRevision> = (1..=120).map(|number| update(number, 1)).collect();
    bring(&app.db, &batch).await;
    let mut seen = Vec::new();
    let mut address = "/updates?q=update".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = reader.get(&address).await;
        seen.extend(titles(&page));
        let next = page.attribute(".pager a[rel=next]", "href");
        pages.push((address, titles(&page)));
        match next {
            Some(next) => address = next,
            None => break,
        }
    }
    let expected: Vec<String> = (1..=120).rev().map(|number| format!("Update {number}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(pages.len(), 3);
    let last = reader.get(&pages[2].0).await;
    let back = reader.get(&last.attribute(".pager a[rel=prev]", "href").unwrap()).await;
    assert_eq!(titles(&back), pages[1].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_shows_its_facts_files_and_relations() {
    let (app, reader) = reader().await;
    some(&app).await;
    let file = ImportFile {
        sha1: [0xab; 20],
        sha256: Some([0xcd; 32]),
        size: 1_200_000_000,
        name: "windows-kb1.msu".to_owned(),
        patching: "SelfContained".to_owned(),
        mu_url: String::new(),
    };
    let mut rich = update(20, 1).member_of(&[2, 3]).supersedes(&[10, 99]).bundles(&[13]).needs(&[88]);
    rich.files = vec![file];
    rich.description = "It repairs things.".to_owned();
    rich = rich.says(&[("en", "Update 20", ""), ("zh-tw", "更新 20", "")]);
    rich.details.more_info_urls = vec!["http://x.test/info".to_owned()];
    bring(&app.db, &[rich, update(20, 2).expired(), update(20, 0)]).await;
    let page = reader.get(&format!("/updates/{}?tab=revisions", id(20))).await;
    assert_eq!(page.status(), 200);
    assert!(page.texts(".badge").iter().any(|badge| badge.contains("Expired")));
    assert_eq!(page.text(".tabs a[aria-current]"), "Revisions");
    let document = reader.get(&page.attribute("[aria-labelledby=revisions] td a", "href").unwrap()).await;
    assert_eq!((document.status(), document.body.as_str()), (200, "<Update>20 2</Update>"));
    assert!(document.header("content-type").starts_with("text/plain"));
    assert!(document.header("content-disposition").contains(".2.xml"));
    assert_eq!(reader.get(&format!("/updates/{}/document/7", id(20))).await.status(), 404);
    assert_eq!(page.texts("[aria-labelledby=revisions] tbody th"), ["2", "1", "0"]);

    let page = reader.get(&format!("/updates/{}", id(10))).await;
    let facts = page.texts("[aria-labelledby=overview] dd");
    for fact in ["Classification 3", "Product 2", "Critical", "KB5031356", &id(10).to_string()] {
        assert!(facts.iter().any(|one| one == fact), "{fact} in {facts:?}");
    }
    let page = reader.get(&format!("/updates/{}?tab=relations", id(10))).await;
    assert_eq!(page.texts("[aria-labelledby=superseded-by] li a"), ["Update 11"]);
    let missing = reader.get(&format!("/updates/{}", id(99))).await;
    assert_eq!(missing.status(), 404);
    assert_eq!(reader.get("/updates/rubbish").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_came_is_marked_and_files_have_sizes_and_digests() {
    let (app, reader) = reader().await;
    let mut rich = update(20, 1).supersedes(&[99]).needs(&[88]).bundles(&[13]);
    rich.files = vec![ImportFile {
        sha1: [0xab; 20],
        sha256: Some([0xcd; 32]),
        size: 1_200_000_000,
        name: "a.msu".to_owned(),
        patching: String::new(),
        mu_url: String::new(),
    }];
    bring(&app.db, &[rich, hidden(13, 1)]).await;
    let page = reader.get(&format!("/updates/{}?tab=relations", id(20))).await;
    assert_eq!(page.texts("[aria-labelledby=supersedes] li"), [format!("{} (not synchronized)", id(99))]);
    assert_eq!(page.texts("[aria-labelledby=prerequisites] li"), [format!("{} (not synchronized)", id(88))]);
    assert_eq!(page.texts("[aria-labelledby=bundles] li a"), ["Update 13"]);
    let page = reader.get(&format!("/updates/{}?tab=files", id(20))).await;
    let file = page.text("[aria-labelledby=files] tbody tr");
    assert!(
        file.contains("1.2 GB") && file.contains(&"AB".repeat(20)) && file.contains(&"CD".repeat(32)),
        "{file}"
    );
    let child = reader.get(&format!("/updates/{}?tab=relations", id(13))).await;
    assert_eq!(child.texts("[aria-labelledby=bundled-by] li a"), ["Update 20"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r105_hostile_text_is_shown_as_text() {
    let (app, reader) = reader().await;
    let mut bad = update(20, 1).member_of(&[1, 3]);
    bad.title = HOSTILE.to_owned();
    bad.description = HOSTILE.to_owned();
    bad.kb = vec![HOSTILE.to_owned()];
    bad.bulletins = vec![HOSTILE.to_owned()];
    bad.details.support_url = "javascript:alert(1)".to_owned();
    bad.details.more_info_urls = vec!["http://x.test/\"><script>".to_owned(), HOSTILE.to_owned()];
    bad.details.reboot = HOSTILE.to_owned();
    bad.details.unusable_files = vec![HOSTILE.to_owned()];
    bad = bad.says(&[("\" onclick=x", HOSTILE, HOSTILE); 2]);
    bad.files = vec![ImportFile {
        sha1: [1; 20],
        sha256: None,
        size: 1,
        name: HOSTILE.to_owned(),
        patching: HOSTILE.to_owned(),
        mu_url: String::new(),
    }];
    let named = |mut revision: ImportRevision| {
        revision.title = HOSTILE.to_owned();
        revision
    };
    bring(&app.db, &[bad, named(product(1)), named(classification(3))]).await;
    let tabs = ["details", "status", "revisions", "files", "relations"];
    let mut paths = vec!["/updates".to_owned(), "/updates?q=%3Cscript%3E%22".to_owned()];
    paths.extend(tabs.iter().map(|tab| format!("/updates/{}?tab={tab}", id(20))));
    for path in &paths {
        let page = reader.get(path).await;
        assert_eq!(page.status(), 200);
        assert!(!page.has("script:not([src])"), "{path}");
        assert!(!page.has("img, [onload], [onerror], [onclick], a[href^='javascript']"), "{path}");
    }
    assert_eq!(titles(&reader.get("/updates").await), [HOSTILE]);
    let page = reader.get(&format!("/updates/{}", id(20))).await;
    assert_eq!(page.text("h1"), HOSTILE);
    let outside: Vec<String> = page.texts("a[rel~=noopener]");
    assert_eq!(outside, ["http://x.test/\"><script>"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_leaves_as_a_table_and_as_a_document_with_its_filter() {
    let (app, reader) = reader().await;
    let mut batch: Vec<ImportRevision> = (100..=520).map(|number| update(number, 1)).collect();
    batch.push(ImportRevision { title: "=cmd()".to_owned(), ..update(521, 1) });
    bring(&app.db, &batch).await;
    some(&app).await;
    let csv = reader.get("/updates/export/updates.csv?sort=title").await;
    assert_eq!(csv.status(), 200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert_eq!(csv.body.lines().count(), 1 + 422 + 2, "expired ones are left out, as in the list");
    assert!(csv.body.contains("\"'=cmd()\"") && csv.body.contains("\"Product 2\",\"Classification 3\""));
    let json = reader.get("/updates/export/updates.json?q=kb5031356").await;
    let found: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["update"], id(10).to_string());
    assert_eq!((&found[0]["severity"], &found[0]["state"]), (&"Critical".into(), &"Superseded".into()));
    let none = reader.get("/updates/export/updates.json?q=nowhere").await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&none.body).unwrap(), serde_json::json!([]));
    assert_eq!(reader.get("/updates/export/updates.csv?product=windows").await.status(), 422);
    assert_eq!(reader.get("/updates/export/other.csv").await.status(), 404);
}

async fn save(reader: &Visitor, name: &str, query: &str) -> Page {
    reader.post_from("/updates", "/updates/views", &[("name", name), ("query", query)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_saved_for_its_person_found_replaced_and_removed() {
    let (app, reader) = reader().await;
    some(&app).await;
    let other = app.sign_in_as("olga", Role::Operator).await;
    let saved = save(&reader, "Critical <b>", "q=kb5031356&state=all").await;
    assert_eq!((saved.status(), saved.location()), (303, "/updates?q=kb5031356&state=all"));
    let page = reader.get("/updates?q=kb5031356&state=all").await;
    assert_eq!(page.text(".views a[aria-current]"), "Critical <b>");
    assert_eq!(page.attribute(".views a", "href").unwrap(), "/updates?q=kb5031356&state=all");
    assert!(!other.get("/updates").await.has(".views"), "it is nobody else's");
    save(&reader, "Critical <b>", "q=other").await;
    assert_eq!(reader.get("/updates").await.attribute(".views a", "href").unwrap(), "/updates?q=other");
    for (name, query) in [("", "q=a"), ("  ", "q=a"), (&*"x".repeat(61), "q=a")] {
        assert_eq!(save(&reader, name, query).await.status(), 422, "{name:?}");
    }
    // Nothing but the filter of a list is kept.
    save(&reader, "odd", "q=a\r\nX: y").await;
    let kept = views::list(&mut *app.db.conn().await, 1).await.unwrap();
    assert_eq!(kept.iter().find(|view| view.name == "odd").map(|view| view.query.as_str()), Some(""));
    reader.post_from("/updates", "/updates/views/remove", &[("name", "Critical <b>"), ("query", "")]).await;
    assert_eq!(reader.get("/updates").await.texts(".views a"), ["odd"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_sorted_by_its_headings() {
    let (app, reader) = reader().await;
    some(&app).await;
    let page = reader.get("/updates").await;
    assert_eq!(page.text("th[aria-sort=descending]"), "Released ▼");
    let by_title = page.attribute("thead th a", "href").unwrap();
    let page = reader.get(&by_title).await;
    assert_eq!(titles(&page), ["Update 10", "Update 11"]);
    assert_eq!(page.text("th[aria-sort=ascending]"), "Title ▲");
    let page = reader.get(&page.attribute("thead th a", "href").unwrap()).await;
    assert_eq!(titles(&page), ["Update 11", "Update 10"]);
    let page = reader.get("/updates?sort=-severity").await;
    assert_eq!(titles(&page), ["Update 10", "Update 11"], "critical first");
}

#[tokio::test(flavor = "multi_thread")]
async fn s063_updates_of_a_cleared_product_stay_and_are_marked() {
    let (app, reader) = reader().await;
    some(&app).await;
    let choose = |category: u32| {
        format!(
            "DELETE FROM selected_categories; INSERT INTO selected_categories VALUES
            ('{}', 'product', false), ('{}', 'classification', false)",
            id(category),
            id(3)
        )
    };
    let client = app.db.client().await;
    client.batch_execute(&choose(2)).await.unwrap();
    let marks =
        |page: &Page| page.texts("#updates .badge").iter().filter(|one| one.contains("No longer")).count();
    let page = reader.get("/updates").await;
    assert_eq!((titles(&page).len(), marks(&page)), (2, 0));
    client.batch_execute(&choose(999)).await.unwrap();
    let page = reader.get("/updates").await;
    assert_eq!((titles(&page).len(), marks(&page)), (2, 1), "one names no product and is not judged by any");
    let page = reader.get(&format!("/updates/{}", id(10))).await;
    assert!(page.text("main").contains("This update is no longer synchronized"));
    client.batch_execute("UPDATE sync_options SET replica = true").await.unwrap();
    assert_eq!(marks(&reader.get("/updates").await), 0, "a replica takes what its upstream server has");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_is_in_a_language_of_the_person_and_else_in_english() {
    let app = TestApp::start().await;
    let reader = app.sign_in_as("rita", Role::Reporter).await;
    let mut many = update(21, 1);
    many.details.default_language = "en".to_owned();
    many = many.says(&[("en", "Update 21", ""), ("zh-tw", "更新 21", ""), ("de", "Aktualisierung 21", "")]);
    bring(&app.db, &[many]).await;
    let address = format!("/updates/{}", id(21));
    for (languages, language, title) in [
        ("zh-TW,zh;q=0.9,en;q=0.5", "zh-tw", "更新 21"),
        ("de-CH, en;q=0.9", "de", "Aktualisierung 21"),
        ("fr", "en", "Update 21"),
        ("en-US, de;q=0.9", "en", "Update 21"),
    ] {
        let page = reader.get_in(&address, languages).await;
        assert_eq!(page.texts("h1"), [title], "{languages}");
        assert!(page.has(&format!("h1[lang={language}]")), "{languages}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s163_updates_that_wait_for_their_license_terms_are_listed() {
    let app = TestApp::with_sample(200, 7).await;
    let reader = app.sign_in_as("rita", Role::Reporter).await;
    let address = "/updates?approval=waits-for-license";
    let waiting = titles(&reader.get(address).await);
    assert!(!waiting.is_empty(), "the sample has updates with license terms");
    let accepted = "INSERT INTO accepted_licenses (license_id, accepted_by)
        SELECT DISTINCT (details->>'eula')::uuid, 'anna' FROM revisions WHERE details->>'eula' IS NOT NULL";
    app.db.client().await.execute(accepted, &[]).await.unwrap();
    assert_eq!(reader.get(address).await.texts("#updates h2"), ["No update matches"]);
}
