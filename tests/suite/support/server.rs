//! The PostgreSQL server of this test process: started once, gone with the process.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use weir::db::DatabaseUrl;

use super::database;

/// Name of the migrated database that each test gets a copy of.
pub const TEMPLATE: &str = "weir_template";

/// Tears the server down as soon as its standard input closes, which the end of this process does,
/// however it ends; then removes the folder.
const KEEPER: &str = r#"cat >/dev/null; kill -QUIT "$1" 2>/dev/null
while kill -0 "$1" 2>/dev/null; do sleep 0.05; done; rm -rf "$2""#;

/// The socket folder of the server, which is running and holds the template.
pub fn socket_folder() -> &'static Path {
    static SERVER: OnceLock<PathBuf> = OnceLock::new();
    // A thread of its own, because migrations need a runtime of a certain kind and tests have any.
    SERVER.get_or_init(|| std::thread::spawn(start).join().expect("the test server starts"))
}

/// The address of one database on the server.
pub fn url(database: &str) -> DatabaseUrl {
    let socket = socket_folder();
    DatabaseUrl::parse(format!("host={} user=weir dbname={database}", socket.display())).unwrap()
}

fn start() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("weir-suite-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    make_cluster(&folder);
    let mut server = as_account(&program("postgres"), account());
    server.args(settings(&folder)).args(["-c", "synchronous_commit=off"]).current_dir(&folder);
    let log = std::fs::File::create(folder.join("server.log")).unwrap();
    let server = server.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    keep(server.expect("postgres runs"), &folder);
    wait_until_ready(&folder);
    make_template(&folder);
    folder
}

/// A folder with an empty cluster in it.
pub(super) fn make_cluster(folder: &Path) {
    std::fs::create_dir(folder).expect("a folder for the test server");
    let account = account();
    if let Some((uid, gid)) = account {
        std::os::unix::fs::chown(folder, Some(uid), Some(gid)).unwrap();
    }
    let made = as_account(&program("initdb"), account)
        .args(["--auth=trust", "--username=weir", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(folder.join("data"))
        .current_dir(folder)
        .stdout(Stdio::null())
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
}

/// Arguments of `postgres`: fast, and not safe against a power cut. Where somebody measures, with the memory for pages
/// that the private cluster takes on a machine of 8 GB.
pub(super) fn settings(folder: &Path) -> Vec<String> {
    let measuring = std::env::var_os("WEIR_SCALE").is_some();
    let mut arguments = vec!["-D".to_owned(), folder.join("data").display().to_string()];
    let sockets = format!("unix_socket_directories={}", folder.display());
    for setting in [
        "listen_addresses=",
        "fsync=off",
        "full_page_writes=off",
        "max_connections=200",
        if measuring { "shared_buffers=512MB" } else { "shared_buffers=64MB" },
        "autovacuum_naptime=10min",
        "logging_collector=off",
        &sockets,
    ] {
        arguments.extend(["-c".to_owned(), setting.to_owned()]);
    }
    arguments
}

/// Starts the keeper and leaves its standard input open for the life of this process.
fn keep(server: Child, folder: &Path) {
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper", &server.id().to_string()])
        .arg(folder)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh runs");
    // Both outlive this function; the keeper ends the server when this process is gone.
    std::mem::forget((server, keeper));
}

pub(super) fn wait_until_ready(folder: &Path) {
    let begun = Instant::now();
    loop {
        let pid_file = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if pid_file.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the test server did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn make_template(folder: &Path) {
    let url =
        |name| DatabaseUrl::parse(format!("host={} user=weir dbname={name}", folder.display())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let admin = weir::db::open_client(&url("postgres")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await.unwrap();
        weir::db::migrate(&url(TEMPLATE)).await.unwrap();
        let template = weir::db::open_client(&url(TEMPLATE)).await.unwrap();
        database::keep_free(&template, database::FREE_IN_TESTS).await;
        drop(template);
        admin
            .batch_execute(&format!("ALTER DATABASE {TEMPLATE} WITH ALLOW_CONNECTIONS false"))
            .await
            .unwrap();
    });
}

/// The account the server runs as: PostgreSQL refuses root.
pub(super) fn account() -> Option<(u32, u32)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| nix::unistd::User::from_name(name).ok().flatten())
        .map(|user| (user.uid.as_raw(), user.gid.as_raw()))
}

pub(super) fn as_account(program: &Path, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
    command
}

/// The newest installed PostgreSQL has it.
pub(super) fn program(name: &str) -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let path = entry.path().join("bin").join(name);
            path.exists().then_some((version, path))
        })
        .collect();
    found.sort();
    found.pop().map_or_else(|| PathBuf::from(name), |(_, path)| path)
}
