//! Reports: what synchronizations brought, differences, the settings; and that no secret is in any of them.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use weir::accounts::Role;
use weir::catalog::CatalogError;
use weir::catalog::import::store;
use weir::catalog::publish::{self, Scope};
use weir::catalog::revision::ImportRevision;

use crate::catalog::build::{Linked, classification, hidden, id, update};
use crate::support::{Page, TestApp, Visitor};

/// A synchronization that brought `batch`, `days` days ago.
async fn run(app: &TestApp, days: i64, batch: &[ImportRevision]) -> i64 {
    let client = app.db.client().await;
    let sql = "INSERT INTO sync_runs (state, trigger, started_by, started_at, finished_at, source_name)
        VALUES ('succeeded', 'manual', 'olga', now(), now(), 'wsus01.example:8530') RETURNING id";
    let run: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    let mut conn = app.db.conn().await;
    let publication = publish::open(&mut conn, Some(run)).await.unwrap();
    store(&mut app.db.client().await, publication, batch).await.unwrap();
    let conn: &mut AsyncPgConnection = &mut conn;
    conn.transaction::<_, CatalogError, _>(async |conn| {
        publish::publish(conn, publication, Scope::Everything).await
    })
    .await
    .unwrap();
    let earlier = days * 86_400_000;
    let sql = "UPDATE update_changes SET stamp = stamp - $1 WHERE run_id = $2";
    client.execute(sql, &[&earlier, &run]).await.unwrap();
    let sql = "UPDATE sync_runs SET finished_at = finished_at - $1 * interval '1 ms' WHERE id = $2";
    client.execute(sql, &[&(earlier as f64), &run]).await.unwrap();
    run
}

/// Three runs: one long ago, one that revised, one that expired and superseded.
async fn history(app: &TestApp) -> [i64; 3] {
    let first = [classification(3), update(10, 1).member_of(&[3]), update(11, 1), hidden(12, 1)];
    let second = [update(10, 2).member_of(&[3]), update(13, 1)];
    let third = [update(11, 2).expired(), update(14, 1).supersedes(&[10]), update(13, 2)];
    [run(app, 60, &first).await, run(app, 10, &second).await, run(app, 1, &third).await]
}

fn titles(page: &Page, list: &str) -> Vec<String> {
    page.texts(&format!("[aria-labelledby={list}] tbody th"))
}

