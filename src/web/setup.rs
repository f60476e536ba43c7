//! The first administrator of a new server. The page is gone once there is an account.

use super::form::Field;
use super::login::Visitor;
use super::shell::Shell;
use super::{Anyone, PageError, Reply};
use crate::accounts::setup::{self as first, FirstAccount, SetupCode};
use crate::accounts::throttle::Gate;
use crate::accounts::{self, AccountError, Pool};
use crate::web::submitted::Form;
use askama::Template;
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::{Route, State, get, post, routes};

pub(super) fn routes() -> Vec<Route> {
    routes![show_setup, complete]
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    shell: Shell,
    code: Field,
    name: Field,
    password: Field,
}

impl SetupPage {
    fn new(shell: Shell, code: &str, name: &str) -> Self {
        Self {
            shell,
            code: Field::new("code", code),
            name: Field::new("name", name),
            password: Field::new("password", ""),
        }
    }
}

/// Whether this server still waits for its first account, and has a code to make it with.
///
/// # Errors
/// The database's.
pub(super) async fn is_open(pool: &Pool, code: &SetupCode) -> Result<bool, PageError> {
    if code.reveal().is_none() {
        return Ok(false);
    }
    Ok(!accounts::any_account(&mut *pool.get().await?).await?)
}

#[get("/setup")]
async fn show_setup(anyone: Anyone, code: &State<SetupCode>, pool: &State<Pool>) -> Result<Reply, PageError> {
    if !is_open(pool, code).await? {
        return Ok(Reply::SeeOther("/login".to_owned()));
    }
    Reply::ok(&SetupPage::new(anyone.shell, "", ""))
}

#[derive(FromForm)]
struct SetupForm<'r> {
    code: &'r str,
    name: &'r str,
    password: &'r str,
}

#[post("/setup", data = "<form>")]
async fn complete(
    anyone: Anyone,
    visitor: Visitor,
    form: Form<SetupForm<'_>>,
    code: &State<SetupCode>,
    pool: &State<Pool>,
    gate: &State<Gate>,
) -> Result<Reply, PageError> {
    if !is_open(pool, code).await? {
        return Ok(Reply::SeeOther("/login".to_owned()));
    }
    let request_id = anyone.shell.request_id.clone();
    let first = FirstAccount {
        code: form.code,
        name: form.name,
        password: form.password,
        peer: visitor.peer,
        request_id: &request_id,
    };
    let error = match first::complete(pool, gate, code, first).await {
        Ok(_) | Err(AccountError::AlreadySetUp) => return Ok(Reply::SeeOther("/login".to_owned())),
        Err(error) => error,
    };
    let short = |text: &str| text.chars().take(accounts::NAME_CHARS_MAX).collect::<String>();
    let mut page = SetupPage::new(anyone.shell, &short(form.code), &short(form.name));
    let mut status = Status::UnprocessableEntity;
    let field = match &error {
        AccountError::SetupCode => &mut page.code,
        AccountError::Wait { .. } => {
            status = Status::TooManyRequests;
            &mut page.code
        }
        AccountError::NameLength
        | AccountError::NameInvisible
        | AccountError::NameMixed
        | AccountError::NameReserved
        | AccountError::NameTaken => &mut page.name,
        refused if refused.is_about_new_password() => &mut page.password,
        AccountError::NoConnection => return Err(PageError::unavailable(error)),
        _ => return Err(PageError::internal(error)),
    };
    field.error = Some(error.to_string());
    Reply::with(status, &page)
}
