//! `/content-store/clean-up`: what would be removed, told first; then asked for.

use askama::Template;
use rocket::{State, get, post};

use super::checks::{ConfirmForm, ask};
use crate::content::checks::CheckKind;
use crate::content::cleanup::{self, Plan, Why};
use crate::content::{ContentError, Store};
use crate::sync::runs;
use crate::web::submitted::Form;
use crate::web::words::{counted, grouped, size};
use crate::web::{Administrator, Db, Field, PageError, Reply, Shell};

/// Files that are named; the rest is counted.
const NAMES_MAX: usize = 100;

#[derive(Template)]
#[template(path = "content_store/clean_up.html")]
struct CleanUpPage {
    shell: Shell,
    /// Reason, files, bytes.
    parts: Vec<(&'static str, String, String)>,
    /// What goes and what there is, in words.
    going: String,
    stored: String,
    /// Place, bytes, reason.
    items: Vec<(String, String, &'static str)>,
    more: String,
    is_large: bool,
    /// A synchronization is at work.
    is_busy: bool,
    confirmed: Field,
}

impl CleanUpPage {
    async fn load(
        shell: Shell,
        db: &mut Db,
        store: &Store,
        confirmed: Field,
    ) -> Result<(Self, Plan), PageError> {
        let is_busy = runs::active(&mut db.0).await.map_err(PageError::internal)?.is_some();
        let plan = cleanup::plan(&mut db.0, store).await.map_err(page_error)?;
        let bytes = |bytes: u64| size(i64::try_from(bytes).unwrap_or(i64::MAX));
        let number = |files: u64| i64::try_from(files).unwrap_or(i64::MAX);
        let files = |files: u64| counted(number(files), "file", "files");
        let parts = Why::ALL.into_iter().map(|why| (why, plan.part(why))).filter(|(_, part)| part.0 > 0);
        let page = Self {
            shell,
            parts: parts.map(|(why, part)| (why.words(), grouped(number(part.0)), bytes(part.1))).collect(),
            going: format!("{}, {}", files(plan.items.len() as u64), bytes(plan.bytes())),
            stored: format!("{}, {}", files(plan.stored_files), bytes(plan.stored_bytes)),
            items: plan
                .items
                .iter()
                .take(NAMES_MAX)
                .map(|item| (item.place.clone(), bytes(item.size), item.why.words()))
                .collect(),
            more: match plan.items.len().saturating_sub(NAMES_MAX) {
                0 => String::new(),
                more => grouped(more as i64),
            },
            is_large: plan.is_large(),
            is_busy,
            confirmed,
        };
        Ok((page, plan))
    }
}

#[get("/content-store/clean-up")]
pub(super) async fn show_clean_up(
    administrator: Administrator,
    mut db: Db,
    store: &State<Store>,
) -> Result<Reply, PageError> {
    let field = Field::new("confirmed", "");
    Reply::ok(&CleanUpPage::load(administrator.shell, &mut db, store, field).await?.0)
}

#[post("/content-store/clean-up", data = "<form>")]
pub(super) async fn clean_up(
    administrator: Administrator,
    mut db: Db,
    store: &State<Store>,
    form: Form<ConfirmForm>,
) -> Result<Reply, PageError> {
    let field = Field::new("confirmed", if form.confirmed { "true" } else { "" });
    let (mut page, plan) = CleanUpPage::load(administrator.shell, &mut db, store, field).await?;
    if page.is_busy {
        return Reply::refused(&page);
    }
    if plan.is_large() && !form.confirmed {
        let sentence = "Tick this when so much is to go. Nothing was removed.";
        page.confirmed = page.confirmed.with_error(sentence);
        return Reply::refused(&page);
    }
    ask(&mut db.0, &page.shell, CheckKind::CleanUp, form.confirmed).await
}

fn page_error(error: ContentError) -> PageError {
    match error {
        ContentError::Query(error) => error.into(),
        ContentError::Store(error) => {
            PageError::Conflict(format!("The stored files cannot be looked through: {error}."))
        }
        other => PageError::internal(other),
    }
}
