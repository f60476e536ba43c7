//! Synchronization Options: five panels, one form, one save.

mod advanced;
mod chips;
mod classifications;
mod dialog;
mod form;
mod locale;
mod moments;
mod products;
mod tree_view;
mod view;

use diesel_async::AsyncPgConnection;
use rocket::form::Form;
use rocket::http::{Cookie, CookieJar, Status};
use rocket::{Route, State, get, post, routes};
use uuid::Uuid;

use self::form::{Fault, Fields, Submission};
use self::view::{Notice, OptionsPage, View};
use super::{OptionsParts, actor};
use crate::settings::drafts::{self, Draft};
use crate::settings::tree::CategoryTree;
use crate::settings::validate::{self, Typed, World};
use crate::settings::{self, FieldErrors, Panel, Proxy, SettingsError, SyncOptions, changes};
use crate::web::synchronizations::StatusBox;
use crate::web::{Administrator, Db, PageError, Reply, Reporter, Shell};

const ADDRESS: &str = "/options/synchronization";
/// Tells the page after a save which panels changed; read once.
const NOTICE_COOKIE: &str = "weir-saved";

pub(super) fn routes() -> Vec<Route> {
    let mut all = routes![show_options, save_options, undo_changes];
    all.extend(products::routes());
    all.extend(classifications::routes());
    all.extend(advanced::routes());
    all
}

/// What every handler here starts from.
struct Scene {
    current: SyncOptions,
    tree: CategoryTree,
}

impl Scene {
    async fn load(conn: &mut AsyncPgConnection) -> Result<Self, PageError> {
        let current = settings::load(conn).await.map_err(page_error)?;
        let tree = settings::known_tree(conn).await?;
        Ok(Self { current, tree })
    }
}

fn page_error(error: SettingsError) -> PageError {
    match error {
        SettingsError::Database(error) => error.into(),
        other => PageError::internal(other),
    }
}

#[get("/options/synchronization?<draft>")]
async fn show_options(
    reporter: Reporter,
    mut db: Db,
    cookies: &CookieJar<'_>,
    draft: Option<&str>,
) -> Result<Reply, PageError> {
    let scene = Scene::load(&mut db.0).await?;
    let id = draft.and_then(|text| Uuid::try_parse(text).ok());
    let kept = match id {
        Some(id) => drafts::load(&mut db.0, reporter.account.id, id).await?,
        None => None,
    };
    let id = id.filter(|_| kept.is_some());
    let Draft { version, values, password_lost } = kept.unwrap_or_default();
    let typed = Typed { values, ..Typed::default() };
    let may_save = reporter.shell.can_administer();
    let mut view = View::new(&scene.current, &typed, &scene.tree, may_save)
        .with_draft(id)
        .with_password_lost(password_lost);
    if id.is_some() {
        // so that a save in between is still noticed
        view.version = version;
    }
    view.notice = take_notice(cookies);
    let status = StatusBox::load(&mut db.0).await?;
    Reply::ok(&OptionsPage { shell: reporter.shell, status, view })
}

