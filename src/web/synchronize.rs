//! The page to bookmark: what will be asked of whom, the last result, and the button. Opening it starts nothing.

use askama::Template;
use chrono::{TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use uuid::Uuid;

use super::synchronizations::{self, LiveFragment, StatusBox, options};
use super::{Db, Operator, PageError, Reply, Reporter, Shell, words};
use crate::settings::{CategoryKind, SourceKind, SyncOptions};
use crate::web::submitted::Form;

/// For so long after a run the button says that it is about another one.
const AGAIN_FOR: TimeDelta = TimeDelta::minutes(1);

pub(super) fn routes() -> Vec<Route> {
    routes![show_synchronize, synchronize]
}

#[derive(Template)]
#[template(path = "synchronize.html")]
struct SynchronizePage {
    shell: Shell,
    status: StatusBox,
    /// The run at work as its own page shows it: number, who began it and when, and the part that changes.
    running: Option<Running>,
    source: String,
    ssl: bool,
    /// `3 product selections, 2 classifications`.
    selection: String,
    /// A sentence that says what is missing, or empty.
    trouble: &'static str,
    /// A run ended less than a minute ago.
    again: bool,
    /// One-time key of the form.
    key: Uuid,
    can_operate: bool,
}

struct Running {
    run_id: i64,
    started_by: String,
    since: String,
    live: LiveFragment,
}

impl SynchronizePage {
    async fn load(conn: &mut AsyncPgConnection, shell: Shell) -> Result<Self, PageError> {
        let options = options(conn).await?;
        let status = StatusBox::load(conn, shell.zone).await?;
        let running = match &status.active {
            None => None,
            Some(run) => LiveFragment::load(conn, run.id, &shell).await?.map(|live| Running {
                run_id: run.id,
                started_by: run.started_by.clone(),
                since: run.requested.shown.clone(),
                live,
            }),
        };
        let ended = crate::sync::runs::last_finished(conn).await?.and_then(|run| run.finished_at);
        Ok(Self {
            running,
            status,
            source: options.source.shown(),
            ssl: options.source.ssl || options.source.kind == SourceKind::MicrosoftUpdate,
            selection: selection(&options),
            trouble: trouble(&options),
            again: ended.is_some_and(|at| Utc::now() - at < AGAIN_FOR),
            key: Uuid::new_v4(),
            can_operate: shell.can_operate(),
            shell,
        })
    }
}

/// What keeps a run from being of use; empty when nothing does.
fn trouble(options: &SyncOptions) -> &'static str {
    let none = |kind| options.selected(kind).next().is_none();
    if options.source.kind == SourceKind::Upstream && options.source.server.is_empty() {
        "No upstream server is named yet."
    } else if options.replica {
        ""
    } else if none(CategoryKind::Product) {
        "No product is chosen yet."
    } else if none(CategoryKind::Classification) {
        "No classification is chosen yet."
    } else {
        ""
    }
}

fn selection(options: &SyncOptions) -> String {
    if options.replica {
        return "everything it has, because this server is its replica".to_owned();
    }
    let count = |kind| options.selected(kind).count() as i64;
    let products = words::counted(count(CategoryKind::Product), "product selection", "product selections");
    let classifications =
        words::counted(count(CategoryKind::Classification), "classification", "classifications");
    format!("{products}, {classifications}")
}

#[get("/synchronize")]
async fn show_synchronize(reporter: Reporter, mut db: Db) -> Result<Reply, PageError> {
    Reply::ok(&SynchronizePage::load(&mut db.0, reporter.shell).await?)
}

#[derive(FromForm)]
struct KeyForm {
    /// A key that cannot be read counts as none.
    key: Option<String>,
}

#[post("/synchronize", data = "<form>")]
async fn synchronize(operator: Operator, mut db: Db, form: Form<KeyForm>) -> Result<Reply, PageError> {
    let key = form.key.as_deref().and_then(|text| Uuid::parse_str(text).ok());
    if !trouble(&options(&mut db.0).await?).is_empty() {
        let page = SynchronizePage::load(&mut db.0, operator.shell).await?;
        return Reply::with(Status::UnprocessableEntity, &page);
    }
    let requested = synchronizations::begin_once(&mut db.0, &operator.shell, key).await?;
    Ok(Reply::SeeOther(synchronizations::address(&requested)))
}
