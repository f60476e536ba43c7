//! How the listeners are reached: TLS, proxies in front, names, the path before ours.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Listeners;
use crate::downstream;
use crate::listen::{Door, Hosts, Plain, Proxies, Tls, TlsFiles};

/// Watchers ask it at either door, also in plain HTTP; it says ok or not and nothing else.
const HEALTH: &str = "/healthz";

/// Without anything: plain HTTP, under every name, and no proxy is believed.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    pub tls: Option<EdgeTls>,
    pub proxies: Proxies,
    /// Names of the console; the services answer under every name.
    pub hosts: Hosts,
    /// Plain HTTP gives out nothing but files of updates and `/healthz`.
    pub require_tls: bool,
    /// What a proxy puts before the console's paths.
    pub base: Arc<str>,
}

/// The certificate, and where the services show it. The console does on its own port.
#[derive(Debug, Clone)]
pub struct EdgeTls {
    pub files: TlsFiles,
    /// Port 0 takes a free one.
    pub services: SocketAddr,
}

impl Edge {
    pub(super) fn console_door(&self, tls: Option<Arc<Tls>>) -> Door {
        Door {
            tls,
            plain: self.plain(|path| path == HEALTH),
            proxies: self.proxies.clone(),
            hosts: self.hosts.clone(),
            base: self.base.clone(),
        }
    }

    pub(super) fn services_door(&self, tls: Option<Arc<Tls>>) -> Door {
        // Servers below fetch files over plain HTTP by their protocol; they are public and checked by digest.
        let plain = self.plain(|path| path == HEALTH || downstream::is_file(path));
        Door { tls, plain, proxies: self.proxies.clone(), ..Door::default() }
    }

    fn plain(&self, open: fn(&str) -> bool) -> Plain {
        if self.require_tls { Plain::Only(open) } else { Plain::Everything }
    }
}

impl From<&Listeners> for Edge {
    /// A console for this computer alone answers to this computer's names, so that no page of a stranger reaches it
    /// under a name of its own. A proxy in front may bring any name, as may a network.
    fn from(listeners: &Listeners) -> Self {
        let is_alone = listeners.console.ip().is_loopback() && listeners.trusted_proxies.is_empty();
        Self {
            tls: listeners.tls.as_ref().map(|tls| EdgeTls {
                files: TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone() },
                services: tls.services,
            }),
            require_tls: listeners.require_tls,
            proxies: Proxies::new(listeners.trusted_proxies.clone()),
            hosts: match listeners.hosts.is_empty() {
                false => Hosts::These(listeners.hosts.clone()),
                true if is_alone => Hosts::Local,
                true => Hosts::Any,
            },
            base: listeners.base_path.as_str().into(),
        }
    }
}
