//! Keeps the presented certificate beside the verdict, so that a refusal can be explained.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::super::error::quote;
use super::presented::Presented;
use super::problem::TlsProblem;

/// The last handshake that was accepted.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// `TLS 1.3`.
    pub version: &'static str,
    pub presented: Option<Presented>,
    pub at: Instant,
}

/// Where the handshakes of a client are noted.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Handshakes {
    presented: Mutex<Option<Presented>>,
    last: Mutex<Option<Handshake>>,
}

impl Handshakes {
    pub fn last(&self) -> Option<Handshake> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn presented(&self, presented: Option<Presented>) {
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = presented;
    }

    /// The signature over the handshake is good, which is the last step of the check.
    fn done(&self, version: &'static str) {
        let presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let handshake = Handshake { version, presented, at: Instant::now() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(handshake);
    }
}

/// A verifier whose refusals are a [`TlsProblem`]. What it accepts is what the one inside accepts.
#[derive(Debug)]
pub(super) struct Explaining {
    inner: Arc<dyn ServerCertVerifier>,
    noted: Arc<Handshakes>,
}

impl Explaining {
    pub fn new(inner: Arc<dyn ServerCertVerifier>, noted: Arc<Handshakes>) -> Self {
        Self { inner, noted }
    }
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if verdict.is_ok() {
            self.noted.presented(Presented::read(end_entity));
        }
        verdict.map_err(|error| match error {
            Error::InvalidCertificate(reason) => {
                let problem = explain(&reason, end_entity, intermediates, server_name, now);
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(problem))))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let good = self.inner.verify_tls12_signature(message, cert, dss)?;
        self.noted.done("TLS 1.2");
        Ok(good)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let good = self.inner.verify_tls13_signature(message, cert, dss)?;
        self.noted.done("TLS 1.3");
        Ok(good)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn explain(
    reason: &CertificateError,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> TlsProblem {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let own = Presented::read(end_entity);
    // It may be one further up the chain whose days are over.
    let of_chain = |matches: fn(&Presented, i64) -> bool| {
        let chain = std::iter::once(end_entity).chain(intermediates);
        chain.filter_map(|der| Presented::read(der)).find(|one| matches(one, now)).or_else(|| own.clone())
    };
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            TlsProblem::Expired(of_chain(Presented::has_ended))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsProblem::NotYetValid(of_chain(Presented::has_not_begun))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsProblem::WrongName { asked: server_name.to_str().into_owned(), presented: own }
        }
        // An authority of the same name with another key makes one of the other two of an unknown issuer.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            if own.as_ref().is_some_and(Presented::is_self_signed) =>
        {
            TlsProblem::SelfSigned(own)
        }
        CertificateError::UnknownIssuer => TlsProblem::UnknownIssuer(own),
        CertificateError::Revoked => TlsProblem::Revoked(own),
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => TlsProblem::Unusable {
            reason: "the authority it names did not sign it".to_owned(),
            presented: own,
        },
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => TlsProblem::Unusable {
            reason: "it is signed in a way that is not safe".to_owned(),
            presented: own,
        },
        CertificateError::BadEncoding => {
            TlsProblem::Unusable { reason: "it is not a certificate of version 3".to_owned(), presented: own }
        }
        other => TlsProblem::Unusable { reason: quote(&other.to_string()), presented: own },
    }
}
