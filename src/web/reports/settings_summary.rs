//! `/reports/settings-summary`: how this server is set up. Secrets never appear.

use askama::Template;
use rocket::{Route, get, routes};

use crate::reports::settings::{self, Part};
use crate::web::download::{Download, Form};
use crate::web::{Db, PageError, Reply, Reporter, Shell};

const NAME: &str = "settings-summary";

pub(super) fn routes() -> Vec<Route> {
    routes![show_summary, download_summary]
}

#[derive(Template)]
#[template(path = "reports/settings_summary.html")]
struct SummaryPage {
    shell: Shell,
    parts: Vec<Part>,
}

#[get("/reports/settings-summary")]
async fn show_summary(reporter: Reporter, mut db: Db) -> Result<Reply, PageError> {
    let parts = settings::summary(&mut db.0).await?;
    Reply::ok(&SummaryPage { shell: reporter.shell, parts })
}

#[get("/reports/settings-summary/<file>")]
async fn download_summary(_reporter: Reporter, mut db: Db, file: &str) -> Result<Download, PageError> {
    let form = Form::of_file(file, NAME)?;
    let parts = settings::summary(&mut db.0).await?;
    if form == Form::Json {
        return Download::json(file, &serde_json::json!({ "report": "Settings Summary", "parts": parts }));
    }
    let head = ["Part", "Setting", "Value"].map(str::to_owned).to_vec();
    let rows = parts.into_iter().flat_map(|part| {
        let Part { title, lines } = part;
        lines.into_iter().map(move |line| vec![title.to_owned(), line.setting, line.value])
    });
    Ok(Download::csv(file, std::iter::once(head).chain(rows)))
}
