//! Many files at once from a real web server: right, in little memory, never read again to be hashed, and how long that
//! takes beside curl and rclone. `WEIR_TORTURE` (`make torture`) has the full size.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use weir::content::FileFacts;
use weir::content::limits;
use weir::protocol::ids::{Sha1Digest, Sha256Digest};

use crate::files::stored;
use crate::support::file_server::want;
use crate::support::nginx::Nginx;
use crate::support::options::{change_options, use_upstream};
use crate::support::process::Process;
use crate::support::{TestDatabase, is_torture};

/// Most that memory may grow over what an idle server has. Ours.
const MEMORY_MAX: u64 = 64 << 20;
const AT_ONCE: u8 = 16;

/// Writes files of mixed sizes, `bytes` in all, as a content folder; most are small, a few are large.
fn make(root: &Path, number: usize, bytes: u64) -> Vec<FileFacts> {
    let mut random = StdRng::seed_from_u64(11);
    let mut pool = vec![0; 8 << 20];
    random.fill_bytes(&mut pool);
    let shares: Vec<f64> = (0..number).map(|_| random.random_range(0.0_f64..6.0).exp()).collect();
    let all: f64 = shares.iter().sum();
    let file = |(number, share): (usize, &f64)| {
        let size = (bytes as f64 * share / all) as usize;
        let mut content = number.to_le_bytes().to_vec();
        while content.len() < size {
            content.extend_from_slice(&pool[..pool.len().min(size - content.len())]);
        }
        let facts = FileFacts {
            sha1: Sha1Digest(Sha1::digest(&content).into()),
            sha256: Some(Sha256Digest(Sha256::digest(&content).into())),
            size: content.len() as u64,
            name: format!("file-{number}.cab"),
        };
        let path = root.join("Content").join(facts.place());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        facts
    };
    shares.iter().enumerate().map(file).collect()
}

/// A figure of the process in bytes.
fn memory(process: &Process, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// Bytes that the process took by reading, from files and others; what comes over connections is not among them.
fn read(process: &Process) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", process.id())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_come_right_in_little_memory_and_are_not_read_again_to_be_hashed() {
    let (number, bytes) = if is_torture() { (2_000, 2 << 30) } else { (120, 48 << 20) };
    let (source, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = make(source.path(), number, bytes);
    let sum: u64 = files.iter().map(|file| file.size).sum();
    let nginx = Nginx::of_files(source.path()).await;
    let others = if is_torture() { others(source.path(), &nginx, &files) } else { Vec::new() };

    let db = TestDatabase::create().await;
    let mut chosen = limits::load(&mut *db.conn().await).await.unwrap();
    (chosen.workers, chosen.per_host) = (AT_ONCE, AT_ONCE);
    assert!(limits::save(&mut *db.conn().await, &chosen).await.unwrap());
    change_options(&db, |options| use_upstream(options, nginx.port)).await;
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = memory(&server, "VmRSS");
    std::fs::write(format!("/proc/{}/clear_refs", server.id()), "5").unwrap();
    let read_before = read(&server);
    want(&db, &files).await;
    let client = db.client().await;
    let here = "SELECT count(*) FROM content_files WHERE state = 'stored'";
    let begun = Instant::now();
    while client.query_one(here, &[]).await.unwrap().get::<_, i64>(0) < number as i64 {
        assert!(begun.elapsed() < Duration::from_secs(600), "not all files came");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (grown, read) = (memory(&server, "VmHWM").saturating_sub(idle), read(&server) - read_before);
    let took = "SELECT extract(epoch FROM max(stored_at) - (SELECT max(started_at) FROM jobs WHERE kind = 'download'))
        ::float8 FROM content_files";
    let took: f64 = client.query_one(took, &[]).await.unwrap().get(0);

    let mut report = format!("{number} files, {sum} bytes: weir {took:.2} s");
    for (name, seconds) in others {
        let _ = write!(report, ", {name} {seconds:.2} s (ratio {:.2})", took / seconds);
    }
    println!("{report}; {} MB over idle, {read} bytes read beside the network", grown >> 20);
    let found = stored(&data.path().join("content"));
    assert_eq!(found.len(), number);
    for (place, content) in found {
        let name = place.file_stem().unwrap().to_str().unwrap();
        assert_eq!(Sha1Digest(Sha1::digest(&content).into()).to_hex_upper(), name);
    }
    assert!(grown < MEMORY_MAX, "{grown} bytes over idle");
    // Statements' answers and the like; files are some hundred times that.
    assert!(read < sum / 4, "{read} bytes were read");
}

/// Seconds that others take for the same files, to the end on the disk; who is not installed is left out.
fn others(source: &Path, nginx: &Nginx, files: &[FileFacts]) -> Vec<(&'static str, f64)> {
    let root = format!("http://127.0.0.1:{}", nginx.port);
    let lists = tempfile::tempdir().unwrap();
    let (urls, names) = (lists.path().join("urls"), lists.path().join("names"));
    let into = tempfile::tempdir_in(source.parent().unwrap()).unwrap();
    let place = |file: &FileFacts| format!("Content/{}", file.place());
    let line = |file: &FileFacts| {
        let place = place(file);
        format!("url = \"{root}/{place}\"\noutput = \"{}/curl/{place}\"\n", into.path().display())
    };
    std::fs::write(&urls, files.iter().map(line).collect::<String>()).unwrap();
    std::fs::write(&names, files.iter().map(|file| place(file) + "\n").collect::<String>()).unwrap();
    let at_once = AT_ONCE.to_string();
    let mut curl = Command::new("curl");
    curl.args(["--parallel", "--parallel-max", &at_once, "--create-dirs", "--silent", "--config"]).arg(&urls);
    let mut rclone = Command::new("rclone");
    rclone.args(["copy", ":http:", "--no-traverse", "--transfers", &at_once, "--checkers", &at_once]);
    rclone.args(["--http-url", &root, "--config", "/dev/null", "--files-from"]).arg(&names);
    rclone.arg(into.path().join("rclone"));
    let mut found = Vec::new();
    for (name, mut command) in [("curl", curl), ("rclone", rclone)] {
        let begun = Instant::now();
        let Ok(status) = command.status() else { continue };
        assert!(status.success(), "{name} failed");
        let synced = Command::new("sync").arg("-f").arg(into.path()).status().unwrap();
        assert!(synced.success());
        found.push((name, begun.elapsed().as_secs_f64()));
        assert_eq!(stored(&into.path().join(name).join("Content")).len(), files.len(), "{name}");
    }
    found
}
