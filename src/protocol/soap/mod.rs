//! SOAP 1.1 and 1.2: envelopes, faults, and which operation a message holds.

mod envelope;
mod fault;
pub(super) mod fields;
mod method;
mod reader;
mod writer;

pub use envelope::Message;
pub use fault::{ErrorCode, Fault};
pub use method::{Method, Service};
pub use reader::{ATTRIBUTES_MAX, DEPTH_MAX, Element, Reader, TAG_LEN_MAX, VALUE_LEN_MAX};
pub use writer::Writer;

/// Which envelope a message uses. An answer uses the one of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SoapVersion {
    #[default]
    V11,
    V12,
}

impl SoapVersion {
    /// Namespace of the envelope's own elements.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The Content-Type of an answer. A SOAP 1.2 request adds `; action="…"`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::V11 => "text/xml; charset=utf-8",
            Self::V12 => "application/soap+xml; charset=utf-8",
        }
    }
}
