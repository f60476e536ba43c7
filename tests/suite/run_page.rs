//! The page of one run: what failed, what is owed, and the text to send to somebody.

use weir::accounts::Role;

use crate::support::TestApp;

const RUN: &str = r#"
    INSERT INTO sources (kind, host, port, ssl) VALUES ('upstream', 'wsus.example', 8530, false);
    INSERT INTO sync_runs (state, trigger, started_by, started_at, finished_at, source_id, source_name, failed, error)
        SELECT 'failed', 'manual', 'olga', now(), now(), id, 'wsus.example:8530', 1,
               '{"code": "UssBusy", "message": "It is <b>busy</b>.", "hop": "SOAP", "advice": "Try again later.",
                 "kept": "Nothing.", "next": "It goes on."}' FROM sources;
    INSERT INTO owed_revisions (source_id, update_id, revision_number, reason, attempts)
        SELECT id, '00000000-0000-4000-8000-00000000beef', 7, 'it is <i>odd</i>', 3 FROM sources;
    INSERT INTO run_log (run_id, level, message)
        SELECT id, 'error', E'see http://user:secret@proxy.example/\nforged line' FROM sync_runs"#;

#[tokio::test(flavor = "multi_thread")]
async fn r271_a_failed_run_says_what_where_what_was_kept_what_next_and_what_is_owed() {
    let app = TestApp::start().await;
    app.db.client().await.batch_execute(RUN).await.unwrap();
    let rita = app.sign_in_as("rita", Role::Reporter).await;
    let page = rita.get("/synchronizations/1").await;
    assert_eq!(page.status(), 200);
    let text = page.text("main");
    for words in
        ["UssBusy", "SOAP", "Try again later.", "Nothing.", "It goes on.", "it is <i>odd</i>", "beef"]
    {
        assert!(text.contains(words), "{words} is not in {text}");
    }

    let report = rita.get("/synchronizations/1/report").await;
    assert_eq!(report.status(), 200);
    assert!(report.header("content-type").starts_with("text/plain"));
    assert!(report.header("content-disposition").contains("synchronization-1.txt"));
    for words in ["UssBusy (SOAP)", "It is <b>busy</b>.", "revision 7, 3 attempts", "wsus.example:8530"] {
        assert!(report.body.contains(words), "{words} is not in {}", report.body);
    }
    assert!(!report.body.contains("secret") && !report.body.contains("\nforged"), "{}", report.body);
    assert_eq!(rita.get("/synchronizations/2/report").await.status(), 404);
}