#[post("/options/synchronization", data = "<fields>")]
async fn save_options(
    admin: Administrator,
    mut db: Db,
    parts: &State<OptionsParts>,
    cookies: &CookieJar<'_>,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    let scene = Scene::load(&mut db.0).await?;
    let sent = read(&mut db.0, admin.account.id, &fields).await?;
    let world = World { tree: &scene.tree, own: &parts.own };
    let judged = validate::check(&scene.current, &sent.typed, world).await;
    let valid = match judged {
        Ok(valid) if sent.faults.is_empty() => valid,
        judged => {
            let errors = judged.err().unwrap_or_default();
            return refuse(&mut db.0, admin.shell, &scene, sent, &errors).await;
        }
    };
    let mut wanted = valid.options;
    if let Some(password) = &valid.new_password {
        let sealed = parts.key.seal(Proxy::PASSWORD_PURPOSE, password.as_bytes());
        wanted.proxy.password = Some(sealed);
    }
    let saved = settings::save(&mut db.0, sent.version, &wanted, &actor(&admin.shell)).await;
    match saved {
        Ok(saved) => {
            if let Some(id) = sent.draft {
                drafts::forget(&mut db.0, admin.account.id, id).await?;
            }
            leave_notice(cookies, &changes::panels(&saved.changes));
            Ok(Reply::SeeOther(ADDRESS.to_owned()))
        }
        Err(SettingsError::Conflict(in_force)) => {
            let view = View::new(&in_force, &sent.typed, &scene.tree, true)
                .with_draft(sent.draft)
                .with_clash(&in_force, &wanted, &scene.tree);
            let status = StatusBox::load(&mut db.0).await?;
            Reply::with(Status::Conflict, &OptionsPage { shell: admin.shell, status, view })
        }
        Err(other) => Err(page_error(other)),
    }
}

#[post("/options/synchronization/undo", data = "<fields>")]
async fn undo_changes(admin: Administrator, mut db: Db, fields: Form<Fields>) -> Result<Reply, PageError> {
    if let Some(id) = fields.id("draft") {
        drafts::forget(&mut db.0, admin.account.id, id).await?;
    }
    Ok(Reply::SeeOther(ADDRESS.to_owned()))
}

/// The form with the choices its draft holds.
async fn read(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    fields: &Fields,
) -> Result<Submission, PageError> {
    let mut sent = Submission::read(fields);
    if let Some(id) = sent.draft {
        match drafts::load(conn, account_id, id).await? {
            Some(draft) => sent.take_draft(draft),
            None => {
                sent.draft = None;
                sent.faults.push(Fault {
                    key: None,
                    sentence: "What was chosen in a dialog is no longer kept. Choose it again, \
                               or save the rest as it is shown now."
                        .to_owned(),
                });
            }
        }
    }
    Ok(sent)
}

async fn refuse(
    conn: &mut AsyncPgConnection,
    shell: Shell,
    scene: &Scene,
    sent: Submission,
    errors: &FieldErrors,
) -> Result<Reply, PageError> {
    if errors.any_locked() {
        let sentences: Vec<String> = errors.0.iter().map(|one| one.sentence.clone()).collect();
        settings::record_refusal(conn, &actor(&shell), &sentences).await?;
    }
    let mut view = View::new(&scene.current, &sent.typed, &scene.tree, true)
        .with_draft(sent.draft)
        .with_errors(errors, &sent.faults);
    view.version = sent.version;
    view.dirty = true;
    let status = StatusBox::load(conn).await?;
    Reply::refused(&OptionsPage { shell, status, view })
}

/// The panels by their number on the page, so that the cookie carries no text.
fn leave_notice(cookies: &CookieJar<'_>, panels: &[Panel]) {
    let numbers: Vec<String> = Panel::ALL
        .iter()
        .enumerate()
        .filter(|(_, panel)| panels.contains(panel))
        .map(|(number, _)| number.to_string())
        .collect();
    let cookie = Cookie::build((NOTICE_COOKIE, format!("s{}", numbers.concat())))
        .path(ADDRESS)
        .http_only(true)
        .same_site(rocket::http::SameSite::Lax);
    cookies.add(cookie);
}

fn take_notice(cookies: &CookieJar<'_>) -> Notice {
    let Some(cookie) = cookies.get(NOTICE_COOKIE) else { return Notice::None };
    let panels: Vec<&'static str> = Panel::ALL
        .iter()
        .enumerate()
        .filter(|(number, _)| cookie.value().contains(&number.to_string()))
        .map(|(_, panel)| panel.title())
        .collect();
    cookies.remove(Cookie::build(NOTICE_COOKIE).path(ADDRESS));
    if panels.is_empty() { Notice::Unchanged } else { Notice::Saved(panels) }
}
