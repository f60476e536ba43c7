//! The first steps: the name, and the TCP connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::super::error::UpstreamError;
use super::super::proxy::ProxyError;
use super::super::target::Target;
use super::super::tls::{self, TlsProblem};
use super::STEP_MAX;

/// Addresses of a name that are tried and shown.
const ADDRESSES_MAX: usize = 6;

/// The host that is connected to first: the proxy server when there is one, else the source.
#[derive(Debug, Clone)]
pub(super) struct Next {
    /// Without brackets.
    pub host: String,
    pub port: u16,
    is_proxy: bool,
}

impl Next {
    pub fn of(target: &Target) -> Self {
        let plain = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
        match &target.proxy {
            Some(proxy) => Self { host: plain(&proxy.server), port: proxy.port, is_proxy: true },
            None => Self {
                host: plain(target.origin.host_str().unwrap_or_default()),
                port: target.origin.port_or_known_default().unwrap_or_default(),
                is_proxy: false,
            },
        }
    }

    pub fn is_address(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// As messages show it.
    pub fn shown(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The addresses of the name, the first few.
    pub async fn look_up(&self) -> Result<Vec<SocketAddr>, UpstreamError> {
        let found = match timeout(STEP_MAX, lookup_host((self.host.as_str(), self.port))).await {
            Ok(Ok(found)) => found,
            _ => return Err(self.name_not_found()),
        };
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in found {
            if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAX {
                addresses.push(address);
            }
        }
        if addresses.is_empty() { Err(self.name_not_found()) } else { Ok(addresses) }
    }

    fn name_not_found(&self) -> UpstreamError {
        match self.is_proxy {
            true => ProxyError::NameNotFound { proxy: self.shown() }.into(),
            false => UpstreamError::NameNotFound { host: self.host.clone() },
        }
    }

    /// Opens a connection to the first address that answers, within the time of a step.
    pub async fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, UpstreamError> {
        let until = Instant::now() + STEP_MAX;
        let mut reason = "there is no address".to_owned();
        for (place, address) in addresses.iter().enumerate() {
            let rest = until.saturating_duration_since(Instant::now());
            let share = rest / u32::try_from(addresses.len() - place).unwrap_or(1);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => reason = refused(&error, address.ip()),
                Err(_) => reason = format!("{} did not answer within {}", address.ip(), seconds(share)),
            }
        }
        Err(match self.is_proxy {
            true => ProxyError::Unreachable { proxy: self.shown(), reason }.into(),
            false => UpstreamError::Unreachable { address: self.shown(), reason },
        })
    }
}

/// Does this port speak TLS? For a source without SSL that gave no answer in HTTP.
pub(super) async fn speaks_tls(target: &Target) -> bool {
    let next = Next::of(target);
    let handshake = async {
        let name = rustls::pki_types::ServerName::try_from(next.host.clone()).ok()?;
        let config = tls::client_config(target.used_trust(), &Default::default()).ok()?;
        let stream = next.connect(&next.look_up().await.ok()?).await.ok()?;
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        Some(connector.connect(name, stream).await)
    };
    match timeout(STEP_MAX, handshake).await {
        Ok(Some(Ok(_))) => true,
        // Whatever is wrong with the certificate: there is one.
        Ok(Some(Err(error))) => TlsProblem::of_io(&error).presented().is_some(),
        _ => false,
    }
}

fn refused(error: &io::Error, ip: IpAddr) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{ip} refused the connection"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("there is no way to {ip}")
        }
        io::ErrorKind::ConnectionReset => format!("{ip} closed the connection at once"),
        _ => format!("no connection to {ip}"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
