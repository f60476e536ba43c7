//! Where this server listens, in which way, and whom it believes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::Config;
use super::reader::Reader;

/// The doors. One never answers for the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listeners {
    /// `WEIR_CONSOLE_ADDRESS`, `WEIR_CONSOLE_PORT`: the pages. Default 127.0.0.1:8540.
    pub console: SocketAddr,
    /// `WEIR_SERVICES_ADDRESS`, `WEIR_SERVICES_PORT`: what other servers ask. Default 127.0.0.1:8530.
    pub services: SocketAddr,
    /// `WEIR_CONSOLE_INSECURE`: the console may be offered over plain HTTP beyond this computer.
    pub console_insecure: bool,
    /// `WEIR_REQUIRE_TLS`: plain HTTP gives out the files of updates, `/healthz`, and nothing else. Default: no.
    pub require_tls: bool,
    /// With a certificate: the console speaks TLS only, and the services also on a port of their own.
    pub tls: Option<TlsListeners>,
    /// `WEIR_HOSTS`: names of the console. Empty: this computer's own while the console is for this computer alone,
    /// else every name.
    pub hosts: Vec<String>,
    /// `WEIR_TRUSTED_PROXIES`: whose `X-Forwarded-For`, `-Proto` and `-Host` are believed. Default: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// `WEIR_BASE_PATH`: what a proxy puts before the console's paths, such as `/weir`. Default: nothing.
    pub base_path: String,
}

/// `WEIR_TLS_CERTIFICATE` and `WEIR_TLS_KEY`, which come together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsListeners {
    /// PEM file: the certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
    /// `WEIR_SERVICES_TLS_PORT`: the services over TLS, at the address of the services. Default 8531.
    pub services: SocketAddr,
}

impl Listeners {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let services_ip = reader.address("services_address", loopback);
        let listeners = Self {
            console: SocketAddr::new(
                reader.address("console_address", loopback),
                reader.port("console_port", Config::CONSOLE_PORT),
            ),
            services: SocketAddr::new(services_ip, reader.port("services_port", Config::SERVICES_PORT)),
            console_insecure: reader.flag("console_insecure", false),
            require_tls: reader.flag("require_tls", false),
            tls: tls(reader, services_ip),
            hosts: reader.hosts("hosts"),
            trusted_proxies: reader.networks("trusted_proxies"),
            base_path: reader.base_path("base_path"),
        };
        listeners.check(reader);
        listeners
    }

    fn check(&self, reader: &mut Reader) {
        let console = self.console;
        for (key, other) in [
            ("services_port", Some(self.services)),
            ("services_tls_port", self.tls.as_ref().map(|tls| tls.services)),
        ] {
            let Some(other) = other else { continue };
            let one_door =
                console.ip() == other.ip() || console.ip().is_unspecified() || other.ip().is_unspecified();
            if one_door && console.port() == other.port() {
                reader.fault(key, format!("port {} is taken by the console already", other.port()));
            }
        }
        if self.tls.as_ref().is_some_and(|tls| tls.services == self.services) {
            let port = self.services.port();
            reader.fault(
                "services_tls_port",
                format!("port {port} is taken by the services without TLS already"),
            );
        }
        if self.require_tls && self.tls.is_none() && self.trusted_proxies.is_empty() {
            let problem = "nobody could speak TLS with this server; give it a certificate with WEIR_TLS_CERTIFICATE and \
                           WEIR_TLS_KEY, or name the reverse proxy that has one in WEIR_TRUSTED_PROXIES";
            reader.fault("require_tls", problem.into());
        }
        if !console.ip().is_loopback() && !self.console_insecure && self.tls.is_none() {
            reader.fault(
                "console_address",
                format!(
                    "{} would offer the console over plain HTTP beyond this computer; give it a certificate with \
                     WEIR_TLS_CERTIFICATE and WEIR_TLS_KEY, or set WEIR_CONSOLE_INSECURE=true to allow that",
                    console.ip()
                ),
            );
        }
    }
}

fn tls(reader: &mut Reader, services_ip: IpAddr) -> Option<TlsListeners> {
    let port_is_given = reader.text("services_tls_port").is_some();
    let port = reader.port("services_tls_port", Config::SERVICES_TLS_PORT);
    match (reader.path("tls_certificate"), reader.path("tls_key")) {
        (Some(certificate), Some(key)) => {
            Some(TlsListeners { certificate, key, services: SocketAddr::new(services_ip, port) })
        }
        (Some(_), None) => {
            reader.fault("tls_key", "the key of the certificate is not named".into());
            None
        }
        (None, Some(_)) => {
            reader.fault("tls_certificate", "the certificate of the key is not named".into());
            None
        }
        (None, None) => {
            if port_is_given {
                let problem = "TLS needs WEIR_TLS_CERTIFICATE and WEIR_TLS_KEY as well";
                reader.fault("services_tls_port", problem.into());
            }
            None
        }
    }
}
