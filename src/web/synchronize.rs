//! The page to bookmark: what will be asked of whom, the last result, and the button. Opening it starts nothing.

use askama::Template;
use chrono::{TimeDelta, Utc};
use rocket::{Route, get, routes};

use super::synchronizations::{RunView, StatusBox, options};
use super::{Db, PageError, Reply, Reporter, Shell};
use crate::settings::{CategoryKind, SourceKind};
use crate::sync::runs;

pub(super) fn routes() -> Vec<Route> {
    routes![show_synchronize]
}

#[derive(Template)]
#[template(path = "synchronize.html")]
struct SynchronizePage {
    shell: Shell,
    status: StatusBox,
    source: String,
    ssl: bool,
    products: usize,
    classifications: usize,
    /// A sentence that says what is missing, or empty.
    trouble: &'static str,
    /// A run ended less than a minute ago.
    again: bool,
    /// The run at work, for the live part.
    run: Option<RunView>,
    can_operate: bool,
}

#[get("/synchronize")]
async fn show_synchronize(reporter: Reporter, mut db: Db) -> Result<Reply, PageError> {
    let options = options(&mut db.0).await?;
    let products = options.selected(CategoryKind::Product).count();
    let classifications = options.selected(CategoryKind::Classification).count();
    let trouble = if options.source.kind == SourceKind::Upstream && options.source.server.is_empty() {
        "No upstream server is named yet."
    } else if products == 0 {
        "No product is chosen yet."
    } else if classifications == 0 {
        "No classification is chosen yet."
    } else {
        ""
    };
    let ended = runs::last_finished(&mut db.0).await?.and_then(|run| run.finished_at);
    let status = StatusBox::load(&mut db.0).await?;
    let page = SynchronizePage {
        run: status.active.clone(),
        status,
        source: options.source.shown(),
        ssl: options.source.ssl || options.source.kind == SourceKind::MicrosoftUpdate,
        products,
        classifications,
        trouble,
        again: ended.is_some_and(|at| Utc::now() - at < TimeDelta::minutes(1)),
        can_operate: reporter.shell.can_operate(),
        shell: reporter.shell,
    };
    Reply::ok(&page)
}
