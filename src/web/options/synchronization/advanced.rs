//! Advanced Synchronization Options: where files are kept, and in which languages. A warning comes
//! first; OK there leads to the choices.

use askama::Template;
use rocket::form::Form;
use rocket::{Route, get, post, routes};
use uuid::Uuid;

use super::categories::{Dialog, load_draft, open};
use super::form::Fields;
use super::{ADDRESS, Scene, locale, view};
use crate::settings::drafts::{self, Draft};
use crate::settings::languages::LANGUAGES;
use crate::settings::validate::Typed;
use crate::settings::{Key, Languages};
use crate::web::{Administrator, Db, Field, PageError, Reply, Shell, Wants};

pub(super) fn routes() -> Vec<Route> {
    routes![open_advanced, show_advanced, choose_advanced]
}

const TITLE: &str = "Advanced Synchronization Options";

/// One language with its box.
struct LanguageBox {
    short: &'static str,
    name: &'static str,
    checked: bool,
}

#[derive(Template)]
#[template(path = "options/advanced.html", blocks = ["form"])]
struct AdvancedPage {
    shell: Shell,
    title: &'static str,
    draft: Uuid,
    back: String,
    /// The warning was read.
    read: bool,
    locale: &'static str,
    store: Field,
    deferred: Field,
    express: Field,
    /// `all`, `locale` or `some`.
    choice: Field,
    languages: Vec<LanguageBox>,
    error: Option<String>,
    in_dialog: bool,
}

impl AdvancedPage {
    fn new(admin: Administrator, scene: &Scene, draft: &Draft, asked: Asked) -> Self {
        let typed = Typed { values: draft.values.clone(), ..Typed::default() };
        let files = view::meant(&scene.current, &typed, &scene.tree).files;
        let (choice, some) = match &files.languages {
            Languages::All => ("all", Vec::new()),
            Languages::Locale => ("locale", Vec::new()),
            Languages::Only(names) => ("some", names.iter().cloned().collect()),
        };
        let languages = LANGUAGES.iter().map(|(short, name)| LanguageBox {
            short,
            name,
            checked: some.iter().any(|one| one == short),
        });
        Self {
            shell: admin.shell,
            title: TITLE,
            draft: asked.draft,
            back: asked.back,
            read: asked.read,
            locale: locale::name(),
            store: Field::new(Key::FilesStore.name(), files.store.as_str()),
            deferred: Field::new(Key::FilesDeferred.name(), files.deferred.to_string()),
            express: Field::new(Key::FilesExpress.name(), files.express.to_string()),
            choice: Field::new("languages", choice),
            languages: languages.collect(),
            error: None,
            in_dialog: asked.wants == Wants::Fragment,
        }
    }

    fn answer(&self, wants: Wants) -> Result<Reply, PageError> {
        match wants {
            Wants::Page => Reply::ok(self),
            Wants::Fragment => {
                let form = self.as_form().render().map_err(PageError::internal)?;
                Reply::ok(&Dialog { form })
            }
        }
    }
}

struct Asked {
    draft: Uuid,
    back: String,
    read: bool,
    wants: Wants,
}

#[post("/options/synchronization/advanced", data = "<fields>")]
async fn open_advanced(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    let (kept, copy) = open(&mut db.0, admin.account.id, &fields).await?;
    if wants == Wants::Page {
        return Ok(Reply::SeeOther(format!("{ADDRESS}/advanced?draft={copy}&back={kept}")));
    }
    let (_, draft) = load_draft(&mut db.0, admin.account.id, Some(copy)).await?;
    let scene = Scene::load(&mut db.0).await?;
    let asked = Asked { draft: copy, back: kept.to_string(), read: false, wants };
    AdvancedPage::new(admin, &scene, &draft, asked).answer(wants)
}

#[get("/options/synchronization/advanced?<draft>&<back>&<read>")]
async fn show_advanced(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    draft: &str,
    back: Option<&str>,
    read: Option<&str>,
) -> Result<Reply, PageError> {
    let id = Uuid::try_parse(draft).ok();
    let (id, draft) = load_draft(&mut db.0, admin.account.id, id).await?;
    let scene = Scene::load(&mut db.0).await?;
    let back = back.unwrap_or_default().to_owned();
    let asked = Asked { draft: id, back, read: read == Some("yes"), wants };
    AdvancedPage::new(admin, &scene, &draft, asked).answer(wants)
}

#[post("/options/synchronization/advanced/choice", data = "<fields>")]
async fn choose_advanced(admin: Administrator, mut db: Db, fields: Form<Fields>) -> Result<Reply, PageError> {
    let account_id = admin.account.id;
    let (id, mut draft) = load_draft(&mut db.0, account_id, fields.id("draft")).await?;
    let back = fields.id("back");
    let local = fields.first(Key::FilesStore.name()) != "source";
    draft.values.insert(Key::FilesStore, fields.first(Key::FilesStore.name()).to_owned());
    // Without local files the rest is not in force and keeps its value.
    if local {
        for key in [Key::FilesDeferred, Key::FilesExpress] {
            let ticked = fields.first(key.name()) == "true";
            draft.values.insert(key, ticked.to_string());
        }
        let languages = match fields.first("languages") {
            "some" => fields.all("language").collect::<Vec<_>>().join(","),
            other => other.to_owned(),
        };
        if languages.is_empty() {
            let scene = Scene::load(&mut db.0).await?;
            let asked = Asked {
                draft: id,
                back: back.map(|id| id.to_string()).unwrap_or_default(),
                read: true,
                wants: Wants::Page,
            };
            draft.values.remove(&Key::FilesLanguages);
            let mut page = AdvancedPage::new(admin, &scene, &draft, asked);
            "some".clone_into(&mut page.choice.value);
            page.error = Some("Select at least one language.".to_owned());
            return Reply::refused(&page);
        }
        draft.values.insert(Key::FilesLanguages, languages);
    }
    drafts::store(&mut db.0, account_id, Some(id), &draft).await?;
    if let Some(back) = back {
        drafts::forget(&mut db.0, account_id, back).await?;
    }
    Ok(Reply::SeeOther(format!("{ADDRESS}?draft={id}")))
}