async fn rita(app: &TestApp) -> Visitor {
    app.sign_in_as("rita", Role::Reporter).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s177_the_results_have_their_parts_for_thirty_days_or_a_chosen_period() {
    let app = TestApp::start().await;
    let [first, second, third] = history(&app).await;
    let owed = "INSERT INTO sources (kind, host, port, ssl) VALUES ('upstream', 'x', 1, false);
        INSERT INTO owed_revisions (source_id, update_id, revision_number, reason)
        SELECT id, '00000000-0000-4000-8000-00000000beef', 7, 'it is <i>odd</i>' FROM sources";
    app.db.client().await.batch_execute(owed).await.unwrap();
    let rita = rita(&app).await;
    let page = rita.get("/reports/synchronization-results").await;
    assert_eq!(page.status(), 200, "{}", page.body);
    let headings = page.texts("main h2");
    for heading in [
        "Last Synchronization",
        "Synchronization Summary",
        "Errors",
        "New Updates (2)",
        "Revised Updates (1)",
        "Expired Updates (1)",
        "Superseded Updates (1)",
    ] {
        assert!(headings.iter().any(|one| one == heading), "{heading} in {headings:?}");
    }
    assert_eq!(titles(&page, "new"), ["Update 14", "Update 13"]);
    assert_eq!(titles(&page, "revised"), ["Update 10"], "what is new and then revised is new");
    assert_eq!(titles(&page, "expired"), ["Update 11"]);
    assert_eq!(titles(&page, "superseded"), ["Update 10"]);
    assert!(page.text("[aria-labelledby=last]").contains("wsus01.example:8530"));
    assert!(
        page.text("[aria-labelledby=errors]").contains("Revision 7 could not be stored: it is <i>odd</i>")
    );
    assert_eq!(page.texts("[aria-labelledby=summary] tbody th"), [third.to_string(), second.to_string()]);

    let long = rita.get("/reports/synchronization-results?from=2020-01-01&until=").await;
    assert!(long.texts("[aria-labelledby=summary] tbody th").contains(&first.to_string()));
    let wrong = rita.get("/reports/synchronization-results?from=2026-02-30").await;
    assert_eq!(wrong.status(), 422);
    assert!(wrong.text("#period-error").contains("Enter both days"));
    assert_eq!(wrong.field("from").value(), "2026-02-30");
    let empty = rita.get("/reports/synchronization-results?from=2020-01-01&until=2020-01-02").await;
    assert_eq!(empty.status(), 200);
    assert!(titles(&empty, "new").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn results_leave_as_a_table_and_as_a_document() {
    let app = TestApp::start().await;
    history(&app).await;
    let rita = rita(&app).await;
    let csv = rita.get("/reports/synchronization-results/synchronization-results.csv").await;
    assert_eq!(csv.status(), 200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert!(csv.header("content-disposition").contains("synchronization-results.csv"));
    assert!(csv.body.contains("\"Update 14\"") && csv.body.contains("\"Expired Updates\""), "{}", csv.body);
    let json = rita.get("/reports/synchronization-results/synchronization-results.json").await;
    let value: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(value["lists"]["new updates"]["count"], 2);
    assert_eq!(value["lists"]["expired updates"]["updates"][0]["update"], id(11).to_string());
    for odd in ["x.csv", "synchronization-results.exe", "synchronization-results"] {
        let path = format!("/reports/synchronization-results/{odd}");
        assert_eq!(rita.get(&path).await.status(), 404, "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_or_a_day_are_compared() {
    let app = TestApp::start().await;
    let [first, second, third] = history(&app).await;
    let rita = rita(&app).await;
    let start = rita.get("/reports/differences").await;
    assert!(start.has(".empty") && !start.has("[aria-labelledby=new]"));
    let page = rita.get(&format!("/reports/differences?after={first}&upto={second}&since=")).await;
    assert_eq!(page.status(), 200, "{}", page.body);
    assert_eq!(titles(&page, "new"), ["Update 13"]);
    assert_eq!(titles(&page, "revised"), ["Update 10"]);
    let all = rita.get("/reports/differences?since=2020-01-01").await;
    assert_eq!(titles(&all, "expired"), ["Update 11"], "it came and expired");
    assert_eq!(titles(&all, "revised"), Vec::<String>::new());
    let wrong = rita.get(&format!("/reports/differences?after={third}&upto={first}")).await;
    assert_eq!(wrong.status(), 422);
    let csv = rita.get(&format!("/reports/differences/differences.csv?after={first}&upto={third}")).await;
    assert!(csv.body.contains("\"Update 14\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn s181_the_settings_are_summed_up_without_secrets() {
    let app = TestApp::start().await;
    let secret = "UPDATE sync_options SET proxy_enabled = true, proxy_server = 'proxy.example', proxy_credentials = true,
        proxy_user = 'weir', proxy_password = 'sealed-secret'::bytea;
        INSERT INTO downstream_servers (server_id, name) VALUES (gen_random_uuid(), 'branch <b>office</b>')";
    app.db.client().await.batch_execute(secret).await.unwrap();
    let rita = rita(&app).await;
    let page = rita.get("/reports/settings-summary").await;
    let wanted = [
        "Synchronization Schedule",
        "Products and Classifications",
        "Update source",
        "Proxy server",
        "Update Files",
        "Languages",
        "Automatic Approval",
        "Revisions to Updates",
        "Downstream servers",
        "Client computer Options",
        "Database",
    ];
    assert_eq!(page.texts("main h2"), wanted);
    let text = page.text("main");
    for words in [
        "Windows (with everything below it)",
        "Critical Updates, Security Updates; for All Computers",
        "proxy.example:80",
        "branch <b>office</b>",
        "PostgreSQL",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let csv = rita.get("/reports/settings-summary/settings-summary.csv").await;
    let json = rita.get("/reports/settings-summary/settings-summary.json").await;
    for page in [&page, &csv, &json] {
        assert_eq!(page.status(), 200);
        assert!(page.body.contains("PostgreSQL"));
        for secret in ["sealed-secret", "7365616c65642d736563726574"] {
            assert!(!page.body.contains(secret));
        }
    }
    assert_eq!(rita.get("/reports").await.texts("main h2").len(), 4);
}
