//! `weir doctor`: everything about this server and its way to the source, for people and for programs.

use serde_json::Value;

use crate::support::database::keep_free;
use crate::support::options::{change_options, use_upstream};
use crate::support::process::{free_port, output, weir};
use crate::support::{TestApp, TestDatabase};

/// Exit code, and what was printed.
async fn doctor(db: &TestDatabase, data: &std::path::Path, args: &[&str]) -> (i32, String) {
    let (console, services) = (free_port().to_string(), free_port().to_string());
    let mut command = weir(db, data, args);
    command.env("WEIR_CONSOLE_PORT", console).env("WEIR_SERVICES_PORT", services);
    let output = output(command).await;
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_passes_every_check() {
    let (above, db, data) =
        (TestApp::start().await, TestDatabase::create().await, tempfile::tempdir().unwrap());
    change_options(&db, |options| use_upstream(options, above.services_port())).await;
    let (code, text) = doctor(&db, data.path(), &["doctor", "--json"]).await;
    assert_eq!(code, 0, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(report["source"], format!("127.0.0.1:{}", above.services_port()));
    for name in [
        "data-folder",
        "key-file",
        "port-console",
        "port-services",
        "database",
        "disk",
        "name",
        "tcp",
        "http",
        "clock",
        "protocol",
        "cookie",
        "configuration",
        "files",
    ] {
        assert_eq!(check(&report, name)["result"], "passed", "{report}");
        assert!(check(&report, name)["ms"].is_u64());
    }
    let (code, text) = doctor(&db, data.path(), &["doctor"]).await;
    assert_eq!(code, 0);
    assert!(text.contains("ok    Database: PostgreSQL") && text.ends_with("Everything works.\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_named_with_what_to_do_and_an_exit_code() {
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let closed = free_port();
    change_options(&db, |options| use_upstream(options, closed)).await;
    let (code, text) = doctor(&db, data.path(), &["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["ok"]), (1, &Value::Bool(false)));
    let failed = check(&report, "tcp");
    assert_eq!(failed["result"], "failed");
    assert!(failed["text"].as_str().unwrap().contains("refused the connection"), "{failed}");
    assert!(failed["advice"].as_str().unwrap().contains("firewall"), "{failed}");

    // More of the disk is to be kept free than any has.
    keep_free(&db.client().await, i64::MAX).await;
    let (_, text) = doctor(&db, data.path(), &["doctor", "--json"]).await;
    let failed = check(&serde_json::from_str(&text).unwrap(), "disk").clone();
    assert_eq!(failed["result"], "failed", "{failed}");
    assert!(failed["advice"].as_str().unwrap().contains("Make room"), "{failed}");

    // Another key than the database knows, and a port that something else has.
    std::fs::remove_file(data.path().join("secret.key")).unwrap();
    let (code, text) = doctor(&db, data.path(), &["doctor"]).await;
    assert_eq!(code, 1);
    assert!(text.contains("FAIL  Database:") && text.contains("key"), "{text}");
}
