//! The certificate of a listener: read at start, and again whenever its files change.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Largest file that is read, in bytes (ours): a chain of twenty certificates fits several times.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where the certificate is, with those that lead to its authority behind it, and where its key is. Both in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    #[error("{} holds no certificate in PEM form", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds no private key in PEM form without a password", path.display())]
    NoKey { path: PathBuf },
    #[error("the key in {} does not belong to the first certificate in {}", key.display(), certificate.display())]
    OtherKey { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in {} cannot be used: {reason}", path.display())]
    Unusable { path: PathBuf, reason: String },
}

/// A pair that fits together.
#[derive(Debug)]
pub struct Pair {
    certified: Arc<CertifiedKey>,
    /// The last moment the certificate is good.
    pub until: DateTime<Utc>,
    /// Tells one state of the two files from another.
    digest: [u8; 32],
}

impl TlsFiles {
    /// Reads both files and sees whether they fit. A certificate that is over is good here: it is for its readers to
    /// judge, and a server that does not start helps none of them.
    ///
    /// # Errors
    /// [`TlsError`], which names the file.
    pub fn read(&self) -> Result<Pair, TlsError> {
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        let digest =
            Sha256::new().chain_update(&*certificate).chain_update([0]).chain_update(&*key).finalize();
        let path = || self.certificate.clone();
        let unusable = |reason: String| TlsError::Unusable { path: path(), reason };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
        let chain = chain.map_err(|_| TlsError::NoCertificate { path: path() })?;
        let first = chain.first().ok_or_else(|| TlsError::NoCertificate { path: path() })?;
        let until = until(first).ok_or_else(|| unusable("its dates cannot be read".to_owned()))?;
        let key =
            PrivateKeyDer::from_pem_slice(&key).map_err(|_| TlsError::NoKey { path: self.key.clone() })?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::OtherKey { certificate: path(), key: self.key.clone() }
            }
            other => unusable(other.to_string()),
        })?;
        Ok(Pair { certified: Arc::new(certified), until, digest: digest.into() })
    }

    /// The same for what only says whether something changed; `None` while a file cannot be read.
    fn digest(&self) -> Option<[u8; 32]> {
        let (certificate, key) = (read(&self.certificate).ok()?, read(&self.key).ok()?);
        let digest =
            Sha256::new().chain_update(&*certificate).chain_update([0]).chain_update(&*key).finalize();
        Some(digest.into())
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |reason| TlsError::Unreadable { path: path.to_owned(), reason };
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(unreadable)?;
    let count = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if count as u64 > FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes"))));
    }
    Ok(bytes)
}

fn until(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0)
}

/// The certificate that a listener shows now. TLS 1.2 and 1.3, and HTTP/1.1 inside.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    config: Arc<rustls::ServerConfig>,
    /// State of the files that was tried last, good or bad.
    tried: Mutex<Option<[u8; 32]>>,
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let pair = files.read()?;
        pair.warn_when_over();
        let tried = Mutex::new(Some(pair.digest));
        let current = Arc::new(Current(RwLock::new(pair.certified)));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let unusable = |error: rustls::Error| TlsError::Unusable {
            path: files.certificate.clone(),
            reason: error.to_string(),
        };
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(Self { files, current, config: Arc::new(config), tried }))
    }

    /// Reads the files again when they changed. A pair that cannot be used is told in the log, and the one in use
    /// stays. `true` when there is a new one.
    pub fn refresh(&self) -> bool {
        let now = self.files.digest();
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == now {
            return false;
        }
        *tried = now;
        match self.files.read() {
            Ok(pair) => {
                pair.warn_when_over();
                tracing::info!(until = %pair.until.format("%Y-%m-%d"), "the new certificate is in use");
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = pair.certified;
                true
            }
            Err(error) => {
                tracing::error!(
                    "the new certificate cannot be used, and the one before stays in use: {error}"
                );
                false
            }
        }
    }

    /// Keeps looking at the files, as long as somebody holds `tls`.
    pub fn watch(tls: &Arc<Self>) {
        let tls = Arc::downgrade(tls);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(tls) = tls.upgrade() else { return };
                if let Err(error) = tokio::task::spawn_blocking(move || tls.refresh()).await {
                    tracing::error!(%error, "the certificate could not be looked at");
                }
            }
        });
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }
}

impl Pair {
    fn warn_when_over(&self) {
        if self.until < Utc::now() {
            tracing::warn!(until = %self.until.format("%Y-%m-%d"), "the certificate is over; nobody will accept it");
        }
    }
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
