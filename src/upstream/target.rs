//! Whom to ask, by which way, and whom to trust on it.

use url::Url;
use zeroize::Zeroizing;

/// The one root that is trusted for Microsoft Update; `README.md` beside this file names origin and fingerprint.
pub const MICROSOFT_UPDATE_ROOT: &[u8] = include_bytes!("microsoft-root-2011.pem");

/// An update source as the client needs it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Scheme, host and port; the path is ignored.
    pub origin: Url,
    /// Whose certificates count.
    pub trust: Trust,
    /// The only way out when present.
    pub proxy: Option<ProxyTarget>,
}

impl Target {
    /// Whom to trust on the connections to it: without TLS only the built-in root, so that no list of the system's is
    /// looked for and missed.
    pub(super) fn used_trust(&self) -> &Trust {
        static NOBODY_ELSE: std::sync::LazyLock<Trust> = std::sync::LazyLock::new(|| {
            Trust::Only(String::from_utf8_lossy(MICROSOFT_UPDATE_ROOT).into_owned())
        });
        if self.origin.scheme() == "https" { &self.trust } else { &NOBODY_ELSE }
    }

    /// The address as messages about its answers show it: host and port, and the proxy server before it.
    pub fn shown_with_proxy(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("{} (through the proxy server {})", self.shown(), proxy.shown()),
            None => self.shown(),
        }
    }

    /// Name and port of the proxy server; empty without one.
    pub fn proxy_shown(&self) -> String {
        self.proxy.as_ref().map(ProxyTarget::shown).unwrap_or_default()
    }

    /// The address as messages show it: host and port.
    pub fn shown(&self) -> String {
        let host = self.origin.host_str().unwrap_or("?");
        match self.origin.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

/// Which certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// What the operating system trusts.
    System,
    /// What the operating system trusts, and the authorities in this PEM text.
    SystemAnd(String),
    /// Only the authorities in this PEM text.
    Only(String),
}

/// The proxy server of the settings.
#[derive(Debug, Clone)]
pub struct ProxyTarget {
    /// Host name or address, without a scheme.
    pub server: String,
    pub port: u16,
    /// Present when the proxy wants to know who asks.
    pub credentials: Option<ProxyCredentials>,
    /// Work that nobody waits for: an account that was refused is not tried again for a while.
    pub is_patient: bool,
}

impl ProxyTarget {
    /// Name and port, as messages show them.
    pub fn shown(&self) -> String {
        let server = self.server.trim_start_matches('[').trim_end_matches(']');
        match server.contains(':') {
            true => format!("[{server}]:{}", self.port),
            false => format!("{server}:{}", self.port),
        }
    }
}

/// Who we are towards the proxy. `Debug` hides the password.
#[derive(Clone)]
pub struct ProxyCredentials {
    pub user: String,
    /// Windows domain, may be empty.
    pub domain: String,
    pub password: Zeroizing<String>,
    /// Basic sends the password in clear and needs this permission.
    pub basic_allowed: bool,
}

impl ProxyCredentials {
    /// `DOMAIN\user`, or only the user when there is no domain.
    pub fn qualified_user(&self) -> String {
        if self.domain.is_empty() { self.user.clone() } else { format!("{}\\{}", self.domain, self.user) }
    }

    /// Domain and user apart, as NTLM wants them; `DOMAIN\user` typed as the user name is two, `user@domain` is one.
    pub fn account(&self) -> (&str, &str) {
        match self.user.split_once('\\') {
            Some((domain, user)) if self.domain.is_empty() => (domain, user),
            _ => (&self.domain, &self.user),
        }
    }
}

impl std::fmt::Debug for ProxyCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyCredentials")
            .field("user", &self.user)
            .field("domain", &self.domain)
            .field("basic_allowed", &self.basic_allowed)
            .finish_non_exhaustive()
    }
}
