//! The recipe of `contrib/`: what was copied and put back elsewhere goes on where it was.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use weir::db::DatabaseUrl;

use crate::support::database::{FREE_IN_TESTS, keep_free};
use crate::support::process::{self, Process, alone, succeed, weir};
use crate::support::{TestApp, TestDatabase};

/// `contrib/backup` or `contrib/restore`.
fn script(name: &str, from: &Path, to: &Path) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(name));
    command.args([from, to]).env_remove("DATABASE_URL");
    command
}

/// Settings for everything of `above`, files included.
fn settings(above: &TestApp) -> [String; 4] {
    [
        "source.kind=upstream".to_owned(),
        "source.server=127.0.0.1".to_owned(),
        format!("source.port={}", above.services_port()),
        "files.deferred=false".to_owned(),
    ]
}

/// The program's arguments that save them.
fn set(settings: &[String]) -> Vec<&str> {
    ["options", "set"].into_iter().chain(settings.iter().map(String::as_str)).collect()
}

async fn synchronize(command: Command) -> Value {
    let run: Value = serde_json::from_slice(&succeed(command).await.stdout).unwrap();
    assert_eq!(run["result"], "succeeded", "{run}");
    run
}

fn files(folder: &Path) -> usize {
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    folders.map(|one| std::fs::read_dir(one.path()).into_iter().flatten().count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_server_at_work_goes_on_in_a_new_folder_and_database() {
    let (above, db) = (TestApp::with_sample(120, 3).await, TestDatabase::create().await);
    let yard = tempfile::tempdir().unwrap();
    let (old, copy, new) = (yard.path().join("old"), yard.path().join("copy"), yard.path().join("new"));
    let choices = settings(&above);
    succeed(weir(&db, &old, &set(&choices))).await;
    let mut server = Process::start(&db, &old);
    server.ready().await;
    let first = synchronize(weir(&db, &old, &["sync", "--wait", "--json"])).await;
    assert!(first["new"].as_i64().unwrap() > 20, "{first}");

    let mut backup = script("backup", &old, &copy);
    backup.env("DATABASE_URL", db.url().as_str());
    succeed(backup).await;
    let mut again = script("backup", &old, &copy);
    again.env("DATABASE_URL", db.url().as_str());
    assert!(!process::output(again).await.status.success(), "never over another backup");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await, Some(0));

    let restored = TestDatabase::create_empty().await;
    let mut restore = script("restore", &copy, &new);
    restore.env("DATABASE_URL", restored.url().as_str());
    succeed(restore).await;
    let next = synchronize(weir(&restored, &new, &["sync", "--wait", "--json"])).await;
    assert_eq!((&next["new"], &next["revisions"]), (&Value::from(0), &Value::from(0)), "nothing came again");
    let ids = |db: &TestDatabase, data: &Path| weir(db, data, &["catalog", "ids"]);
    assert_eq!(succeed(ids(&restored, &new)).await.stdout, succeed(ids(&db, &old)).await.stdout);
    assert!(files(&new.join("content")) > 10);
    assert_eq!(files(&new.join("content")), files(&old.join("content")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_with_a_database_of_its_own_is_made_while_it_rests_and_goes_on() {
    let above = TestApp::with_sample(60, 3).await;
    let open = std::fs::Permissions::from_mode(0o755);
    let yard = tempfile::Builder::new().permissions(open).tempdir().unwrap();
    let (old, copy, new) = (yard.path().join("old"), yard.path().join("copy"), yard.path().join("new"));
    let choices = settings(&above);
    succeed(alone(&old, &set(&choices))).await;
    let mut server = Process::start_alone(&old);
    server.ready().await;
    let socket = old.join("postgres/socket");
    let own = DatabaseUrl::parse(format!("host='{}' user=weir dbname=weir", socket.display())).unwrap();
    keep_free(&weir::db::open_client(&own).await.unwrap(), FREE_IN_TESTS).await;
    synchronize(alone(&old, &["sync", "--wait", "--json"])).await;
    let refused = process::output(script("backup", &old, &copy)).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Stop Weir first"), "{refused:?}");
    assert!(!copy.exists());
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await, Some(0));
    let until = Instant::now() + Duration::from_secs(60);
    while old.join("postgres/cluster/postmaster.pid").exists() {
        assert!(Instant::now() < until, "the database does not stop");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    succeed(script("backup", &old, &copy)).await;
    succeed(script("restore", &copy, &new)).await;
    let next = synchronize(alone(&new, &["sync", "--wait", "--json"])).await;
    assert_eq!((&next["new"], &next["revisions"]), (&Value::from(0), &Value::from(0)), "nothing came again");
    assert_eq!(files(&new.join("content")), files(&old.join("content")));
}
