//! Files in a bucket in place of a folder: fetched, served, verified, cleaned up, and a bucket that goes away.

use std::time::{Duration, SystemTime};

use weir::content::{FileFacts, Store, StoreError};

use crate::files::{content, count, stored, until};
use crate::support::bucket::BucketServer;
use crate::support::file_server::{FileServer, hurry, want};
use crate::support::options::{change_options, use_upstream};
use crate::support::process::{output, succeed, weir};
use crate::support::{TestApp, TestDatabase};

const PAGE: &str = "/content-store";
/// Larger than what is sent in one piece.
const LARGE: usize = 9_000_000;

async fn follower(source: &FileServer, bucket: &BucketServer) -> TestApp {
    let config = bucket.config();
    let app = TestApp::start_with(|app| app.content_bucket = Some(config)).await;
    change_options(&app.db, |options| use_upstream(options, source.port)).await;
    app
}

fn is_right(bucket: &BucketServer, source: &FileServer, file: &FileFacts) -> bool {
    std::fs::read(bucket.object(&file.place())).is_ok_and(|bytes| bytes == **source.bytes(file))
}

async fn all_stored(app: &TestApp, files: &[FileFacts]) {
    until("all files are in the bucket", async || {
        count(app, "wanted").await == 0 && count(app, "stored").await as usize == files.len()
    })
    .await;
}

