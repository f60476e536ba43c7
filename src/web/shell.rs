//! The frame around every page: who is signed in, the navigation, the colours, the anti-forgery token.

use super::base::Base;
use super::moment::Moment;
use super::{Console, cookies, csrf, help, words};
pub use crate::accounts::display::Theme;
use crate::accounts::failures::{COUNT_MAX, Failures};
use crate::accounts::{self, Account, AccountError, Pool, Role, Session, audit};
use crate::db::{self, Reading};
use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use rocket::Request;
use std::net::IpAddr;
use uuid::Uuid;

/// What we know about the session of this request. Looked up once.
#[derive(Debug, Clone, Default)]
pub enum SessionState {
    /// No session: never signed in, signed out, over, or nobody looked (assets).
    #[default]
    None,
    /// Signed in.
    Live(Session),
    /// The database did not answer.
    Unknown,
}

/// The session of this request, from the database on the first call.
pub async fn session_state<'r>(request: &'r Request<'_>) -> &'r SessionState {
    request.local_cache_async(look_up(request)).await
}

/// The session if it was looked up already. Never asks the database.
pub fn session_state_if_known<'r>(request: &'r Request<'_>) -> &'r SessionState {
    request.local_cache(SessionState::default)
}

/// The session of a token.
struct SessionOf<'a>(&'a str);

impl Reading for SessionOf<'_> {
    type Answer = Option<Session>;
    type Error = AccountError;

    async fn read(&self, conn: &mut AsyncPgConnection) -> Result<Option<Session>, AccountError> {
        accounts::session_of(conn, self.0).await
    }
}

async fn look_up(request: &Request<'_>) -> SessionState {
    let Some(token) = cookies::session_token(request) else { return SessionState::None };
    let Some(pool) = request.rocket().state::<Pool>() else { return SessionState::Unknown };
    let found = match db::first_read(pool, &SessionOf(&token)).await {
        Ok((_, found)) => found,
        Err(error) => {
            tracing::warn!(%error, request = request_id(request), "no database connection to look up a session");
            return SessionState::Unknown;
        }
    };
    match found {
        Ok(Some(session)) => SessionState::Live(session),
        Ok(None) => SessionState::None,
        Err(error) => {
            let request = request_id(request);
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                request,
                "a session could not be looked up"
            );
            SessionState::Unknown
        }
    }
}

/// Names one request in answers, log and audit.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The id of this request, made on the first call.
pub fn request_id<'r>(request: &'r Request<'_>) -> &'r str {
    &request.local_cache(|| RequestId(Uuid::now_v7().simple().to_string())).0
}

/// The first part of the addresses that end with a secret: the link with which a password is set.
const SECRET_BELOW: &str = "set-password";

/// The path of this request for log and audit: one that holds the token of a link is shown without it. Read as the
/// router reads it, so that neither `%73et-password` nor an empty part hides the token from us.
pub fn shown_path(request: &Request<'_>) -> String {
    let path = request.uri().path();
    let is_secret = path.segments().any(|part| part.eq_ignore_ascii_case(SECRET_BELOW));
    if is_secret { format!("/{SECRET_BELOW}/…") } else { path.to_string() }
}

/// The notice of failed attempts to sign in.
#[derive(Debug, Clone)]
pub struct FailedView {
    /// `3 failed attempts to sign in with your name`.
    pub title: String,
    pub first: Moment,
    pub last: Moment,
    pub peer: String,
    pub is_one: bool,
}

impl FailedView {
    fn new(failed: &Failures, zone: Tz) -> Self {
        let count = i64::from(failed.count);
        let most = if count >= COUNT_MAX { "At least " } else { "" };
        let attempts = words::counted(count, "failed attempt", "failed attempts");
        Self {
            title: format!("{most}{attempts} to sign in with your name"),
            first: Moment::new(failed.first_at, zone),
            last: Moment::new(failed.last.at, zone),
            peer: failed.last.peer.clone(),
            is_one: count == 1,
        }
    }
}

/// One entry of the main navigation.
#[derive(Debug, Clone)]
pub struct NavItem {
    pub href: &'static str,
    pub label: &'static str,
    /// `page`, `true` (a page below it) or empty: the value of `aria-current`.
    pub current: &'static str,
}

/// Everything `layout.html` needs. Page templates carry it as the field `shell`.
#[derive(Debug, Clone)]
pub struct Shell {
    /// `None` on the sign-in page and on errors for strangers.
    pub account: Option<Account>,
    pub nav: Vec<NavItem>,
    /// Value of the hidden field `csrf`, which must be the first of each form; empty when signed out.
    pub csrf: String,
    pub theme: Theme,
    /// The zone in which this person sees times.
    pub zone: Tz,
    /// Failed attempts to sign in as this person that nobody has seen yet.
    pub failed: Option<FailedView>,
    /// The help page that fits this page.
    pub help: &'static str,
    /// This page's path, for coming back after a change of colours.
    pub path: String,
    /// What the browser's addresses begin with, for one that is shown as text.
    pub base: Base,
    /// Passwords travel readable: no TLS, and the browser is not on this machine.
    pub insecure: bool,
    /// The peer's own address, for the audit log; empty when unknown.
    pub peer: String,
    /// See [`request_id`].
    pub request_id: String,
}

