//! Faults at the edge of the console: framing, caches, hostile parameters.

use reqwest::Method;
use weir::accounts::Role;

use crate::routes::RULES;
use crate::support::{PASSWORD, Page, TestApp, Visitor};

fn cannot_be_framed(page: &Page, what: &str) {
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{what}");
    assert_eq!(page.header("x-frame-options"), "DENY", "{what}");
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r193_r195_no_answer_can_be_framed_and_none_for_a_person_is_kept() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    let admin = app.sign_in_admin().await;
    for (method, _, path, _) in RULES {
        if *method != "GET" || path.ends_with("/events") {
            continue;
        }
        let page = admin.get(path).await;
        cannot_be_framed(&page, path);
        if !path.starts_with("/assets/") && *path != "/favicon.ico" {
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
        }
    }
    for (host, path) in [("a b", "/"), ("weir.test", "/%zz|<>"), ("weir.test", "/nowhere")] {
        let page = admin.send(admin.request(Method::GET, path).header("Host", host)).await;
        cannot_be_framed(&page, path);
        assert_eq!(page.header("cache-control"), "no-store", "{host} {path}");
    }
    cannot_be_framed(&app.visitor().get("/users").await, "a stranger's answer");
    for path in ["/nowhere", "/Content/x", "/healthz"] {
        cannot_be_framed(&app.ask_services(path).await, path);
    }
}

/// Breaks out of a string, ends a statement, and means something in patterns and numbers.
const SQL: [&str; 8] = [
    "'",
    "' OR '1'='1",
    "'; DROP TABLE accounts; --",
    "\" OR \"\"=\"",
    "1) UNION SELECT name FROM accounts --",
    "%",
    "\\",
    "$1",
];

#[tokio::test(flavor = "multi_thread")]
async fn r197_what_means_something_to_the_database_is_only_text() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    app.fill(40, 7).await;
    let admin = app.sign_in_admin().await;
    let client = app.db.client().await;
    let accounts = "SELECT count(*) FROM accounts";
    let places = [
        "/updates?q=",
        "/updates?sort=",
        "/updates?page=",
        "/updates?class=",
        "/updates?product=",
        "/updates?state=",
        "/updates?approval=",
        "/updates/export/updates.csv?q=",
        "/audit?who=",
        "/audit?what=",
        "/audit?before=",
        "/audit?from=",
        "/audit/lines.csv?who=",
        "/synchronizations?before=",
        "/jobs?state=",
        "/reports/differences?since=",
        "/options/synchronization/products?find=",
        "/updates/",
        "/users/",
    ];
    for place in places {
        for text in SQL {
            let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let page = admin.get(&format!("{place}{text}")).await;
            assert!(matches!(page.status(), 200 | 303 | 400 | 404 | 422), "{place}{text}: {}", page.status());
            assert!(!page.body.contains("syntax error"), "{place}{text}");
        }
    }
    // signs of a pattern stand for themselves
    let lines = async |query: &str| {
        let path = format!("/updates/export/updates.csv?approval=all&state=all{query}");
        let page = admin.get(&path).await;
        assert_eq!(page.status(), 200);
        page.body.lines().count()
    };
    let (all, found) = (lines("").await, lines("&q=%25%25zz%25").await);
    assert!(all > 10 && found <= 1, "{all} {found}");
    for name in SQL {
        assert_eq!(app.visitor_from(99).sign_in(name, PASSWORD).await.location(), "", "{name}");
    }
    assert_eq!(client.query_one(accounts, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r209_a_hundred_thousand_ids_are_refused_and_nothing_is_kept() {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    let admin = app.sign_in_admin().await;
    let tick = "&tick=00000000-0000-4000-8000-000000000001";
    let path = "/options/synchronization/products/choice";
    let token = admin.get("/options/synchronization/products").await.csrf();
    let post = |body: String| {
        let request = admin.request(Method::POST, path).header("Sec-Fetch-Site", "same-origin");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        admin.send(request.body(format!("csrf={token}{body}")))
    };
    let huge = post(tick.repeat(100_000)).await;
    assert_eq!(huge.status(), 413, "{}", huge.body);
    let many = post(format!("&draft=&back={}", tick.repeat(40_000))).await;
    assert!(matches!(many.status(), 303 | 422), "{}", many.status());
    let sql = "SELECT coalesce(max(pg_column_size(d)), 0) < 10000 FROM option_drafts d";
    assert!(app.db.client().await.query_one(sql, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn r195_after_signing_out_no_address_shows_anything() {
    let app = TestApp::start().await;
    let visitor: Visitor = app.sign_in_as("anna", Role::Reporter).await;
    let cookie = visitor.cookie("weir").unwrap();
    let out = visitor.post_from("/", "/logout", &[]).await;
    assert_eq!(out.location(), "/login");
    visitor.set_cookie("weir", &cookie);
    for path in ["/", "/updates", "/profile", "/options/synchronization/state"] {
        assert!(matches!(visitor.get(path).await.status(), 303 | 401), "{path}");
    }
}
