//! Users, their links, roles and sessions, and the audit log as pages.

use weir::accounts::{Role, history, people};

use crate::support::{PASSWORD, Page, TestApp, Visitor};

const NEW_PASSWORD: &str = "another long secret";

async fn id_of(app: &TestApp, name: &str) -> i64 {
    let sql = "SELECT id FROM accounts WHERE name = $1";
    app.db.client().await.query_one(sql, &[&name]).await.unwrap().get(0)
}

/// The address of the link that a page shows.
fn link_in(page: &Page) -> String {
    let start = page.body.find("/set-password/").unwrap_or_else(|| panic!("no link in {}", page.body));
    page.body[start..].split('"').next().unwrap().to_owned()
}

async fn signed_in(app: &TestApp, name: &str, password: &str) -> Visitor {
    let visitor = app.visitor();
    assert_eq!(visitor.sign_in(name, password).await.status(), 303);
    visitor
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_added_and_sets_a_password_with_a_link_that_works_once() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let refused = admin.post("/users", &[("name", "ANNA"), ("role", "reporter")]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text("#name-error").contains("already a user"), "{}", refused.text("main"));
    assert_eq!(refused.field("name").value(), "ANNA", "what was typed stays");
    let added = admin.post("/users", &[("name", "ben"), ("role", "operator")]).await;
    let link = link_in(&added);
    assert!(
        !admin.get(&format!("/users/{}", id_of(&app, "ben").await)).await.body.contains(&link),
        "shown once"
    );
    let stored = "SELECT count(*) FROM password_links WHERE encode(token_hash, 'hex') = $1";
    let token = link.rsplit('/').next().unwrap();
    let count: i64 = app.db.client().await.query_one(stored, &[&token]).await.unwrap().get(0);
    assert_eq!(count, 0, "only the hash is stored");

    let ben = app.visitor();
    assert_eq!(ben.get("/set-password/ffff").await.status(), 422);
    assert!(ben.get(&link).await.text("main").contains("For ben."));
    let short = ben.post(&link, &[("password", "short")]).await;
    assert_eq!((short.status(), short.has("#password-error")), (422, true), "{}", short.body);
    assert_eq!(ben.post(&link, &[("password", NEW_PASSWORD)]).await.location(), "/login?set=1");
    assert_eq!(ben.get(&link).await.status(), 422, "used up");
    assert_eq!(ben.sign_in("ben", NEW_PASSWORD).await.status(), 303);
    assert_eq!(ben.get("/users").await.status(), 403);
    let badges = admin.get("/users").await.texts("tbody tr").join("\n");
    assert!(badges.contains("ben Operator") && badges.contains("Active"), "{badges}");

    // a newer link takes the place of the older one, and both are gone with the account's right to sign in
    let id = id_of(&app, "ben").await;
    let first = link_in(&admin.post_from("/users", &format!("/users/{id}/link"), &[]).await);
    let second = link_in(&admin.post_from("/users", &format!("/users/{id}/link"), &[]).await);
    assert_eq!((ben.get(&first).await.status(), ben.get(&second).await.status()), (422, 200));
    let off = [("role", "operator"), ("disabled", "true")];
    assert_eq!(admin.post_from("/users", &format!("/users/{id}"), &off).await.status(), 303);
    assert_eq!(app.visitor().get(&second).await.status(), 422);
    assert_eq!(ben.get("/").await.status(), 303, "r171: signed out at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays_one_also_when_two_demote_each_other() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Administrator).await;
    let own = format!("/users/{}", id_of(&app, "anna").await);
    for form in
        [[("role", "operator"), ("disabled", "false")], [("role", "administrator"), ("disabled", "true")]]
    {
        let refused = anna.post_from("/users", &own, &form).await;
        assert_eq!(refused.status(), 422);
        assert!(
            refused.text("#role-error").starts_with("Nobody could administer"),
            "{}",
            refused.text("main")
        );
    }
    let boris = app.sign_in_as("boris", Role::Administrator).await;
    let other = format!("/users/{}", id_of(&app, "boris").await);
    let (anna_token, boris_token) = (anna.get("/users").await.csrf(), boris.get("/users").await.csrf());
    let demote = |token| [("csrf", token), ("role", "reporter")];
    let (one, two) = (demote(anna_token.as_str()), demote(boris_token.as_str()));
    let (_, _) = tokio::join!(anna.post_raw(&other, &one), boris.post_raw(&own, &two));
    let all = people::list(&mut *app.db.conn().await, 10).await.unwrap();
    assert_eq!(all.iter().filter(|one| one.role == Role::Administrator).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r172_a_changed_password_ends_every_other_session_and_renews_the_own_one() {
    let app = TestApp::start().await;
    let here = app.sign_in_as("anna", Role::Operator).await;
    let elsewhere = signed_in(&app, "anna", PASSWORD).await;
    assert_eq!(here.get("/profile").await.texts("tbody tr").len(), 2);
    let wrong =
        here.post_from("/profile", "/profile/password", &[("current", NEW_PASSWORD), ("new", NEW_PASSWORD)]);
    let wrong = wrong.await;
    assert_eq!(
        (wrong.status(), wrong.text("#current-error")),
        (422, "This is not your password.".to_owned())
    );
    let short =
        here.post_from("/profile", "/profile/password", &[("current", PASSWORD), ("new", "short")]).await;
    assert_eq!((short.status(), short.has("#new-error")), (422, true));
    let before = here.cookie("weir").unwrap();
    let done =
        here.post_from("/profile", "/profile/password", &[("current", PASSWORD), ("new", NEW_PASSWORD)]);
    assert_eq!(done.await.location(), "/profile?changed=yes");
    assert_ne!(here.cookie("weir").unwrap(), before);
    assert_eq!((here.get("/").await.status(), elsewhere.get("/").await.status()), (200, 303));
    assert_eq!(app.visitor().sign_in("anna", PASSWORD).await.status(), 422);
    signed_in(&app, "anna", NEW_PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r173_sessions_are_ended_one_by_one_by_an_administrator_and_all_by_oneself() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    let (one, two) = (app.sign_in_as("ben", Role::Operator).await, signed_in(&app, "ben", PASSWORD).await);
    let page = format!("/users/{}", id_of(&app, "ben").await);
    let shown = admin.get(&page).await;
    let start = shown.body.find(&format!("{page}/sessions/")).unwrap();
    let end = shown.body[start..].split('"').next().unwrap().to_owned();
    assert_eq!(admin.post_from(&page, &end, &[]).await.status(), 303);
    let left = [one.get("/").await.status(), two.get("/").await.status()];
    assert_eq!(left.iter().filter(|status| **status == 200).count(), 1, "{left:?}");
    let three = signed_in(&app, "ben", PASSWORD).await;
    assert_eq!(three.post_from("/profile", "/profile/sessions/end", &[]).await.location(), "/login");
    for visitor in [&one, &two, &three] {
        assert_eq!(visitor.get("/").await.status(), 303);
    }
    assert_eq!(admin.get("/").await.status(), 200, "nobody else is touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_read_filtered_downloaded_and_never_changed() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as("anna", Role::Administrator).await;
    app.visitor().sign_in("=cmd|'/c calc'!A1", "a wrong long password").await;
    admin.post("/users", &[("name", "ben"), ("role", "operator")]).await;
    let whole = admin.get("/audit").await;
    assert!(whole.texts("td code").iter().any(|what| what == "user.add"), "{}", whole.text("main"));
    let only = admin.get("/audit?who=ANNA&what=user").await;
    let found: Vec<String> = only.texts("td[data-label=What]");
    assert_eq!(found, ["user.link", "user.add"], "newest first, whole name, part of the action");
    assert!(admin.get("/audit?until=2001-01-01").await.text("main").contains("Nothing matches"));
    let csv = admin.get("/audit/lines.csv?what=sign-in.failed").await;
    assert!(csv.body.contains("\"'=cmd|'/c calc'!A1\""), "no spreadsheet runs it: {}", csv.body);
    let lines = admin.get("/audit/lines.jsonl?what=user").await;
    let actions: Vec<String> = lines
        .body
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["action"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(actions, ["user.link", "user.add"]);
    assert!(!lines.body.contains("set-password"), "the link is in no line");

    let client = app.db.client().await;
    for sql in ["UPDATE audit SET actor = 'nobody'", "TRUNCATE audit", "DELETE FROM audit"] {
        assert!(client.batch_execute(sql).await.is_err(), "{sql}");
    }
    // pages by key
    let sql = "INSERT INTO audit (actor, action) SELECT 'weir', 'test.line' FROM generate_series(1, 120)";
    client.batch_execute(sql).await.unwrap();
    let filter = history::Filter { action: "test".to_owned(), ..history::Filter::default() };
    assert_eq!(history::read(&mut *app.db.conn().await, &filter, 1_000).await.unwrap().len(), 120);
    let first = admin.get("/audit?what=test").await;
    let next = first.attribute("a[rel=next]", "href").unwrap();
    assert_eq!(admin.get(&next).await.texts("tbody tr").len(), 50);
}
