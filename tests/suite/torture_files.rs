//! Files under kills and on a disk that fills. `WEIR_TORTURE` (`make torture`) has the full length.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use weir::content::FileFacts;
use weir::content::limits;

use crate::files::{count, stored, until};
use crate::support::file_server::{Asked, FileServer, hurry, want};
use crate::support::options::{change_options, use_upstream};
use crate::support::process::Process;
use crate::support::{TestApp, TestDatabase, is_torture};

/// Whatever was killed, everything is here after this.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn r004_kills_during_downloads_leave_no_wrong_file_and_fetch_nothing_twice_that_was_complete() {
    let (kills, files) = if is_torture() { (50, 400) } else { (4, 40) };
    let source = FileServer::start().await;
    source.pause(Duration::from_millis(20));
    let mut random = StdRng::seed_from_u64(5);
    let files: Vec<FileFacts> =
        (0..files).map(|number| source.offer(number, random.random_range(1..2_000_000))).collect();
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    change_options(&db, |options| use_upstream(options, source.port)).await;
    want(&db, &files).await;

    let content = data.path().join("content");
    let (mut killed, mut early) = (0, Vec::new());
    let begun = Instant::now();
    while killed < kills && in_state(&db, "stored").await < files.len() as i64 {
        assert!(begun.elapsed() < PATIENCE * 5, "{killed} kills only");
        let mut server = Process::start(&db, data.path());
        server.ready().await;
        tokio::time::sleep(Duration::from_millis(random.random_range(200..1_500))).await;
        server.kill();
        killed += 1;
        // What is complete now is not asked for again.
        tokio::time::sleep(Duration::from_millis(50)).await;
        early.push((source.asked().len(), complete(&content)));
        assert_right(&content, &source, &files);
    }
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    let until = Instant::now() + PATIENCE;
    while in_state(&db, "stored").await < files.len() as i64 {
        assert!(Instant::now() < until, "not all files came");
        hurry(&db).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_right(&content, &source, &files);
    assert_eq!(complete(&content).len(), files.len());
    let asked = source.asked();
    for (number, done) in &early {
        let again: Vec<&Asked> =
            asked[*number..].iter().filter(|asked| done.contains(&asked.place)).collect();
        assert!(again.is_empty(), "complete, and asked for again: {again:?}");
    }
    let (sent, size): (usize, u64) =
        (asked.iter().map(|asked| asked.sent).sum(), files.iter().map(|file| file.size).sum());
    println!("{killed} kills in {:?}: {size} bytes of files, {sent} sent", begun.elapsed());
}

async fn in_state(db: &TestDatabase, state: &str) -> i64 {
    let sql = "SELECT count(*) FROM content_files WHERE state = $1";
    db.client().await.query_one(sql, &[&state]).await.unwrap().get(0)
}

/// The places of everything under a final name.
fn complete(content: &Path) -> BTreeSet<String> {
    stored(content).into_iter().map(|(name, _)| name.display().to_string()).collect()
}

fn assert_right(content: &Path, source: &FileServer, files: &[FileFacts]) {
    for (name, bytes) in stored(content) {
        let file = files.iter().find(|file| Path::new(&file.place()) == name);
        let file = file.unwrap_or_else(|| panic!("{} is no file of the source", name.display()));
        assert!(bytes == **source.bytes(file), "{} is wrong", name.display());
    }
}

/// A small disk, gone with this value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn mount(place: &Path, mb: u32) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let size = format!("size={mb}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "weir-test"]).arg(place).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(place.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r087_a_disk_that_fills_pauses_and_goes_on_when_there_is_room() {
    let mb: u32 = if is_torture() { 200 } else { 20 };
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("disk");
    let Some(_disk) = SmallDisk::mount(&folder, mb) else {
        println!("nothing may be mounted here, so no disk can fill");
        return;
    };
    let source = FileServer::start().await;
    let content = folder.join("content");
    let app = TestApp::start_with(|config| config.content_dir = content.clone()).await;
    change_options(&app.db, |options| use_upstream(options, source.port)).await;
    let mut chosen = limits::load(&mut *app.db.conn().await).await.unwrap();
    let reserve = u64::from(mb) * 100_000;
    chosen.reserve = Some(reserve);
    assert!(limits::save(&mut *app.db.conn().await, &chosen).await.unwrap());
    // Somebody else fills half of the disk, so that the files do not fit.
    let other = folder.join("other");
    std::fs::write(&other, vec![1; mb as usize * 500_000]).unwrap();
    let files: Vec<FileFacts> =
        (0..16).map(|number| source.offer(number, mb as usize * 1_000_000 / 20)).collect();
    want(&app.db, &files).await;

    let full = "SELECT count(*) FROM content_files WHERE last_error LIKE '%are never used%'";
    until("some came, and the others wait for room", async || {
        let waiting: i64 = app.db.client().await.query_one(full, &[]).await.unwrap().get(0);
        waiting > 0 && count(&app, "stored").await + waiting == files.len() as i64
    })
    .await;
    assert!(count(&app, "stored").await > 0);
    assert_eq!(count(&app, "failed").await, 0);
    let about = nix::sys::statvfs::statvfs(&folder).unwrap();
    assert!(about.blocks_available() * about.fragment_size() >= reserve, "the reserve is not used");
    assert_right(&content, &source, &files);
    let page = app.sign_in_admin().await.get("/content-store").await;
    assert!(page.text("main").contains("bytes free, of which"), "the page says why files wait");

    std::fs::remove_file(other).unwrap();
    until("all came", async || {
        hurry(&app.db).await;
        count(&app, "stored").await as usize == files.len()
    })
    .await;
    assert_right(&content, &source, &files);
    app.stop().await;
}
