//! Server-sent events that draw a part of a page anew whenever it changed.

use std::future::Future;
use std::time::Duration;

use rocket::Shutdown;
use rocket::futures::Stream;
use rocket::http::Header;
use rocket::response::stream::{Event, EventStream};

use super::Db;
use super::base::Base;
use crate::accounts::sessions;

/// Between two looks; an event is sent only when something changed.
const LOOK_EVERY: Duration = Duration::from_millis(600);
/// A sign of life when nothing changed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream with the headers that keep proxies from holding it back.
#[derive(rocket::Responder)]
pub struct Live<S> {
    stream: S,
    unbuffered: Header<'static>,
    cache: Header<'static>,
}

impl<S> Live<S> {
    /// Sends `stream` as it comes.
    pub fn new(stream: S) -> Self {
        let unbuffered = Header::new("X-Accel-Buffering", "no");
        Self { stream, unbuffered, cache: Header::new("Cache-Control", "no-store") }
    }
}

/// What a look found.
pub struct Seen {
    /// The part of the page as it is now.
    pub html: String,
    /// Nothing more will change: the stream ends with the event `done`.
    pub is_over: bool,
}

impl Seen {
    /// There is nothing to show any more.
    pub fn end() -> Self {
        Self { html: String::new(), is_over: true }
    }
}

/// Whether the session that opened a stream has ended meanwhile: the stream then ends too, and what the page asks
/// next leads to the sign-in page. `None`: that cannot be told at this moment.
pub async fn signed_out(db: &mut Db, token: Option<&str>) -> Option<bool> {
    match token {
        Some(token) => sessions::is_live(&mut db.0, token).await.ok().map(|live| !live),
        None => Some(true),
    }
}

/// Sends what `look` finds until it is over or the server stops. A look that answers `None` could not be taken at
/// this moment, and the next one is.
pub fn follow<F, Looking>(
    mut end: Shutdown,
    base: Base,
    look: F,
) -> Live<EventStream<impl Stream<Item = Event> + Send + 'static>>
where
    F: Fn() -> Looking + Send + 'static,
    Looking: Future<Output = Option<Seen>> + Send + 'static,
{
    let stream = EventStream! {
        let mut sent = String::new();
        let mut count: u64 = 0;
        loop {
            match look().await {
                Some(Seen { html, is_over }) => {
                    if html != sent {
                        count += 1;
                        yield Event::data(base.add(html.clone())).id(count.to_string()).with_retry(Duration::from_secs(2));
                        sent = html;
                    }
                    if is_over {
                        yield Event::data("end").event("done");
                        break;
                    }
                }
                None => yield Event::comment("waiting for the database"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = &mut end => break,
            }
        }
    };
    Live::new(stream.heartbeat(HEARTBEAT))
}
