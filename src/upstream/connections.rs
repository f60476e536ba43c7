//! The connections towards one target: through its proxy server and no other way, with its authorities and no others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, Response, redirect};

use super::error::{UpstreamError, quote};
use super::failure::classify;
use super::limits::TransportLimits;
use super::proxy::{ProxyError, Relay};
use super::target::Target;
use super::tls::{self, Handshake, Handshakes};

/// An HTTP client, and the relay to the proxy server when there is one.
pub(super) struct Connections {
    http: Client,
    relay: Option<Relay>,
    target: Target,
    connect_s: u64,
    handshakes: Arc<Handshakes>,
}

impl Connections {
    /// No redirections, no retries. Call it inside the runtime.
    ///
    /// # Errors
    /// [`UpstreamError::Settings`] for certificates that cannot be read and for unusable addresses.
    pub fn new(target: Target, limits: TransportLimits) -> Result<Self, UpstreamError> {
        let unable = |error: reqwest::Error| UpstreamError::Settings {
            reason: format!("no connection can be prepared ({})", quote(&root_cause(&error))),
        };
        let handshakes = Arc::default();
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(limits.connect)
            .http1_only()
            .pool_idle_timeout(Duration::from_secs(60))
            .user_agent(concat!("Weir/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::client_config(target.used_trust(), &handshakes)?);
        let relay = target.proxy.clone().map(|proxy| Relay::start(proxy, limits)).transpose()?;
        if let Some(relay) = &relay {
            builder = builder.proxy(relay.as_proxy().map_err(unable)?);
        }
        let http = builder.build().map_err(unable)?;
        Ok(Self { http, relay, target, connect_s: limits.connect.as_secs(), handshakes })
    }

    pub fn http(&self) -> &Client {
        &self.http
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The last TLS handshake that succeeded.
    pub fn handshake(&self) -> Option<Handshake> {
        self.handshakes.last()
    }

    /// The scheme of the last sign-in at the proxy server; `None` when there was none.
    pub fn proxy_scheme(&self) -> Option<&'static str> {
        self.relay.as_ref()?.scheme()
    }

    /// What to say about an error of a request that was begun at `since`: the proxy server's failure comes first.
    pub fn failure(&self, error: &reqwest::Error, operation: &'static str, since: Instant) -> UpstreamError {
        match self.proxy_failure(since) {
            Some(failure) => failure.into(),
            None => classify(error, operation, &self.target, self.connect_s),
        }
    }

    /// An answer that came from the way and not from its end.
    ///
    /// # Errors
    /// [`UpstreamError::Proxy`].
    pub fn check_way(&self, response: &Response, since: Instant) -> Result<(), UpstreamError> {
        let Some(relay) = self.relay.as_ref().filter(|relay| relay.is_failure(response.headers())) else {
            return Ok(());
        };
        let unknown = || ProxyError::BrokeOff { proxy: relay.proxy().to_owned() };
        Err(self.proxy_failure(since).unwrap_or_else(unknown).into())
    }

    fn proxy_failure(&self, since: Instant) -> Option<ProxyError> {
        self.relay.as_ref()?.failure_since(since)
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
