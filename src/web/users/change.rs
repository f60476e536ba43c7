//! One person: role, signing in allowed or not, a new link, and the sessions and tokens with an end to each.

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, get, post, routes};

use super::{PersonView, roles, typing};
use crate::accounts::links::{self, NewLink};
use crate::accounts::{Role, people, sessions, tokens};
use crate::web::form::Choice;
use crate::web::moment::Moment;
use crate::web::profile::{SessionView, TokenView};
use crate::web::submitted::{Form, NoFields};
use crate::web::words::counted;
use crate::web::{Administrator, Db, Field, PageError, Reply, Shell};

pub(super) fn routes() -> Vec<Route> {
    routes![show_user, change_user, make_link, end_session, end_sessions, end_token]
}

#[derive(Template)]
#[template(path = "users/one.html")]
struct UserPage {
    shell: Shell,
    person: PersonView,
    added: Moment,
    role: Field,
    roles: Vec<Choice>,
    is_disabled: bool,
    /// A link that was just made: its address and until when it works.
    link: Option<(String, Moment)>,
    /// One that was made before still works until then.
    link_ends: Option<Moment>,
    sessions: Vec<SessionView>,
    tokens: Vec<TokenView>,
    is_self: bool,
}

async fn page(shell: Shell, db: &mut Db, id: i64, link: Option<NewLink>) -> Result<UserPage, PageError> {
    let zone = shell.zone;
    let person = people::get(&mut db.0, id).await?.ok_or(PageError::NotFound { what: "user" })?;
    let listed = sessions::list(&mut db.0, id, None).await?;
    let tokens = tokens::list(&mut db.0, id).await?;
    Ok(UserPage {
        tokens: tokens.into_iter().map(|one| TokenView::new(one, zone)).collect(),
        added: Moment::new(person.created_at, zone),
        role: Field::new("role", person.role.as_str()),
        roles: roles(),
        is_disabled: person.is_disabled,
        link_ends: person.link_ends_at.filter(|_| link.is_none()).map(|at| Moment::new(at, zone)),
        link: link.map(|link| (format!("/set-password/{}", link.token), Moment::new(link.ends_at, zone))),
        sessions: listed.into_iter().map(|one| SessionView::new(one, zone)).collect(),
        is_self: shell.account.as_ref().is_some_and(|account| account.id == id),
        person: PersonView::new(person, zone),
        shell,
    })
}

/// The page of a person with a link that is shown this once.
pub(super) async fn one_with_link(
    shell: Shell,
    db: &mut Db,
    id: i64,
    link: Option<NewLink>,
) -> Result<Reply, PageError> {
    Reply::ok(&page(shell, db, id, link).await?)
}

#[get("/users/<id>")]
async fn show_user(administrator: Administrator, mut db: Db, id: i64) -> Result<Reply, PageError> {
    one_with_link(administrator.shell, &mut db, id, None).await
}

#[derive(FromForm)]
struct ChangeForm {
    #[field(default = String::new())]
    role: String,
    disabled: bool,
}

#[post("/users/<id>", data = "<form>")]
async fn change_user(
    administrator: Administrator,
    mut db: Db,
    id: i64,
    form: Form<ChangeForm>,
) -> Result<Reply, PageError> {
    let by = administrator.shell.audit("", "");
    let changed = match form.role.parse::<Role>() {
        Ok(role) => people::change(&mut db.0, id, role, form.disabled, by).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(Reply::SeeOther(format!("/users/{id}"))),
        Err(error) => {
            let sentence = typing(error)?;
            let mut page = page(administrator.shell, &mut db, id, None).await?;
            page.role.value.clone_from(&form.role);
            page.role.error = Some(sentence);
            page.is_disabled = form.disabled;
            Reply::refused(&page)
        }
    }
}

#[post("/users/<id>/link", data = "<_nothing>")]
async fn make_link(
    administrator: Administrator,
    mut db: Db,
    id: i64,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let link = links::make(&mut db.0, id, administrator.shell.audit("", "")).await?;
    one_with_link(administrator.shell, &mut db, id, Some(link)).await
}

#[post("/users/<id>/sessions/<key>/end", data = "<_nothing>")]
async fn end_session(
    administrator: Administrator,
    mut db: Db,
    id: i64,
    key: &str,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let person = people::get(&mut db.0, id).await?.ok_or(PageError::NotFound { what: "user" })?;
    if sessions::end_one(&mut db.0, id, key).await? {
        note_end(&administrator.shell, &mut db, &person.name, 1).await?;
    }
    Ok(Reply::SeeOther(format!("/users/{id}")))
}

#[post("/users/<id>/sessions/end", data = "<_nothing>")]
async fn end_sessions(
    administrator: Administrator,
    mut db: Db,
    id: i64,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    let person = people::get(&mut db.0, id).await?.ok_or(PageError::NotFound { what: "user" })?;
    let ended = sessions::end_all(&mut db.0, id).await?;
    note_end(&administrator.shell, &mut db, &person.name, ended).await?;
    Ok(Reply::SeeOther(format!("/users/{id}")))
}

#[post("/users/<id>/tokens/<token>/end", data = "<_nothing>")]
async fn end_token(
    administrator: Administrator,
    mut db: Db,
    id: i64,
    token: i64,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    tokens::end(&mut db.0, id, token, administrator.shell.audit("", "")).await?;
    Ok(Reply::SeeOther(format!("/users/{id}")))
}

async fn note_end(shell: &Shell, db: &mut Db, name: &str, ended: usize) -> Result<(), PageError> {
    let object = format!("{name}, {}", counted(ended as i64, "session", "sessions"));
    Ok(crate::accounts::audit::record(&mut db.0, shell.audit("user.sessions-end", &object)).await?)
}
