//! Why a document was refused.

/// Why a document was refused. The document is not stored; the run that fetched it reports the reason.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("the document is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the document contains a document type declaration, which is not allowed")]
    DocumentType,
    #[error("the document contains the character U+0000")]
    NulCharacter,
    #[error("the document is nested deeper than {limit} elements")]
    TooDeep { limit: usize },
    #[error("the document has more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error("{what} is longer than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    #[error("the document is not well-formed XML (near byte {position}): {reason}")]
    NotWellFormed { position: u64, reason: String },
    #[error("the document ends before it is complete")]
    CutOff,
    #[error("the document is not an update: its outermost element is {found}")]
    NotAnUpdate { found: String },
    #[error("the document lacks {what}")]
    Missing { what: &'static str },
    #[error("{what} is not valid: '{value}'")]
    BadValue { what: &'static str, value: String },
}
