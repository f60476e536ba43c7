//! `weir options`: the page's settings by the command line, under the same rules.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::TestDatabase;
use crate::support::process::{output_of, weir};
use weir::settings;

async fn run(db: &TestDatabase, data: &Path, args: &[&str], input: &str) -> Output {
    output_of(weir(db, data, args), input).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_listed_shown_and_set_whole_or_not_at_all() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let data = data.path();

    let keys = run(&db, data, &["options", "keys"], "").await;
    let keys = text(&keys.stdout);
    for key in settings::Key::ALL {
        assert!(keys.lines().any(|line| line.starts_with(key.name())), "{}", key.name());
    }
    let shown = run(&db, data, &["options", "show", "--json"], "").await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["schedule.mode"], "manual");
    assert_eq!(shown["proxy.port"], 80);
    assert_eq!(shown["proxy.password"], "unset");

    let pairs =
        ["schedule.mode=daily", "schedule.time=04:30", "source.kind=upstream", "source.server=WSUS01"];
    let set = run(&db, data, &[&["options", "set"][..], &pairs].concat(), "").await;
    assert!(set.status.success(), "{}", text(&set.stderr));
    assert_eq!(
        text(&set.stdout).trim(),
        "Saved: schedule.mode, schedule.time, source.kind, source.server (Schedule, Update Source)."
    );
    let again = run(&db, data, &[&["options", "set"][..], &pairs].concat(), "").await;
    assert_eq!(text(&again.stdout).trim(), "Nothing changed.");

    // one bad value and nothing is changed; each is named
    let bad = ["options", "set", "schedule.time=25:00", "source.port=0", "schedule.per_day=2"];
    let bad = run(&db, data, &bad, "").await;
    assert!(!bad.status.success());
    let message = text(&bad.stderr);
    for part in ["Nothing was changed.", "schedule.time: Enter a time", "source.port: Enter a port"] {
        assert!(message.contains(part), "{message}");
    }
    for refused in ["color=red", "proxy.password=secret", "replica"] {
        assert!(!run(&db, data, &["options", "set", refused], "").await.status.success(), "{refused}");
    }

    // the password comes from standard input, is kept sealed, and is never shown
    let set = run(&db, data, &["options", "set", "proxy.password=-"], "hunter2 hunter2\n").await;
    assert!(set.status.success(), "{}", text(&set.stderr));
    let shown = run(&db, data, &["options", "show"], "").await;
    let shown = text(&shown.stdout);
    assert!(shown.contains("proxy.password=set") && !shown.contains("hunter2"));
    assert!(shown.contains("source.server=wsus01") && shown.contains("schedule.per_day=1"));
    let options = settings::load(&mut *db.conn().await).await.unwrap();
    assert_eq!((options.version, options.saved_by.as_str()), (3, "command line"));
    assert!(!text(&options.proxy.password.unwrap()).contains("hunter2"));
}
