//! The edge error of the services: a SOAP fault.

use std::borrow::Cow;

use uuid::Uuid;

use crate::catalog::CatalogError;
use crate::db::PoolError;
use crate::protocol::soap::{ErrorCode, Fault};

/// Why an operation is not carried out, as the downstream server gets to know it.
#[derive(Debug)]
pub struct Refusal {
    code: ErrorCode,
    message: Cow<'static, str>,
    /// Ours to know and never sent.
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal that only its code explains.
    pub const fn plain(code: ErrorCode) -> Self {
        Self { code, message: Cow::Borrowed(""), cause: None }
    }

    /// A parameter is missing, wrong or too long.
    pub const fn parameter(name: &'static str) -> Self {
        Self { code: ErrorCode::InvalidParameters, message: Cow::Borrowed(name), cause: None }
    }

    /// The operation exists, but this server does not carry it out.
    pub const fn not_offered() -> Self {
        Self {
            code: ErrorCode::InvalidParameters,
            message: Cow::Borrowed("This server does not offer this operation."),
            cause: None,
        }
    }

    /// Files that no revision of ours has; `digests` in Base64, joined by `|`.
    pub fn files_missing(digests: String) -> Self {
        Self { code: ErrorCode::FileDigestsMissing, message: Cow::Owned(digests), cause: None }
    }

    /// Something failed on our side.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { code: ErrorCode::InternalServerError, message: Cow::Borrowed(""), cause: Some(cause.into()) }
    }

    /// The fault to send. A cause is logged here, once, under the id the downstream server gets.
    pub fn into_fault(self, method: &str) -> Fault {
        let id = Uuid::new_v4();
        if let Some(cause) = &self.cause {
            tracing::error!(incident = %id, method, cause = %cause, "a downstream server's request failed");
        } else {
            tracing::debug!(incident = %id, method, code = %self.code, "a downstream server's request was refused");
        }
        Fault::new(self.code, self.message, id, method)
    }
}

impl From<diesel::result::Error> for Refusal {
    fn from(error: diesel::result::Error) -> Self {
        Self::internal(error)
    }
}

impl From<CatalogError> for Refusal {
    fn from(error: CatalogError) -> Self {
        Self::internal(error)
    }
}

impl From<PoolError> for Refusal {
    /// Every connection is in use: the other side should come again.
    fn from(error: PoolError) -> Self {
        Self { code: ErrorCode::ServerBusy, message: Cow::Borrowed(""), cause: Some(error.into()) }
    }
}
