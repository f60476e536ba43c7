//! The tasks that start and stop a synchronization from the page. Both are buttons of the page's one
//! form, so that what is typed is not lost: it stays in the form with htmx, and as a draft without.

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::http::CookieJar;
use rocket::response::stream::{Event, EventStream};
use rocket::{Route, Shutdown, State, get, post, routes};

use super::form::{Fields, Submission};
use super::notice::{self, Notice, RunNotice};
use super::question::{Question, QuestionPage};
use super::view::View;
use super::{ADDRESS, Scene, draw, read};
use crate::db::Pool;
use crate::settings::validate::{self, PasswordInput, World};
use crate::settings::{OwnServices, changes, drafts};
use crate::web::base::Base;
use crate::web::live::{Live, Seen, follow, signed_out};
use crate::web::login::Visitor;
use crate::web::submitted::Form;
use crate::web::synchronizations::{StatusBox, begin, halt};
use crate::web::{Administrator, Db, PageError, Reply, Reporter, Shell, Wants};

pub(super) fn routes() -> Vec<Route> {
    routes![synchronize, stop, show_state, stream_state]
}

/// Is anything typed or chosen that saving would change or refuse?
fn is_dirty(scene: &Scene, sent: &Submission) -> bool {
    let own = OwnServices::none();
    let world = World { tree: &scene.tree, own: &own };
    let has_password = scene.current.proxy.password.is_some();
    let password_changes = match &sent.typed.password {
        PasswordInput::Keep => false,
        PasswordInput::Remove => has_password,
        PasswordInput::Replace(_) => true,
    };
    password_changes
        || !sent.faults.is_empty()
        || validate::validate(&scene.current, &sent.typed, world)
            .map_or(true, |valid| !changes::between(&scene.current, &valid.options).is_empty())
}

/// **Synchronize now**: with the saved settings. Unsaved changes are asked about first.
#[post("/options/synchronization/synchronize?<confirmed>", data = "<fields>")]
async fn synchronize(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    cookies: &CookieJar<'_>,
    confirmed: Option<&str>,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    let scene = Scene::load(&mut db.0).await?;
    let sent = read(&mut db.0, admin.account.id, &fields).await?;
    let dirty = is_dirty(&scene, &sent);
    if dirty && confirmed != Some("saved") {
        return ask(&mut db.0, admin, &scene, sent, wants).await;
    }
    let run = RunNotice::new(begin(&mut db.0, &admin.shell).await?, admin.shell.zone);
    match wants {
        Wants::Fragment => {
            state(&mut db.0, admin.shell, Some(Notice { run: Some(run), ..Notice::default() })).await
        }
        Wants::Page => {
            notice::leave(cookies, None, Some(&run));
            Ok(Reply::SeeOther(keep(&mut db.0, admin.account.id, sent, dirty).await?))
        }
    }
}

/// **Stop synchronization**. The run ends as soon as it has put away what it holds.
#[post("/options/synchronization/stop?<run>", data = "<fields>")]
async fn stop(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    run: Option<i64>,
    fields: Form<Fields>,
) -> Result<Reply, PageError> {
    if let Some(run_id) = run {
        halt(&mut db.0, &admin.shell, run_id).await?;
    }
    if wants == Wants::Fragment {
        return state(&mut db.0, admin.shell, None).await;
    }
    let scene = Scene::load(&mut db.0).await?;
    let sent = read(&mut db.0, admin.account.id, &fields).await?;
    let dirty = is_dirty(&scene, &sent);
    Ok(Reply::SeeOther(keep(&mut db.0, admin.account.id, sent, dirty).await?))
}

/// Where the page comes back with what was typed.
async fn keep(
    conn: &mut AsyncPgConnection,
    account_id: i64,
    sent: Submission,
    dirty: bool,
) -> Result<String, PageError> {
    if !dirty {
        return Ok(ADDRESS.to_owned());
    }
    let id = drafts::store(conn, account_id, sent.draft, &sent.to_draft()).await?;
    Ok(format!("{ADDRESS}?draft={id}"))
}

async fn ask(
    conn: &mut AsyncPgConnection,
    admin: Administrator,
    scene: &Scene,
    sent: Submission,
    wants: Wants,
) -> Result<Reply, PageError> {
    if wants == Wants::Fragment {
        let page = QuestionPage { question: Question::Synchronize };
        return super::dialog::asked_over_the_page(page.render());
    }
    let mut view =
        View::new(scene, &sent.typed, true).with_draft(sent.draft).with_password_lost(sent.loses_password());
    view.version = sent.version;
    view.dirty = true;
    view.question = Some(Question::Synchronize);
    draw(conn, admin.shell, &scene.current, rocket::http::Status::Ok, view).await
}

/// The parts of the page that follow a run.
#[derive(Template)]
#[template(path = "options/state.html")]
struct RunState {
    shell: Shell,
    status: StatusBox,
    notice: Option<Notice>,
    /// Sent by the stream itself, which goes on.
    in_stream: bool,
}

async fn state(
    conn: &mut AsyncPgConnection,
    shell: Shell,
    notice: Option<Notice>,
) -> Result<Reply, PageError> {
    let status = StatusBox::load(conn, shell.zone).await?;
    Reply::ok(&RunState { shell, status, notice, in_stream: false })
}

/// Asked by the page now and then while nothing is at work.
#[get("/options/synchronization/state")]
async fn show_state(reporter: Reporter, mut db: Db) -> Result<Reply, PageError> {
    state(&mut db.0, reporter.shell, None).await
}

/// The same as a stream, from the start of a run to its end.
#[get("/options/synchronization/events")]
async fn stream_state(
    reporter: Reporter,
    visitor: Visitor,
    pool: &State<Pool>,
    base: Base,
    end: Shutdown,
) -> Live<EventStream![Event]> {
    let (pool, shell) = (pool.inner().clone(), reporter.shell);
    follow(end, base, move || {
        let (pool, shell, token) = (pool.clone(), shell.clone(), visitor.token.clone());
        async move { look(&pool, shell, token.as_deref()).await }
    })
}

async fn look(pool: &Pool, shell: Shell, token: Option<&str>) -> Option<Seen> {
    let mut db = Db::borrow(pool).await.ok()?;
    if signed_out(&mut db, token).await? {
        return Some(Seen::end());
    }
    let status = StatusBox::load(&mut db.0, shell.zone).await.ok()?;
    let is_over = status.active.is_none();
    let html = RunState { shell, status, notice: None, in_stream: true }.render().ok()?;
    Some(Seen { html, is_over })
}
