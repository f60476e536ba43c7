//! **Test connection**: tries the source or the proxy server as typed, unsaved. Steps come one by one as a stream
//! where there is htmx, and all at once on the page where there is not.

use std::time::{Duration, Instant};

use askama::Template;
use diesel_async::AsyncPgConnection;
use rocket::http::Status;
use rocket::response::stream::{Event, EventStream};
use rocket::{Responder, Route, Shutdown, State, post, routes};
use tokio::sync::mpsc::{self, Receiver};

use super::form::{Fields, Submission};
use super::view::View;
use super::{Scene, draw, read};
use crate::accounts::audit;
use crate::settings::validate::{self, PasswordInput, Typed, World};
use crate::settings::{Panel, Proxy, SyncOptions, drafts};
use crate::sync::SyncError;
use crate::upstream::probe::{Outcome, Probe, Scope, Station, Step};
use crate::web::live::Live;
use crate::web::options::OptionsParts;
use crate::web::submitted::Form;
use crate::web::{Administrator, Db, PageError, Reply, Wants};

/// Steps on their way to the page.
const STEPS_IN_TRANSIT: usize = 16;

pub(super) fn routes() -> Vec<Route> {
    routes![test_connection]
}

/// A test as the templates see it.
#[derive(Template)]
#[template(path = "options/test.html")]
pub struct Test {
    /// `source` or `proxy`.
    pub what: &'static str,
    pub steps: Vec<Step>,
    pub is_running: bool,
    /// Why there was no test; empty: there was one.
    pub refused: String,
}

impl Test {
    fn new(scope: Scope) -> Self {
        let what = match scope {
            Scope::Source => "source",
            Scope::Proxy => "proxy",
        };
        Self { what, steps: Vec::new(), is_running: true, refused: String::new() }
    }

    /// One sentence about all of it.
    pub fn verdict(&self) -> String {
        let took: Duration = self.steps.iter().map(|step| step.took).sum();
        match self.steps.iter().find(|step| step.is_failed()) {
            Some(step) => format!("The test failed at this step: {}.", step.station.title()),
            None if self.is_running => "Testing the connection.".to_owned(),
            None => format!("The connection works ({}).", shown(took)),
        }
    }

    /// The kind of a step's mark.
    pub fn kind(&self, step: &Step) -> &'static str {
        match step.outcome {
            Outcome::Passed { .. } => "ok",
            Outcome::Noted { .. } => "warn",
            Outcome::Failed { .. } => "bad",
        }
    }

    /// How long a step took; empty for one that took no time of its own.
    pub fn took(&self, step: &Step) -> String {
        if step.took.is_zero() { String::new() } else { shown(step.took) }
    }
}

