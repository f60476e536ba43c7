//! What the attributes of single elements say.

use uuid::Uuid;

use super::place::{Field, Place};
use super::reader::Attributes;
use super::{Behavior, DocumentError, DocumentFile, FileProblem, value};
use crate::protocol::ids::{RevisionKey, Sha256Digest, parse_id};

pub fn update_id(attributes: &Attributes<'_>) -> Result<Uuid, DocumentError> {
    let text = attributes.get("UpdateID")?.ok_or(DocumentError::Missing { what: "UpdateID" })?;
    parse_id(text.trim()).map_err(|_| bad("UpdateID", &text))
}

pub fn revision_key(attributes: &Attributes<'_>) -> Result<RevisionKey, DocumentError> {
    let update_id = update_id(attributes)?;
    let text = attributes.get("RevisionNumber")?.ok_or(DocumentError::Missing { what: "RevisionNumber" })?;
    match text.trim().parse() {
        Ok(revision) if revision >= 0 => Ok(RevisionKey { update_id, revision }),
        _ => Err(bad("RevisionNumber", &text)),
    }
}

pub fn behavior(attributes: &Attributes<'_>) -> Result<Behavior, DocumentError> {
    let text = |name| attributes.get(name).map(Option::unwrap_or_default);
    Ok(Behavior {
        impact: text("Impact")?,
        reboot: text("RebootBehavior")?,
        asks_user: value::flag(&text("CanRequestUserInput")?),
        needs_network: value::flag(&text("RequiresNetworkConnectivity")?),
    })
}

pub fn file(attributes: &Attributes<'_>) -> Result<DocumentFile, DocumentError> {
    let text = |name| attributes.get(name).map(Option::unwrap_or_default);
    let digest = value::file_digest(&text("Digest")?, attributes.get("DigestAlgorithm")?.as_deref());
    let (sha1, sha256) = digest.unwrap_or((None, None));
    let size = value::size(attributes.get("Size")?.as_deref());
    let problem = digest.err().or(if size.is_none() { Some(FileProblem::Size) } else { None });
    Ok(DocumentFile {
        sha1,
        sha256,
        name: text("FileName")?,
        size: size.unwrap_or(0),
        patching: text("PatchingType")?,
        modified: value::date(&text("Modified")?),
        problem,
    })
}

pub fn additional_digest(attributes: &Attributes<'_>, field: Field) -> Result<Place, DocumentError> {
    let algorithm = attributes.get("Algorithm")?.unwrap_or_default();
    let known =
        algorithm.trim().eq_ignore_ascii_case("SHA256") || algorithm.trim().eq_ignore_ascii_case("SHA-256");
    Ok(if known { Place::Text(field) } else { Place::Ignored })
}

pub fn add_sha256(file: Option<&mut DocumentFile>, text: &str) {
    let Some(file) = file else { return };
    match Sha256Digest::from_base64(text) {
        Ok(digest) => file.sha256 = Some(digest),
        Err(_) => file.problem = Some(FileProblem::Digest),
    }
}

/// The known words in their usual letter case; other words stay as they are.
pub fn category_type(word: &str) -> String {
    ["Company", "ProductFamily", "Product", "UpdateClassification"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(word))
        .unwrap_or(word)
        .to_owned()
}

pub fn bad(what: &'static str, value: &str) -> DocumentError {
    DocumentError::BadValue { what, value: value.chars().take(60).collect() }
}
