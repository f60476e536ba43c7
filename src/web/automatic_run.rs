//! `/options/automatic-approval/run`: the rules over updates that are here already, shown first, then done.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, get, post, routes};
use uuid::Uuid;

use super::{Administrator, Db, PageError, Reply, Shell, words};
use crate::approvals::rules;
use crate::approvals::run_now::{self, Fit};
use crate::web::submitted::Form;

/// Updates named in each list; the rest is counted.
const TITLES_MAX: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    routes![show_outlook, run_rules]
}

#[derive(Template)]
#[template(path = "options/run_rules.html")]
struct OutlookPage {
    shell: Shell,
    version: i64,
    lists: Vec<List>,
    /// Nothing would change.
    idle: bool,
}

/// What one rule would do.
struct List {
    id: &'static str,
    heading: String,
    updates: Vec<(Uuid, String)>,
    more: usize,
}

impl List {
    fn new(id: &'static str, words: &str, fits: Vec<Fit>) -> Self {
        Self {
            id,
            heading: format!("{words}: {}", words::counted(fits.len() as i64, "update", "updates")),
            more: fits.len().saturating_sub(TITLES_MAX),
            updates: fits.into_iter().take(TITLES_MAX).map(|fit| (fit.update_id, fit.title)).collect(),
        }
    }
}

#[get("/options/automatic-approval/run")]
async fn show_outlook(administrator: Administrator, mut db: Db) -> Result<Reply, PageError> {
    let version = rules::load(&mut db.0).await?.version;
    let outlook = run_now::outlook(&mut db.0).await?;
    let idle = outlook.install.is_empty() && outlook.detect.is_empty();
    let mut lists = vec![
        List::new("install", "Approve for installation", outlook.install),
        List::new("detect", "Approve for detection", outlook.detect),
    ];
    if !outlook.waiting.is_empty() {
        lists.push(List::new("waiting", "Wait for their license terms to be accepted", outlook.waiting));
    }
    Reply::ok(&OutlookPage { shell: administrator.shell, version, lists, idle })
}

#[derive(FromForm)]
struct RunForm {
    version: i64,
}

#[post("/options/automatic-approval/run", data = "<form>")]
async fn run_rules(
    administrator: Administrator,
    mut db: Db,
    form: Form<RunForm>,
) -> Result<Reply, PageError> {
    let count = run_now::run(&mut db.0, form.version, administrator.shell.audit("", "")).await?;
    Ok(Reply::SeeOther(updates_done(count)))
}

fn updates_done(count: usize) -> String {
    format!("/updates?done=approved-{}", u32::try_from(count).unwrap_or(u32::MAX))
}
