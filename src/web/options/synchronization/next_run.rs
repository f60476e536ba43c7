//! The line with the next run, asked from the server while the schedule is edited.

use askama::Template;
use chrono::Utc;
use rocket::{Route, get, routes};

use super::Scene;
use super::form::Fields;
use super::moments::{self, NextRun};
use crate::settings::validate::{self, Typed, World};
use crate::settings::{Key, OwnServices, SourceKind};
use crate::web::{Administrator, Db, PageError, Reply};

pub(super) fn routes() -> Vec<Route> {
    routes![show_next_run]
}

/// What a schedule as typed leads to.
#[derive(Template)]
#[template(path = "options/next_run.html")]
struct NextRunLine {
    next_run: Option<NextRun>,
    /// The source is Microsoft Update, which is asked at a random moment.
    microsoft: bool,
    /// A value that cannot be used.
    refusal: Option<String>,
}

const ASKED: [Key; 5] =
    [Key::ScheduleMode, Key::ScheduleTime, Key::SchedulePerDay, Key::ScheduleTimeZone, Key::SourceKind];

#[get("/options/synchronization/next-run?<fields..>")]
async fn show_next_run(_admin: Administrator, mut db: Db, fields: Fields) -> Result<Reply, PageError> {
    let scene = Scene::load(&mut db.0).await?;
    let mut typed = Typed::default();
    for key in ASKED {
        if let Some((_, value)) = fields.0.iter().find(|(name, _)| name == key.name()) {
            typed.values.insert(key, value.clone());
        }
    }
    // The server's name may not be typed yet, and is not asked here.
    let microsoft = match typed.values.remove(&Key::SourceKind) {
        Some(kind) => kind == SourceKind::MicrosoftUpdate.as_str(),
        None => scene.current.source.kind == SourceKind::MicrosoftUpdate,
    };
    let own = OwnServices::none();
    match validate::validate(&scene.current, &typed, World { tree: &scene.tree, own: &own }) {
        Ok(valid) => {
            let next_run = moments::next_run(&valid.options.schedule, Utc::now());
            Reply::ok(&NextRunLine { next_run, microsoft, refusal: None })
        }
        Err(errors) => {
            let refusal = errors.0.first().map(|one| one.sentence.clone());
            Reply::refused(&NextRunLine { next_run: None, microsoft, refusal })
        }
    }
}
