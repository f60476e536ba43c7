//! What can be wrong with a message.

/// Why a message, or a value inside one, could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("its encoding is not UTF-8, and no other is allowed")]
    NotUtf8,
    #[error("it is not well-formed XML: {problem}")]
    NotXml { problem: String },
    #[error("it carries a document type declaration, which is never allowed here")]
    DocumentType,
    #[error("it uses the entity \"{name}\", which is not defined here")]
    UnknownEntity { name: String },
    #[error("its elements are nested more than {max} deep")]
    TooDeep { max: usize },
    #[error("one element has more than {max} attributes")]
    TooManyAttributes { max: usize },
    #[error("one tag is longer than {max} bytes")]
    TagTooLong { max: usize },
    #[error("the text of {field} is longer than {max} bytes")]
    TextTooLong { field: String, max: usize },
    #[error("{field} has more than {max} entries")]
    TooMany { field: &'static str, max: usize },
    #[error("it ends in the middle")]
    CutShort,
    #[error("it is not a SOAP message; its outermost element is {found}")]
    NotAnEnvelope { found: String },
    #[error("the SOAP message has no body")]
    NoBody,
    #[error("the SOAP message has more than one body")]
    TwoBodies,
    #[error("the SOAP body is empty")]
    EmptyBody,
    #[error("it holds {found} where {wanted} was expected")]
    WrongMessage { wanted: &'static str, found: String },
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error("{field} appears twice")]
    Repeated { field: &'static str },
    #[error("{field} has children where text was expected")]
    NotText { field: String },
    #[error("{field} cannot be read: {problem}")]
    BadValue { field: &'static str, problem: String },
    #[error("in {parameter}: {problem}")]
    InParameter { parameter: &'static str, problem: Box<ProtocolError> },
    #[error("the anchor is {len_bytes} bytes long, which is more than we keep")]
    AnchorTooLong { len_bytes: usize },
}

impl ProtocolError {
    /// A value that could not be read, with the reason in words.
    pub fn bad_value(field: &'static str, problem: impl ToString) -> Self {
        Self::BadValue { field, problem: problem.to_string() }
    }

    /// The same, said to be inside one parameter of an operation. Broken XML stays what it is.
    #[must_use]
    pub fn in_parameter(self, parameter: &'static str) -> Self {
        if self.is_about_a_value() { Self::InParameter { parameter, problem: Box::new(self) } } else { self }
    }

    /// The parameter that is wrong, when the message as such can be read.
    pub fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::InParameter { parameter, .. } => Some(parameter),
            Self::Missing { field }
            | Self::Repeated { field }
            | Self::BadValue { field, .. }
            | Self::TooMany { field, .. } => Some(field),
            _ => None,
        }
    }

    /// True when it is not even XML, so that no SOAP answer is due.
    pub fn is_not_xml(&self) -> bool {
        matches!(self, Self::NotUtf8 | Self::NotXml { .. } | Self::CutShort | Self::NotAnEnvelope { .. })
    }

    fn is_about_a_value(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Repeated { .. }
                | Self::BadValue { .. }
                | Self::TooMany { .. }
                | Self::TextTooLong { .. }
                | Self::NotText { .. }
                | Self::AnchorTooLong { .. }
        )
    }
}
