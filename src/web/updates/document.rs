//! `/updates/<id>/document/<revision>`: the document of a revision as its publisher wrote it, to store.

use rocket::http::{ContentType, Header};
use rocket::{Responder, Route, get, routes};
use uuid::Uuid;

use crate::catalog::listing;
use crate::catalog::texts::DOCUMENT_LEN_MAX;
use crate::protocol::ids::RevisionKey;
use crate::web::download::disposition;
use crate::web::{Db, PageError, Reporter};

pub(super) fn routes() -> Vec<Route> {
    routes![download_document]
}

#[derive(Responder)]
struct Document {
    text: String,
    content_type: ContentType,
    disposition: Header<'static>,
}

#[get("/updates/<id>/document/<revision>")]
async fn download_document(
    _reporter: Reporter,
    mut db: Db,
    id: &str,
    revision: i32,
) -> Result<Document, PageError> {
    let missing = || PageError::NotFound { what: "document" };
    let update_id = Uuid::try_parse(id).map_err(|_| missing())?;
    let key = RevisionKey { update_id, revision };
    let held = listing::find(&mut db.0, &[key]).await?.into_iter().find(|one| one.key == key);
    let row = held.ok_or_else(missing)?.row;
    let stored = listing::documents(&mut db.0, &[row]).await?.remove(&row).ok_or_else(missing)?;
    Ok(Document {
        text: stored.whole_text(DOCUMENT_LEN_MAX)?,
        // As plain text: a document from outside is nothing a browser should render.
        content_type: ContentType::Plain,
        disposition: disposition(&format!("{update_id}.{revision}.xml")),
    })
}
