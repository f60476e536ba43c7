//! Starting and stopping a synchronization.

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::post;
use uuid::Uuid;

use crate::accounts::audit;
use crate::sync::once;
use crate::sync::runs::{self, Requested, Trigger};
use crate::web::submitted::{Form, NoFields};
use crate::web::{Db, Operator, PageError, Reply, Shell, Wants};

/// Asks for a run in the name of the person, and writes it down.
///
/// # Errors
/// [`PageError`] when the database fails.
pub async fn begin(conn: &mut AsyncPgConnection, shell: &Shell) -> Result<Requested, PageError> {
    begin_once(conn, shell, None).await
}

/// The same for a form with a one-time key: sent again, it leads to the run it asked for before.
///
/// # Errors
/// [`PageError`] when the database fails.
pub async fn begin_once(
    conn: &mut AsyncPgConnection,
    shell: &Shell,
    key: Option<Uuid>,
) -> Result<Requested, PageError> {
    let requested = match key {
        Some(key) => once::request(conn, key, Trigger::Manual, shell.actor()).await?,
        None => runs::request(conn, Trigger::Manual, shell.actor()).await?,
    };
    note_request(conn, shell, &requested).await?;
    Ok(requested)
}

async fn note_request(
    conn: &mut AsyncPgConnection,
    shell: &Shell,
    requested: &Requested,
) -> Result<(), PageError> {
    let object = format!("synchronization {}", requested.run_id);
    let action = if requested.joined { "synchronization.join" } else { "synchronization.start" };
    Ok(audit::record(conn, shell.audit(action, &object)).await?)
}

/// What a dialog says after the list of products was asked for.
#[derive(Template)]
#[template(path = "synchronizations/fetching.html")]
struct Fetching {
    run_id: i64,
    joined: bool,
}

/// Asks a run to stop in the name of the person, and writes it down. One that has ended is left alone.
///
/// # Errors
/// [`PageError`] when there is no such run, or the database fails.
pub async fn halt(conn: &mut AsyncPgConnection, shell: &Shell, run_id: i64) -> Result<(), PageError> {
    if runs::get(conn, run_id).await?.is_none() {
        return Err(PageError::NotFound { what: "synchronization" });
    }
    if runs::stop(conn, run_id, shell.actor()).await? {
        let object = format!("synchronization {run_id}");
        audit::record(conn, shell.audit("synchronization.stop", &object)).await?;
    }
    Ok(())
}

#[post("/synchronizations", data = "<_nothing>")]
pub(super) async fn start_run(
    operator: Operator,
    wants: Wants,
    mut db: Db,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let requested = begin(&mut db.0, &operator.shell).await?;
    Ok(go(wants, address(&requested)))
}

/// Asks for a run that brings products and classifications and no updates.
#[post("/synchronizations/categories", data = "<_nothing>")]
pub(super) async fn start_categories(
    operator: Operator,
    wants: Wants,
    mut db: Db,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let requested = runs::request_categories(&mut db.0, operator.shell.actor()).await?;
    note_request(&mut db.0, &operator.shell, &requested).await?;
    match wants {
        Wants::Page => Ok(Reply::SeeOther(address(&requested))),
        Wants::Fragment => Reply::ok(&Fetching { run_id: requested.run_id, joined: requested.joined }),
    }
}

/// The page of the run that was asked for; of one that was there already, with a word about that.
pub fn address(requested: &Requested) -> String {
    let joined = if requested.joined { "?joined=true" } else { "" };
    format!("/synchronizations/{}{joined}", requested.run_id)
}

#[post("/synchronizations/<id>/stop", data = "<_nothing>")]
pub(super) async fn stop_run(
    operator: Operator,
    wants: Wants,
    mut db: Db,
    id: i64,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    halt(&mut db.0, &operator.shell, id).await?;
    Ok(go(wants, format!("/synchronizations/{id}")))
}

fn go(wants: Wants, to: String) -> Reply {
    match wants {
        Wants::Page => Reply::SeeOther(to),
        Wants::Fragment => Reply::HxRedirect(to),
    }
}
