//! The live stream of a run: the whole changing part of the page in each event.

use askama::Template;
use rocket::response::stream::{Event, EventStream};
use rocket::{Shutdown, State, get};

use super::one::LiveFragment;
use crate::db::Pool;
use crate::web::live::{Live, Seen, follow};
use crate::web::{Db, PageError, Reporter, Shell};

#[get("/synchronizations/<id>/events")]
pub(super) async fn stream_events(
    reporter: Reporter,
    id: i64,
    pool: &State<Pool>,
    end: Shutdown,
) -> Result<Live<EventStream![Event]>, PageError> {
    let (pool, shell) = (pool.inner().clone(), reporter.shell);
    Ok(follow(end, move || {
        let (pool, shell) = (pool.clone(), shell.clone());
        async move { look(&pool, id, &shell).await }
    }))
}

/// The fragment now; `None` when it cannot be told at this moment.
async fn look(pool: &Pool, id: i64, shell: &Shell) -> Option<Seen> {
    let mut db = Db::borrow(pool).await.ok()?;
    let live = LiveFragment::load(&mut db.0, id, shell).await.ok()?;
    let Some(live) = live else { return Some(Seen { html: String::new(), is_over: true }) };
    let html = live.render().inspect_err(|error| tracing::error!(%error, "progress cannot be drawn")).ok()?;
    Some(Seen { html, is_over: !live.run.is_active })
}
