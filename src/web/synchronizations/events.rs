//! The live stream of a run: the whole changing part of the page in each event.

use std::time::Duration;

use askama::Template;
use rocket::http::Header;
use rocket::response::stream::{Event, EventStream};
use rocket::{Shutdown, State, get};

use super::one::LiveFragment;
use super::options;
use crate::db::Pool;
use crate::web::{Db, PageError, Reporter, Shell};

/// Between two looks at the run; an event is sent only when something changed.
const LOOK_EVERY: Duration = Duration::from_millis(600);
/// A sign of life when nothing changed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The stream with the headers that keep proxies from holding it back.
#[derive(rocket::Responder)]
pub(super) struct Live<S> {
    stream: S,
    unbuffered: Header<'static>,
    cache: Header<'static>,
}

#[get("/synchronizations/<id>/events")]
pub(super) async fn stream_events(
    reporter: Reporter,
    id: i64,
    pool: &State<Pool>,
    mut end: Shutdown,
) -> Result<Live<EventStream![Event]>, PageError> {
    let (pool, shell) = (pool.inner().clone(), reporter.shell);
    let mut first = Db::borrow(&pool).await?;
    let zone = options(&mut first.0).await?.schedule.time_zone;
    drop(first);
    let stream = EventStream! {
        let mut sent = String::new();
        let mut count: u64 = 0;
        loop {
            match look(&pool, id, zone, &shell).await {
                Some((html, is_active)) => {
                    if html != sent {
                        count += 1;
                        yield Event::data(html.clone()).id(count.to_string()).with_retry(Duration::from_secs(2));
                        sent = html;
                    }
                    if !is_active {
                        yield Event::data("end").event("done");
                        break;
                    }
                }
                None => {
                    yield Event::comment("waiting for the database");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = &mut end => break,
            }
        }
    };
    Ok(Live {
        stream: stream.heartbeat(HEARTBEAT),
        unbuffered: Header::new("X-Accel-Buffering", "no"),
        cache: Header::new("Cache-Control", "no-store"),
    })
}

/// The fragment now, and whether the run is at work; `None` when it cannot be told at this moment.
async fn look(pool: &Pool, id: i64, zone: chrono_tz::Tz, shell: &Shell) -> Option<(String, bool)> {
    let mut db = Db::borrow(pool).await.ok()?;
    let live = LiveFragment::load(&mut db.0, id, zone, shell).await.ok()?;
    let Some(live) = live else { return Some((String::new(), false)) };
    let html = live.render().inspect_err(|error| tracing::error!(%error, "progress cannot be drawn")).ok()?;
    Some((html, live.run.is_active))
}
