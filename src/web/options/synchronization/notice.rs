//! What the page tells once after a task: which panels were saved, which synchronization was begun.
//! A cookie carries it over the redirect, as numbers only.

use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use rocket::http::{Cookie, CookieJar, SameSite};

use super::ADDRESS;
use crate::settings::Panel;
use crate::sync::runs::{self, Requested};
use crate::web::PageError;
use crate::web::moment::Moment;

const COOKIE: &str = "weir-saved";

/// What happened, for `options/notice.html`.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    /// Headings of the panels that changed; `Some` and empty: nothing did.
    pub saved: Option<Vec<&'static str>>,
    /// More is selected than before, which the next synchronization fetches.
    pub selection: bool,
    pub run: Option<RunNotice>,
}

/// A synchronization that was asked for.
#[derive(Debug, Clone)]
pub struct RunNotice {
    pub id: i64,
    /// It was at work already.
    pub joined: bool,
    pub started_by: String,
    pub requested: Moment,
}

impl RunNotice {
    /// For people in `zone`.
    pub fn new(run: Requested, zone: Tz) -> Self {
        let requested = Moment::new(run.requested_at, zone);
        Self { id: run.run_id, joined: run.joined, started_by: run.started_by, requested }
    }

    /// What became of the request, in a sentence.
    pub fn title(&self) -> &'static str {
        if self.joined {
            "A synchronization is already running."
        } else {
            "The synchronization has been started."
        }
    }
}

/// Leaves the notice for the page that follows. `saved`: the panels that changed.
pub(super) fn leave(cookies: &CookieJar<'_>, saved: Option<&[Panel]>, run: Option<&RunNotice>) {
    let mut parts = Vec::new();
    if let Some(panels) = saved {
        let places = Panel::ALL.iter().enumerate().filter(|(_, panel)| panels.contains(panel));
        let numbers: String = places.map(|(place, _)| place.to_string()).collect();
        parts.push(format!("s{numbers}"));
    }
    if let Some(run) = run {
        parts.push(format!("{}{}", if run.joined { "j" } else { "r" }, run.id));
    }
    let cookie = Cookie::build((COOKIE, parts.join("-"))).path(ADDRESS).http_only(true);
    cookies.add(cookie.same_site(SameSite::Lax));
}

/// Takes the notice that was left, if there is one.
pub(super) async fn take(
    conn: &mut AsyncPgConnection,
    cookies: &CookieJar<'_>,
    zone: Tz,
) -> Result<Notice, PageError> {
    let mut notice = Notice::default();
    let Some(cookie) = cookies.get(COOKIE) else { return Ok(notice) };
    for part in cookie.value().split('-') {
        match part.split_at_checked(1) {
            Some(("s", numbers)) => {
                let named = |place: &usize| numbers.contains(&place.to_string());
                let places = (0..Panel::ALL.len()).filter(named);
                let panels: Vec<Panel> = places.map(|place| Panel::ALL[place]).collect();
                notice.selection = panels.contains(&Panel::Products);
                notice.saved = Some(panels.into_iter().map(Panel::title).collect());
            }
            Some((kind @ ("r" | "j"), id)) => {
                let Ok(id) = id.parse() else { continue };
                let run = runs::get(conn, id).await?;
                notice.run = run.map(|run| RunNotice {
                    id,
                    joined: kind == "j",
                    started_by: run.started_by.clone(),
                    requested: Moment::new(run.requested_at, zone),
                });
            }
            _ => {}
        }
    }
    cookies.remove(Cookie::build(COOKIE).path(ADDRESS));
    Ok(notice)
}
