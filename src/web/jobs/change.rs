//! Canceling a job and trying one again.

use diesel_async::AsyncPgConnection;
use rocket::post;

use super::view::run_of;
use crate::accounts::audit;
use crate::jobs::{self, JobRow};
use crate::web::submitted::{Form, NoFields};
use crate::web::synchronizations::{begin, halt};
use crate::web::{Db, Operator, PageError, Reply, Wants};

#[post("/jobs/<id>/cancel", data = "<_nothing>")]
pub(super) async fn cancel_job(
    operator: Operator,
    wants: Wants,
    mut db: Db,
    id: i64,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let job = find(&mut db.0, id).await?;
    match run_of(&job) {
        // A synchronization keeps its own story of being stopped.
        Some(run_id) => halt(&mut db.0, &operator.shell, run_id).await?,
        None => {
            if jobs::cancel(&mut db.0, id).await? {
                let object = format!("job {id}");
                audit::record(&mut db.0, operator.shell.audit("job.cancel", &object)).await?;
            }
        }
    }
    Ok(back(wants))
}

#[post("/jobs/<id>/retry", data = "<_nothing>")]
pub(super) async fn retry_job(
    operator: Operator,
    wants: Wants,
    mut db: Db,
    id: i64,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let job = find(&mut db.0, id).await?;
    if run_of(&job).is_some() {
        begin(&mut db.0, &operator.shell).await?;
    } else if jobs::retry(&mut db.0, id).await?.is_some() {
        let object = format!("job {id}");
        audit::record(&mut db.0, operator.shell.audit("job.retry", &object)).await?;
    } else {
        return Err(PageError::Conflict("This job did not fail, so it cannot be tried again.".to_owned()));
    }
    Ok(back(wants))
}

async fn find(conn: &mut AsyncPgConnection, id: i64) -> Result<JobRow, PageError> {
    jobs::find_job(conn, id).await?.ok_or(PageError::NotFound { what: "job" })
}

fn back(wants: Wants) -> Reply {
    match wants {
        Wants::Page => Reply::SeeOther("/jobs".to_owned()),
        Wants::Fragment => Reply::HxRedirect("/jobs".to_owned()),
    }
}
