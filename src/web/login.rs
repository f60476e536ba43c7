//! Signing in and out.

use super::shell::{self, Shell};
use super::{Anyone, Console, PageError, Reply, Reporter, cookies, setup};
use crate::accounts::setup::SetupCode;
use crate::accounts::throttle::Gate;
use crate::accounts::{self, AccountError, Attempt, Pool};
use crate::web::submitted::{Form, NoFields};
use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Route, State, get, post, routes};
use std::net::IpAddr;

/// Longest local path that is followed after sign-in, in bytes.
const NEXT_BYTES_MAX: usize = 2_048;

pub(super) fn routes() -> Vec<Route> {
    routes![show_login, sign_in, sign_out]
}

/// Facts about the browser that the accounts module wants to know.
pub(super) struct Visitor {
    pub peer: Option<IpAddr>,
    pub user_agent: String,
    pub token: Option<String>,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self {
            peer: shell::peer(request),
            user_agent: request.headers().get_one("User-Agent").unwrap_or_default().to_owned(),
            token: cookies::session_token(request),
        })
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    shell: Shell,
    name: String,
    next: String,
    /// The page someone wanted, in words of its address; empty for Home.
    leads_to: String,
    ended: bool,
    /// A password was set just before.
    set: bool,
    error: Option<String>,
}

impl LoginPage {
    fn new(shell: Shell, next: Option<&str>) -> Self {
        let next = local_path(next.unwrap_or_default()).unwrap_or("/").to_owned();
        let leads_to = if next == "/" { String::new() } else { next.clone() };
        Self { shell, name: String::new(), next, leads_to, ended: false, set: false, error: None }
    }
}

#[get("/login?<next>&<ended>&<set>")]
async fn show_login(
    anyone: Anyone,
    next: Option<&str>,
    ended: Option<&str>,
    set: Option<&str>,
    code: &State<SetupCode>,
    pool: &State<Pool>,
) -> Result<Reply, PageError> {
    if anyone.shell.account.is_some() {
        return Ok(Reply::SeeOther(local_path(next.unwrap_or_default()).unwrap_or("/").to_owned()));
    }
    if setup::is_open(pool, code).await? {
        return Ok(Reply::SeeOther("/setup".to_owned()));
    }
    let mut page = LoginPage::new(anyone.shell, next);
    page.ended = ended.is_some();
    page.set = set.is_some();
    Reply::ok(&page)
}

#[derive(FromForm)]
struct LoginForm<'r> {
    name: &'r str,
    password: &'r str,
    next: Option<&'r str>,
}

#[post("/login", data = "<form>")]
async fn sign_in(
    anyone: Anyone,
    visitor: Visitor,
    form: Form<LoginForm<'_>>,
    pool: &State<Pool>,
    gate: &State<Gate>,
    console: Console,
    jar: &CookieJar<'_>,
) -> Result<Reply, PageError> {
    let request_id = anyone.shell.request_id.clone();
    let attempt = Attempt {
        name: form.name,
        password: form.password,
        peer: visitor.peer,
        user_agent: &visitor.user_agent,
        old_token: visitor.token.as_deref(),
        request_id: &request_id,
    };
    let error = match accounts::sign_in(pool, gate, attempt).await {
        Ok(signed_in) => {
            jar.add(cookies::session(&console, signed_in.token));
            let next = local_path(form.next.unwrap_or_default()).unwrap_or("/");
            return Ok(Reply::SeeOther(next.to_owned()));
        }
        Err(error) => error,
    };
    let (status, retry) = match &error {
        AccountError::Refused => (Status::UnprocessableEntity, None),
        AccountError::Wait { seconds } => (Status::TooManyRequests, Some(*seconds)),
        AccountError::NoConnection => return Err(PageError::unavailable(error)),
        _ => return Err(PageError::internal(error)),
    };
    let mut page = LoginPage::new(anyone.shell, form.next);
    page.name = form.name.chars().take(accounts::NAME_CHARS_MAX).collect();
    page.error = Some(error.to_string());
    let reply = Reply::with(status, &page)?;
    Ok(match retry {
        Some(seconds) => reply.header("Retry-After", seconds.to_string()),
        None => reply,
    })
}

#[post("/logout", data = "<_nothing>")]
async fn sign_out(
    reporter: Reporter,
    visitor: Visitor,
    pool: &State<Pool>,
    console: Console,
    jar: &CookieJar<'_>,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let mut conn = pool.get().await?;
    if let Some(token) = visitor.token {
        accounts::sign_out(&mut conn, &token).await.map_err(PageError::internal)?;
    }
    accounts::audit::record(&mut conn, reporter.shell.audit("sign-out", "")).await?;
    jar.add(cookies::session_removal(&console));
    Ok(Reply::SeeOther("/login".to_owned()))
}

/// `raw` when it is a path on this server and nothing else: one `/` first, no scheme, no host, no backslash,
/// no control character, also not after decoding.
pub(super) fn local_path(raw: &str) -> Option<&str> {
    if raw.len() > NEXT_BYTES_MAX || !raw.is_ascii() {
        return None;
    }
    let decoded = rocket::http::RawStr::new(raw).percent_decode_lossy();
    for text in [raw, decoded.as_ref()] {
        let mut chars = text.chars();
        if chars.next() != Some('/') || matches!(chars.next(), Some('/' | '\\')) {
            return None;
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return None;
        }
    }
    rocket::http::uri::Origin::parse(raw).ok()?;
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r191_only_local_paths_are_followed() {
        for good in ["/", "/synchronize", "/updates?q=KB5031356&page=2", "/options/synchronization"] {
            assert_eq!(local_path(good), Some(good));
        }
        for bad in [
            "",
            "//evil",
            "https://evil",
            "/\\evil",
            "\\\\evil",
            "javascript:alert(1)",
            "evil",
            "/%2fevil",
            "/%5cevil",
            "/a%0d%0aSet-Cookie:x",
            "/a\r\nb",
            " /a",
            "/%09/evil",
            "/é",
        ] {
            assert_eq!(local_path(bad), None, "{bad}");
        }
    }
}
