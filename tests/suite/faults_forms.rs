//! Every form of the console with a field too many, walked by its routes and by its pages.

use std::collections::BTreeSet;

use reqwest::Method;
use scraper::{ElementRef, Html, Selector};
use weir::accounts::Role;
use weir::sample::{self, Catalogue, Target};

use crate::routes::RULES;
use crate::routes_unsafe::fingerprint;
use crate::support::{Page, TestApp, Visitor};

/// A field that no form has.
const ODD: (&str, &str) = ("owner", "1");

fn css(selector: &str) -> Selector {
    Selector::parse(selector).unwrap()
}

/// A server without a worker, with something on most pages; the answer is the first update's id.
async fn furnished() -> (TestApp, Visitor, String) {
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    let content = app.data_dir().join("content");
    let target = Target { pool: app.db.pool(), url: app.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(60, 1)).await.unwrap();
    app.account("ben", Role::Reporter).await;
    app.visitor().sign_in("ben", "a wrong long password").await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let token = [("name", "monitoring"), ("role", "reporter"), ("days", "30")];
    assert_eq!(admin.post_from("/profile", "/profile/tokens", &token).await.status(), 200);
    assert_eq!(admin.post_from("/users", "/users/2/link", &[]).await.status(), 200);
    let group = [("name", "Pilots"), ("parent", "a0a08746-4dbe-4a37-9adf-9e7652c0b421")];
    admin.post("/options/groups", &group).await;
    let view = [("name", "mine"), ("query", "q=x")];
    assert_eq!(admin.post_from("/updates", "/updates/views", &view).await.status(), 303);
    let sql = "INSERT INTO sync_runs (trigger, started_by, state, started_at) \
               VALUES ('manual', 'test', 'running', now())";
    let client = app.db.client().await;
    client.batch_execute(sql).await.unwrap();
    let id = "SELECT update_id::text FROM updates WHERE approvable LIMIT 1";
    let id = client.query_one(id, &[]).await.unwrap().get(0);
    (app, admin, id)
}

/// Posts as a browser would, as htmx would when `fragment` is true.
async fn post(visitor: &Visitor, path: &str, fields: &[(String, String)], fragment: bool) -> Page {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = visitor
        .request(Method::POST, path)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Sec-Fetch-Site", "same-origin")
        .body(body);
    if fragment {
        request = request.header("HX-Request", "true");
    }
    visitor.send(request).await
}

fn is_refused(answer: &Page, what: &str) {
    assert_eq!(answer.status(), 422, "{what}: {}", answer.body);
    let named: Vec<&str> = answer.body.split("has no field named ").skip(1).collect();
    assert!(
        !named.is_empty() && named.iter().all(|rest| rest.starts_with("owner. Nothing was ")),
        "{what}: {named:?}"
    );
}

/// The forms of a page: where each goes, with everything it may send, its boxes ticked.
fn forms(page: &Page) -> Vec<(String, Vec<(String, String)>)> {
    let html = page.html();
    let mut all = Vec::new();
    for form in html.select(&css("form[method=post]")) {
        let fields = fields(&html, form);
        let mut ways: BTreeSet<String> = form.attr("action").map(str::to_owned).into_iter().collect();
        ways.extend(
            form.select(&css("[formaction]")).filter_map(|one| one.attr("formaction")).map(str::to_owned),
        );
        if let Some(id) = form.attr("id") {
            let elsewhere = css(&format!("[form='{id}'][formaction]"));
            ways.extend(html.select(&elsewhere).filter_map(|one| one.attr("formaction")).map(str::to_owned));
        }
        all.extend(ways.into_iter().map(|way| (way, fields.clone())));
    }
    all
}

fn fields(html: &Html, form: ElementRef<'_>) -> Vec<(String, String)> {
    let mut controls: Vec<ElementRef<'_>> = form.select(&css("[name]")).collect();
    if let Some(id) = form.attr("id") {
        controls.extend(html.select(&css(&format!("[form='{id}'][name]"))));
    }
    let mut radios = BTreeSet::new();
    let mut fields = Vec::new();
    for one in controls {
        let name = one.attr("name").unwrap();
        let is_one_of_many = one.attr("type") == Some("radio") || one.value().name() == "button";
        if is_one_of_many && !radios.insert(name) || one.value().name() == "meta" {
            continue;
        }
        let chosen = one.select(&css("option")).next().and_then(|option| option.attr("value"));
        let value = one.attr("value").or(chosen).unwrap_or_default();
        fields.push((name.to_owned(), value.to_owned()));
    }
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn r205_every_route_that_takes_a_form_refuses_a_field_it_does_not_have() {
    let (app, admin, _) = furnished().await;
    let client = app.db.client().await;
    let token = admin.get("/").await.csrf();
    let before = fingerprint(&client).await;
    let fields = [("csrf".to_owned(), token), (ODD.0.to_owned(), ODD.1.to_owned())];
    let mut asked = 0;
    for (method, _, path, _) in RULES {
        if *method != "POST" {
            continue;
        }
        for fragment in [false, true] {
            is_refused(&post(&admin, path, &fields, fragment).await, path);
            asked += 1;
        }
    }
    assert!(asked > 80, "{asked}");
    assert_eq!(before, fingerprint(&client).await);
    assert_eq!(admin.get("/profile").await.status(), 200, "the session goes on");
    let written = "SELECT count(*) FROM audit WHERE action IN ('form.refused', 'settings.refused') AND actor = 'anna' AND after::text LIKE '%owner%'";
    assert_eq!(client.query_one(written, &[]).await.unwrap().get::<_, i64>(0), asked);
    // who is nobody is told the same and fills no table
    for path in ["/login", "/setup", "/set-password/none"] {
        is_refused(&post(&app.visitor(), path, &fields[1..], false).await, path);
    }
    assert_eq!(client.query_one(written, &[]).await.unwrap().get::<_, i64>(0), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn r205_every_form_on_a_page_knows_all_its_own_fields() {
    let (app, admin, update) = furnished().await;
    let mut paths: Vec<String> = RULES
        .iter()
        .filter(|(method, _, path, _)| *method == "GET" && !path.contains("events"))
        .map(|(_, _, path, _)| (*path).to_owned())
        .collect();
    paths.extend([
        "/users/2".to_owned(),
        format!("/updates/{update}"),
        format!("/updates/approve?id={update}"),
        format!("/updates/decline?id={update}"),
    ]);
    for dialog in ["products?", "classifications?", "advanced?read=yes&"] {
        paths.push(format!("/options/synchronization/{dialog}draft="));
    }
    let stranger = app.visitor();
    let mut seen = BTreeSet::new();
    for (visitor, path) in paths.iter().map(|path| (&admin, path.as_str())).chain([(&stranger, "/login")]) {
        let page = visitor.get(path).await;
        if !page.header("content-type").starts_with("text/html") {
            continue;
        }
        for (way, mut fields) in forms(&page) {
            fields.push((ODD.0.to_owned(), ODD.1.to_owned()));
            is_refused(&post(visitor, &way, &fields, false).await, &format!("{path} {way} {fields:?}"));
            seen.insert(way);
        }
    }
    for way in
        ["/users", "/users/2", "/updates/approve", "/options/synchronization/products/choice", "/login"]
    {
        assert!(seen.contains(way), "{way} in {seen:?}");
    }
    assert!(seen.len() > 30, "{seen:?}");
}
