//! `/content-store`: which files are here, which are coming, which did not come and why.

mod checks;
mod cleanup;
mod coming;
mod limit_form;

use std::time::Duration;

use askama::Template;
use chrono::{TimeDelta, Utc};
use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use rocket::{Route, State, get, post, routes};
use tokio::time::timeout;

use super::moment::Moment;
use super::{Db, Operator, PageError, Reply, Reporter, Shell, Wants, words};
use crate::accounts::audit;
use crate::content::overview::{self, LIST_MAX, Missing, Share};
use crate::content::{Store, StoreError, limits, wanted};
use crate::settings::{self, FileStore, Files};
use crate::web::submitted::{Form, NoFields};
use checks::CheckView;
use coming::Incoming;

/// For the place of the files to answer; the page does not wait longer.
const LOOK_WITHIN: Duration = Duration::from_secs(4);
/// How long files that began again are told.
const RESTARTS_SHOWN: TimeDelta = TimeDelta::days(7);

pub(super) fn routes() -> Vec<Route> {
    routes![
        show_content_store,
        retry,
        retry_one,
        checks::verify,
        cleanup::show_clean_up,
        cleanup::clean_up,
        limit_form::show_limits,
        limit_form::save_limits
    ]
}

#[derive(Template)]
#[template(path = "content_store/index.html", blocks = ["figures"])]
struct StorePage {
    shell: Shell,
    /// What the settings say, in a sentence.
    choice: &'static str,
    stored: Amount,
    wanted: Amount,
    failed: Amount,
    disk: Disk,
    /// How fast, and how many at once, in words.
    limits: String,
    /// Files that began again lately, because only whole files were sent.
    restarted: i64,
    incoming: Incoming,
    coming: Vec<Line>,
    not_come: Vec<Line>,
    list_max: i64,
    /// The last of each kind.
    checks: Vec<CheckView>,
    check_active: bool,
    /// By product, by classification; empty in the part that refreshes itself.
    shares: Vec<Breakdown>,
}

/// Files in one state.
#[derive(Default)]
struct Amount {
    files: String,
    count: i64,
    bytes: String,
}

/// The disk, and the place of the files, as far as they matter here.
#[derive(Default)]
struct Disk {
    free: String,
    reserve: String,
    /// It, or the bucket, could not be asked.
    error: Option<String>,
    is_full: bool,
    /// The place has none of the files that should be in it.
    is_strange: bool,
    /// The folder, or the address of the bucket.
    place: String,
    is_bucket: bool,
}

/// A file that is not here.
struct Line {
    file_row: i32,
    name: String,
    size: String,
    attempts: i32,
    next_try: Moment,
    why: String,
}

/// Stored files by the categories of one type.
struct Breakdown {
    id: &'static str,
    label: &'static str,
    /// The name of the table.
    table: &'static str,
    rows: Vec<(String, String, String)>,
}

#[get("/content-store")]
async fn show_content_store(
    reporter: Reporter,
    wants: Wants,
    mut db: Db,
    store: &State<Store>,
) -> Result<Reply, PageError> {
    let conn = &mut *db.0;
    let zone = reporter.shell.zone;
    let files = settings::files_in_force(conn).await.map_err(PageError::internal)?.files;
    let amounts = overview::amounts(conn).await?;
    let amount = |state: &str| {
        let found = amounts.iter().find(|one| one.state == state);
        let (files, bytes) = found.map_or((0, 0), |one| (one.files, one.bytes));
        Amount { files: words::grouped(files), count: files, bytes: words::size(bytes) }
    };
    let disk = disk(conn, store).await?;
    let checks = checks::latest(conn, zone).await?;
    let page = StorePage {
        restarted: overview::restarted_since(conn, Utc::now() - RESTARTS_SHOWN).await?,
        choice: choice(&files),
        limits: limit_form::in_words(&limits::load(conn).await?),
        stored: amount("stored"),
        wanted: amount("wanted"),
        failed: amount("failed"),
        incoming: Incoming::load(conn, store).await?,
        coming: lines(overview::missing(conn, "wanted").await?, zone),
        not_come: lines(overview::missing(conn, "failed").await?, zone),
        list_max: LIST_MAX,
        check_active: checks.iter().any(|check| check.is_active),
        checks,
        shares: if wants == Wants::Page { shares(conn).await? } else { Vec::new() },
        shell: reporter.shell,
        disk,
    };
    let reply = match wants {
        Wants::Page => Reply::ok(&page)?,
        Wants::Fragment => Reply::ok(&page.as_figures())?,
    };
    Ok(reply.header("Vary", "HX-Request"))
}

