//! Starting and stopping a synchronization.

use rocket::post;

use crate::accounts::audit;
use crate::sync::runs::{self, Trigger};
use crate::web::{Db, Operator, PageError, Reply, Wants};

#[post("/synchronizations")]
pub(super) async fn start_run(operator: Operator, wants: Wants, mut db: Db) -> Result<Reply, PageError> {
    let requested = runs::request(&mut db.0, Trigger::Manual, operator.shell.actor()).await?;
    let object = format!("synchronization {}", requested.run_id);
    let action = if requested.joined { "synchronization.join" } else { "synchronization.start" };
    audit::record(&mut db.0, operator.shell.audit(action, &object)).await?;
    let joined = if requested.joined { "?joined=true" } else { "" };
    Ok(go(wants, format!("/synchronizations/{}{joined}", requested.run_id)))
}

#[post("/synchronizations/<id>/stop")]
pub(super) async fn stop_run(
    operator: Operator,
    wants: Wants,
    mut db: Db,
    id: i64,
) -> Result<Reply, PageError> {
    if runs::get(&mut db.0, id).await?.is_none() {
        return Err(PageError::NotFound { what: "synchronization" });
    }
    if runs::stop(&mut db.0, id, operator.shell.actor()).await? {
        let object = format!("synchronization {id}");
        audit::record(&mut db.0, operator.shell.audit("synchronization.stop", &object)).await?;
    }
    Ok(go(wants, format!("/synchronizations/{id}")))
}

fn go(wants: Wants, to: String) -> Reply {
    match wants {
        Wants::Page => Reply::SeeOther(to),
        Wants::Fragment => Reply::HxRedirect(to),
    }
}
