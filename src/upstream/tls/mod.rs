//! TLS towards an update source: TLS 1.2 at least, certificate and host name always checked, and words for each
//! way in which that fails.

mod config;
mod presented;
mod problem;
mod verifier;

pub(super) use config::client_config;
pub use presented::Presented;
pub use problem::TlsProblem;
pub use verifier::Handshake;
pub(super) use verifier::Handshakes;
