//! API tokens: made and ended on pages, used by programs.

use reqwest::Method;
use serde_json::Value;
use weir::accounts::Role;

use crate::support::process::{alone, output};
use crate::support::{PASSWORD, Page, TestApp, Visitor};

async fn id_of(app: &TestApp, name: &str) -> i64 {
    let sql = "SELECT id FROM accounts WHERE name = $1";
    app.db.client().await.query_one(sql, &[&name]).await.unwrap().get(0)
}

async fn make(visitor: &Visitor, name: &str, role: &str) -> Page {
    let form = [("name", name), ("role", role), ("days", "30")];
    visitor.post_from("/profile", "/profile/tokens", &form).await
}

/// The token that a page shows.
fn token_in(page: &Page) -> String {
    let found = page.texts("code").into_iter().find(|text| text.starts_with("weir_"));
    found.unwrap_or_else(|| panic!("no token in {}", page.text("main")))
}

/// Asks as a program: no cookie, only the header.
async fn ask(app: &TestApp, authorization: &str) -> Page {
    let program = app.visitor();
    program.send(program.request(Method::GET, "/api/v1/status").header("Authorization", authorization)).await
}

async fn status_with(app: &TestApp, token: &str) -> u16 {
    ask(app, &format!("Bearer {token}")).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_stored_as_a_hash_and_answers_a_program() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Administrator).await;
    let token = token_in(&make(&anna, " monitoring ", "reporter").await);
    let profile = anna.get("/profile").await;
    assert!(!profile.body.contains(&token), "shown once");
    assert!(profile.text("main").contains("monitoring"), "listed by its name");
    let client = app.db.client().await;
    let row = client.query_one("SELECT to_jsonb(api_tokens)::text FROM api_tokens", &[]).await.unwrap();
    assert!(!row.get::<_, String>(0).contains(&token["weir_".len()..]), "only the hash is stored");
    let lines = anna.get("/audit/lines.jsonl?what=token").await.body;
    assert!(lines.contains("token.add") && !lines.contains(&token), "{lines}");

    let answer = ask(&app, &format!("bearer {token}")).await;
    assert_eq!(answer.status(), 200, "{}", answer.body);
    let status: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((status["user"].as_str(), status["role"].as_str()), (Some("anna"), Some("reporter")));
    assert_eq!((&status["active_run"], &status["last_run"]), (&Value::Null, &Value::Null));
    assert_eq!(status["updates"]["at_least"], 0);
    let used: bool =
        client.query_one("SELECT last_used_at IS NOT NULL FROM api_tokens", &[]).await.unwrap().get(0);
    assert!(used);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_refused_when_it_is_none_is_over_or_stands_elsewhere() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Reporter).await;
    let token = token_in(&make(&anna, "script", "reporter").await);
    let none = format!("weir_{}", "0".repeat(64));
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        &format!("Bearer {none}"),
        &format!("Bearer {}", &token[5..]),
        &format!("Basic {token}"),
        &format!("Bearer {}", "x".repeat(5_000)),
    ] {
        let refused = ask(&app, wrong).await;
        assert_eq!(refused.status(), 401, "{wrong}");
        let body: Value = serde_json::from_str(&refused.body).unwrap();
        assert!(body["error"].as_str().unwrap().ends_with('.'), "{body}");
    }
    let with_session = anna.get("/api/v1/status").await;
    assert_eq!(with_session.status(), 401, "a session counts for nothing here");
    let elsewhere = app.visitor();
    let page = elsewhere.request(Method::GET, "/updates").header("Authorization", format!("Bearer {token}"));
    assert_eq!(elsewhere.send(page).await.status(), 303, "a token opens no page");
    app.db.client().await.batch_execute("UPDATE api_tokens SET ends_at = now()").await.unwrap();
    assert_eq!(status_with(&app, &token).await, 401, "over");
    assert!(anna.get("/profile").await.texts("[aria-label='List of API tokens']").is_empty());
    token_in(&make(&anna, "script", "reporter").await); // the name is free again
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_wanted_token_is_said_beside_the_field() {
    let app = TestApp::start().await;
    let ben = app.sign_in_as("ben", Role::Operator).await;
    token_in(&make(&ben, "one", "operator").await);
    for (form, field, starts) in [
        ([("name", " "), ("role", "reporter"), ("days", "30")], "#name-error", "Enter a name"),
        ([("name", "one"), ("role", "reporter"), ("days", "30")], "#name-error", "You have a token"),
        ([("name", "two"), ("role", "administrator"), ("days", "30")], "#role-error", "A token cannot"),
        ([("name", "two"), ("role", "root"), ("days", "30")], "#role-error", "A token cannot"),
        ([("name", "two"), ("role", "reporter"), ("days", "367")], "#days-error", "A token works"),
        ([("name", "two"), ("role", "reporter"), ("days", "-1")], "#days-error", "A token works"),
    ] {
        let refused = ben.post_from("/profile", "/profile/tokens", &form).await;
        assert_eq!(refused.status(), 422, "{form:?}");
        assert!(refused.text(field).starts_with(starts), "{form:?}: {}", refused.text("main"));
    }
    let more = "INSERT INTO api_tokens (account_id, name, role, token_hash, ends_at)
                SELECT account_id, 'n' || n, role, decode(lpad(n::text, 4, '0'), 'hex'), ends_at
                FROM api_tokens, generate_series(1, 19) n";
    app.db.client().await.batch_execute(more).await.unwrap();
    let full = make(&ben, "one too many", "reporter").await;
    assert_eq!(full.status(), 422);
    assert!(full.text("#name-error").starts_with("You have 20 tokens"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_shrinks_and_ends_with_its_owner_and_is_ended_by_owner_or_administrator() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Administrator).await;
    let ben = app.sign_in_as("ben", Role::Operator).await;
    let token = token_in(&make(&ben, "script", "operator").await);
    let id = id_of(&app, "ben").await;
    let page = format!("/users/{id}");
    let role_of = async |token: &str| {
        let caller = weir::accounts::tokens::caller(&mut *app.db.conn().await, token).await.unwrap();
        caller.map(|account| account.role)
    };
    assert_eq!(role_of(&token).await, Some(Role::Operator));
    anna.post_from("/users", &page, &[("role", "reporter"), ("disabled", "false")]).await;
    assert_eq!(role_of(&token).await, Some(Role::Reporter), "r171: shrinks with its owner");
    let disable = [("role", "reporter"), ("disabled", "true")];
    assert_eq!(anna.post_from("/users", &page, &disable).await.status(), 303);
    assert_eq!(status_with(&app, &token).await, 401);
    anna.post_from("/users", &page, &[("role", "reporter"), ("disabled", "false")]).await;
    assert_eq!(status_with(&app, &token).await, 401, "it does not come back");

    let ben = app.visitor();
    assert_eq!(ben.sign_in("ben", PASSWORD).await.status(), 303);
    let one = token_in(&make(&ben, "one", "reporter").await);
    let two = token_in(&make(&ben, "two", "reporter").await);
    let number = async |name: &str| -> i64 {
        let sql = "SELECT id FROM api_tokens WHERE account_id = $1 AND name = $2";
        app.db.client().await.query_one(sql, &[&id, &name]).await.unwrap().get(0)
    };
    let (of_one, of_two) = (number("one").await, number("two").await);
    anna.post_from("/profile", &format!("/profile/tokens/{of_one}/end"), &[]).await;
    assert_eq!(status_with(&app, &one).await, 200, "nobody ends another's token on their own profile");
    ben.post_from("/profile", &format!("/profile/tokens/{of_one}/end"), &[]).await;
    assert_eq!((status_with(&app, &one).await, status_with(&app, &two).await), (401, 200));
    assert!(anna.get(&page).await.text("main").contains("two"));
    anna.post_from(&page, &format!("{page}/tokens/{of_two}/end"), &[]).await;
    assert_eq!(status_with(&app, &two).await, 401);
    let ended = anna.get("/audit/lines.jsonl?what=token.end").await.body;
    assert_eq!(ended.lines().count(), 2, "{ended}");
    assert!(ended.contains("two, of ben"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn weir_status_asks_a_server_with_a_token_from_a_file() {
    let app = TestApp::start().await;
    let anna = app.sign_in_as("anna", Role::Reporter).await;
    let token = token_in(&make(&anna, "script", "reporter").await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let url = app.console_url("/");
    let status = async |more: &[&str]| {
        let args = ["status", "--url", &url, "--token-file", file.to_str().unwrap()];
        let ended = output(alone(folder.path(), &[&args, more].concat())).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ended.status.code(), text(ended.stdout), text(ended.stderr))
    };
    let (code, _, said) = status(&[]).await;
    assert_eq!(code, Some(2), "no file: {said}");
    std::fs::write(&file, "\n").unwrap();
    assert_eq!(status(&[]).await.0, Some(2), "no token in it");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let (code, shown, said) = status(&[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.starts_with(concat!("Version: ", env!("CARGO_PKG_VERSION"), "\n")), "{shown}");
    assert!(shown.contains("Updates: 0\n"), "{shown}");
    let (_, json, _) = status(&["--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["updates"]["more"], false);
    app.db.client().await.batch_execute("DELETE FROM api_tokens").await.unwrap();
    let (code, shown, said) = status(&[]).await;
    assert_eq!((code, shown.as_str()), (Some(1), ""), "{said}");
    assert!(said.starts_with("The server refused the token.") && !said.contains(&token), "{said}");
}
