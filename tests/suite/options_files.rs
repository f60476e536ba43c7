//! Update Files and Languages: room on the disk is said before saving, and a replica takes its upstream server's choice.

use std::collections::BTreeSet;

use weir::accounts::Role;
use weir::content::chosen;
use weir::settings::{self, FileStore, Files, Languages};

use crate::support::options::change_options;
use crate::support::{TestApp, Visitor};

const ADDRESS: &str = "/options/synchronization";

/// Chooses to store every file here, and comes back to the page with the draft.
async fn choose_all_files(visitor: &Visitor) -> crate::support::Page {
    let dialog = visitor.get(&format!("{ADDRESS}/advanced?read=yes")).await;
    let csrf = dialog.csrf();
    let fields = [
        ("csrf", csrf.as_str()),
        ("draft", ""),
        ("back", ""),
        ("files.store", "local"),
        ("languages", "all"),
    ];
    let to = visitor.post_raw(&format!("{ADDRESS}/advanced/choice"), &fields).await;
    assert_eq!(to.status(), 303, "{}", to.body);
    visitor.get(to.location()).await
}

async fn save(visitor: &Visitor, page: &crate::support::Page) -> crate::support::Page {
    let (version, draft) = (page.field("version"), page.field("draft"));
    let fields = [
        ("version", version.value()),
        ("draft", draft.value()),
        ("schedule.mode", "manual"),
        ("source.kind", "microsoft-update"),
    ];
    visitor.post(ADDRESS, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s116_what_would_be_fetched_is_said_before_and_refused_without_room() {
    let app = TestApp::with_sample(40, 3).await;
    change_options(&app.db, |options| options.files.store = FileStore::Source).await;
    let visitor = app.sign_in_as("anna", Role::Administrator).await;
    // what the sample keeps on the list does not count
    let client = app.db.client().await;
    client.batch_execute("DELETE FROM content_files; UPDATE files SET size = 1000").await.unwrap();
    let page = choose_all_files(&visitor).await;
    let said = page.text("#panel-files");
    let files = said.split_once("Saving this fetches ").unwrap().1.split_once(" files,").unwrap().0;
    assert!(said.contains("are free on the disk, of which"), "{said}");
    assert!(
        visitor.get(ADDRESS).await.texts("#panel-files .note").is_empty(),
        "nothing to say without a change"
    );

    client.batch_execute("UPDATE files SET size = 9000000000000").await.unwrap();
    let refused = save(&visitor, &choose_all_files(&visitor).await).await;
    assert_eq!(refused.status(), 422);
    assert!(
        refused.text("#files-error").starts_with("There is no room for"),
        "{}",
        refused.text("#files-error")
    );
    let stored = settings::load(&mut *app.db.conn().await).await.unwrap();
    assert_eq!(stored.files.store, FileStore::Source, "nothing was saved");

    client.batch_execute("UPDATE files SET size = 1000").await.unwrap();
    assert_eq!(save(&visitor, &choose_all_files(&visitor).await).await.status(), 303);
    let wanted = chosen::refresh(&mut *app.db.conn().await, None).await.unwrap();
    assert_eq!(files, wanted.to_string(), "what was said is what is wanted then");
}

async fn in_force(app: &TestApp) -> Files {
    let found = settings::files_in_force(&mut *app.db.conn().await).await.unwrap();
    assert!(found.is_inherited);
    found.files
}

#[tokio::test(flavor = "multi_thread")]
async fn s114_a_replica_takes_files_and_languages_over_from_its_upstream_server() {
    let (a, b) = (TestApp::with_sample(20, 4).await, TestApp::start().await);
    let german = Languages::Only(BTreeSet::from(["de".to_owned(), "en".to_owned()]));
    change_options(&a.db, |options| {
        options.files = Files { deferred: false, languages: german.clone(), ..options.files.clone() };
    })
    .await;
    b.follow(&a, |options| options.replica = true).await;
    b.synchronize().await;
    let taken = in_force(&b).await;
    assert_eq!((taken.store, taken.deferred, &taken.languages), (FileStore::Local, false, &german));
    let visitor = b.sign_in_as("anna", Role::Administrator).await;
    let said = visitor.get(ADDRESS).await.text("#panel-files");
    assert!(said.contains("English, German"), "{said}");
    assert!(said.contains("fetched during each synchronization"), "{said}");

    // a later change above arrives too, languages included
    change_options(&a.db, |options| {
        options.files.store = FileStore::Source;
        options.files.languages = Languages::All;
    })
    .await;
    b.synchronize().await;
    let taken = in_force(&b).await;
    assert_eq!((taken.store, &taken.languages), (FileStore::Source, &Languages::All));

    // its own choice only rested
    change_options(&b.db, |options| options.replica = false).await;
    let own = settings::files_in_force(&mut *b.db.conn().await).await.unwrap();
    assert!(!own.is_inherited && own.files.store == FileStore::Local && own.files.deferred);
}
