//! `/updates/views`: filters that a person keeps under a name.

use rocket::form::FromForm;
use rocket::{Route, post, routes};

use super::way_back;
use crate::accounts::views::{self, ViewError};
use crate::web::submitted::Form;
use crate::web::{Db, PageError, Reply, Reporter};

pub(super) fn routes() -> Vec<Route> {
    routes![save_view, remove_view]
}

#[derive(FromForm)]
struct ViewForm<'r> {
    #[field(default = "")]
    name: &'r str,
    /// The filter: the part of the address after the question mark.
    #[field(default = "")]
    query: &'r str,
}

#[post("/updates/views", data = "<form>")]
async fn save_view(reporter: Reporter, mut db: Db, form: Form<ViewForm<'_>>) -> Result<Reply, PageError> {
    let back = back(form.query);
    // Only what could be an address of the list is kept.
    let query = back.split_once('?').map_or("", |(_, query)| query);
    views::save(&mut db.0, reporter.account.id, form.name, query).await?;
    Ok(Reply::SeeOther(back))
}

#[post("/updates/views/remove", data = "<form>")]
async fn remove_view(reporter: Reporter, mut db: Db, form: Form<ViewForm<'_>>) -> Result<Reply, PageError> {
    views::remove(&mut db.0, reporter.account.id, form.name).await?;
    Ok(Reply::SeeOther(back(form.query)))
}

fn back(query: &str) -> String {
    match query {
        "" => "/updates".to_owned(),
        query => way_back(&format!("/updates?{query}")).to_owned(),
    }
}

impl From<ViewError> for PageError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Database(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}
