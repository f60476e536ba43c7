//! One step of a test, as data.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::super::error::{Hop, UpstreamError};
use super::super::proxy::ProxyError;

/// The stations of the way to an update source, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Station {
    Settings,
    Name,
    Tcp,
    Proxy,
    ProxySignIn,
    /// Whether the proxy server lets us to the update source.
    Way,
    Tls,
    Http,
    Clock,
    Protocol,
    Cookie,
    Configuration,
    Files,
}

impl Station {
    /// The name shown.
    pub fn title(self) -> &'static str {
        match self {
            Self::Settings => "Settings",
            Self::Name => "Name",
            Self::Tcp => "Connection",
            Self::Proxy => "Proxy server",
            Self::ProxySignIn => "Sign-in at the proxy server",
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Clock => "Clock",
            Self::Protocol => "Protocol version",
            Self::Cookie => "Cookie",
            Self::Configuration => "Configuration",
            Self::Files => "Files",
            Self::Way => "Way to the update source",
        }
    }

    /// The station at which an error of a call belongs.
    pub(super) fn of(error: &UpstreamError) -> Self {
        match error.hop() {
            Hop::Settings => Self::Settings,
            Hop::NameLookup => Self::Name,
            Hop::Tcp => Self::Tcp,
            Hop::Proxy => match error {
                UpstreamError::Proxy(ProxyError::NameNotFound { .. }) => Self::Name,
                UpstreamError::Proxy(ProxyError::Unreachable { .. }) => Self::Tcp,
                UpstreamError::Proxy(inner) if inner.is_sign_in() => Self::ProxySignIn,
                _ => Self::Way,
            },
            Hop::Tls => Self::Tls,
            Hop::Http => Self::Http,
            Hop::Soap | Hop::Document | Hop::Database => Self::Protocol,
            Hop::Cookie => Self::Cookie,
        }
    }
}

/// How a step ended; the texts are sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// What was found.
    Passed { text: String },
    /// It works, and somebody should know this.
    Noted { text: String },
    /// What is wrong and what to do. No step follows.
    Failed { text: String, advice: String },
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub station: Station,
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    pub took: Duration,
}

impl Step {
    /// Did it end the test?
    pub fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    /// What was found or is wrong.
    pub fn text(&self) -> &str {
        match &self.outcome {
            Outcome::Passed { text } | Outcome::Noted { text } | Outcome::Failed { text, .. } => text,
        }
    }

    /// What to do; empty for a step that did not fail.
    pub fn advice(&self) -> &str {
        match &self.outcome {
            Outcome::Failed { advice, .. } => advice,
            _ => "",
        }
    }
}

impl Outcome {
    /// It works.
    pub fn passed(text: impl Into<String>) -> Self {
        Self::Passed { text: text.into() }
    }

    /// It works, with a remark.
    pub fn noted(text: impl Into<String>) -> Self {
        Self::Noted { text: text.into() }
    }

    /// It does not work; what to do.
    pub fn failed(text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Failed { text: text.into(), advice: advice.into() }
    }
}

impl From<&UpstreamError> for Outcome {
    fn from(error: &UpstreamError) -> Self {
        Self::Failed { text: error.to_string(), advice: error.advice().to_owned() }
    }
}

fn milliseconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}
