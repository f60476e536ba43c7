//! `/content-store`: which files are here, which are coming, which did not come and why.

use askama::Template;
use rocket::{Route, State, get, post, routes};

use super::moment::Moment;
use super::{Db, Operator, PageError, Reply, Reporter, Shell, Wants, words};
use crate::accounts::audit;
use crate::content::overview::{self, LIST_MAX, Missing};
use crate::content::{Store, wanted};
use crate::settings::{self, FileStore};
use chrono::{TimeDelta, Utc};
use chrono_tz::Tz;

/// How long files that began again are told.
const RESTARTS_SHOWN: TimeDelta = TimeDelta::days(7);

pub(super) fn routes() -> Vec<Route> {
    routes![show_content_store, retry]
}

#[derive(Template)]
#[template(path = "content_store.html", blocks = ["figures"])]
struct StorePage {
    shell: Shell,
    /// What the settings say, in a sentence.
    choice: &'static str,
    stored: Amount,
    wanted: Amount,
    failed: Amount,
    free: String,
    reserve: String,
    /// The disk could not be asked.
    disk_error: Option<String>,
    is_full: bool,
    /// Files that began again lately, because only whole files were sent.
    restarted: i64,
    coming: Vec<Line>,
    not_come: Vec<Line>,
    list_max: i64,
}

/// Files in one state.
#[derive(Default)]
struct Amount {
    files: String,
    count: i64,
    bytes: String,
}

/// A file that is not here.
struct Line {
    name: String,
    size: String,
    attempts: i32,
    next_try: Moment,
    why: String,
}

#[get("/content-store")]
async fn show_content_store(
    reporter: Reporter,
    wants: Wants,
    mut db: Db,
    store: &State<Store>,
) -> Result<Reply, PageError> {
    let options = settings::load(&mut db.0).await.map_err(PageError::internal)?;
    let zone = options.schedule.time_zone;
    let files = settings::files_in_force(&mut db.0).await.map_err(PageError::internal)?.files;
    let amounts = overview::amounts(&mut db.0).await?;
    let amount = |state: &str| {
        let found = amounts.iter().find(|one| one.state == state);
        let (files, bytes) = found.map_or((0, 0), |one| (one.files, one.bytes));
        Amount { files: words::grouped(files), count: files, bytes: words::size(bytes) }
    };
    let (free, reserve, disk_error, is_full) = match store.space().await {
        Ok(space) => {
            let shown = |bytes| words::size(i64::try_from(bytes).unwrap_or(i64::MAX));
            (shown(space.free), shown(space.reserve), None, space.free <= space.reserve)
        }
        Err(error) => (String::new(), String::new(), Some(error.to_string()), false),
    };
    let restarted = overview::restarted_since(&mut db.0, Utc::now() - RESTARTS_SHOWN).await?;
    let page = StorePage {
        restarted,
        choice: match (files.store, files.deferred) {
            (FileStore::Source, _) => "Files are not stored here; computers install from Microsoft Update.",
            (FileStore::Local, true) => "Files are fetched when an update is approved for installation.",
            (FileStore::Local, false) => "Files are fetched along with each synchronization.",
        },
        stored: amount("stored"),
        wanted: amount("wanted"),
        failed: amount("failed"),
        coming: lines(overview::missing(&mut db.0, "wanted").await?, zone),
        not_come: lines(overview::missing(&mut db.0, "failed").await?, zone),
        list_max: LIST_MAX,
        shell: reporter.shell,
        free,
        reserve,
        disk_error,
        is_full,
    };
    let reply = match wants {
        Wants::Page => Reply::ok(&page)?,
        Wants::Fragment => Reply::ok(&page.as_figures())?,
    };
    Ok(reply.header("Vary", "HX-Request"))
}

#[post("/content-store/retry")]
async fn retry(operator: Operator, mut db: Db) -> Result<Reply, PageError> {
    let count = wanted::retry_failed(&mut db.0).await?;
    let files = words::counted(count as i64, "file", "files");
    audit::record(&mut db.0, operator.shell.audit("content.retry", &files)).await?;
    Ok(Reply::SeeOther("/content-store".to_owned()))
}

fn lines(found: Vec<Missing>, zone: Tz) -> Vec<Line> {
    found
        .into_iter()
        .map(|one| Line {
            name: one.name,
            size: words::size(one.size),
            attempts: one.attempts,
            next_try: Moment::new(one.next_try, zone),
            why: one.last_error,
        })
        .collect()
}
