//! The console: pages for people, made of Askama templates and htmx.
//!
//! [`attach`] mounts every page with the guards, headers and catchers they rely on. A page is one file
//! here and one under `templates/`; each route takes a guard of [`guards`] that says who may call it.

mod api;
pub mod assets;
mod audit;
mod automatic_approval;
mod automatic_run;
mod base;
mod compress;
mod content_store;
pub mod cookies;
pub mod csrf;
mod days;
mod download;
pub mod error;
pub mod form;
mod groups;
pub mod guards;
mod headers;
pub mod help;
mod home;
mod instances;
mod jobs;
mod language;
mod live;
mod login;
pub mod moment;
pub mod options;
mod options_index;
mod page;
mod password_link;
mod profile;
mod reports;
mod setup;
pub mod shell;
mod submitted;
pub mod synchronizations;
mod synchronize;
mod theme;
mod updates;
mod users;
mod words;

pub use error::PageError;
pub use form::Field;
pub use guards::{Administrator, Anyone, Db, Operator, Reporter, Wants};
pub use page::{Reply, html};
pub use shell::Shell;

use crate::accounts::{Pool, setup::SetupCode, throttle::Gate};
use crate::listen::Arrival;
use crate::settings::KnownTrees;
use rocket::request::{FromRequest, Outcome};
use rocket::{Build, Request, Rocket, Route};
use std::sync::Arc;

/// What the console needs from the program that starts it.
pub struct ConsoleParts {
    /// Managed by Rocket from here on; pages borrow connections with [`Db`].
    pub pool: Pool,
    /// For the setup page.
    pub setup: SetupCode,
    /// The files of updates.
    pub store: crate::content::Store,
    /// For the option pages.
    pub options: options::OptionsParts,
}

/// How the browser reaches this console with a request.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// Over TLS: cookies are named `__Host-weir` and carry `Secure`.
    pub secure: bool,
}

impl Console {
    pub fn of(request: &Request<'_>) -> Self {
        Self { secure: request.local_cache(Arrival::default).is_secure }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Console {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// Every route of the console. Rules for who may call one stand in its handler's signature.
pub fn routes() -> Vec<Route> {
    [
        api::routes(),
        assets::routes(),
        audit::routes(),
        automatic_approval::routes(),
        automatic_run::routes(),
        content_store::routes(),
        csrf::routes(),
        groups::routes(),
        help::routes(),
        home::routes(),
        instances::routes(),
        jobs::routes(),
        login::routes(),
        options::routes(),
        options_index::routes(),
        reports::routes(),
        password_link::routes(),
        profile::routes(),
        setup::routes(),
        synchronizations::routes(),
        synchronize::routes(),
        theme::routes(),
        updates::routes(),
        users::routes(),
    ]
    .concat()
}

/// Puts pages, fairings and catchers on `rocket`, and manages what they use.
pub fn attach(rocket: Rocket<Build>, parts: ConsoleParts) -> Rocket<Build> {
    let trees = Arc::new(KnownTrees::default());
    rocket
        .manage(parts.pool)
        .manage(parts.setup)
        .manage(parts.store)
        .manage(parts.options)
        .manage(Gate::default())
        .manage(options::synchronization::KeptStanding::new(Arc::clone(&trees)))
        .manage(trees)
        .attach(csrf::Shield::default())
        .attach(headers::Headers)
        .attach(base::AddBase)
        .attach(compress::Compress)
        .register("/", error::catchers())
        .mount("/", routes())
}
