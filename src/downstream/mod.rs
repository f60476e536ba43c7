//! Our side as upstream server: the web services and the content that downstream servers ask for.
//!
//! The routes are written in lower case and belong on the services listener only, together with the
//! [`NormalisePath`] fairing and one managed [`Services`].

mod anchor;
mod config_data;
mod content;
mod deployments;
mod download_files;
mod handshake;
mod languages;
mod paths;
mod places;
mod range;
mod refusal;
mod revisions;
mod servers;
mod soap;
mod ticket;
mod update_data;

use uuid::Uuid;

pub use paths::{NormalisePath, is_file};
pub use places::Places;
pub use update_data::{ANSWER_LEN_MAX, UPDATES_MAX};

use crate::content::Store;
use crate::db::Pool;
use crate::secret::SecretKey;
use refusal::Refusal;

/// Everything the services need to answer.
pub struct Services {
    pub pool: Pool,
    pub places: Places,
    /// Seals the cookies; kept over restarts.
    pub secret: SecretKey,
    /// This server's identity towards other servers, from the database.
    pub server_id: Uuid,
    /// Holds `XX/SHA1.ext`: folder and digest in upper case, extension in lower case.
    pub store: Store,
    pub limits: Limits,
}

/// What an anonymous peer may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one request body.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 4 * 1024 * 1024 }
    }
}

/// The routes of all services, to be mounted at `/`.
pub fn routes() -> Vec<rocket::Route> {
    let mut routes = soap::routes();
    routes.extend(content::routes());
    routes
}
