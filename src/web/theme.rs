//! Light, dark, or as the system has it: a choice kept in a cookie, so that the first paint is right.

use super::login::local_path;
use super::shell::Theme;
use super::{Anyone, Console, Reply, cookies};
use rocket::form::{Form, FromForm};
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
fn choose_theme(
    _anyone: Anyone,
    form: Form<ThemeForm<'_>>,
    console: &State<Console>,
    jar: &CookieJar<'_>,
) -> Reply {
    let theme = Theme::of(form.theme);
    jar.add(
        Cookie::build((cookies::THEME, theme.as_str()))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(console.secure)
            .max_age(Duration::days(365)),
    );
    Reply::SeeOther(local_path(form.next).unwrap_or("/").to_owned())
}
