//! Advanced Synchronization Options: where files are kept, and in which languages. A warning comes
//! first; OK there leads to the choices.

use std::collections::BTreeSet;

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::http::Status;
use rocket::{Route, State, get, post, routes};

use super::dialog::{Frame, Work, asked_over_the_page, over_the_page};
use super::form::{Fields, Names};
use super::meant;
use crate::content::Store;
use crate::settings::languages::{LANGUAGES, language_name};
use crate::settings::{Key, Languages, locale};
use crate::web::submitted::Form;
use crate::web::{Administrator, Db, Field, PageError, Reply, Shell, Wants};

pub(super) fn routes() -> Vec<Route> {
    routes![open_advanced, show_advanced, choose_advanced]
}

/// One language with its box.
struct LanguageBox {
    short: String,
    name: String,
    checked: bool,
    /// The update source told its languages, and this is none of them.
    is_missing: bool,
}

/// The languages we know, those the source tells, and those chosen; each once, by name.
fn language_boxes(work: &Work, chosen: &Languages) -> Vec<LanguageBox> {
    let told = work.scene.offer.as_ref().map(|offer| &offer.languages).filter(|told| !told.is_empty());
    let ticked = |short: &str| matches!(chosen, Languages::Only(names) if names.contains(short));
    let mut names: BTreeSet<&str> = LANGUAGES.iter().map(|(short, _)| *short).collect();
    names.extend(told.into_iter().flatten().map(String::as_str));
    if let Languages::Only(chosen) = chosen {
        names.extend(chosen.iter().map(String::as_str));
    }
    let mut boxes: Vec<LanguageBox> = names
        .into_iter()
        .map(|short| LanguageBox {
            short: short.to_owned(),
            name: language_name(short).to_owned(),
            checked: ticked(short),
            is_missing: told.is_some_and(|told| !told.contains(short)),
        })
        .collect();
    boxes.sort_by_key(|one| one.name.to_lowercase());
    boxes
}

/// What its form has.
struct Dialog;

impl Names for Dialog {
    fn include(name: &str) -> bool {
        let keys = [Key::FilesStore, Key::FilesDeferred, Key::FilesExpress, Key::FilesFromMicrosoft];
        ["csrf", "draft", "back", "languages", "language"].contains(&name)
            || keys.iter().any(|key| key.name() == name)
    }
}

#[derive(Template)]
#[template(path = "options/advanced.html", blocks = ["form"])]
struct AdvancedPage {
    shell: Shell,
    frame: Frame,
    /// The address of the choices, once the warning was read.
    onward: String,
    /// The warning was read.
    read: bool,
    locale: &'static str,
    store: Field,
    deferred: Field,
    express: Field,
    from_microsoft: Field,
    /// `all`, `locale` or `some`.
    choice: Field,
    languages: Vec<LanguageBox>,
    /// The update source, when some languages are marked as not offered by it.
    missing: Option<String>,
    error: Option<String>,
}

impl AdvancedPage {
    fn new(shell: Shell, work: &Work, read: bool, wants: Wants) -> Self {
        let files = meant::options(&work.scene.current, &work.typed(), &work.scene.tree).files;
        let choice = match &files.languages {
            Languages::All => "all",
            Languages::Locale => "locale",
            Languages::Only(_) => "some",
        };
        let languages = language_boxes(work, &files.languages);
        let source = work.scene.current.source.shown();
        let title = if read { "Advanced Synchronization Options" } else { "Before you change this" };
        Self {
            shell,
            frame: work.frame(title, wants),
            onward: format!("{}&read=yes", work.address("advanced")),
            read,
            locale: locale::name(),
            store: Field::new(Key::FilesStore.name(), files.store.as_str()),
            deferred: Field::new(Key::FilesDeferred.name(), files.deferred.to_string()),
            express: Field::new(Key::FilesExpress.name(), files.express.to_string()),
            from_microsoft: Field::new(Key::FilesFromMicrosoft.name(), files.from_microsoft.to_string()),
            choice: Field::new("languages", choice),
            missing: languages.iter().any(|one| one.is_missing).then_some(source),
            languages,
            error: None,
        }
    }

    fn answer(&self, wants: Wants) -> Result<Reply, PageError> {
        match wants {
            Wants::Page => Reply::ok(self),
            Wants::Fragment if self.read => over_the_page(self.as_form().render()),
            Wants::Fragment => asked_over_the_page(self.as_form().render()),
        }
    }
}

#[post("/options/synchronization/advanced", data = "<fields>")]
async fn open_advanced(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    let work = Work::open(&mut db.0, admin.account.id, &fields, wants).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, true).await?;
    match wants {
        Wants::Page => Ok(Reply::SeeOther(work.address("advanced"))),
        Wants::Fragment => AdvancedPage::new(admin.shell, &work, false, wants).answer(wants),
    }
}

#[get("/options/synchronization/advanced?<draft>&<back>&<read>")]
async fn show_advanced(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    draft: Option<&str>,
    back: Option<&str>,
    read: Option<&str>,
) -> Result<Reply, PageError> {
    let (draft, back) = (draft.unwrap_or_default(), back.unwrap_or_default());
    let work = Work::load(&mut db.0, admin.account.id, draft, back).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, false).await?;
    AdvancedPage::new(admin.shell, &work, read == Some("yes"), wants).answer(wants)
}

#[post("/options/synchronization/advanced/choice", data = "<fields>")]
async fn choose_advanced(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    store: &State<Store>,
    fields: Form<Fields<Dialog>>,
) -> Result<Reply, PageError> {
    let (draft, back) = (fields.first("draft"), fields.first("back"));
    let mut work = Work::load(&mut db.0, admin.account.id, draft, back).await?;
    work.refuse_if_locked(&mut db.0, &admin.shell, true).await?;
    let place = fields.first(Key::FilesStore.name());
    work.draft.values.insert(Key::FilesStore, place.to_owned());
    // Without local files the rest is not in force and keeps its value.
    if place != "source" {
        for key in [Key::FilesDeferred, Key::FilesExpress, Key::FilesFromMicrosoft] {
            let ticked = fields.first(key.name()) == "true";
            work.draft.values.insert(key, ticked.to_string());
        }
        let languages = match fields.first("languages") {
            "some" => fields.all("language").collect::<Vec<_>>().join(","),
            other => other.to_owned(),
        };
        if languages.is_empty() {
            return refuse(&mut db.0, admin, work, wants).await;
        }
        work.draft.values.insert(Key::FilesLanguages, languages);
    }
    work.finish(&mut db.0, admin, wants, store).await
}

/// "Only in the selected languages" without one: the dialog comes back with everything else as chosen.
async fn refuse(
    conn: &mut AsyncPgConnection,
    admin: Administrator,
    mut work: Work,
    wants: Wants,
) -> Result<Reply, PageError> {
    work.keep(conn, admin.account.id).await?;
    let mut page = AdvancedPage::new(admin.shell, &work, true, wants);
    "some".clone_into(&mut page.choice.value);
    for one in &mut page.languages {
        one.checked = false;
    }
    page.error = Some("Select at least one language.".to_owned());
    match wants {
        Wants::Page => Reply::refused(&page),
        Wants::Fragment => {
            Ok(over_the_page(page.as_form().render())?.with_status(Status::UnprocessableEntity))
        }
    }
}