/// Carries a check out by the command line, which the running server works for, and returns what it says.
async fn check(app: &TestApp, bucket: &BucketServer, args: &[&str]) -> String {
    let mut command = weir(&app.db, app.data_dir(), args);
    command.envs(bucket.variables());
    let output = succeed(command).await;
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_a_bucket_are_fetched_served_verified_and_cleaned_up() {
    let (source, bucket) = (FileServer::start().await, BucketServer::start().await);
    let mut files = vec![source.offer(1, 300_000), source.offer(2, LARGE)];
    files.extend((3..9).map(|number| source.offer(number, 20_000)));
    let app = follower(&source, &bucket).await;
    // The first one has begun already, on the disk of this computer.
    let beginning = content(&app).join(".partial");
    std::fs::create_dir_all(&beginning).unwrap();
    std::fs::write(beginning.join(files[0].sha1.to_hex_upper()), &source.bytes(&files[0])[..100_000])
        .unwrap();
    want(&app.db, &files).await;
    all_stored(&app, &files).await;
    assert!(files.iter().all(|file| is_right(&bucket, &source, file)));
    assert!(source.asked().iter().any(|asked| asked.place == files[0].place() && asked.from == 100_000));
    assert!(stored(&content(&app)).is_empty(), "no file of the store is on this disk");
    assert_eq!(beginning.read_dir().unwrap().count(), 0, "nor an unfinished one");
    assert!(bucket.object(".weir").exists());

    serves(&app, &source, &files[1]).await;

    // One object is damaged, one is gone, and one lies there that the list does not know.
    std::fs::write(bucket.object(&files[2].place()), vec![7; 20_000]).unwrap();
    std::fs::remove_file(bucket.object(&files[3].place())).unwrap();
    let forget = "DELETE FROM content_files c USING files f WHERE f.id = c.file_row AND f.sha1 = $1";
    app.db.client().await.execute(forget, &[&files[4].sha1.0.as_slice()]).await.unwrap();
    let said = check(&app, &bucket, &["content", "verify"]).await;
    assert!(said.contains("1 damaged, 1 missing, 1 found that were not on the list"), "{said}");
    let aside = bucket.object(&format!(".damaged/{}", &files[2].place()[3..]));
    assert_eq!(std::fs::read(aside).unwrap(), vec![7; 20_000]);
    all_stored(&app, &files).await;
    assert!(files.iter().all(|file| is_right(&bucket, &source, file)));
    let page = app.sign_in_admin().await.get(PAGE).await;
    assert!(page.text("main").contains("s3://updates/weir/files"), "{}", page.text("main"));

    // Nothing refers to these files; only those of long ago go, and nothing that is not the store's.
    let others = [bucket.object("notes.txt"), bucket.object("0A/photo.jpg")];
    for other in &others {
        std::fs::create_dir_all(other.parent().unwrap()).unwrap();
        std::fs::write(other, "mine").unwrap();
        make_old(other);
    }
    make_old(&bucket.object(&files[5].place()));
    let told = check(&app, &bucket, &["content", "cleanup", "--dry-run"]).await;
    assert!(told.contains(&files[5].place()) && told.contains("1 of 8 files would be removed"), "{told}");
    let said = check(&app, &bucket, &["content", "cleanup"]).await;
    assert!(said.contains("1 files removed, 20000 bytes"), "{said}");
    assert!(!bucket.object(&files[5].place()).exists() && bucket.object(&files[6].place()).exists());
    assert!(others.iter().all(|other| other.exists()));
    let said = check(&app, &bucket, &["content", "stats"]).await;
    assert!(said.contains("Stored: 7 files") && said.contains("Kept in the bucket s3://updates/weir/files"));
}

fn make_old(path: &std::path::Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(25 * 3_600);
    std::fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

/// A file goes out of the bucket as it does out of a folder.
async fn serves(app: &TestApp, source: &FileServer, file: &FileFacts) {
    let (client, bytes) = (reqwest::Client::new(), source.bytes(file));
    let url = app.services_url(&format!("/Content/{}", file.place()));
    let whole = client.get(&url).send().await.unwrap();
    assert_eq!((whole.status().as_u16(), whole.content_length()), (200, Some(LARGE as u64)));
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert!(whole.bytes().await.unwrap() == bytes[..]);
    let part = client.get(&url).header("Range", "bytes=8388000-8389999").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.content_length()), (206, Some(2_000)));
    assert_eq!(part.headers()["content-range"], format!("bytes 8388000-8389999/{LARGE}"));
    assert!(part.bytes().await.unwrap() == bytes[8_388_000..8_390_000]);
    let head = client.head(&url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &LARGE.into()));
    let same = client.get(&url).header("If-None-Match", &etag).send().await.unwrap();
    assert_eq!(same.status().as_u16(), 304);
    let beyond = client.get(&url).header("Range", format!("bytes={LARGE}-")).send().await.unwrap();
    assert_eq!(beyond.status().as_u16(), 416);
    let other = app.ask_services("/Content/0A/0123456789ABCDEF0123456789ABCDEF0123450A.cab").await;
    assert_eq!(other.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn r088_a_bucket_that_goes_away_is_told_waited_for_and_loses_nothing() {
    let (source, bucket) = (FileServer::start().await, BucketServer::start().await);
    let files: Vec<FileFacts> = (0..6).map(|number| source.offer(number, 100_000)).collect();
    let app = follower(&source, &bucket).await;
    want(&app.db, &files[..1]).await;
    all_stored(&app, &files[..1]).await;
    source.pause(Duration::from_millis(30));
    want(&app.db, &files[1..]).await;
    until("some are under way", async || source.most() > 1).await;
    bucket.go_away();
    let told =
        "SELECT count(*) FROM content_files WHERE last_error LIKE 'the bucket s3://% cannot be used: %'
        AND state = 'wanted' AND attempts = 0";
    let client = app.db.client().await;
    until("it is told", async || client.query_one(told, &[]).await.unwrap().get::<_, i64>(0) > 0).await;
    let page = app.sign_in_admin().await.get(PAGE).await;
    assert!(page.text("main").contains("The stored files are out of reach"), "{}", page.text("main"));
    let served = app.ask_services(&format!("/Content/{}", files[0].place())).await;
    assert_eq!(served.status(), 503, "that a file cannot be read now is not that there is none");

    bucket.come_back();
    source.pause(Duration::ZERO);
    until("all came by themselves", async || {
        hurry(&app.db).await;
        count(&app, "stored").await as usize == files.len()
    })
    .await;
    assert!(files.iter().all(|file| is_right(&bucket, &source, file)));
    let sent: usize = source.asked().iter().map(|asked| asked.sent).sum();
    assert_eq!(sent, 600_000, "what was whole on this disk was not fetched again");
}

#[tokio::test(flavor = "multi_thread")]
async fn r088_another_bucket_and_a_wrong_secret_are_told_from_lost_files() {
    let (bucket, source) = (BucketServer::start().await, FileServer::start().await);
    let known = [source.offer(1, 1_000)];
    let folder = tempfile::tempdir().unwrap();
    let mut config = bucket.config();
    let store = Store::open(folder.path(), Some(&config)).unwrap();
    assert!(matches!(store.make_ready(&known).await, Err(StoreError::Strange { .. })));
    assert!(!bucket.object(".weir").exists(), "nothing is written into another's bucket");
    store.make_ready(&[]).await.unwrap();
    Store::open(folder.path(), Some(&config)).unwrap().make_ready(&known).await.expect("its mark is enough");

    for (name, value) in &mut config.variables {
        if *name == "AWS_SECRET_ACCESS_KEY" {
            *value = "wrong".to_owned();
        }
    }
    let reason = Store::open(folder.path(), Some(&config)).unwrap().make_ready(&[]).await.unwrap_err();
    assert!(reason.to_string().contains("refuses these credentials"), "{reason}");
    assert!(!format!("{reason:?} {config:?}").contains("wrong"), "the secret is not shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_whether_the_bucket_answers() {
    let (bucket, db) = (BucketServer::start().await, TestDatabase::create().await);
    let data = tempfile::tempdir().unwrap();
    let doctor = async || {
        let mut command = weir(&db, data.path(), &["doctor"]);
        command.envs(bucket.variables());
        String::from_utf8(output(command).await.stdout).unwrap()
    };
    let said = doctor().await;
    assert!(said.contains("The bucket s3://updates/weir/files answers."), "{said}");
    bucket.go_away();
    let said = doctor().await;
    assert!(said.contains("The files are out of reach: the bucket s3://updates/weir/files"), "{said}");
}
