//! The Updates page: list, filters in the address, one update, and hostile text.

use weir::accounts::{self, Role};
use weir::catalog::revision::{ImportFile, ImportRevision, TitleIn};

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
    assert_eq!(cells, ["Classification 3", "11 Jan 2026", "Critical", "KB5031356", "Not approved"]);
    assert_eq!(page.texts("#updates .badge"), ["– Superseded"]);
    assert_eq!(page.header("vary"), "HX-Request");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_live_in_the_address_and_come_back_in_the_form() {
    let (app, reader) = reader().await;
    some(&app).await;
    let address = format!("/updates?q=kb5031356&product={}&classification={}&expired=true", id(1), id(3));
    let page = reader.get(&address).await;
    assert_eq!(titles(&page), ["Update 10"]);
    assert_eq!(page.field("q").value(), "kb5031356");
    assert_eq!(page.field("product").value(), id(1).to_string());
    assert_eq!(page.field("classification").value(), id(3).to_string());
    assert!(page.has("#expired[checked]") && !page.has("#current[checked]"));
    let all = reader.get("/updates?q=&product=&classification=&expired=true").await;
    assert_eq!(titles(&all), ["Update 12", "Update 11", "Update 10"]);
    assert_eq!(titles(&reader.get("/updates?current=true").await), ["Update 11"]);
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
        "expired=maybe",
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
    rich.details.titles = vec![
        TitleIn { language: "en".to_owned(), title: "Update 20".to_owned(), ..TitleIn::default() },
        TitleIn { language: "zh-tw".to_owned(), title: "更新 20".to_owned(), ..TitleIn::default() },
    ];
    rich.details.more_info_urls = vec!["http://x.test/info".to_owned()];
    bring(&app.db, &[rich, update(20, 2).expired(), update(20, 0)]).await;
    let page = reader.get(&format!("/updates/{}", id(20))).await;
    assert_eq!(page.status(), 200);
    assert!(page.texts(".badge").iter().any(|badge| badge.contains("Expired")));
    assert_eq!(page.texts("[aria-labelledby=revisions] tbody th"), ["2", "1", "0"]);

    let page = reader.get(&format!("/updates/{}", id(10))).await;
    let facts = page.texts("[aria-labelledby=overview] dd");
    for fact in ["Classification 3", "Product 2", "Critical", "KB5031356", &id(10).to_string()] {
        assert!(facts.iter().any(|one| one == fact), "{fact} in {facts:?}");
    }
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
    let page = reader.get(&format!("/updates/{}", id(20))).await;
    assert_eq!(page.texts("[aria-labelledby=supersedes] li"), [format!("{} (not synchronized)", id(99))]);
    assert_eq!(page.texts("[aria-labelledby=prerequisites] li"), [format!("{} (not synchronized)", id(88))]);
    assert_eq!(page.texts("[aria-labelledby=bundles] li a"), ["Update 13"]);
    let file = page.text("[aria-labelledby=files] tbody tr");
    assert!(
        file.contains("1.2 GB") && file.contains(&"AB".repeat(20)) && file.contains(&"CD".repeat(32)),
        "{file}"
    );
    let child = reader.get(&format!("/updates/{}", id(13))).await;
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
    bad.details.titles = vec![
        TitleIn {
            language: "\" onclick=x".to_owned(),
            title: HOSTILE.to_owned(),
            description: HOSTILE.to_owned()
        };
        2
    ];
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
    for path in ["/updates", "/updates?q=%3Cscript%3E%22", &format!("/updates/{}", id(20))] {
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
async fn a_title_is_in_a_language_of_the_person_and_else_in_english() {
    let app = TestApp::start().await;
    let reader = app.sign_in_as("rita", Role::Reporter).await;
    let mut many = update(21, 1);
    many.details.default_language = "en".to_owned();
    let text = |language: &str, title: &str| TitleIn {
        language: language.to_owned(),
        title: title.to_owned(),
        ..TitleIn::default()
    };
    many.details.titles =
        vec![text("en", "Update 21"), text("zh-tw", "更新 21"), text("de", "Aktualisierung 21")];
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
