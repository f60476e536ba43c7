//! The proxy password at rest, and the key file it is sealed with.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use weir::accounts::Role;

use crate::support::process::{Process, output_of, weir};
use crate::support::squid::ACCOUNT;
use crate::support::{PASSWORD, TestDatabase};

async fn run(db: &TestDatabase, data: &Path, key: &Path, args: &[&str], typed: &str) -> Output {
    let mut command = weir(db, data, args);
    command.env("WEIR_SECRET_KEY_FILE", key);
    output_of(command, typed).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_takes_the_password_with_it_and_nothing_else() {
    let db = TestDatabase::create().await;
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = elsewhere.path().join("weir.key");
    let set = async |typed: &str| {
        let words = [
            "options",
            "set",
            "source.kind=upstream",
            "source.server=wsus.example",
            "proxy.enabled=true",
            "proxy.server=127.0.0.1",
            "proxy.port=9",
            "proxy.credentials=true",
            "proxy.user=svc",
            "proxy.password=-",
        ];
        run(&db, data.path(), &key, &words, typed).await
    };
    let saved = set(ACCOUNT.password).await;
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!data.path().join("secret.key").exists(), "the key is where it was put");
    let sealed: Vec<u8> =
        db.client().await.query_one("SELECT proxy_password FROM sync_options", &[]).await.unwrap().get(0);
    assert!(!sealed.windows(5).any(|part| part == b"pa:ss"));

    // Another key than the lost one, while nobody works with it.
    std::fs::remove_file(&key).unwrap();
    let key_text = key.to_str().unwrap();
    let mut server = Process::start_with(&db, data.path(), &[("WEIR_SECRET_KEY_FILE", key_text)]);
    server.ready().await;
    assert_eq!(server.visitor().get("/healthz").await.status(), 200);
    weir::accounts::create(&mut *db.conn().await, "ann", Role::Administrator, PASSWORD).await.unwrap();
    let ann = server.visitor();
    assert_eq!(ann.sign_in("ann", PASSWORD).await.status(), 303);
    let hint = ann.get("/options/synchronization").await.text("main");
    assert!(hint.contains("The stored password cannot be read"), "{hint}");
    let synchronize = async || run(&db, data.path(), &key, &["sync", "--wait", "--json"], "").await;
    let failed = synchronize().await;
    let text =
        String::from_utf8_lossy(&failed.stdout).into_owned() + &String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && text.contains("was sealed with another key"), "{text}");

    // A second server that brings a key of its own is still refused while the first one works.
    let other = elsewhere.path().join("other.key");
    let refused = run(&db, elsewhere.path(), &other, &["options", "show"], "").await;
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("another secret key"), "{text}");

    let again = set("a new one").await;
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(!ann.get("/options/synchronization").await.text("main").contains("cannot be read"));
    let failed = synchronize().await;
    let text =
        String::from_utf8_lossy(&failed.stdout).into_owned() + &String::from_utf8_lossy(&failed.stderr);
    assert!(text.contains("The proxy server 127.0.0.1:9 cannot be reached"), "{text}");
    assert!(!text.contains("a new one"), "{text}");
}
