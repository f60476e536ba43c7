//! Synchronization Options through the page: saved and read back, refused whole, and two people at once.

use crate::support::options::change_options;
use crate::support::{Page, TestApp, Visitor};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use weir::accounts::{self, Role};
use weir::db::schema::audit;
use weir::settings::{self, CategoryKind, SourceKind, SyncOptions};

pub const PASSWORD: &str = "correct horse battery";
pub const ADDRESS: &str = "/options/synchronization";
const WINDOWS: &str = "6964aab4-c5b5-43bd-a17d-ffb4346a8e1d";
const WINDOWS_10: &str = "a3c2375d-0c8a-42f9-bce0-28333e198407";
const SECURITY: &str = "0fa1201d-4330-4fa8-8ae9-b877473b6441";

pub async fn start() -> (TestApp, Visitor) {
    with_anna(TestApp::start().await).await
}

async fn with_anna(app: TestApp) -> (TestApp, Visitor) {
    let mut conn = app.db.conn().await;
    accounts::create(&mut conn, "anna", Role::Administrator, PASSWORD).await.unwrap();
    drop(conn);
    let visitor = app.visitor();
    assert_eq!(visitor.sign_in("anna", PASSWORD).await.status(), 303);
    (app, visitor)
}

async fn stored(app: &TestApp) -> SyncOptions {
    settings::load(&mut *app.db.conn().await).await.unwrap()
}

async fn audited(app: &TestApp, action: &str) -> i64 {
    let count = audit::table.filter(audit::action.eq(action)).count();
    count.get_result(&mut app.db.conn().await).await.unwrap()
}

/// What a new page sends, with changes on top; a value of "-" leaves the field out.
pub(crate) fn form<'a>(version: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("version", version),
        ("draft", ""),
        ("schedule.mode", "manual"),
        ("schedule.time", "03:00"),
        ("schedule.per_day", "1"),
        ("schedule.time_zone", "UTC"),
        ("proxy.server", ""),
        ("proxy.port", "80"),
        ("proxy.user", ""),
        ("proxy.domain", ""),
        ("proxy.password", ""),
        ("source.kind", "microsoft-update"),
        ("source.server", ""),
        ("source.port", "8530"),
        ("source.content_port", ""),
        ("source.ca", ""),
    ];
    for change in changes {
        fields.retain(|(name, _)| *name != change.0);
        if change.1 != "-" {
            fields.push(*change);
        }
    }
    fields
}

