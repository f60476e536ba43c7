//! Who may call a route. Every route takes one of these; a test walks all routes with every role and none.

use super::shell::{self, SessionState, Shell};
use crate::accounts::{Account, Pool, Role, audit};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::bb8::{PooledConnection, RunError};
use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use serde_json::Value;

/// Anyone who may read: every role. Carries the frame of the page.
pub struct Reporter {
    pub account: Account,
    pub shell: Shell,
}

/// An operator or an administrator.
pub struct Operator {
    pub account: Account,
    pub shell: Shell,
}

/// An administrator.
pub struct Administrator {
    pub account: Account,
    pub shell: Shell,
}

/// Everyone, signed in or not: the explicit "no rule" of the few pages that need none.
pub struct Anyone {
    pub shell: Shell,
}

async fn admit(request: &Request<'_>, least: Role) -> Result<(Account, Shell), Status> {
    let state = shell::session_state(request).await;
    match state {
        SessionState::Live(session) if session.account.role >= least => {
            Ok((session.account.clone(), Shell::of(request, state)))
        }
        SessionState::Live(session) => {
            let (path, number) = (shell::shown_path(request), shell::request_id(request));
            tracing::info!(account = session.account.name, %path, request = number, "not enough rights");
            note_refusal(request, "access.refused", None).await;
            Err(Status::Forbidden)
        }
        SessionState::None => Err(Status::Unauthorized),
        SessionState::Unknown => Err(Status::ServiceUnavailable),
    }
}

/// Writes a refusal to the audit log. That it cannot be written does not let anyone in.
pub(super) async fn note_refusal(request: &Request<'_>, action: &str, why: Option<Value>) {
    let shell = Shell::of(request, shell::session_state(request).await);
    let Some(pool) = request.rocket().state::<Pool>() else { return };
    let object = format!("{} {}", request.method(), shell::shown_path(request));
    let written = match pool.get().await {
        Ok(mut conn) => audit::record(&mut conn, audit::Entry { after: why, ..shell.audit(action, &object) })
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = written {
        let number = shell::request_id(request);
        tracing::error!(error, request = number, "a refusal could not be written to the audit log");
    }
}

macro_rules! role_guard {
    ($guard:ident) => {
        #[rocket::async_trait]
        impl<'r> FromRequest<'r> for $guard {
            type Error = ();

            async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
                match admit(request, Role::$guard).await {
                    Ok((account, shell)) => Outcome::Success(Self { account, shell }),
                    Err(status) => Outcome::Error((status, ())),
                }
            }
        }
    };
}

role_guard!(Reporter);
role_guard!(Operator);
role_guard!(Administrator);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Anyone {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let state = shell::session_state(request).await;
        Outcome::Success(Self { shell: Shell::of(request, state) })
    }
}

/// What an answer should be: the whole page, or the fragment that htmx asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    Page,
    Fragment,
}

impl Wants {
    /// `Fragment` for a request of htmx that does not restore history.
    pub fn of(request: &Request<'_>) -> Self {
        let is_true = |name| request.headers().get_one(name) == Some("true");
        if is_true("HX-Request") && !is_true("HX-History-Restore-Request") {
            Self::Fragment
        } else {
            Self::Page
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Wants {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// A database connection for this request. Put it **after** the role guard, so that strangers cost none.
pub struct Db(pub PooledConnection<'static, AsyncPgConnection>);

impl Db {
    /// Borrows one outside of a guard, for handlers that must not hold one all the time.
    ///
    /// # Errors
    /// When none is free in time.
    pub async fn borrow(pool: &Pool) -> Result<Self, RunError> {
        pool.get_owned().await.map(Self)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Db {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Some(pool) = request.rocket().state::<Pool>() else {
            return Outcome::Error((Status::InternalServerError, ()));
        };
        match Self::borrow(pool).await {
            Ok(conn) => Outcome::Success(conn),
            Err(error) => {
                let number = shell::request_id(request);
                tracing::warn!(%error, request = number, "no database connection for a page");
                Outcome::Error((Status::ServiceUnavailable, ()))
            }
        }
    }
}
