//! `GET /healthz`, on both listeners: does this server work?

use std::time::Duration;

use diesel_async::RunQueryDsl as _;
use rocket::http::Status;
use rocket::{Route, State, get, routes};

use crate::db::Pool;

/// Longest wait for the database; a watcher gives up soon after.
const WAIT: Duration = Duration::from_secs(3);

const NO_DATABASE: &str = "The database does not answer.\n";

/// Needs a managed [`Pool`] and no session.
pub fn routes() -> Vec<Route> {
    routes![show_health]
}

#[get("/healthz")]
async fn show_health(pool: &State<Pool>) -> (Status, &'static str) {
    match tokio::time::timeout(WAIT, database_answers(pool)).await {
        Ok(true) => (Status::Ok, "ok\n"),
        Ok(false) | Err(_) => (Status::ServiceUnavailable, NO_DATABASE),
    }
}

async fn database_answers(pool: &Pool) -> bool {
    let Ok(mut conn) = pool.get().await else { return false };
    diesel::sql_query("SELECT 1").execute(&mut conn).await.is_ok()
}
