//! What a certificate says of itself, in words that are safe to show.

use chrono::{DateTime, Utc};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate, X509Name};

use super::super::error::quote;

/// Names of a certificate that are shown.
const NAMES_MAX: usize = 8;

/// A certificate as it was presented; nothing of it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// `wsus01.example`, or the whole subject when it has no common name.
    pub subject: String,
    pub issuer: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// Host names and addresses it is for, at most eight.
    pub names: Vec<String>,
    self_signed: bool,
}

impl Presented {
    /// Reads the DER form; `None` for what is no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|found| &found.value.general_names);
        Some(Self {
            subject: shown(certificate.subject()),
            issuer: shown(certificate.issuer()),
            not_before: moment(certificate.validity().not_before)?,
            not_after: moment(certificate.validity().not_after)?,
            names: names.filter_map(host).take(NAMES_MAX).collect(),
            self_signed: certificate.subject() == certificate.issuer(),
        })
    }

    /// Does it vouch for itself?
    pub fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    pub(super) fn has_ended(&self, now: i64) -> bool {
        self.not_after.timestamp() < now
    }

    pub(super) fn has_not_begun(&self, now: i64) -> bool {
        self.not_before.timestamp() > now
    }

    /// The names it is for, in words.
    pub fn shown_names(&self) -> String {
        if self.names.is_empty() { "no host name".to_owned() } else { self.names.join(", ") }
    }
}

impl std::fmt::Display for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to) = (self.not_before.format("%-d %B %Y"), self.not_after.format("%-d %B %Y"));
        write!(f, "for {}, issued by {}, valid from {from} to {to}", self.subject, self.issuer)
    }
}

fn shown(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|part| part.as_str().ok());
    let text = common.map_or_else(|| name.to_string(), str::to_owned);
    let text: String = quote(&text).chars().take(120).collect();
    if text.is_empty() { "nobody named".to_owned() } else { text }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(quote(name).chars().take(120).collect()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|ip| std::net::Ipv6Addr::from(ip).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn moment(time: ASN1Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.timestamp(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn a_certificate_is_told_by_its_names_and_dates() {
        let der = CertificateDer::from_pem_slice(super::super::super::MICROSOFT_UPDATE_ROOT).unwrap();
        let root = Presented::read(&der).unwrap();
        assert!(root.is_self_signed());
        assert_eq!(root.subject, "Microsoft Root Certificate Authority 2011");
        assert!(root.to_string().ends_with("valid from 22 March 2011 to 22 March 2036"), "{root}");
        assert_eq!(root.shown_names(), "no host name");
        for cut in [0, 1, 40, der.len() - 1] {
            assert_eq!(Presented::read(&der[..cut]), None);
        }
    }
}
