//! Home: what needs a person first, and how the last synchronization went.

use super::shell::Shell;
use super::synchronizations::StatusBox;
use super::{Db, PageError, Reply, Reporter};
use askama::Template;
use rocket::{Route, get, routes};

pub(super) fn routes() -> Vec<Route> {
    routes![show_home]
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
    status: StatusBox,
}

#[get("/")]
async fn show_home(reporter: Reporter, mut db: Db) -> Result<Reply, PageError> {
    let status = StatusBox::load(&mut db.0).await?;
    Reply::ok(&HomePage { shell: reporter.shell, status })
}
