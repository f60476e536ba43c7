//! The part of the profile about the look of pages: colours and time zone; and the notice of failed attempts.

use chrono_tz::Tz;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::{Route, post, routes};

use super::page;
use crate::accounts::display::{self, Display, Theme};
use crate::accounts::failures;
use crate::web::form::Choice;
use crate::web::login::{Visitor, local_path};
use crate::web::options::synchronization::zones;
use crate::web::submitted::Form;
use crate::web::{Console, Db, Field, PageError, Reply, Reporter, theme};

/// Longest time zone that goes back into the form, in characters. The longest name has 32.
const ZONE_CHARS_MAX: usize = 64;

pub(super) fn routes() -> Vec<Route> {
    routes![save_display, close_notice]
}

/// The form.
pub(super) struct DisplayForm {
    pub theme: Field,
    pub zone: Field,
    pub zones: Vec<Choice>,
}

impl DisplayForm {
    /// What the person chose; `usual` is the zone of people who did not.
    pub fn new(chosen: Display, usual: Tz) -> Self {
        let first = Choice::new("", format!("As the schedule ({})", usual.name()));
        Self {
            theme: Field::new("theme", chosen.theme.unwrap_or(Theme::System).as_str()),
            zone: Field::new("zone", chosen.time_zone.map_or("", |zone| zone.name())),
            zones: std::iter::once(first).chain(zones().iter().cloned()).collect(),
        }
    }
}

#[derive(FromForm)]
struct Sent {
    #[field(default = String::new())]
    theme: String,
    #[field(default = String::new())]
    zone: String,
}

#[post("/profile/display", data = "<form>")]
async fn save_display(
    reporter: Reporter,
    visitor: Visitor,
    mut db: Db,
    form: Form<Sent>,
    console: Console,
    jar: &CookieJar<'_>,
) -> Result<Reply, PageError> {
    let (account, shell) = (reporter.account, reporter.shell);
    let theme = Some(Theme::of(&form.theme)).filter(|theme| theme.as_str() == form.theme);
    let zone = match form.zone.as_str() {
        "" => Some(None),
        name => name.parse().ok().map(Some),
    };
    let (Some(theme), Some(time_zone)) = (theme, zone) else {
        let mut page = page(shell, &mut db, visitor.token.as_deref()).await?;
        if theme.is_none() {
            page.display.theme.error = Some("Choose one of the three.".to_owned());
        }
        page.display.zone.value = form.zone.chars().take(ZONE_CHARS_MAX).collect();
        if zone.is_none() {
            page.display.zone.error =
                Some("Choose a time zone from the list, such as Europe/Berlin.".to_owned());
        }
        return Reply::refused(&page);
    };
    let wanted = Display { theme: Some(theme), time_zone };
    display::save(&mut db.0, account.id, wanted, shell.audit("", &account.name)).await?;
    theme::remember(&console, jar, theme);
    Ok(Reply::SeeOther("/profile?changed=display".to_owned()))
}

#[derive(FromForm)]
struct Closed<'r> {
    #[field(default = "/")]
    next: &'r str,
}

/// Closes the notice of failed attempts, in every session. The profile goes on listing them.
#[post("/profile/failed-sign-ins", data = "<form>")]
async fn close_notice(reporter: Reporter, mut db: Db, form: Form<Closed<'_>>) -> Result<Reply, PageError> {
    failures::mark_seen(&mut db.0, reporter.account.id).await?;
    Ok(Reply::SeeOther(local_path(form.next).unwrap_or("/").to_owned()))
}
