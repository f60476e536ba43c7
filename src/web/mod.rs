//! The console: pages for people, made of Askama templates and htmx.
//!
//! [`attach`] mounts every page with the guards, headers and catchers they rely on. A page is one file
//! here and one under `templates/`; each route takes a guard of [`guards`] that says who may call it.

mod api;
pub mod assets;
mod audit;
mod automatic_approval;
mod automatic_run;
mod compress;
mod content_store;
pub mod cookies;
pub mod csrf;
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
use rocket::{Build, Rocket, Route};

/// What the console needs from the program that starts it.
pub struct ConsoleParts {
    /// Managed by Rocket from here on; pages borrow connections with [`Db`].
    pub pool: Pool,
    /// The console is reached over TLS: cookies are named `__Host-weir` and carry `Secure`.
    pub secure: bool,
    /// For the setup page.
    pub setup: SetupCode,
    /// The files of updates.
    pub store: crate::content::Store,
    /// For the option pages.
    pub options: options::OptionsParts,
}

/// Facts about this console that every request may need.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// See [`ConsoleParts::secure`].
    pub secure: bool,
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
    rocket
        .manage(parts.pool)
        .manage(parts.setup)
        .manage(parts.store)
        .manage(parts.options)
        .manage(Gate::default())
        .manage(Console { secure: parts.secure })
        .attach(csrf::Shield::default())
        .attach(headers::Headers)
        .attach(compress::Compress)
        .register("/", error::catchers())
        .mount("/", routes())
}
