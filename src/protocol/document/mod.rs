//! Update documents: the XML about one revision, read into the facts a server needs.
//!
//! The reader streams, matches elements by namespace URI, ignores what it does not know and refuses what is
//! dangerous. The document itself is kept as received elsewhere; what stands here is an index beside it.

mod build;
mod element;
mod error;
mod facts;
mod limits;
mod place;
mod reader;
mod value;

#[cfg(test)]
mod tests;

pub use error::DocumentError;
pub use facts::{
    Behavior, DocumentFile, DriverFacts, Eula, EulaFile, FileProblem, LocalizedText, PrerequisiteGroup,
    Severity, UpdateDocument, UpdateKind,
};
pub use limits::*;

impl UpdateDocument {
    /// Reads one document.
    ///
    /// # Errors
    /// Every [`DocumentError`]; nothing of a refused document is returned. A file whose digest cannot be read is no
    /// error: it is kept, see [`DocumentFile::usable`].
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        reader::read(text)
    }
}
