//! `/users`: who may use the console, for administrators.

mod change;

use askama::Template;
use rocket::form::FromForm;
use rocket::{Route, State, get, post, routes};

use super::form::Choice;
use super::moment::Moment;
use super::{Administrator, Db, Field, PageError, Reply, Shell};
use crate::accounts::people::{self, Person};
use crate::accounts::{AccountError, AccountName, NAME_CHARS_MAX, PasswordHashText, Pool, Role, links};
use crate::web::submitted::Form;

/// People the page shows.
const PEOPLE_MAX: i64 = 1_000;

pub(super) fn routes() -> Vec<Route> {
    let mut all = routes![show_users, add_user];
    all.extend(change::routes());
    all
}

#[derive(Template)]
#[template(path = "users/list.html")]
struct UsersPage {
    shell: Shell,
    people: Vec<PersonView>,
    name: Field,
    role: Field,
    roles: Vec<Choice>,
}

/// A person in the list.
struct PersonView {
    id: i64,
    name: String,
    role: &'static str,
    /// Kind of the badge and its word.
    kind: &'static str,
    word: &'static str,
    seen: Option<Moment>,
}

impl PersonView {
    fn new(person: Person, zone: chrono_tz::Tz) -> Self {
        let (kind, word) = match (person.is_disabled, &person.link_ends_at, &person.last_seen_at) {
            (true, ..) => ("warn", "Disabled"),
            (false, Some(_), _) => ("info", "Link made"),
            (false, None, None) => ("idle", "Never signed in"),
            (false, None, Some(_)) => ("ok", "Active"),
        };
        Self {
            id: person.id,
            name: person.name,
            role: person.role.label(),
            kind,
            word,
            seen: person.last_seen_at.map(|at| Moment::new(at, zone)),
        }
    }
}

/// The three roles, the one with the fewest rights first.
fn roles() -> Vec<Choice> {
    let all = [Role::Reporter, Role::Operator, Role::Administrator];
    all.map(|role| Choice::new(role.as_str(), role.label())).to_vec()
}

async fn page(shell: Shell, db: &mut Db, name: Field, role: Field) -> Result<UsersPage, PageError> {
    let zone = shell.zone;
    let people = people::list(&mut db.0, PEOPLE_MAX).await?;
    Ok(UsersPage {
        people: people.into_iter().map(|person| PersonView::new(person, zone)).collect(),
        name,
        role,
        roles: roles(),
        shell,
    })
}

#[get("/users")]
async fn show_users(administrator: Administrator, mut db: Db) -> Result<Reply, PageError> {
    let (name, role) = (Field::new("name", ""), Field::new("role", Role::Reporter.as_str()));
    Reply::ok(&page(administrator.shell, &mut db, name, role).await?)
}

#[derive(FromForm)]
struct AddForm {
    #[field(default = String::new())]
    name: String,
    #[field(default = String::new())]
    role: String,
}

/// Adds a person and shows the link to the first password, this once.
#[post("/users", data = "<form>")]
async fn add_user(
    administrator: Administrator,
    form: Form<AddForm>,
    pool: &State<Pool>,
) -> Result<Reply, PageError> {
    let AddForm { name: typed, role } = form.into_inner();
    let shell = administrator.shell;
    let added = async {
        let name = AccountName::parse(&typed)?;
        let wanted: Role = role.parse()?;
        let hash = PasswordHashText::of_nothing()?;
        let mut db = Db::borrow(pool).await.map_err(|_| AccountError::NoConnection)?;
        let id = people::add(&mut db.0, &name, wanted, &hash, shell.audit("", "")).await?;
        Ok((id, links::make(&mut db.0, id, shell.audit("", "")).await?))
    };
    match added.await {
        Ok((id, link)) => {
            let mut db = Db::borrow(pool).await?;
            change::one_with_link(shell, &mut db, id, Some(link)).await
        }
        Err(error) => {
            let is_about_role = matches!(error, AccountError::UnknownRole);
            let sentence = typing(error)?;
            let mut name = Field::new("name", typed.chars().take(NAME_CHARS_MAX).collect::<String>());
            let mut role = Field::new("role", role);
            let wrong = if is_about_role { &mut role } else { &mut name };
            wrong.error = Some(sentence);
            Reply::refused(&page(shell, &mut Db::borrow(pool).await?, name, role).await?)
        }
    }
}

/// The sentence of an error that is about what was typed; every other error is a page of its own.
fn typing(error: AccountError) -> Result<String, PageError> {
    match error {
        AccountError::NameLength
        | AccountError::NameInvisible
        | AccountError::NameMixed
        | AccountError::NameReserved
        | AccountError::NameTaken
        | AccountError::UnknownRole
        | AccountError::LastAdministrator => Ok(error.to_string()),
        other => Err(other.into()),
    }
}
