//! The client that talks to an update source: Microsoft Update or another update server.
//!
//! Network only: it knows no table and no setting row. It keeps the cookie of the conversation, retries what may
//! be retried, holds every answer to a limit, and says at which hop something went wrong.

mod client;
mod clock;
mod connections;
mod content;
mod error;
mod failure;
mod limits;
mod pieces;
pub mod probe;
pub mod proxy;
mod retry;
mod session;
mod target;
mod tls;
mod traffic;
mod transport;

pub use client::{CallRecord, SIGN_INS_MAX, UpstreamClient};
pub use content::{ContentAnswer, ContentClient, ContentError};
pub use error::{Hop, UpstreamError, without_userinfo};
pub use limits::TransportLimits;
pub use proxy::ProxyError;
pub use retry::{REPEATED, RetryPolicy};
pub use session::Identity;
pub use target::{MICROSOFT_UPDATE_ROOT, ProxyCredentials, ProxyTarget, Target, Trust};
pub use tls::{Handshake, Presented, TlsProblem};
pub use traffic::{Destination, Traffic, Volume};
