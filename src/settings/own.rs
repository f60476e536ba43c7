//! Is an address this server's own services listener? A server must not synchronize from itself.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::host::host_address;

/// Where this server's own services answer.
#[derive(Debug, Clone)]
pub struct OwnServices {
    listens_on: SocketAddr,
    tls_port: Option<u16>,
    host_name: String,
}

impl OwnServices {
    /// Longest wait for a name to be resolved when a source is checked (ours).
    const RESOLVE_WAIT: Duration = Duration::from_secs(2);

    /// `host_name` is this machine's own name; it may be empty.
    #[must_use]
    pub fn new(listens_on: SocketAddr, host_name: &str) -> Self {
        Self { listens_on, tls_port: None, host_name: host_name.trim().to_ascii_lowercase() }
    }

    /// No listener at all: no address is this server's own.
    #[must_use]
    pub fn none() -> Self {
        Self::new(SocketAddr::from(([0, 0, 0, 0], 0)), "")
    }

    /// With this machine's name as its kernel tells it.
    #[must_use]
    pub fn of_this_machine(listens_on: SocketAddr) -> Self {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self::new(listens_on, &name)
    }

    /// They answer over TLS on this port as well.
    #[must_use]
    pub fn with_tls(self, port: Option<u16>) -> Self {
        Self { tls_port: port, ..self }
    }

    fn has_port(&self, port: u16) -> bool {
        port == self.listens_on.port() || self.tls_port == Some(port)
    }

    /// Does this kept host with this port reach the listener, judged by the name alone?
    #[must_use]
    pub fn is(&self, host: &str, port: u16) -> bool {
        if !self.has_port(port) {
            return false;
        }
        match host_address(host) {
            Some(address) => self.answers_on(address),
            None => self.is_own_name(host),
        }
    }

    /// Like [`OwnServices::is`], but also asks what the name resolves to. A name that cannot be
    /// resolved in two seconds is taken for another machine's.
    pub async fn is_reached_by(&self, host: &str, port: u16) -> bool {
        if self.is(host, port) {
            return true;
        }
        if !self.has_port(port) || host_address(host).is_some() {
            return false;
        }
        let lookup = tokio::net::lookup_host((host, port));
        match tokio::time::timeout(Self::RESOLVE_WAIT, lookup).await {
            Ok(Ok(mut found)) => found.any(|one| self.answers_on(one.ip())),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    fn is_own_name(&self, host: &str) -> bool {
        let first_label = self.host_name.split('.').next().unwrap_or_default();
        host == "localhost"
            || host.ends_with(".localhost")
            || (!self.host_name.is_empty() && (host == self.host_name || host == first_label))
    }

    fn answers_on(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let own = self.listens_on.ip().to_canonical();
        address.is_unspecified()
            || address == own
            || (own.is_unspecified() && is_local(address))
            // every 127.x.y.z is this machine; a listener on one of them is meant by them all
            || (own.is_loopback() && address.is_loopback())
    }
}

/// An address is ours exactly if a socket can be bound to it.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_listener_is_known_under_its_names() {
        let own = OwnServices::new("0.0.0.0:8530".parse().unwrap(), "Weir01.corp.example\n");
        for host in
            ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "0.0.0.0", "weir01", "weir01.corp.example"]
        {
            assert!(own.is(host, 8530), "{host}");
            assert!(!own.is(host, 8531), "another port of this machine is fine: {host}");
        }
        assert!(!own.is("wsus01.corp.example", 8530));
        assert!(!own.is("192.0.2.1", 8530));
    }
}