impl Shell {
    /// The frame for a session that was looked up, or for a stranger.
    pub fn of(request: &Request<'_>, state: &SessionState) -> Self {
        let session = match state {
            SessionState::Live(session) => Some(session),
            SessionState::None | SessionState::Unknown => None,
        };
        let path = request.uri().path().to_string();
        let secure = Console::of(request).secure;
        let peer = peer(request);
        let zone = session.map_or(Tz::UTC, |session| session.zone);
        Self {
            nav: session.map(|session| nav(&path, session.account.role)).unwrap_or_default(),
            csrf: session.map(|session| csrf::token(&session.csrf_secret)).unwrap_or_default(),
            account: session.map(|session| session.account.clone()),
            theme: session
                .and_then(|session| session.display.theme)
                .or_else(|| {
                    cookies::only(request, cookies::theme_name(&Console::of(request)))
                        .map(|text| Theme::of(&text))
                })
                .unwrap_or(Theme::System),
            zone,
            failed: session
                .and_then(|session| session.failed.as_ref())
                .map(|failed| FailedView::new(failed, zone)),
            help: help::for_page(&path),
            path,
            base: Base::of(request),
            insecure: !secure && peer.is_some_and(|ip| !ip.to_canonical().is_loopback()),
            peer: peer.map(|ip| ip.to_string()).unwrap_or_default(),
            request_id: request_id(request).to_owned(),
        }
    }

    /// Whether the person may start and stop synchronizations.
    pub fn can_operate(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.role >= Role::Operator)
    }

    /// Whether the person may change settings.
    pub fn can_administer(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.role >= Role::Administrator)
    }

    /// The name for "started by" and "saved by"; empty for a stranger.
    pub fn actor(&self) -> &str {
        self.account.as_ref().map_or("", |account| account.name.as_str())
    }

    /// A line of the audit log with everything about the person and the request filled in.
    pub fn audit<'a>(&'a self, action: &'a str, object: &'a str) -> audit::Entry<'a> {
        audit::Entry {
            actor: self.actor(),
            account_id: self.account.as_ref().map(|account| account.id),
            peer: &self.peer,
            action,
            object,
            before: None,
            after: None,
            request_id: &self.request_id,
        }
    }
}

/// Who asks: the peer, or whom a trusted proxy names (see [`crate::listen::Arrival`]).
pub fn peer(request: &Request<'_>) -> Option<IpAddr> {
    request.remote().map(|address| address.ip())
}

/// The pages that exist, in order, and the role that may open them.
const NAV: [(&str, &str, Role); 8] = [
    ("/", "Home", Role::Reporter),
    ("/updates", "Updates", Role::Reporter),
    ("/synchronizations", "Synchronizations", Role::Reporter),
    ("/content-store", "Content store", Role::Reporter),
    ("/reports", "Reports", Role::Reporter),
    ("/options", "Options", Role::Reporter),
    ("/users", "Users", Role::Administrator),
    ("/audit", "Audit", Role::Administrator),
];

fn nav(path: &str, role: Role) -> Vec<NavItem> {
    NAV.iter()
        .filter(|(_, _, least)| role >= *least)
        .map(|&(href, label, _)| {
            let below = path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
            let current = match path {
                _ if path == href => "page",
                "/synchronize" if href == "/synchronizations" => "true",
                "/jobs" | "/instances" if href == "/options" => "true",
                _ if below => "true",
                _ => "",
            };
            NavItem { href, label, current }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(path: &str) -> Vec<(&'static str, &'static str)> {
        nav(path, Role::Administrator)
            .into_iter()
            .filter(|item| !item.current.is_empty())
            .map(|i| (i.label, i.current))
            .collect()
    }

    #[test]
    fn the_navigation_marks_where_you_are() {
        assert_eq!(current("/"), [("Home", "page")]);
        assert_eq!(current("/options/synchronization"), [("Options", "true")]);
        assert_eq!(current("/synchronize"), [("Synchronizations", "true")]);
        assert_eq!(current("/users/7"), [("Users", "true")]);
        assert_eq!(nav("/", Role::Operator).len(), 6);
        assert_eq!(current("/jobs"), [("Options", "true")]);
        assert_eq!(current("/updates"), [("Updates", "page")]);
        assert!(current("/updatesx").is_empty());
    }
}
