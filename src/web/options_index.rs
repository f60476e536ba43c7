//! The list of option pages.

use super::shell::Shell;
use super::{PageError, Reply, Reporter};
use askama::Template;
use rocket::{Route, get, routes};

pub(super) fn routes() -> Vec<Route> {
    routes![show_options]
}

#[derive(Template)]
#[template(path = "options/index.html")]
struct OptionsPage {
    shell: Shell,
}

#[get("/options")]
fn show_options(reporter: Reporter) -> Result<Reply, PageError> {
    Reply::ok(&OptionsPage { shell: reporter.shell })
}
