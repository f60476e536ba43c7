//! Writes update documents in the shape real servers send.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::SampleFile;
use crate::protocol::ids::RevisionKey;

const PUBLISHER: &str = "395392a0-19c0-48b7-a927-f7c15066d905";
const ROOT: &str = "http://schemas.microsoft.com/msus/2002/12/";

/// Title and description in one language.
pub struct Text {
    pub language: &'static str,
    pub title: String,
    pub description: String,
}

/// One prerequisite.
pub enum Group {
    /// A single update.
    One(Uuid),
    /// Any of several, without the mark of a category.
    AnyOf(Vec<Uuid>),
    /// Membership.
    Category(Vec<Uuid>),
}

/// The parts of a document that differ.
pub struct Draft<'a> {
    pub key: RevisionKey,
    /// `Software`, `Driver`, `Category`, `Detectoid`.
    pub update_type: &'a str,
    pub approvable: bool,
    pub expired: bool,
    pub created: DateTime<Utc>,
    /// Further attributes of `Properties`, starting with a blank.
    pub attributes: String,
    /// Children of `Properties`.
    pub properties: String,
    pub texts: Vec<Text>,
    pub supersedes: Vec<Uuid>,
    pub prerequisites: Vec<Group>,
    pub bundles: Vec<Vec<RevisionKey>>,
    /// Children of `ApplicabilityRules`; none when empty.
    pub rules: String,
    pub files: &'a [SampleFile],
    /// `HandlerSpecificData`, whole.
    pub handler: String,
}

impl Draft<'_> {
    /// The document.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(4_096);
        let (deployable, state) = (self.approvable, if self.expired { "Expired" } else { "Published" });
        let created = self.created.to_rfc3339_opts(SecondsFormat::Millis, true);
        let RevisionKey { update_id, revision } = self.key;
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<upd:Update xmlns:upd=\"{ROOT}Update\" xmlns:bar=\"{ROOT}BaseApplicabilityRules\" \
             xmlns:lar=\"{ROOT}LogicalApplicabilityRules\">\
             <upd:UpdateIdentity UpdateID=\"{update_id}\" RevisionNumber=\"{revision}\"/>\
             <upd:Properties DefaultPropertiesLanguage=\"en\" UpdateType=\"{}\" ExplicitlyDeployable=\"{deployable}\" \
             PublicationState=\"{state}\" CreationDate=\"{created}\" PublisherID=\"{PUBLISHER}\"{}>{}</upd:Properties>\
             <upd:LocalizedPropertiesCollection>",
            self.update_type, self.attributes, self.properties
        );
        for text in &self.texts {
            let _ = write!(
                out,
                "<upd:LocalizedProperties><upd:Language>{}</upd:Language><upd:Title>{}</upd:Title>",
                text.language,
                escape(&text.title)
            );
            if !text.description.is_empty() {
                let _ = write!(out, "<upd:Description>{}</upd:Description>", escape(&text.description));
            }
            out.push_str("</upd:LocalizedProperties>");
        }
        out.push_str("</upd:LocalizedPropertiesCollection>");
        self.relationships(&mut out);
        if !self.rules.is_empty() {
            let _ = write!(out, "<upd:ApplicabilityRules>{}</upd:ApplicabilityRules>", self.rules);
        }
        if !self.files.is_empty() {
            let files: String = self.files.iter().map(SampleFile::element).collect();
            let _ = write!(out, "<upd:Files>{files}</upd:Files>");
        }
        out.push_str(&self.handler);
        out.push_str("</upd:Update>");
        out
    }

    fn relationships(&self, out: &mut String) {
        if self.supersedes.is_empty() && self.prerequisites.is_empty() && self.bundles.is_empty() {
            return;
        }
        out.push_str("<upd:Relationships>");
        if !self.supersedes.is_empty() {
            let older: String = self.supersedes.iter().map(|id| identity(*id, None)).collect();
            let _ = write!(out, "<upd:SupersededUpdates>{older}</upd:SupersededUpdates>");
        }
        if !self.prerequisites.is_empty() {
            out.push_str("<upd:Prerequisites>");
            for group in &self.prerequisites {
                let (mark, members) = match group {
                    Group::One(id) => {
                        out.push_str(&identity(*id, None));
                        continue;
                    }
                    Group::AnyOf(members) => ("", members),
                    Group::Category(members) => (" IsCategory=\"true\"", members),
                };
                let members: String = members.iter().map(|id| identity(*id, None)).collect();
                let _ = write!(out, "<upd:AtLeastOne{mark}>{members}</upd:AtLeastOne>");
            }
            out.push_str("</upd:Prerequisites>");
        }
        if !self.bundles.is_empty() {
            out.push_str("<upd:BundledUpdates>");
            for group in &self.bundles {
                let members: String =
                    group.iter().map(|key| identity(key.update_id, Some(key.revision))).collect();
                let _ = write!(out, "<upd:AtLeastOne>{members}</upd:AtLeastOne>");
            }
            out.push_str("</upd:BundledUpdates>");
        }
        out.push_str("</upd:Relationships>");
    }
}

fn identity(id: Uuid, revision: Option<i32>) -> String {
    match revision {
        Some(number) => format!("<upd:UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"{number}\"/>"),
        None => format!("<upd:UpdateIdentity UpdateID=\"{id}\"/>"),
    }
}

/// Text for an element or an attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
