//! What a connection is made with: which authorities count, and nothing below TLS 1.2.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::super::error::{UpstreamError, quote};
use super::super::target::Trust;
use super::verifier::{Explaining, Handshakes};

/// The configuration for connections that trust `trust`. Sessions are remembered within it only, so that a new one
/// asks for the certificate again. What is accepted is written into `noted`.
///
/// # Errors
/// [`UpstreamError::Settings`] for certificates that cannot be read, or when the system has none.
pub(in crate::upstream) fn client_config(
    trust: &Trust,
    noted: &Arc<Handshakes>,
) -> Result<ClientConfig, UpstreamError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Explaining::new(verifier(trust, &provider)?, noted.clone()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?
        .dangerous() // the verifier below does all that the library's own one does
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn verifier(
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, UpstreamError> {
    let extra = match trust {
        Trust::System => Vec::new(),
        Trust::SystemAnd(pem) => certificates(pem)?,
        Trust::Only(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem)? {
                roots.add(certificate).map_err(|_| unreadable())?;
            }
            let built = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build();
            return Ok(built.map_err(unusable)?);
        }
    };
    let no_roots = |error: rustls::Error| match error {
        rustls::Error::General(_) => UpstreamError::Settings {
            reason: "this computer has no list of trusted authorities (on Debian, install ca-certificates)"
                .to_owned(),
        },
        _ => unreadable(),
    };
    let system = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider.clone());
    Ok(Arc::new(system.map_err(no_roots)?))
}

/// Every certificate of a text in PEM form; at least one.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, UpstreamError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(unreadable)
}

fn unreadable() -> UpstreamError {
    UpstreamError::Settings {
        reason: "the certificate of the trusted authority is not readable PEM text".to_owned(),
    }
}

fn unusable(error: impl std::fmt::Display) -> UpstreamError {
    UpstreamError::Settings { reason: format!("TLS cannot be prepared ({})", quote(&error.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::super::super::target::MICROSOFT_UPDATE_ROOT;
    use super::*;

    #[test]
    fn the_pinned_root_is_one_readable_certificate() {
        let pem = std::str::from_utf8(MICROSOFT_UPDATE_ROOT).unwrap();
        assert_eq!(certificates(pem).unwrap().len(), 1);
        let noted = Arc::default();
        assert!(client_config(&Trust::Only(pem.to_owned()), &noted).is_ok());
        assert!(client_config(&Trust::Only("nonsense".to_owned()), &noted).is_err());
    }
}
