//! `/profile`: one's own password, display, sessions, failed attempts to sign in, and API tokens.

mod display;
mod tokens;

use askama::Template;
use chrono_tz::Tz;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::{Route, State, get, post, routes};

use self::display::DisplayForm;
use self::tokens::NewToken;
pub(super) use self::tokens::TokenView;
use super::login::Visitor;
use super::moment::Moment;
use super::{Console, Db, Field, PageError, Reply, Reporter, Shell, cookies};
use crate::accounts::own::{self, Change};
use crate::accounts::sessions::{self, Listed};
use crate::accounts::throttle::Gate;
use crate::accounts::{self, AccountError, Pool, failures};
use crate::settings;
use crate::web::submitted::{Form, NoFields};

/// Failed attempts the page lists.
const FAILURES_MAX: i64 = 20;

pub(super) fn routes() -> Vec<Route> {
    let mut all = routes![show_profile, change_password, end_others];
    all.extend(display::routes());
    all.extend(tokens::routes());
    all
}

/// A session as the pages list it.
pub(super) struct SessionView {
    pub key: String,
    pub began: Moment,
    pub used: Moment,
    pub peer: String,
    pub browser: String,
    pub is_own: bool,
}

impl SessionView {
    pub fn new(session: Listed, zone: Tz) -> Self {
        Self {
            key: session.key,
            began: Moment::new(session.created_at, zone),
            used: Moment::new(session.last_used_at, zone),
            peer: session.peer,
            browser: session.user_agent,
            is_own: session.is_own,
        }
    }
}

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    shell: Shell,
    role: &'static str,
    current: Field,
    new: Field,
    /// What was just changed: nothing, `display` or the password.
    changed: &'static str,
    display: DisplayForm,
    sessions: Vec<SessionView>,
    /// Failed attempts to sign in as this person, newest first.
    failures: Vec<(Moment, String)>,
    tokens: Vec<TokenView>,
    new_token: NewToken,
}

async fn page(shell: Shell, db: &mut Db, own: Option<&str>) -> Result<ProfilePage, PageError> {
    let zone = shell.zone;
    let account = shell.account.clone().ok_or(PageError::NotFound { what: "profile" })?;
    let listed = sessions::list(&mut db.0, account.id, own).await?;
    let failures = failures::newest(&mut db.0, account.id, FAILURES_MAX).await?;
    let chosen = accounts::display::of(&mut db.0, account.id).await?;
    let usual = settings::time_zone(&mut db.0).await.map_err(PageError::internal)?;
    let tokens = accounts::tokens::list(&mut db.0, account.id).await?;
    Ok(ProfilePage {
        role: account.role.label(),
        current: Field::new("current", ""),
        new: Field::new("new", ""),
        changed: "",
        display: DisplayForm::new(chosen, usual),
        failures: failures.into_iter().map(|one| (Moment::new(one.at, zone), one.peer)).collect(),
        sessions: listed.into_iter().map(|one| SessionView::new(one, zone)).collect(),
        tokens: tokens.into_iter().map(|one| TokenView::new(one, zone)).collect(),
        new_token: NewToken::empty(account.role),
        shell,
    })
}

#[get("/profile?<changed>")]
async fn show_profile(
    reporter: Reporter,
    visitor: Visitor,
    mut db: Db,
    changed: Option<&str>,
) -> Result<Reply, PageError> {
    let mut page = page(reporter.shell, &mut db, visitor.token.as_deref()).await?;
    page.changed = match changed {
        None => "",
        Some("display") => "display",
        Some(_) => "password",
    };
    Reply::ok(&page)
}

#[derive(FromForm)]
struct PasswordForm<'r> {
    current: &'r str,
    new: &'r str,
}

#[post("/profile/password", data = "<form>")]
async fn change_password(
    reporter: Reporter,
    visitor: Visitor,
    form: Form<PasswordForm<'_>>,
    pool: &State<Pool>,
    gate: &State<Gate>,
    console: Console,
    jar: &CookieJar<'_>,
) -> Result<Reply, PageError> {
    let shell = reporter.shell;
    let change = Change {
        account: &reporter.account,
        current: form.current,
        new: form.new,
        peer: visitor.peer,
        user_agent: &visitor.user_agent,
    };
    let error = match own::change_password(pool, gate, change, shell.audit("", "")).await {
        Ok(token) => {
            jar.add(cookies::session(&console, token));
            return Ok(Reply::SeeOther("/profile?changed=yes".to_owned()));
        }
        Err(error) => error,
    };
    let mut page = page(shell, &mut Db::borrow(pool).await?, visitor.token.as_deref()).await?;
    let (field, sentence, status) = match &error {
        AccountError::Refused => {
            (&mut page.current, "This is not your password.".to_owned(), Status::UnprocessableEntity)
        }
        AccountError::Wait { .. } => (&mut page.current, error.to_string(), Status::TooManyRequests),
        refused if refused.is_about_new_password() => {
            (&mut page.new, error.to_string(), Status::UnprocessableEntity)
        }
        _ => return Err(error.into()),
    };
    field.error = Some(sentence);
    Reply::with(status, &page)
}

/// Ends every session of the person, this one too: signed out everywhere.
#[post("/profile/sessions/end", data = "<_nothing>")]
async fn end_others(
    reporter: Reporter,
    mut db: Db,
    console: Console,
    jar: &CookieJar<'_>,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    sessions::end_all(&mut db.0, reporter.account.id).await?;
    accounts::audit::record(&mut db.0, reporter.shell.audit("sign-out.everywhere", "")).await?;
    jar.add(cookies::session_removal(&console));
    Ok(Reply::SeeOther("/login".to_owned()))
}
