//! The hosts and ports that synchronizations used, for a firewall request.

use std::time::Duration;

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn s083_the_hosts_of_the_last_runs_are_listed_to_be_copied() {
    let (above, app) = (TestApp::with_sample(60, 3).await, TestApp::start().await);
    let reader = app.sign_in_admin().await;
    let page = reader.get("/options/connections").await;
    assert_eq!(page.status(), 200);
    assert!(page.text("main").contains("No inbound firewall rule is needed towards Microsoft Update"));
    assert!(page.text("main").contains("No synchronization has connected to anything yet."));
    assert!(page.text("#published").contains("*.windowsupdate.com TCP 80, 443 outbound"));

    app.follow(&above, |options| options.files.deferred = false).await;
    app.synchronize().await;
    let client = app.db.client().await;
    let fetched = "SELECT count(*) FILTER (WHERE state = 'wanted'), COALESCE(sum(f.size), 0)::bigint
        FROM content_files c JOIN files f ON f.id = c.file_row WHERE c.state <> 'failed'";
    let counted = "SELECT COALESCE(sum(bytes), 0)::bigint, COALESCE(sum(requests), 0)::bigint FROM run_hosts";
    for _ in 0..400 {
        let (files, hosts) =
            (client.query_one(fetched, &[]).await.unwrap(), client.query_one(counted, &[]).await.unwrap());
        let (wanted, size): (i64, i64) = (files.get(0), files.get(1));
        let (bytes, requests): (i64, i64) = (hosts.get(0), hosts.get(1));
        if wanted == 0 && bytes > size && requests > 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let port = above.services_port().to_string();
    let page = reader.get("/options/connections").await;
    assert_eq!(page.texts("tbody th"), ["127.0.0.1"]);
    assert_eq!(page.text("tbody td:nth-of-type(1)"), port);
    assert_eq!(page.text("tbody td:nth-of-type(3)"), "directly");
    let copied = page.text("#lines");
    assert!(copied.starts_with(&format!("127.0.0.1 TCP {port} outbound, HTTP, directly, ")), "{copied}");
    assert!(!page.has("#published"), "an upstream server has no list of Microsoft's");
    let row = client.query_one(counted, &[]).await.unwrap();
    let size: i64 = client.query_one(fetched, &[]).await.unwrap().get(1);
    assert!(row.get::<_, i64>(0) > size && size > 0, "files and update information are both counted");
}