async fn save(visitor: &Visitor, version: &str, changes: &[(&str, &str)]) -> Page {
    visitor.post(ADDRESS, &form(version, changes)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_page_shows_the_defaults_under_their_labels() {
    let (_app, visitor) = start().await;
    let page = visitor.get(ADDRESS).await;
    assert_eq!(page.status(), 200, "{}", page.body);
    assert_eq!(page.text("h1"), "Synchronization Options");
    let panels = [
        "Schedule",
        "Products and Classifications",
        "Proxy server",
        "Update Source",
        "Update Files and Languages",
    ];
    assert_eq!(page.texts("legend"), panels);
    let chips = ["All Windows Products", "Critical Updates", "Security Updates"];
    assert_eq!(page.texts(".chips li"), chips);
    assert!(page.has("[id='schedule.mode-manual'][checked]"));
    assert!(page.has("[id='source.kind-microsoft-update'][checked]"));
    assert_eq!(page.field("proxy.port").value(), "80");
    let tasks = page.texts(".tasks button");
    assert_eq!(tasks, ["Synchronize now", "Save settings", "Undo changes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_usual_for_the_other_way_is_pointed_out_and_kept() {
    let (app, visitor) = start().await;
    let cases = [("8530", true, "plain"), ("8531", true, ""), ("443", false, "ssl"), ("8530", false, "")];
    for (port, ssl, expected) in cases {
        change_options(&app.db, |options| {
            options.source.kind = SourceKind::Upstream;
            options.source.server = "wsus01.corp.example".to_owned();
            options.source.port = port.parse().unwrap();
            options.source.ssl = ssl;
        })
        .await;
        let page = visitor.get(ADDRESS).await;
        for hint in ["plain", "ssl"] {
            let shown = page.has(&format!("p[data-port-hint={hint}]:not([hidden])"));
            assert_eq!(shown, hint == expected, "{port} {ssl} {hint}");
        }
        assert_eq!(page.field("source.port").value(), port);
    }
    change_options(&app.db, |options| {
        options.source.kind = SourceKind::MicrosoftUpdate;
        options.source.port = 8531;
    })
    .await;
    let page = visitor.get(ADDRESS).await;
    assert!(!page.has("p[data-port-hint]:not([hidden])"), "Microsoft Update has no port here");
}

/// What the page is made of is kept between two looks; nothing that changes meanwhile may be missed.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_at_once_what_happened_elsewhere() {
    // a worker would close a run that has no job
    let (app, visitor) = with_anna(TestApp::start_with(|config| config.roles.worker = false).await).await;
    let client = app.db.client().await;
    let status = async |statement: &str| {
        client.batch_execute(statement).await.unwrap();
        visitor.get(ADDRESS).await.text("dl.status")
    };
    assert!(status("").await.contains("Idle"));
    let begin = "INSERT INTO sync_runs (trigger, started_by, state, started_at, source_name)
        VALUES ('manual', 'test', 'running', now(), 'wsus01')";
    assert!(status(begin).await.contains("Running"));
    let asked = status("UPDATE sync_runs SET phase = 'updates', done = 7, total = 90").await;
    assert!(asked.contains("7 of 90"), "{asked}");
    let failed = status("UPDATE sync_runs SET state = 'failed', finished_at = now(), error = '{}'").await;
    assert!(failed.contains("Failed") && failed.contains("Idle"), "{failed}");
    assert!(status("DELETE FROM sync_runs").await.contains("Never"));

    let beside = app.start_beside().await;
    let other = beside.visitor();
    assert_eq!(other.sign_in("anna", PASSWORD).await.status(), 303);
    other.get(ADDRESS).await;
    assert_eq!(save(&visitor, "1", &[("proxy.port", "3128")]).await.status(), 303);
    assert_eq!(other.get(ADDRESS).await.field("proxy.port").value(), "3128", "at another server");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_read_back() {
    let (app, visitor) = start().await;
    let saved = save(
        &visitor,
        "1",
        &[
            ("schedule.mode", "daily"),
            ("schedule.time", "04:30"),
            ("schedule.per_day", "4"),
            ("schedule.time_zone", "Asia/Taipei"),
            ("source.kind", "upstream"),
            ("source.server", " WSUS01.Corp.Example. "),
            ("source.port", "8531"),
            ("source.ssl", "true"),
            ("proxy.enabled", "true"),
            ("proxy.server", "proxy.corp.example"),
            ("proxy.port", "3128"),
            ("proxy.credentials", "true"),
            ("proxy.user", "svc"),
            ("proxy.password", "hunter2 hunter2"),
        ],
    )
    .await;
    assert_eq!((saved.status(), saved.location()), (303, ADDRESS), "{}", saved.body);
    let page = visitor.get(ADDRESS).await;
    let notice = page.text(".notice.ok");
    assert!(notice.contains("Schedule, Proxy server, Update Source"), "{notice}");
    assert!(notice.ends_with("OK"), "{notice}");
    assert_eq!(page.field("source.server").value(), "wsus01.corp.example");
    assert_eq!(page.field("schedule.time_zone").value(), "Asia/Taipei");
    assert_eq!(page.field("proxy.password").value(), "");
    assert!(!page.body.contains("hunter2"));
    assert!(page.text("#schedule-daily").contains("Asia/Taipei"));
    assert!(!visitor.get(ADDRESS).await.has(".notice.ok"), "a reload removes the confirmation");
    let options = stored(&app).await;
    let sealed = options.proxy.password.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("hunter2"));
    assert_eq!((options.version, options.saved_by.as_str()), (2, "anna"));
    assert_eq!(audited(&app, "settings.save").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changed_is_said_and_not_audited() {
    let (app, visitor) = start().await;
    assert_eq!(save(&visitor, "1", &[]).await.status(), 303);
    assert!(visitor.get(ADDRESS).await.text(".notice").starts_with("Nothing changed."));
    assert_eq!(stored(&app).await.version, 1);
    assert_eq!(audited(&app, "settings.save").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r023_r207_bad_input_comes_back_with_a_message_and_saves_nothing() {
    let (app, visitor) = start().await;
    let services = app.services_port().to_string();
    let upstream = |name: &'static str, value: &str| {
        let mut all = vec![
            ("source.kind".to_owned(), "upstream".to_owned()),
            ("source.server".to_owned(), "wsus01".to_owned()),
            ("schedule.mode".to_owned(), "daily".to_owned()),
            ("proxy.domain".to_owned(), "kept-as-typed".to_owned()),
        ];
        all.retain(|(one, _)| one != name);
        all.push((name.to_owned(), value.to_owned()));
        all
    };
    let long = "a".repeat(254);
    let cases = [
        ("source.server", "http://wsus01"),
        ("source.server", "wsus01/path"),
        ("source.server", "wsus 01"),
        ("source.server", "wsus01\r\nX-Evil: 1"),
        ("source.server", "user:pass@wsus01"),
        ("source.server", ""),
        ("source.server", long.as_str()),
        ("source.port", "0"),
        ("source.port", "70000"),
        ("source.port", "-1"),
        ("source.port", "8530.0"),
        ("source.port", "８５３０"),
        ("source.port", ""),
        ("schedule.time", "24:00"),
        ("schedule.time", "7:5"),
        ("schedule.per_day", "0"),
        ("schedule.per_day", "25"),
        ("schedule.time_zone", "Mars/Olympus"),
    ];
    for (name, value) in cases {
        let changes = upstream(name, value);
        let changes: Vec<(&str, &str)> =
            changes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page = save(&visitor, "1", &changes).await;
        assert_eq!(page.status(), 422, "{name}={value:?}");
        assert!(page.has("[data-error-summary] a"), "{name}={value:?}");
        let field = page.field(name);
        assert!(field.invalid && !field.error().is_empty(), "{name}={value:?}: {field:?}");
        assert_eq!(page.field("proxy.domain").value(), "kept-as-typed");
    }
    let own =
        [("source.kind", "upstream"), ("source.server", "127.0.0.1"), ("source.port", services.as_str())];
    let page = save(&visitor, "1", &own).await;
    assert_eq!(page.status(), 422);
    assert!(page.field("source.server").error().contains("this server itself"));
    assert_eq!(stored(&app).await.version, 1);
    assert_eq!(audited(&app, "settings.save").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r205_crafted_fields_are_refused_by_name() {
    let (app, visitor) = start().await;
    for crafted in [("products", WINDOWS_10), ("saved_by", "x"), ("schedule[mode]", "daily")] {
        let page = save(&visitor, "1", &[crafted]).await;
        assert_eq!(page.status(), 422, "{crafted:?}");
        assert!(page.text("[data-error-summary]").contains(crafted.0), "{crafted:?}");
    }
    let mut twice = form("1", &[]);
    twice.push(("source.port", "81"));
    assert_eq!(visitor.post(ADDRESS, &twice).await.status(), 422);
    assert_eq!(save(&visitor, "1", &[("schedule.mode", "hourly")]).await.status(), 422);
    assert_eq!(save(&visitor, "1", &[("source.kind", "-")]).await.status(), 422);
    assert_eq!(stored(&app).await.version, 1);
    assert_eq!(audited(&app, "settings.refused").await, 4, "what no page sends is written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn r153_two_people_saving_meet_both_values() {
    let (app, visitor) = start().await;
    let first = [("schedule.mode", "daily"), ("schedule.time", "05:00")];
    assert_eq!(save(&visitor, "1", &first).await.status(), 303);
    // the same again, as by a double click, meets its own result
    assert_eq!(save(&visitor, "1", &first).await.status(), 303);
    let second = [("schedule.mode", "daily"), ("schedule.time", "06:00")];
    let page = save(&visitor, "1", &second).await;
    assert_eq!(page.status(), 409);
    let row = page.text("[data-error-summary] tbody tr");
    assert!(row.contains("06:00") && row.contains("05:00"), "{row}");
    assert_eq!(page.field("version").value(), "2");
    assert_eq!(stored(&app).await.schedule.time.to_string(), "05:00:00");
    assert_eq!(save(&visitor, "2", &second).await.status(), 303);
    assert_eq!(stored(&app).await.schedule.time.to_string(), "06:00:00");
}

/// Opens a dialog as a page, the way a browser without a script does.
async fn open(visitor: &Visitor, part: &str) -> Page {
    let to = visitor.post_from(ADDRESS, &format!("{ADDRESS}/{part}"), &form("1", &[])).await;
    assert_eq!(to.status(), 303, "{}", to.body);
    visitor.get(to.location()).await
}

/// OK in a dialog, and what it answers.
async fn answer(visitor: &Visitor, dialog: &Page, part: &str, rest: &[(&str, &str)]) -> Page {
    let (csrf, draft, back) = (dialog.csrf(), dialog.field("draft"), dialog.field("back"));
    let mut fields = vec![("csrf", csrf.as_str()), ("draft", draft.value()), ("back", back.value())];
    fields.extend_from_slice(rest);
    visitor.post_raw(&format!("{ADDRESS}/{part}/choice"), &fields).await
}

/// OK in a dialog that leads back to the page.
async fn choose(visitor: &Visitor, dialog: &Page, part: &str, rest: &[(&str, &str)]) -> Page {
    let to = answer(visitor, dialog, part, rest).await;
    assert_eq!(to.status(), 303, "{}", to.body);
    visitor.get(to.location()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn dialogs_open_by_their_address_alone_and_start_from_what_is_saved() {
    let (app, visitor) = start().await;
    for (part, title) in [
        ("products", "Add/Remove Products"),
        ("classifications", "Add/Remove Classifications"),
        ("advanced?read=yes", "Advanced Synchronization Options"),
    ] {
        let dialog = visitor.get(&format!("{ADDRESS}/{part}")).await;
        assert_eq!((dialog.status(), dialog.text("h1").as_str()), (200, title), "{}", dialog.body);
        let gone = visitor.get(&format!("{ADDRESS}/{}?draft=1", part.trim_end_matches("?read=yes"))).await;
        assert_eq!(gone.status(), 404);
    }
    let dialog = visitor.get(&format!("{ADDRESS}/classifications")).await;
    let page = choose(&visitor, &dialog, "classifications", &[("seen", SECURITY)]).await;
    assert!(page.has("form[data-dirty=yes]"));
    assert_eq!(page.field("version").value(), "1");
    let draft = page.field("draft");
    assert_eq!(save(&visitor, "1", &[("draft", draft.value())]).await.status(), 303);
    assert_eq!(stored(&app).await.selected(CategoryKind::Classification).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unticking_one_product_of_a_family_keeps_the_others_after_saving() {
    let (app, visitor) = start().await;
    let dialog = open(&visitor, "products").await;
    assert_eq!(dialog.text("h1"), "Add/Remove Products");
    assert!(dialog.has(&format!("input[value='{WINDOWS}'][name=tick][checked]")));
    let seen = [("seen", WINDOWS), ("seen", WINDOWS_10), ("tick", WINDOWS)];
    // said before OK, also without a script: the dialog comes back and waits for a second OK
    let said = answer(&visitor, &dialog, "products", &seen).await;
    assert_eq!(said.status(), 200);
    assert_eq!(said.text(".note"), "Future products of Windows will no longer be added.");
    assert!(!said.has(&format!("input[value='{WINDOWS}'][name=tick][checked]")));
    let told = said.attribute("input[name=told]", "value").unwrap();
    let page = choose(&visitor, &said, "products", &[("told", told.as_str())]).await;
    assert!(page.has("form[data-dirty=yes]"), "a choice is a draft until it is saved");
    assert_eq!(page.text(".note"), "Future products of Windows will no longer be added.");
    assert_eq!(stored(&app).await.version, 1);
    let draft = page.field("draft");
    assert_eq!(save(&visitor, "1", &[("draft", draft.value())]).await.status(), 303);
    let options = stored(&app).await;
    let ids: Vec<String> =
        options.selected(CategoryKind::Product).map(|one| one.category_id.to_string()).collect();
    assert_eq!(ids.len(), 20);
    assert!(!ids.contains(&WINDOWS_10.to_owned()) && !ids.contains(&WINDOWS.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_product_or_no_classification_is_refused() {
    let (app, visitor) = start().await;
    let dialog = open(&visitor, "products").await;
    let page = choose(&visitor, &dialog, "products", &[("seen", WINDOWS)]).await;
    let draft = page.field("draft");
    let refused = save(&visitor, "1", &[("draft", draft.value())]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text("#products-error").starts_with("Select at least one product."));
    let dialog = open(&visitor, "classifications").await;
    let critical = "e6cf1350-c01b-414d-a61f-263d14d133b4";
    let none = [("seen", SECURITY), ("seen", critical)];
    let page = choose(&visitor, &dialog, "classifications", &none).await;
    let draft = page.field("draft");
    let refused = save(&visitor, "1", &[("draft", draft.value())]).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text("#classifications-error").starts_with("Select at least one"));
    assert_eq!(stored(&app).await.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_advanced_dialog_warns_first_and_is_saved_with_the_page() {
    let (app, visitor) = start().await;
    let warning = open(&visitor, "advanced").await;
    let next = warning.attribute(".dialog-foot a.primary", "href").unwrap();
    let dialog = visitor.get(&next).await;
    assert_eq!(dialog.text("h1"), "Advanced Synchronization Options");
    let rest = [
        ("files.store", "local"),
        ("files.express", "true"),
        ("languages", "some"),
        ("language", "en"),
        ("language", "zh-tw"),
    ];
    let page = choose(&visitor, &dialog, "advanced", &rest).await;
    let draft = page.field("draft");
    assert_eq!(save(&visitor, "1", &[("draft", draft.value())]).await.status(), 303);
    let files = stored(&app).await.files;
    assert_eq!(files.languages.to_text(), "en,zh-tw");
    assert!(files.express && !files.deferred);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_refuses_what_its_page_locks_and_writes_it_down() {
    let (app, visitor) = start().await;
    let replica = [("source.kind", "upstream"), ("source.server", "wsus01"), ("replica", "true")];
    // its consequences are said first, and nothing is saved before they are confirmed
    let asked = save(&visitor, "1", &replica).await;
    assert_eq!(asked.status(), 200);
    assert!(asked.text("#question-title").contains("replica of wsus01:8530"));
    assert_eq!(asked.field("source.server").value(), "wsus01");
    assert_eq!(stored(&app).await.version, 1);
    let confirmed = format!("{ADDRESS}?confirmed=replica");
    let saved = visitor.post_from(ADDRESS, &confirmed, &form("1", &replica)).await;
    assert_eq!(saved.status(), 303, "{}", saved.body);
    let page = visitor.get(ADDRESS).await;
    assert!(page.has("#change-products[disabled]") && page.has("#advanced[disabled]"));
    let crafted = save(&visitor, "2", &[("replica", "true")]).await;
    assert_eq!(crafted.status(), 422);
    assert_eq!(audited(&app, "settings.refused").await, 1);
    // neither by a dialog, opened or answered by hand
    let tick: &[(&str, &str)] = &[("tick", WINDOWS_10)];
    for (path, fields) in [
        ("products", &[][..]),
        ("products/choice", tick),
        ("classifications/choice", tick),
        ("advanced/choice", &[("files.store", "source")]),
        ("products/find", tick),
    ] {
        let refused = visitor.post_from(ADDRESS, &format!("{ADDRESS}/{path}"), fields).await;
        assert_eq!(refused.status(), 422, "{path}");
        assert!(refused.text("main").contains("replica of wsus01:8530"), "{path}");
    }
    assert_eq!(audited(&app, "settings.refused").await, 6);
    assert_eq!(visitor.get(&format!("{ADDRESS}/products")).await.status(), 422);
    assert_eq!(stored(&app).await.version, 2);
}

/// Puts a run there that `bert` began and that nobody works on for an hour.
pub async fn somebodys_run(app: &TestApp) -> i64 {
    let sql = "WITH run AS (INSERT INTO sync_runs (state, trigger, started_by)
                 VALUES ('running', 'manual', 'bert') RETURNING id),
               job AS (INSERT INTO jobs (kind, dedup_key, args, run_after)
                 SELECT 'synchronize', 'held', jsonb_build_object('run_id', id), now() + interval '1 hour' FROM run)
               SELECT id FROM run";
    app.db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn s017_synchronize_now_with_unsaved_changes_asks_and_keeps_them() {
    let (app, visitor) = start().await;
    let path = format!("{ADDRESS}/synchronize");
    let typed = form("1", &[("schedule.mode", "daily"), ("proxy.password", "hunter2 hunter2")]);
    let asked = visitor.post_from(ADDRESS, &path, &typed).await;
    assert_eq!(asked.status(), 200);
    assert_eq!(asked.text("#question-title"), "Synchronize with unsaved changes?");
    assert!(asked.has("[id='schedule.mode-daily'][checked]"));
    assert!(asked.text("#proxy\\.password-hint").starts_with("The password you typed was not kept."));
    assert_eq!(audited(&app, "synchronization.start").await, 0);
    // with the saved settings: what was typed comes back as unsaved
    let to = visitor.post_from(ADDRESS, &format!("{path}?confirmed=saved"), &typed).await;
    assert_eq!(to.status(), 303, "{}", to.body);
    let page = visitor.get(to.location()).await;
    assert!(page.has("[id='schedule.mode-daily'][checked]") && page.has("form[data-dirty=yes]"));
    assert!(
        page.text("#notice").starts_with("The synchronization has been started."),
        "{}",
        page.text("#notice")
    );
    assert_eq!(audited(&app, "synchronization.start").await, 1);
    assert_eq!(stored(&app).await.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s018_a_second_start_joins_and_says_who_began() {
    let (app, visitor) = start().await;
    let run = somebodys_run(&app).await;
    let page = visitor.get(ADDRESS).await;
    assert_eq!(page.texts(".tasks button")[0], "Stop synchronization");
    let path = format!("{ADDRESS}/synchronize");
    let to = visitor.post_from(ADDRESS, &path, &form("1", &[])).await;
    assert_eq!((to.status(), to.location()), (303, ADDRESS));
    let notice = visitor.get(ADDRESS).await.text("#notice");
    assert!(notice.starts_with("A synchronization is already running.bert began it at"), "{notice}");
    assert_eq!(audited(&app, "synchronization.join").await, 1);
    // stopping keeps what is typed
    let typed = form("1", &[("schedule.mode", "daily")]);
    let to = visitor.post_from(ADDRESS, &format!("{ADDRESS}/stop?run={run}"), &typed).await;
    assert_eq!(to.status(), 303);
    let page = visitor.get(to.location()).await;
    assert!(page.has("[id='schedule.mode-daily'][checked]"));
    assert_eq!(audited(&app, "synchronization.stop").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_and_synchronizing_in_one_go_uses_the_new_settings() {
    let (app, visitor) = start().await;
    let path = format!("{ADDRESS}?then=synchronize");
    let to = visitor.post_from(ADDRESS, &path, &form("1", &[("schedule.mode", "daily")])).await;
    assert_eq!((to.status(), to.location()), (303, ADDRESS));
    let notices = visitor.get(ADDRESS).await.texts("#notice .notice-title");
    assert_eq!(notices, ["Your settings have been saved.", "The synchronization has been started."]);
    assert_eq!(stored(&app).await.version, 2);
    assert_eq!(audited(&app, "synchronization.start").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_draft_is_not_found() {
    let (app, visitor) = start().await;
    accounts::create(&mut *app.db.conn().await, "bert", Role::Administrator, PASSWORD).await.unwrap();
    let to = visitor.post_from(ADDRESS, &format!("{ADDRESS}/products"), &form("1", &[])).await;
    let other = app.visitor();
    assert_eq!(other.sign_in("bert", PASSWORD).await.status(), 303);
    assert_eq!(other.get(to.location()).await.status(), 404);
    assert_eq!(visitor.get(to.location()).await.status(), 200);
}

/// Ends every run that is at work, as its worker would after a stop.
pub async fn end_every_run(app: &TestApp) {
    let sql = "UPDATE sync_runs SET state = 'canceled', finished_at = now()
               WHERE state IN ('queued', 'running', 'stopping')";
    app.db.client().await.batch_execute(sql).await.unwrap();
}
