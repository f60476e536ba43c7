//! What a synchronization works with, and how settings become a target.

use url::Url;
use zeroize::Zeroizing;

use super::SyncError;
use crate::content::Store;
use crate::db::{DatabaseUrl, Pool};
use crate::secret::SecretKey;
use crate::settings::{Proxy, SourceKind, SyncOptions};
use crate::upstream::{
    CallRecord, MICROSOFT_UPDATE_ROOT, ProxyCredentials, ProxyTarget, RetryPolicy, Target, TransportLimits,
    Trust,
};

/// Where Microsoft Update is; a laboratory puts a stand-in there.
#[derive(Debug, Clone)]
pub struct MicrosoftUpdate {
    pub url: Url,
    /// PEM text that replaces the pinned root.
    pub ca: Option<String>,
}

/// Where files are kept, and where they may come from.
#[derive(Debug, Clone, Default)]
pub struct ContentPlace {
    pub store: Store,
    /// Hosts beside the source and Microsoft's; `*.lab` stands for every name below `lab`.
    pub hosts: Vec<String>,
}

/// Everything a synchronization needs from the program around it.
pub struct SyncContext {
    pub pool: Pool,
    /// For the bulk connection of the import.
    pub database: DatabaseUrl,
    pub secret: SecretKey,
    pub microsoft: MicrosoftUpdate,
    /// Name of this machine, told to the update source.
    pub host_name: String,
    pub content: ContentPlace,
    pub limits: TransportLimits,
    pub retry: RetryPolicy,
    /// Is told of each call of the update source, before the run's log.
    pub probe: fn(&CallRecord),
}

/// What makes an update source the same one: anchors belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceIdentity {
    pub kind: &'static str,
    pub host: String,
    pub port: i32,
    pub ssl: bool,
}

impl SyncContext {
    /// The source of the settings, whom to trust there, and the proxy to go through.
    ///
    /// # Errors
    /// [`SyncError::Unusable`] when the settings make no address, or the proxy's password cannot be opened.
    pub(super) fn target(&self, options: &SyncOptions) -> Result<(SourceIdentity, Target), SyncError> {
        target(options, &self.microsoft, &self.secret)
    }
}

/// As [`SyncContext::target`].
pub(super) fn target(
    options: &SyncOptions,
    microsoft: &MicrosoftUpdate,
    secret: &SecretKey,
) -> Result<(SourceIdentity, Target), SyncError> {
    let source = &options.source;
    let (origin, trust) = match source.kind {
        SourceKind::MicrosoftUpdate => {
            let pinned = || String::from_utf8_lossy(MICROSOFT_UPDATE_ROOT).into_owned();
            let pem = microsoft.ca.clone().unwrap_or_else(pinned);
            (microsoft.url.clone(), Trust::Only(pem))
        }
        SourceKind::Upstream => {
            let scheme = if source.ssl { "https" } else { "http" };
            let text = format!("{scheme}://{}:{}/", source.server, source.port);
            let unusable = |_| SyncError::Unusable(format!("{} is not a server name.", source.server));
            let trust = match source.ca.trim() {
                "" => Trust::System,
                _ => Trust::SystemAnd(source.ca.clone()),
            };
            (Url::parse(&text).map_err(unusable)?, trust)
        }
    };
    let Some(host) = origin.host_str().filter(|host| !host.is_empty()) else {
        return Err(SyncError::Unusable("The update source has no server name.".to_owned()));
    };
    let identity = SourceIdentity {
        kind: source.kind.as_str(),
        host: host.to_ascii_lowercase(),
        port: i32::from(origin.port_or_known_default().unwrap_or_default()),
        ssl: origin.scheme() == "https",
    };
    let proxy = if options.proxy.enabled { Some(proxy(&options.proxy, secret)?) } else { None };
    Ok((identity, Target { origin, trust, proxy }))
}

fn proxy(settings: &Proxy, secret: &SecretKey) -> Result<ProxyTarget, SyncError> {
    let credentials = if settings.credentials { Some(credentials(settings, secret)?) } else { None };
    Ok(ProxyTarget { server: settings.server.clone(), port: settings.port, credentials, is_patient: false })
}

fn credentials(settings: &Proxy, secret: &SecretKey) -> Result<ProxyCredentials, SyncError> {
    let unreadable = || {
        SyncError::Unusable(
            "The password of the proxy server was sealed with another key than this server has. Enter it again \
             under Options."
                .to_owned(),
        )
    };
    let password = match &settings.password {
        None => Zeroizing::new(String::new()),
        Some(sealed) => {
            let plain = secret.open(Proxy::PASSWORD_PURPOSE, sealed).map_err(|_| unreadable())?;
            Zeroizing::new(std::str::from_utf8(&plain).map_err(|_| unreadable())?.to_owned())
        }
    };
    Ok(ProxyCredentials {
        user: settings.user.clone(),
        domain: settings.domain.clone(),
        password,
        basic_allowed: settings.basic,
    })
}
