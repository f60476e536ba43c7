//! TLS for tests: certificates made on the spot, and a front that speaks TLS before another server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use weir::listen::TlsFiles;

/// An authority that issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as an administrator pastes it.
    pub pem: String,
}

/// A server's certificate and key.
pub struct Identity {
    pub pem: String,
    pub key_pem: String,
    chain: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `names` (host names or addresses), good from 2020 to 2099.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_for(names, 2020, 2099)
    }

    /// The same, good from the beginning of one year to the beginning of the other.
    pub fn issue_for(&self, names: &[&str], from: i32, to: i32) -> Identity {
        self.sign(params(names, from, to))
    }

    /// The same, good from 2020 until a moment.
    pub fn issue_until(&self, names: &[&str], end: chrono::DateTime<chrono::Utc>) -> Identity {
        let mut params = params(names, 2020, 2099);
        let days = u64::try_from((end - chrono::DateTime::UNIX_EPOCH).num_days()).unwrap();
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(days * 86_400);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::new(&certificate, &key)
    }
}

impl Identity {
    /// A certificate that vouches for itself.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names, 2020, 2099).self_signed(&key).unwrap();
        Self::new(&certificate, &key)
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            chain: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    /// Writes both files into a folder, as an administrator would.
    pub fn write_to(&self, folder: &Path) -> TlsFiles {
        let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        std::fs::write(&files.certificate, &self.pem).unwrap();
        std::fs::write(&files.key, &self.key_pem).unwrap();
        files
    }

    fn acceptor(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.chain.clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn params(names: &[&str], from: i32, to: i32) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, names[0]);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

/// Ends TLS on a port of 127.0.0.1 and hands on what was inside to a plain server there. Ends with the test's
/// runtime.
pub struct TlsFront {
    pub port: u16,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    /// Bytes that clients sent inside TLS.
    inside: AtomicUsize,
}

impl TlsFront {
    pub async fn start(identity: &Identity, to_port: u16) -> Self {
        Self::start_with(identity, to_port, rustls::ALL_VERSIONS).await
    }

    /// With these versions of TLS only.
    pub async fn start_with(
        identity: &Identity,
        to_port: u16,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::<Counts>::default();
        let (acceptor, counted) = (identity.acceptor(versions), counts.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(acceptor.clone(), client, to_port, counted.clone()));
            }
        });
        Self { port, counts }
    }

    /// Connections that were opened so far.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Bytes that clients sent after a handshake so far.
    pub fn bytes_inside(&self) -> usize {
        self.counts.inside.load(Ordering::Relaxed)
    }
}

async fn carry(acceptor: TlsAcceptor, client: TcpStream, to_port: u16, counts: Arc<Counts>) {
    let Ok(client) = acceptor.accept(client).await else { return };
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to_port))).await else {
        return;
    };
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server.into_split();
    let upwards = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            counts.inside.fetch_add(count, Ordering::Relaxed);
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        let _ = to_server.shutdown().await;
    };
    let downwards = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(upwards, downwards);
}
