//! The live stream of a run: the whole changing part of the page in each event.

use askama::Template;
use rocket::response::stream::{Event, EventStream};
use rocket::{Shutdown, State, get};

use super::one::LiveFragment;
use crate::db::Pool;
use crate::web::base::Base;
use crate::web::live::{Live, Seen, follow, signed_out};
use crate::web::login::Visitor;
use crate::web::{Db, PageError, Reporter, Shell};

#[get("/synchronizations/<id>/events")]
pub(super) async fn stream_events(
    reporter: Reporter,
    visitor: Visitor,
    id: i64,
    pool: &State<Pool>,
    base: Base,
    end: Shutdown,
) -> Result<Live<EventStream![Event]>, PageError> {
    let (pool, shell) = (pool.inner().clone(), reporter.shell);
    Ok(follow(end, base, move || {
        let (pool, shell, token) = (pool.clone(), shell.clone(), visitor.token.clone());
        async move { look(&pool, id, &shell, token.as_deref()).await }
    }))
}

/// The fragment now; `None` when it cannot be told at this moment.
async fn look(pool: &Pool, id: i64, shell: &Shell, token: Option<&str>) -> Option<Seen> {
    let mut db = Db::borrow(pool).await.ok()?;
    if signed_out(&mut db, token).await? {
        return Some(Seen::end());
    }
    let live = LiveFragment::load(&mut db.0, id, shell).await.ok()?;
    let Some(live) = live else { return Some(Seen::end()) };
    let html = live.render().inspect_err(|error| tracing::error!(%error, "progress cannot be drawn")).ok()?;
    Some(Seen { html, is_over: !live.run.is_active })
}
