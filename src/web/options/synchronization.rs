//! Synchronization Options: five panels, one form, one save.

mod advanced;
mod chips;
mod clash;
mod classifications;
mod dialog;
mod form;
mod meant;
mod moments;
mod next_run;
mod notice;
mod products;
mod question;
mod room;
mod standing;
mod supply;
mod tasks;
mod test;
mod tree_view;
mod view;

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use rocket::http::{CookieJar, Status};
use rocket::{Route, State, get, post, routes};
use uuid::Uuid;

use self::form::{Fault, Fields, Saved, Submission};
pub(in crate::web) use self::moments::zones;
use self::notice::{Notice, RunNotice};
use self::question::Question;
pub use self::standing::KeptStanding;
use self::standing::{Editions, Untouched};
use self::view::{OptionsPage, View};
use super::{OptionsParts, actor};
use crate::content::Store;
use crate::db::{self, Pool};
use crate::settings::drafts::{self, Draft};
use crate::settings::tree::CategoryTree;
use crate::settings::validate::{self, Typed, World};
use crate::settings::{self, FieldErrors, FilesInForce, Proxy, SettingsError, SyncOptions, changes};
use crate::sync::offer::{self, Offer};
use crate::web::submitted::Form;
use crate::web::synchronizations::{StatusBox, begin};
use crate::web::{Administrator, Db, PageError, Reply, Reporter, Shell};

const ADDRESS: &str = "/options/synchronization";

pub(super) fn routes() -> Vec<Route> {
    let mut all = routes![show_options, save_options, undo_changes];
    all.extend(products::routes());
    all.extend(classifications::routes());
    all.extend(advanced::routes());
    all.extend(next_run::routes());
    all.extend(tasks::routes());
    all.extend(test::routes());
    all
}

/// What every handler here starts from.
#[derive(Clone)]
struct Scene {
    current: SyncOptions,
    tree: Arc<CategoryTree>,
    /// What the source of `current` told when it was asked last; `None`: never asked.
    offer: Option<Offer>,
    /// For a replica what its upstream server decides, as far as it has told.
    in_force: FilesInForce,
}

impl Scene {
    async fn load(conn: &mut AsyncPgConnection) -> Result<Self, PageError> {
        let tree = settings::known_tree(conn).await?;
        Self::with_tree(conn, Arc::new(tree)).await
    }

