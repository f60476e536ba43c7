//! Why there is no secure connection, and what to do.

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

use super::super::error::quote;
use super::presented::Presented;

/// A handshake that failed. The text goes after "No secure connection to …:".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsProblem {
    #[error("its certificate is for {}, not for {asked}{}", names(.presented), certificate(.presented))]
    WrongName { asked: String, presented: Option<Presented> },
    #[error("its certificate has expired{}", certificate(.0))]
    Expired(Option<Presented>),
    #[error("its certificate is not valid yet{}", certificate(.0))]
    NotYetValid(Option<Presented>),
    #[error("its certificate is self-signed, and Weir was not told to trust it{}", certificate(.0))]
    SelfSigned(Option<Presented>),
    #[error("its certificate comes from an authority that Weir does not trust here{}", certificate(.0))]
    UnknownIssuer(Option<Presented>),
    #[error("its certificate was withdrawn by its authority{}", certificate(.0))]
    Revoked(Option<Presented>),
    #[error("its certificate cannot be used: {reason}{}", certificate(.presented))]
    Unusable { reason: String, presented: Option<Presented> },
    #[error("the server does not speak TLS on this port, but answers in clear text")]
    PlainAnswer,
    #[error("the server offers only TLS versions older than 1.2, which are not safe")]
    TooOld,
    #[error("the server and Weir have no encryption method in common")]
    NothingInCommon,
    #[error("the server closed the connection during the TLS handshake")]
    Closed,
    #[error("the server wants a certificate from its clients, and Weir has none")]
    ClientCertificate,
    #[error("the TLS handshake failed: {0}")]
    Other(String),
}

impl TlsProblem {
    /// What an error of the TLS library means.
    pub(in crate::upstream) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
                match other.0.downcast_ref::<Self>() {
                    Some(problem) => problem.clone(),
                    None => Self::Other(quote(&error.to_string())),
                }
            }
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::PlainAnswer,
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            | Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::TooOld,
            Error::AlertReceived(
                AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
            ) => Self::NothingInCommon,
            Error::AlertReceived(
                AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
            ) => Self::ClientCertificate,
            Error::AlertReceived(AlertDescription::UnrecognisedName) => {
                Self::Other("the server does not know this name".to_owned())
            }
            other => Self::Other(quote(&other.to_string())),
        }
    }

    /// What an I/O error in the middle of a handshake means.
    pub(in crate::upstream) fn of_io(error: &std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(inner) => Self::of(inner),
            None => match error.kind() {
                std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::BrokenPipe => Self::Closed,
                _ => Self::Other(quote(&error.to_string())),
            },
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::WrongName { .. } => {
                "Enter the server under a name that its certificate has, or have the certificate issued again with this name. A name in the subject alone does not count; it has to be an alternative name."
            }
            Self::Expired(_) => {
                "Renew the certificate on the upstream server. If its dates are right, check the clock of this computer."
            }
            Self::NotYetValid(_) => {
                "Check the clock of this computer, and that of the computer the certificate was issued on."
            }
            Self::SelfSigned(_) => {
                "If this is the right server, put its certificate under Certificates to trust in Options."
            }
            Self::UnknownIssuer(_) => {
                "Put the certificate of that authority under Certificates to trust in Options. If the issuer is a proxy server or a firewall that opens TLS, ask for an exception for this address."
            }
            Self::Revoked(_) | Self::Unusable { .. } => {
                "Have a new certificate issued for the upstream server."
            }
            Self::PlainAnswer => {
                "Enter the port number that the server uses for SSL, usually 8531 or 443, or clear Use SSL when synchronizing update information."
            }
            Self::TooOld | Self::NothingInCommon => {
                "Switch on TLS 1.2 with current encryption methods on the upstream server."
            }
            Self::Closed => {
                "Check that the port number is the one for SSL, and that no firewall between cuts the connection."
            }
            Self::ClientCertificate => {
                "Allow connections without a client certificate to its two services on the upstream server."
            }
            Self::Other(_) => {
                "Look at the log of the upstream server, and check that the port is the one for SSL."
            }
        }
    }

    /// The certificate that was presented, if one was.
    pub fn presented(&self) -> Option<&Presented> {
        match self {
            Self::WrongName { presented, .. } | Self::Unusable { presented, .. } => presented.as_ref(),
            Self::Expired(one)
            | Self::NotYetValid(one)
            | Self::SelfSigned(one)
            | Self::UnknownIssuer(one)
            | Self::Revoked(one) => one.as_ref(),
            _ => None,
        }
    }
}

fn names(presented: &Option<Presented>) -> String {
    presented.as_ref().map_or_else(|| "another name".to_owned(), Presented::shown_names)
}

fn certificate(presented: &Option<Presented>) -> String {
    presented.as_ref().map(|one| format!(" (a certificate {one})")).unwrap_or_default()
}
