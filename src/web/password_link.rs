//! `/set-password/…`: where the link of an administrator leads. It works once.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, State, get, post, routes};

use super::login::Visitor;
use super::{Anyone, Db, Field, PageError, Reply, Shell};
use crate::accounts::throttle::{Gate, Key};
use crate::accounts::{AccountError, PasswordHashText, Pool, links};
use crate::web::submitted::Form;

pub(super) fn routes() -> Vec<Route> {
    routes![show_link, set_password]
}

#[derive(Template)]
#[template(path = "password_link.html")]
struct LinkPage {
    shell: Shell,
    name: String,
    token: String,
    password: Field,
}

async fn page(shell: Shell, db: &mut Db, token: &str) -> Result<LinkPage, PageError> {
    let name = links::owner(&mut db.0, token).await?.ok_or(AccountError::LinkOver)?;
    Ok(LinkPage { shell, name, token: token.to_owned(), password: Field::new("password", "") })
}

#[get("/set-password/<token>")]
async fn show_link(anyone: Anyone, mut db: Db, token: &str) -> Result<Reply, PageError> {
    Reply::ok(&page(anyone.shell, &mut db, token).await?)
}

#[derive(FromForm)]
struct SetForm<'r> {
    password: &'r str,
}

#[post("/set-password/<token>", data = "<form>")]
async fn set_password(
    anyone: Anyone,
    visitor: Visitor,
    token: &str,
    form: Form<SetForm<'_>>,
    pool: &State<Pool>,
    gate: &State<Gate>,
) -> Result<Reply, PageError> {
    // Hashing is work, so strangers get no more of it than at sign-in.
    let keys: Vec<Key> = visitor.peer.map(Key::address).into_iter().collect();
    gate.begin(&keys)?;
    let mut shown = page(anyone.shell, &mut Db::borrow(pool).await?, token).await?;
    match PasswordHashText::of(form.password).await {
        Ok(hash) => {
            let mut db = Db::borrow(pool).await?;
            links::redeem(&mut db.0, token, &hash, shown.shell.audit("", "")).await?;
            gate.succeeded(&keys);
            Ok(Reply::SeeOther("/login?set=1".to_owned()))
        }
        Err(error) if error.is_about_new_password() => {
            gate.succeeded(&keys);
            shown.password.error = Some(error.to_string());
            Reply::refused(&shown)
        }
        Err(other) => Err(other.into()),
    }
}
