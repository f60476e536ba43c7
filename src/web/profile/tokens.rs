//! One's own API tokens: made here, shown once, ended here.

use chrono_tz::Tz;
use rocket::form::FromForm;
use rocket::{Route, post, routes};

use super::page;
use crate::accounts::Role;
use crate::accounts::tokens::{self, Listed, NAME_CHARS_MAX, TokenError, Wanted};
use crate::web::form::Choice;
use crate::web::login::Visitor;
use crate::web::moment::Moment;
use crate::web::submitted::{Form, NoFields};
use crate::web::{Db, Field, PageError, Reply, Reporter};

pub(super) fn routes() -> Vec<Route> {
    routes![make_token, end_token]
}

/// A token as the pages list it.
pub struct TokenView {
    pub id: i64,
    pub name: String,
    pub role: &'static str,
    pub made: Moment,
    pub ends: Moment,
    pub used: Option<Moment>,
}

impl TokenView {
    pub fn new(token: Listed, zone: Tz) -> Self {
        Self {
            id: token.id,
            name: token.name,
            role: token.role.label(),
            made: Moment::new(token.created_at, zone),
            ends: Moment::new(token.ends_at, zone),
            used: token.last_used_at.map(|at| Moment::new(at, zone)),
        }
    }
}

/// The part of the page that makes one.
pub(super) struct NewToken {
    /// The token that was just made, this once.
    pub made: Option<String>,
    pub name: Field,
    pub role: Field,
    pub roles: Vec<Choice>,
    pub days: Field,
    pub lives: Vec<Choice>,
}

impl NewToken {
    /// An empty form for somebody who may do this much.
    pub fn empty(most: Role) -> Self {
        let all = [Role::Reporter, Role::Operator, Role::Administrator].into_iter();
        Self {
            made: None,
            name: Field::new("name", ""),
            role: Field::new("role", Role::Reporter.as_str()),
            roles: all
                .filter(|role| *role <= most)
                .map(|role| Choice::new(role.as_str(), role.label()))
                .collect(),
            days: Field::new("days", "90"),
            lives: ["30", "90", "366"].map(|days| Choice::new(days, format!("{days} days"))).to_vec(),
        }
    }
}

#[derive(FromForm)]
struct TokenForm {
    #[field(default = String::new())]
    name: String,
    #[field(default = String::new())]
    role: String,
    #[field(default = String::new())]
    days: String,
}

/// Makes a token and shows it, this once.
#[post("/profile/tokens", data = "<form>")]
async fn make_token(
    reporter: Reporter,
    visitor: Visitor,
    mut db: Db,
    form: Form<TokenForm>,
) -> Result<Reply, PageError> {
    let (shell, own) = (reporter.shell, visitor.token.as_deref());
    let by = shell.audit("", "");
    let made = match (form.role.parse::<Role>(), form.days.parse::<i64>()) {
        (Ok(role), Ok(days)) => {
            let wanted = Wanted { name: &form.name, role, days };
            tokens::make(&mut db.0, &reporter.account, wanted, by).await
        }
        (Err(_), _) => Err(TokenError::Role),
        (_, Err(_)) => Err(TokenError::Days),
    };
    let error = match made {
        Ok(token) => {
            let mut page = page(shell, &mut db, own).await?;
            page.new_token.made = Some(token);
            return Reply::ok(&page);
        }
        Err(TokenError::Database(error)) => return Err(error.into()),
        Err(error) => error,
    };
    let mut page = page(shell, &mut db, own).await?;
    let new = &mut page.new_token;
    new.name.value = form.name.chars().take(NAME_CHARS_MAX).collect();
    new.role.value.clone_from(&form.role);
    new.days.value.clone_from(&form.days);
    let field = match &error {
        TokenError::Role => &mut new.role,
        TokenError::Days => &mut new.days,
        TokenError::Name | TokenError::NameTaken | TokenError::Count | TokenError::Database(_) => {
            &mut new.name
        }
    };
    field.error = Some(error.to_string());
    Reply::refused(&page)
}

#[post("/profile/tokens/<id>/end", data = "<_nothing>")]
async fn end_token(
    reporter: Reporter,
    mut db: Db,
    id: i64,
    _nothing: Form<NoFields>,
) -> Result<Reply, PageError> {
    tokens::end(&mut db.0, reporter.account.id, id, reporter.shell.audit("", "")).await?;
    Ok(Reply::SeeOther("/profile".to_owned()))
}
