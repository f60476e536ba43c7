//! The accept layer: TCP connections in, Rocket answers out, with limits on everything in between.
//!
//! Rocket 0.5 has no time limit on request headers, no limit on connections and no public way to
//! bring a listener of one's own. So hyper accepts and reads here, and a whole request is handed to
//! a Rocket instance in the same process; its answer streams back. Knows nothing else of Weir.

mod answer;
mod arrival;
mod body;
mod connections;
mod dispatch;
mod hosts;
mod limits;
mod methods;
mod plain;
mod refusal;
mod server;
mod tls;
mod watched;

pub use arrival::{Arrival, Proxies};
pub use dispatch::{Site, quiet_config};
pub use hosts::Hosts;
pub use limits::Limits;
pub use methods::other_methods;
pub use plain::Plain;
pub use server::{Door, HSTS, Listener, Serving};
pub use tls::{Tls, TlsError, TlsFiles};

/// Why a listener could not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("The address {address} cannot be listened on")]
    Bind {
        address: std::net::SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("The pages could not be put together: {reason}")]
    Assembly { reason: String },
}

#[cfg(test)]
mod tests;
