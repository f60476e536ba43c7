//! Home: what needs a person first, and how the last synchronization went.

use super::shell::Shell;
use super::{PageError, Reply, Reporter};
use askama::Template;
use rocket::{Route, get, routes};

pub(super) fn routes() -> Vec<Route> {
    routes![show_home]
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
}

#[get("/")]
fn show_home(reporter: Reporter) -> Result<Reply, PageError> {
    Reply::ok(&HomePage { shell: reporter.shell })
}
