//! Light, dark, or as the system has it: kept in the account, and in a cookie for the pages before signing in, so
//! that the server draws it and the first paint is right.

use super::login::local_path;
use super::shell::Theme;
use super::{Anyone, Console, Db, PageError, Reply, cookies};
use crate::accounts::{Pool, display};
use crate::web::submitted::Form;
use rocket::form::FromForm;
use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::time::Duration;
use rocket::{Route, State, post, routes};

pub(super) fn routes() -> Vec<Route> {
    routes![choose_theme]
}

#[derive(FromForm)]
struct ThemeForm<'r> {
    theme: &'r str,
    next: &'r str,
}

#[post("/theme", data = "<form>")]
async fn choose_theme(
    anyone: Anyone,
    form: Form<ThemeForm<'_>>,
    console: Console,
    pool: &State<Pool>,
    jar: &CookieJar<'_>,
) -> Result<Reply, PageError> {
    let theme = Theme::of(form.theme);
    if let Some(account) = &anyone.shell.account {
        let mut db = Db::borrow(pool).await?;
        let by = anyone.shell.audit("", &account.name);
        display::save_theme(&mut db.0, account.id, theme, by).await?;
    }
    remember(&console, jar, theme);
    Ok(Reply::SeeOther(local_path(form.next).unwrap_or("/").to_owned()))
}

/// For the pages before signing in.
pub(super) fn remember(console: &Console, jar: &CookieJar<'_>, theme: Theme) {
    jar.add(
        Cookie::build((cookies::theme_name(console), theme.as_str()))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(console.secure)
            .max_age(Duration::days(365)),
    );
}
