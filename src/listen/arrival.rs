//! From where and how a request came: what the connection tells, or what a trusted proxy in front says.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::header::HeaderMap;
use ipnet::IpNet;

/// Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed. Nobody else's are, and
/// `X-Real-IP` and `Forwarded` never.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether this address is one of them.
    pub fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// What pages may know about the way of their request; kept with the request.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// The browser speaks TLS, with this listener or with the trusted proxy before it.
    pub is_secure: bool,
    /// What the browser's addresses begin with, before our own paths: empty, or `/weir`.
    pub base: Arc<str>,
}

/// The way of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Who asks. The port is the connection's.
    pub client: SocketAddr,
    pub is_secure: bool,
    /// The host as the browser named it, when a trusted proxy tells.
    pub host: Option<String>,
}

impl Way {
    pub fn of(headers: &HeaderMap, peer: SocketAddr, tls: bool, proxies: &Proxies) -> Self {
        if !proxies.include(peer.ip()) {
            return Self { client: peer, is_secure: tls, host: None };
        }
        let mut client = peer.ip().to_canonical();
        for hop in list(headers, "x-forwarded-for").rev() {
            let Some(address) = address(hop) else { break };
            client = address;
            if !proxies.include(address) {
                break;
            }
        }
        let scheme = list(headers, "x-forwarded-proto").next_back();
        Self {
            client: SocketAddr::new(client, peer.port()),
            is_secure: scheme.map_or(tls, |scheme| scheme.eq_ignore_ascii_case("https")),
            host: list(headers, "x-forwarded-host").next_back().map(str::to_owned),
        }
    }
}

/// The entries of a header that may come more than once and may hold several, in order.
fn list<'h>(headers: &'h HeaderMap, name: &str) -> impl DoubleEndedIterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter();
    let entries = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    entries.map(str::trim).filter(|entry| !entry.is_empty())
}

/// An address, also with a port behind it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let parsed = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    parsed.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn way(peer: &str, proxies: &[&str], headers: &[(&'static str, &'static str)]) -> Way {
        let proxies = Proxies::new(proxies.iter().map(|text| text.parse().unwrap()).collect());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Way::of(&map, peer.parse().unwrap(), false, &proxies)
    }

    fn client(peer: &str, proxies: &[&str], headers: &[(&'static str, &'static str)]) -> String {
        way(peer, proxies, headers).client.ip().to_string()
    }

    #[test]
    fn r166_a_stranger_is_who_the_connection_says() {
        let claims = [
            ("x-forwarded-for", "9.9.9.9"),
            ("x-real-ip", "9.9.9.9"),
            ("forwarded", "for=9.9.9.9;proto=https"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.test"),
        ];
        for proxies in [&[][..], &["10.0.0.0/8"]] {
            let way = way("192.0.2.1:70", proxies, &claims);
            assert_eq!(way, Way { client: "192.0.2.1:70".parse().unwrap(), is_secure: false, host: None });
        }
        assert_eq!(client("10.0.0.1:1", &["10.0.0.0/8"], &[("x-real-ip", "9.9.9.9")]), "10.0.0.1");
    }

    #[test]
    fn r166_the_last_address_that_no_trusted_proxy_has_is_the_client() {
        let trusted = ["10.0.0.0/8", "::1/128"];
        for (line, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7, unknown", "10.0.0.1"),
            ("10.2.2.2", "10.2.2.2"),
            (" , ,", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1:1", &trusted, &[("x-forwarded-for", line)]), expected, "{line}");
            assert_eq!(client("[::ffff:10.0.0.1]:1", &trusted, &[("x-forwarded-for", line)]), expected);
        }
        let twice = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(client("[::1]:1", &trusted, &twice), "192.0.2.7");
    }

    #[test]
    fn scheme_and_host_are_the_nearest_proxys() {
        let told = [("x-forwarded-proto", "http, HTTPS"), ("x-forwarded-host", "evil.test, weir.test:8443")];
        let way = way("10.0.0.1:1", &["10.0.0.1/32"], &told);
        assert!(way.is_secure);
        assert_eq!(way.host.as_deref(), Some("weir.test:8443"));
    }
}