fn choice(files: &Files) -> &'static str {
    match (files.store, files.deferred) {
        (FileStore::Source, _) => "Files are not stored here; computers install from Microsoft Update.",
        (FileStore::Local, true) => "Files are fetched when an update is approved for installation.",
        (FileStore::Local, false) => "Files are fetched along with each synchronization.",
    }
}

async fn disk(conn: &mut AsyncPgConnection, store: &Store) -> Result<Disk, PageError> {
    let known = wanted::some_stored(conn).await?;
    let store = store.with_reserve(limits::load(conn).await?.reserve);
    let place = || store.bucket_address().map_or_else(|| store.folder().display().to_string(), str::to_owned);
    let mut disk = Disk { place: place(), is_bucket: store.bucket_address().is_some(), ..Disk::default() };
    let asked = timeout(LOOK_WITHIN, async { Ok((store.space().await?, store.is_strange(&known).await?)) });
    match asked.await {
        Ok(Ok((space, is_strange))) => {
            let shown = |bytes| words::size(i64::try_from(bytes).unwrap_or(i64::MAX));
            (disk.free, disk.reserve) = (shown(space.free), shown(space.reserve));
            disk.is_full = space.free <= space.reserve;
            disk.is_strange = is_strange;
        }
        Ok(Err(error)) => disk.error = Some(StoreError::to_string(&error)),
        Err(_) => disk.error = Some(format!("{} does not answer", disk.place)),
    }
    Ok(disk)
}

async fn shares(conn: &mut AsyncPgConnection) -> Result<Vec<Breakdown>, PageError> {
    let kinds = [
        ("products", "By product", "Stored files by product", "Product"),
        ("classifications", "By classification", "Stored files by classification", "UpdateClassification"),
    ];
    let mut found = Vec::new();
    for (id, label, table, category_type) in kinds {
        let row = |share: Share| (share.title, words::grouped(share.files), words::size(share.bytes));
        let rows: Vec<_> = overview::shares(conn, category_type).await?.into_iter().map(row).collect();
        if !rows.is_empty() {
            found.push(Breakdown { id, label, table, rows });
        }
    }
    Ok(found)
}

#[post("/content-store/retry", data = "<_nothing>")]
async fn retry(operator: Operator, mut db: Db, _nothing: Form<NoFields>) -> Result<Reply, PageError> {
    retry_failed(&operator, &mut db, None).await
}

/// One that is no failed file any more is left as it is.
#[post("/content-store/retry/<file_row>", data = "<_nothing>")]
async fn retry_one(
    operator: Operator,
    mut db: Db,
    file_row: i32,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    retry_failed(&operator, &mut db, Some(file_row)).await
}

async fn retry_failed(operator: &Operator, db: &mut Db, only: Option<i32>) -> Result<Reply, PageError> {
    let count = wanted::retry_failed(&mut db.0, only).await?;
    let files = words::counted(count as i64, "file", "files");
    audit::record(&mut db.0, operator.shell.audit("content.retry", &files)).await?;
    Ok(Reply::SeeOther("/content-store".to_owned()))
}

fn lines(found: Vec<Missing>, zone: Tz) -> Vec<Line> {
    found
        .into_iter()
        .map(|one| Line {
            file_row: one.file_row,
            name: one.name,
            size: words::size(one.size),
            attempts: one.attempts,
            next_try: Moment::new(one.next_try, zone),
            why: one.last_error,
        })
        .collect()
}
