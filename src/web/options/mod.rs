//! The option pages.

use std::sync::Arc;

use rocket::Route;

use super::Shell;
use crate::secret::SecretKey;
use crate::settings::{Actor, OwnServices};
use crate::sync::Prober;

mod connections;
pub mod synchronization;
mod test_gate;

pub use test_gate::TestGate;

/// What the option pages need to be managed by Rocket.
pub struct OptionsParts {
    /// Seals the proxy password.
    pub key: Arc<SecretKey>,
    /// Refused as an update source.
    pub own: OwnServices,
    /// Prepares **Test connection**.
    pub prober: Prober,
    /// Limits how often it is pressed.
    pub tests: TestGate,
}

pub(super) fn routes() -> Vec<Route> {
    [connections::routes(), synchronization::routes()].concat()
}

/// The person of this request, for the audit log.
fn actor(shell: &Shell) -> Actor {
    Actor {
        name: shell.actor().to_owned(),
        account_id: shell.account.as_ref().map(|account| account.id),
        peer: shell.peer.clone(),
        request_id: shell.request_id.clone(),
    }
}