    /// The same where the tree is there already.
    async fn with_tree(conn: &mut AsyncPgConnection, tree: Arc<CategoryTree>) -> Result<Self, PageError> {
        let current = settings::load(conn).await.map_err(page_error)?;
        let offer = offer::of(conn, &current.source).await?;
        let in_force = settings::files_in_force(conn).await.map_err(page_error)?;
        Ok(Self { current, tree, offer, in_force })
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
    pool: &State<Pool>,
    store: &State<Store>,
    parts: &State<OptionsParts>,
    standing: &State<KeptStanding>,
    cookies: &CookieJar<'_>,
    draft: Option<&str>,
) -> Result<Reply, PageError> {
    let (mut conn, editions) = db::first_read(pool, &Editions).await?;
    let standing = standing.at(&mut conn, editions?).await?;
    let may_save = reporter.shell.can_administer();
    let notice = notice::take(&mut conn, cookies, reporter.shell.zone).await?;
    let (shell, runs) = (reporter.shell, (standing.active.as_ref(), standing.last.as_ref()));
    let status = StatusBox::of(&mut conn, &standing.scene.current, runs, shell.zone).await?;
    let draft = match draft.and_then(|text| Uuid::try_parse(text).ok()) {
        Some(id) => drafts::load(&mut conn, reporter.account.id, id).await?.map(|draft| (id, draft)),
        None => None,
    };
    let Some((id, Draft { version, values, password_lost })) = draft else {
        let Untouched { view, panels } = &*standing.untouched(may_save, &parts.key)?;
        return Reply::ok(&OptionsPage { shell, status, notice, view, panels });
    };
    let typed = Typed { values, ..Typed::default() };
    let scene = &standing.scene;
    let mut view = View::new(scene, &typed, may_save)
        .with_draft(Some(id))
        .with_password_lost(password_lost)
        .with_key(&parts.key, &scene.current.proxy);
    view.take_room(&mut conn, store, scene, &typed).await?;
    // so that a save in between is still noticed
    view.version = version;
    let panels = &view.panels()?;
    Reply::ok(&OptionsPage { shell, status, notice, view: &view, panels })
}

/// The whole page; `in_force` are the saved options.
async fn draw(
    conn: &mut AsyncPgConnection,
    shell: Shell,
    in_force: &SyncOptions,
    status: Status,
    view: View,
) -> Result<Reply, PageError> {
    let run = StatusBox::under(conn, in_force, shell.zone).await?;
    let (notice, panels) = (Notice::default(), &view.panels()?);
    Reply::with(status, &OptionsPage { shell, status: run, notice, view: &view, panels })
}

#[post("/options/synchronization?<then>&<confirmed>", data = "<fields>")]
#[expect(clippy::too_many_arguments, reason = "each is a guard or a part of the address")]
async fn save_options(
    admin: Administrator,
    mut db: Db,
    parts: &State<OptionsParts>,
    store: &State<Store>,
    standing: &State<KeptStanding>,
    cookies: &CookieJar<'_>,
    then: Option<&str>,
    confirmed: Option<&str>,
    fields: Form<Fields<Saved>>,
) -> Result<Reply, PageError> {
    let standing = standing.now(&mut db.0).await?;
    let scene = &standing.scene;
    let sent = read(&mut db.0, admin.account.id, &fields).await?;
    let world = World { tree: &scene.tree, own: &parts.own };
    let judged = validate::check(&scene.current, &sent.typed, world).await;
    let valid = match judged {
        Ok(valid) if sent.faults.is_empty() => valid,
        judged => {
            let errors = judged.err().unwrap_or_default();
            return refuse(&mut db.0, admin.shell, scene, sent, &errors).await;
        }
    };
    let mut wanted = valid.options;
    let room = room::look(&mut db.0, store, &scene.current, &wanted).await?;
    if let Some(no_room) = room.and_then(|room| room.refusal) {
        let errors = FieldErrors(vec![no_room]);
        return refuse(&mut db.0, admin.shell, scene, sent, &errors).await;
    }
    let and_synchronize = then == Some("synchronize");
    if wanted.replica && !scene.current.replica && confirmed != Some("replica") {
        let of = wanted.source.shown();
        let question = Question::Replica { of, and_synchronize };
        let mut view = View::new(scene, &sent.typed, true)
            .with_draft(sent.draft)
            .with_password_lost(sent.loses_password());
        view.version = sent.version;
        view.dirty = true;
        view.question = Some(question);
        return draw(&mut db.0, admin.shell, &scene.current, Status::Ok, view).await;
    }
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
            let run = match and_synchronize {
                true => Some(RunNotice::new(begin(&mut db.0, &admin.shell).await?, chrono_tz::Tz::UTC)),
                false => None,
            };
            notice::leave(cookies, Some(&changes::panels(&saved.changes)), run.as_ref());
            Ok(Reply::SeeOther(ADDRESS.to_owned()))
        }
        Err(SettingsError::Conflict(in_force)) => {
            let scene = Scene { current: (*in_force).clone(), ..scene.clone() };
            let view = View::new(&scene, &sent.typed, true)
                .with_draft(sent.draft)
                .with_password_lost(sent.loses_password())
                .with_clash(&in_force, &wanted, &scene.tree, admin.shell.zone);
            draw(&mut db.0, admin.shell, &scene.current, Status::Conflict, view).await
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
async fn read<N>(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    fields: &Fields<N>,
) -> Result<Submission, PageError> {
    let mut sent = Submission::read(fields);
    if let Some(id) = sent.draft {
        match drafts::load(conn, account_id, id).await? {
            Some(draft) => sent.take_draft(draft),
            None => {
                sent.draft = None;
                sent.faults.push(Fault {
                    key: None,
                    is_crafted: false,
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
    let crafted = sent.faults.iter().filter(|one| one.is_crafted).map(|one| one.sentence.clone());
    let locked = errors.0.iter().filter(|one| one.locked).map(|one| one.sentence.clone());
    let sentences: Vec<String> = crafted.chain(locked).collect();
    if !sentences.is_empty() {
        settings::record_refusal(conn, &actor(&shell), &sentences).await?;
    }
    let mut view = View::new(scene, &sent.typed, true)
        .with_draft(sent.draft)
        .with_password_lost(sent.loses_password())
        .with_errors(errors, &sent.faults);
    view.version = sent.version;
    view.dirty = true;
    draw(conn, shell, &scene.current, Status::UnprocessableEntity, view).await
}