fn shown(took: Duration) -> String {
    match took.as_millis() {
        0 => "1 ms".to_owned(),
        millis @ ..1_000 => format!("{millis} ms"),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}

#[derive(Responder)]
enum Answer<S> {
    Stream(Live<S>),
    Page(Reply),
}

#[post("/options/synchronization/test/<what>", data = "<fields>")]
async fn test_connection(
    admin: Administrator,
    mut db: Db,
    wants: Wants,
    parts: &State<OptionsParts>,
    what: &str,
    end: Shutdown,
    fields: Form<Fields>,
) -> Result<Answer<EventStream![Event]>, PageError> {
    let scope = match what {
        "source" => Scope::Source,
        "proxy" => Scope::Proxy,
        _ => return Err(PageError::NotFound { what: "test" }),
    };
    let scene = Scene::load(&mut db.0).await?;
    let sent = read(&mut db.0, admin.account.id, &fields).await?;
    let mut test = Test::new(scope);
    let probe = match parts.tests.begin(admin.account.id, Instant::now()) {
        Ok(()) => {
            let entry = admin.shell.audit("connection.test", test.what);
            prepare(&mut db.0, parts, &scene, &sent, scope, entry).await?
        }
        Err(seconds) => {
            test.is_running = false;
            test.refused =
                format!("These were many tests in a short time. Wait {seconds} s, then test again.");
            Err(Vec::new())
        }
    };
    let steps = match probe {
        Ok(probe) => begin(probe, scope),
        Err(steps) => ended(steps),
    };
    if wants == Wants::Fragment {
        drop(db); // a test may take longer than a connection should be held
        return Ok(Answer::Stream(Live::new(stream(test, steps, end))));
    }
    let status = if test.refused.is_empty() { Status::Ok } else { Status::TooManyRequests };
    let test = gather(test, steps, end).await;
    let id = drafts::store(&mut db.0, admin.account.id, sent.draft, &sent.to_draft()).await?;
    let mut view =
        View::new(&scene, &sent.typed, true).with_draft(Some(id)).with_password_lost(sent.loses_password());
    view.version = sent.version;
    view.test = Some(test);
    draw(&mut db.0, admin.shell, &scene.current, status, view).await.map(Answer::Page)
}

/// The test, or the one step at which it ends before anything is sent.
async fn prepare(
    conn: &mut AsyncPgConnection,
    parts: &OptionsParts,
    scene: &Scene,
    sent: &Submission,
    scope: Scope,
    mut entry: audit::Entry<'_>,
) -> Result<Result<Probe, Vec<Step>>, PageError> {
    let options = match typed_options(parts, scene, sent, scope) {
        Ok(options) => options,
        Err(steps) => return Ok(Err(steps)),
    };
    let proxy = &options.proxy;
    entry.after = Some(serde_json::json!({
        "source": options.source.shown(),
        "ssl": options.source.ssl,
        "proxy": if proxy.enabled { format!("{}:{}", proxy.server, proxy.port) } else { String::new() },
    }));
    audit::record(conn, entry).await?;
    match parts.prober.prepare(conn, &options).await {
        Ok(probe) => Ok(Ok(probe)),
        Err(SyncError::Unusable(sentence)) => Ok(Err(settings_step(sentence))),
        Err(error) => Err(PageError::internal(error)),
    }
}

/// The saved options with what is typed about source and proxy server over them.
fn typed_options(
    parts: &OptionsParts,
    scene: &Scene,
    sent: &Submission,
    scope: Scope,
) -> Result<SyncOptions, Vec<Step>> {
    let values =
        sent.typed.values.iter().filter(|(key, _)| matches!(key.panel(), Panel::Source | Panel::Proxy));
    let values = values.map(|(key, value)| (*key, value.clone())).collect();
    let password = match &sent.typed.password {
        PasswordInput::Keep => PasswordInput::Keep,
        PasswordInput::Remove => PasswordInput::Remove,
        PasswordInput::Replace(typed) => PasswordInput::Replace(typed.clone()),
    };
    let typed = Typed { values, password };
    let world = World { tree: &scene.tree, own: &parts.own };
    let valid = validate::validate(&scene.current, &typed, world).map_err(|errors| {
        let lines = errors.0.iter().map(|one| format!("{}: {}", one.key.label(), one.sentence));
        settings_step(lines.collect::<Vec<_>>().join(" "))
    })?;
    let mut options = valid.options;
    if let Some(password) = &valid.new_password {
        options.proxy.password = Some(parts.key.seal(Proxy::PASSWORD_PURPOSE, password.as_bytes()));
    }
    if scope == Scope::Proxy && !options.proxy.enabled {
        return Err(settings_step(
            "No proxy server is used. Tick Use a proxy server when synchronizing.".to_owned(),
        ));
    }
    Ok(options)
}

fn settings_step(text: String) -> Vec<Step> {
    let advice = "Correct this, then test again. Nothing was sent.".to_owned();
    let outcome = Outcome::Failed { text, advice };
    vec![Step { station: Station::Settings, outcome, took: Duration::ZERO }]
}

fn begin(probe: Probe, scope: Scope) -> Receiver<Step> {
    let (sender, receiver) = mpsc::channel(STEPS_IN_TRANSIT);
    tokio::spawn(probe.run(scope, sender));
    receiver
}

/// Steps that are known already.
fn ended(steps: Vec<Step>) -> Receiver<Step> {
    let (sender, receiver) = mpsc::channel(STEPS_IN_TRANSIT);
    for step in steps {
        // There is room, and what did not fit would be the end of a list nobody reads.
        let _ = sender.try_send(step);
    }
    receiver
}

/// The whole list again with each step.
fn stream(mut test: Test, mut steps: Receiver<Step>, mut end: Shutdown) -> EventStream![Event] {
    EventStream! {
        while test.is_running {
            if let Some(html) = draw_list(&test) {
                yield Event::data(html);
            }
            tokio::select! {
                step = steps.recv() => match step {
                    Some(step) => test.steps.push(step),
                    None => test.is_running = false,
                },
                _ = &mut end => break,
            }
        }
        if let Some(html) = draw_list(&test) {
            yield Event::data(html);
        }
    }
}

fn draw_list(test: &Test) -> Option<String> {
    test.render().inspect_err(|error| tracing::error!(%error, "a test cannot be drawn")).ok()
}

async fn gather(mut test: Test, mut steps: Receiver<Step>, mut end: Shutdown) -> Test {
    while test.is_running {
        tokio::select! {
            step = steps.recv() => match step {
                Some(step) => test.steps.push(step),
                None => test.is_running = false,
            },
            _ = &mut end => break,
        }
    }
    test.is_running = false;
    test
}
