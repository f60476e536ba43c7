//! A server killed inside the save of a form.

use std::time::{Duration, Instant};

use weir::accounts::{self, Role};
use weir::settings;

use crate::options::form;
use crate::support::process::Process;
use crate::support::{PASSWORD, TestDatabase};

/// Both halves of a save take a while, so that kills fall into each.
const SLOW: &str = "
    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
    CREATE TRIGGER linger AFTER UPDATE ON sync_options FOR EACH ROW EXECUTE FUNCTION linger();
    CREATE TRIGGER linger AFTER INSERT ON audit FOR EACH ROW WHEN (new.action <> 'sign_in') EXECUTE FUNCTION linger()";

#[tokio::test(flavor = "multi_thread")]
async fn r006_a_form_saved_under_a_kill_is_all_old_or_all_new_with_one_audit_entry() {
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    accounts::create(&mut *db.conn().await, "anna", Role::Administrator, PASSWORD).await.unwrap();
    let client = db.client().await;
    client.batch_execute(SLOW).await.unwrap();
    let (mut old, mut new) = (0, 0);
    for (round, after_ms) in [250, 700, 1_100, 8_000].into_iter().enumerate() {
        let before = settings::load(&mut *db.conn().await).await.unwrap();
        let mut server = Process::start(&db, data.path());
        server.ready().await;
        let anna = server.visitor();
        assert_eq!(anna.sign_in("anna", PASSWORD).await.status(), 303);
        let count = "SELECT count(*) FROM audit";
        let audited: i64 = client.query_one(count, &[]).await.unwrap().get(0);
        let (version, name) = (before.version.to_string(), format!("host{round}.example"));
        let port = (9_000 + round).to_string();
        let token = anna.get("/options/synchronization").await.csrf();
        let saving = tokio::spawn(async move {
            let changes = [("source.kind", "upstream"), ("source.server", &name), ("source.port", &port)];
            let mut fields = vec![("csrf", token.as_str())];
            fields.extend(form(&version, &changes));
            anna.post_raw("/options/synchronization", &fields).await.status() // or the connection breaks
        });
        let begun = Instant::now();
        while !saving.is_finished() && begun.elapsed() < Duration::from_millis(after_ms) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.kill();
        let _ = saving.await;
        let others =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
                      AND query ILIKE '%sync_options%' AND pid <> pg_backend_pid()";
        let until = Instant::now() + Duration::from_secs(20);
        while client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(Instant::now() < until, "the database does not let go");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(700)).await; // the longest statement under way
        let after = settings::load(&mut *db.conn().await).await.unwrap();
        let entries: i64 = client.query_one(count, &[]).await.unwrap().get(0);
        if after.version == before.version {
            assert_eq!((after, entries), (before, audited));
            old += 1;
        } else {
            let saved = (after.source.server, usize::from(after.source.port), entries);
            assert_eq!(saved, (format!("host{round}.example"), 9_000 + round, audited + 1));
            new += 1;
        }
    }
    assert!(old >= 1 && new >= 1, "{old} old, {new} new");
}
