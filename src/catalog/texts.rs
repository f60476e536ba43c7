//! What an update says in each of its languages: read from its document when one update is shown. Stored beside the
//! document, it was most of what the database wrote in a first synchronization.

use diesel_async::AsyncPgConnection;

use super::{CatalogError, listing};
use crate::protocol::document::UpdateDocument;

/// Longest document that is unpacked, in bytes. Source: as sent to servers below.
pub const DOCUMENT_LEN_MAX: usize = 256 << 20;

/// Title and description in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TitleIn {
    /// Short language name, such as `pt-br`.
    pub language: String,
    /// The title.
    pub title: String,
    /// The description; may be empty.
    pub description: String,
}

/// The texts of a revision, in the order of its document. None when the document is not there or cannot be read any
/// more: then the update still has its own title.
///
/// # Errors
/// [`CatalogError::Query`] when the database fails.
pub(super) async fn of(
    conn: &mut AsyncPgConnection,
    revision_row: i32,
) -> Result<Vec<TitleIn>, CatalogError> {
    let Some(stored) = listing::documents(conn, &[revision_row]).await?.remove(&revision_row) else {
        return Ok(Vec::new());
    };
    let reading = tokio::task::spawn_blocking(move || {
        let text = stored.whole_text(DOCUMENT_LEN_MAX).map_err(|error| error.to_string())?;
        UpdateDocument::parse(&text).map_err(|error| error.to_string())
    });
    match reading.await.map_err(|error| error.to_string()).and_then(|read| read) {
        Ok(document) => Ok(document
            .titles
            .into_iter()
            .map(|text| TitleIn { language: text.language, title: text.title, description: text.description })
            .collect()),
        Err(reason) => {
            tracing::warn!(revision_row, reason, "a stored document cannot be read");
            Ok(Vec::new())
        }
    }
}
