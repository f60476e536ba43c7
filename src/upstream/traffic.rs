//! Counts what came from which host, so that a firewall can be asked for exactly that.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use url::Url;

/// Hosts that are told apart; a source has one, and files come from a handful.
const DESTINATIONS_MAX: usize = 200;

/// A host as it was connected to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// Name and port of the proxy server; empty: directly.
    pub proxy: String,
}

/// What came from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    pub requests: i64,
    /// Received, unpacked.
    pub bytes: i64,
}

/// The counts so far.
#[derive(Debug, Default)]
pub struct Traffic {
    counts: Mutex<BTreeMap<Destination, Volume>>,
}

impl Traffic {
    /// Counts one answer of `bytes` from `url`; `proxy` is empty without one.
    pub fn add(&self, url: &Url, proxy: &str, bytes: u64) {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return };
        let destination = Destination {
            host: host.to_ascii_lowercase(),
            port,
            tls: url.scheme() == "https",
            proxy: proxy.to_owned(),
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= DESTINATIONS_MAX && !counts.contains_key(&destination) {
            return;
        }
        let volume = counts.entry(destination).or_default();
        volume.requests += 1;
        volume.bytes = volume.bytes.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The counts, which begin anew.
    pub fn take(&self) -> BTreeMap<Destination, Volume> {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_one_host_are_added_up() {
        let traffic = Traffic::default();
        let url = |text: &str| Url::parse(text).unwrap();
        traffic.add(&url("https://WSUS01.example:8531/a"), "", 10);
        traffic.add(&url("https://wsus01.example:8531/b"), "", 5);
        traffic.add(&url("http://wsus01.example/Content/x"), "proxy:80", 7);
        let counts: Vec<_> = traffic.take().into_iter().collect();
        assert_eq!(counts[0].0.port, 80);
        assert_eq!((counts[1].1.requests, counts[1].1.bytes, counts[1].0.tls), (2, 15, true));
        assert!(traffic.take().is_empty());
    }
}
