//! The list of runs, newest first.

use askama::Template;
use chrono::Utc;
use rocket::get;

use super::RunView;
use crate::sync::runs;
use crate::web::{Db, PageError, Reply, Reporter, Shell};

/// Runs on one page.
const PAGE_SIZE: i64 = 25;

#[derive(Template)]
#[template(path = "synchronizations/list.html")]
struct RunsPage {
    shell: Shell,
    runs: Vec<RunView>,
    is_active: bool,
    /// Address of the first page, or empty.
    newer: &'static str,
    /// Address of the next page, or empty.
    older: String,
    /// This is not the first page.
    is_later: bool,
}

#[get("/synchronizations?<before>")]
pub(super) async fn show_runs(
    reporter: Reporter,
    mut db: Db,
    before: Option<i64>,
) -> Result<Reply, PageError> {
    let zone = reporter.shell.zone;
    let mut rows = runs::list(&mut db.0, before, PAGE_SIZE + 1).await?;
    let has_more = rows.len() as i64 > PAGE_SIZE;
    rows.truncate(PAGE_SIZE as usize);
    let older = match rows.last() {
        Some(last) if has_more => format!("/synchronizations?before={}", last.id),
        _ => String::new(),
    };
    let is_later = before.is_some();
    let newer = if is_later { "/synchronizations" } else { "" };
    let now = Utc::now();
    let is_active = runs::active(&mut db.0).await?.is_some();
    let runs = rows.iter().map(|run| RunView::new(run, zone, now)).collect();
    Reply::ok(&RunsPage { shell: reporter.shell, runs, is_active, newer, older, is_later })
}
