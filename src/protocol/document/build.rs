//! What the elements of a document mean: collects the facts while the reader walks.

use chrono::DateTime;
use uuid::Uuid;

use super::element::{
    add_sha256, additional_digest, bad, behavior, category_type, file, revision_key, update_id,
};
use super::place::{Field, Namespace, Place};
use super::reader::Attributes;
use super::{
    Behavior, DRIVERS_MAX, DocumentError, DocumentFile, DriverFacts, Eula, EulaFile, FILES_MAX, LABELS_MAX,
    LocalizedText, PrerequisiteGroup, RELATIONS_MAX, Severity, TITLES_MAX, UpdateDocument, UpdateKind, value,
};
use crate::protocol::ids::{RevisionKey, parse_id};

/// Facts as they come in, before the whole is judged.
#[derive(Default)]
pub struct Builder {
    key: Option<RevisionKey>,
    update_type: Option<String>,
    category_type: Option<String>,
    excluded_by_default: bool,
    prohibits_updates: bool,
    prohibits_subcategories: bool,
    display_order: Option<i32>,
    approvable: bool,
    expired: bool,
    severity: Severity,
    created: DateTime<chrono::Utc>,
    default_language: String,
    titles: Vec<LocalizedText>,
    kb: Vec<String>,
    bulletins: Vec<String>,
    support_url: String,
    eula_id: Option<Uuid>,
    eula_files: Vec<EulaFile>,
    languages: Vec<String>,
    prerequisites: Vec<PrerequisiteGroup>,
    bundles: Vec<Vec<RevisionKey>>,
    supersedes: Vec<Uuid>,
    relations: usize,
    files: Vec<DocumentFile>,
    drivers: Vec<DriverFacts>,
    install: Behavior,
    uninstall: Option<Behavior>,
    handler: String,
    max_download_size: i64,
    publisher: Option<Uuid>,
    compatible_protocol: String,
    release_version: String,
    is_beta: bool,
    is_mandatory: bool,
    os_upgrade: String,
}

impl Builder {
    /// Decides what a child element is, and takes what its attributes say.
    pub fn open(
        &mut self,
        parent: Place,
        namespace: Namespace,
        name: &str,
        attributes: &Attributes<'_>,
    ) -> Result<Place, DocumentError> {
        match (parent, namespace) {
            (Place::Handler, Namespace::Category) if name == "CategoryInformation" => {
                self.category(attributes)?
            }
            (Place::Metadata, Namespace::Driver) if name == "WindowsDriverMetaData" => {
                self.driver(attributes)?
            }
            (_, Namespace::Update) => return self.open_update_element(parent, name, attributes),
            _ => {}
        }
        Ok(Place::Ignored)
    }

    fn open_update_element(
        &mut self,
        parent: Place,
        name: &str,
        attributes: &Attributes<'_>,
    ) -> Result<Place, DocumentError> {
        let place = match (parent, name) {
            (Place::Update, "UpdateIdentity") => {
                self.identity(attributes)?;
                Place::Ignored
            }
            (Place::Update, "Properties") => {
                self.properties(attributes)?;
                Place::Properties
            }
            (Place::Update, "LocalizedPropertiesCollection") => Place::Titles,
            (Place::Update, "Relationships") => Place::Relationships,
            (Place::Update, "ApplicabilityRules") => Place::Rules,
            (Place::Update, "Files") => Place::Files,
            (Place::Update, "HandlerSpecificData") => Place::Handler,
            (Place::Rules, "Metadata") => Place::Metadata,
            (Place::Properties, "InstallationBehavior") => {
                self.install = behavior(attributes)?;
                Place::Ignored
            }
            (Place::Properties, "UninstallationBehavior") => {
                self.uninstall = Some(behavior(attributes)?);
                Place::Ignored
            }
            (Place::Properties, "Language") => Place::Text(Field::Language),
            (Place::Properties, "KBArticleID") => Place::Text(Field::Article),
            (Place::Properties, "SecurityBulletinID") => Place::Text(Field::Bulletin),
            (Place::Properties, "SupportUrl") => Place::Text(Field::SupportUrl),
            (Place::Titles, "LocalizedProperties") => {
                push_below(&mut self.titles, LocalizedText::default(), "titles", TITLES_MAX)?;
                Place::Language
            }
            (Place::Titles, "EulaFile") => {
                let language = attributes.get("Language")?.unwrap_or_default().to_lowercase();
                let file = file(attributes)?;
                push_below(&mut self.eula_files, EulaFile { language, file }, "files", FILES_MAX)?;
                Place::EulaFile
            }
            (Place::Language, "Language") => Place::Text(Field::TextLanguage),
            (Place::Language, "Title") => Place::Text(Field::Title),
            (Place::Language, "Description") => Place::Text(Field::Description),
            (Place::Language, "UninstallNotes") => Place::Text(Field::UninstallNotes),
            (Place::Language, "MoreInfoUrl") => Place::Text(Field::TextMoreInfoUrl),
            (Place::Language, "SupportUrl") => Place::Text(Field::TextSupportUrl),
            (Place::Files, "File") => {
                push_below(&mut self.files, file(attributes)?, "files", FILES_MAX)?;
                Place::File
            }
            (Place::File, "AdditionalDigest") => additional_digest(attributes, Field::FileSha256)?,
            (Place::EulaFile, "AdditionalDigest") => additional_digest(attributes, Field::EulaSha256)?,
            (Place::Relationships, "SupersededUpdates") => Place::Supersedes,
            (Place::Relationships, "Prerequisites") => Place::Prerequisites,
            (Place::Relationships, "BundledUpdates") => Place::Bundles,
            (Place::Prerequisites, "AtLeastOne") => {
                let is_category = value::flag(&attributes.get("IsCategory")?.unwrap_or_default());
                self.count_relation()?;
                self.prerequisites.push(PrerequisiteGroup { is_category, any_of: Vec::new() });
                Place::PrerequisiteGroup
            }
            (Place::Bundles, "AtLeastOne") => {
                self.count_relation()?;
                self.bundles.push(Vec::new());
                Place::BundleGroup
            }
            (_, "UpdateIdentity") => {
                self.relation(parent, attributes)?;
                Place::Ignored
            }
            _ => Place::Ignored,
        };
        Ok(place)
    }

    /// An element that is not a text ended.
    pub fn close(&mut self, place: Place) -> Result<(), DocumentError> {
        match place {
            Place::PrerequisiteGroup
                if self.prerequisites.last().is_some_and(|group| group.any_of.is_empty()) =>
            {
                self.prerequisites.pop();
            }
            Place::BundleGroup if self.bundles.last().is_some_and(Vec::is_empty) => {
                self.bundles.pop();
            }
            _ => {}
        }
        Ok(())
    }

    /// A wanted text ended.
    pub fn text(&mut self, field: Field, text: &str) -> Result<(), DocumentError> {
        let current = self.titles.last_mut();
        match (field, current) {
            (Field::Language, _) => push_label(&mut self.languages, Some(text.to_lowercase()), "languages")?,
            (Field::Article, _) => push_label(&mut self.kb, value::article(text), "articles")?,
            (Field::Bulletin, _) => push_label(&mut self.bulletins, Some(text.to_owned()), "bulletins")?,
            (Field::SupportUrl, _) => text.clone_into(&mut self.support_url),
            (Field::TextLanguage, Some(current)) => current.language = text.to_lowercase(),
            (Field::Title, Some(current)) => text.clone_into(&mut current.title),
            (Field::Description, Some(current)) => text.clone_into(&mut current.description),
            (Field::UninstallNotes, Some(current)) => text.clone_into(&mut current.uninstall_notes),
            (Field::TextMoreInfoUrl, Some(current)) => text.clone_into(&mut current.more_info_url),
            (Field::TextSupportUrl, Some(current)) => text.clone_into(&mut current.support_url),
            (Field::FileSha256, _) => add_sha256(self.files.last_mut(), text),
            (Field::EulaSha256, _) => add_sha256(self.eula_files.last_mut().map(|eula| &mut eula.file), text),
            _ => {}
        }
        Ok(())
    }

    /// Judges the whole.
    pub fn finish(self) -> Result<UpdateDocument, DocumentError> {
        let key = self.key.ok_or(DocumentError::Missing { what: "UpdateIdentity" })?;
        let update_type = self.update_type.ok_or(DocumentError::Missing { what: "UpdateType" })?;
        let kind = match update_type.to_ascii_lowercase().as_str() {
            "software" => UpdateKind::Software,
            "driver" => UpdateKind::Driver,
            "detectoid" => UpdateKind::Detectoid,
            "category" if self.category_type.as_deref() == Some("UpdateClassification") => {
                UpdateKind::Classification
            }
            "category" => UpdateKind::Category,
            _ => return Err(bad("UpdateType", &update_type)),
        };
        let default_language = if self.default_language.is_empty() {
            "en".to_owned()
        } else {
            self.default_language.to_lowercase()
        };
        let mut document = UpdateDocument {
            key,
            kind,
            approvable: self.approvable,
            expired: self.expired,
            severity: self.severity,
            category_type: self.category_type.filter(|_| update_type.eq_ignore_ascii_case("category")),
            excluded_by_default: self.excluded_by_default,
            prohibits_updates: self.prohibits_updates,
            prohibits_subcategories: self.prohibits_subcategories,
            display_order: self.display_order,
            created: self.created,
            default_language,
            titles: self.titles,
            kb: self.kb,
            bulletins: self.bulletins,
            support_url: self.support_url,
            more_info_url: String::new(),
            eula: self.eula_id.map(|id| Eula { id, files: self.eula_files }),
            languages: self.languages,
            prerequisites: self.prerequisites,
            bundles: self.bundles,
            supersedes: self.supersedes,
            files: self.files,
            drivers: self.drivers,
            install: self.install,
            uninstall: self.uninstall,
            handler: self.handler,
            max_download_size: self.max_download_size,
            publisher: self.publisher,
            compatible_protocol: self.compatible_protocol,
            release_version: self.release_version,
            is_beta: self.is_beta,
            is_mandatory: self.is_mandatory,
            os_upgrade: self.os_upgrade,
        };
        if let Some(text) = document.text_in(&document.default_language) {
            let (more_info, support) = (text.more_info_url.clone(), text.support_url.clone());
            document.more_info_url = more_info;
            if document.support_url.is_empty() {
                document.support_url = support;
            }
        }
        Ok(document)
    }

    fn identity(&mut self, attributes: &Attributes<'_>) -> Result<(), DocumentError> {
        if self.key.is_some() {
            return Err(DocumentError::TooMany { what: "identities", limit: 1 });
        }
        self.key = Some(revision_key(attributes)?);
        Ok(())
    }

    fn properties(&mut self, attributes: &Attributes<'_>) -> Result<(), DocumentError> {
        let text = |name| attributes.get(name).map(Option::unwrap_or_default);
        let is = |name| text(name).map(|word| value::flag(&word));
        self.update_type = attributes.get("UpdateType")?.map(|word| word.trim().to_owned());
        self.default_language = text("DefaultPropertiesLanguage")?.trim().to_owned();
        self.expired = text("PublicationState")?.trim().eq_ignore_ascii_case("expired");
        self.created = value::date(&text("CreationDate")?).unwrap_or_default();
        self.approvable = is("ExplicitlyDeployable")?;
        self.severity = value::severity(&text("MsrcSeverity")?);
        self.publisher = parse_id(text("PublisherID")?.trim()).ok();
        self.eula_id = parse_id(text("EulaID")?.trim()).ok();
        self.handler = text("Handler")?;
        self.max_download_size = value::size(attributes.get("MaxDownloadSize")?.as_deref()).unwrap_or(0);
        self.compatible_protocol = text("CompatibleProtocolVersion")?;
        self.release_version = text("ReleaseVersion")?;
        self.os_upgrade = text("OSUpgrade")?;
        self.is_beta = is("IsBeta")?;
        self.is_mandatory = is("IsMandatory")?;
        Ok(())
    }

    fn category(&mut self, attributes: &Attributes<'_>) -> Result<(), DocumentError> {
        let is = |name| attributes.get(name).map(|word| value::flag(&word.unwrap_or_default()));
        self.category_type = attributes.get("CategoryType")?.map(|word| category_type(word.trim()));
        self.excluded_by_default = is("ExcludedByDefault")?;
        self.prohibits_updates = is("ProhibitsUpdates")?;
        self.prohibits_subcategories = is("ProhibitsSubcategories")?;
        self.display_order = attributes.get("DisplayOrder")?.and_then(|number| number.trim().parse().ok());
        Ok(())
    }

    fn driver(&mut self, attributes: &Attributes<'_>) -> Result<(), DocumentError> {
        if self.drivers.len() >= DRIVERS_MAX {
            return Ok(());
        }
        let text = |name| attributes.get(name).map(Option::unwrap_or_default);
        self.drivers.push(DriverFacts {
            hardware_id: text("HardwareID")?,
            manufacturer: text("Manufacturer")?,
            provider: text("Provider")?,
            model: text("Model")?,
            class: text("Class")?,
            version: text("DriverVerVersion")?,
            date: text("DriverVerDate")?,
        });
        Ok(())
    }

    fn relation(&mut self, parent: Place, attributes: &Attributes<'_>) -> Result<(), DocumentError> {
        match parent {
            Place::Supersedes => self.supersedes.push(update_id(attributes)?),
            Place::Prerequisites => {
                let any_of = vec![update_id(attributes)?];
                self.prerequisites.push(PrerequisiteGroup { is_category: false, any_of });
            }
            Place::PrerequisiteGroup => {
                let id = update_id(attributes)?;
                if let Some(group) = self.prerequisites.last_mut() {
                    group.any_of.push(id);
                }
            }
            Place::Bundles => self.bundles.push(vec![revision_key(attributes)?]),
            Place::BundleGroup => {
                let key = revision_key(attributes)?;
                if let Some(group) = self.bundles.last_mut() {
                    group.push(key);
                }
            }
            _ => return Ok(()),
        }
        self.count_relation()
    }

    fn count_relation(&mut self) -> Result<(), DocumentError> {
        self.relations += 1;
        if self.relations > RELATIONS_MAX {
            return Err(DocumentError::TooMany { what: "relations", limit: RELATIONS_MAX });
        }
        Ok(())
    }
}

fn push_below<T>(list: &mut Vec<T>, item: T, what: &'static str, limit: usize) -> Result<(), DocumentError> {
    if list.len() >= limit {
        return Err(DocumentError::TooMany { what, limit });
    }
    list.push(item);
    Ok(())
}

/// Adds a short label once; empty and unreadable ones are left out.
fn push_label(
    list: &mut Vec<String>,
    label: Option<String>,
    what: &'static str,
) -> Result<(), DocumentError> {
    match label {
        Some(label) if !label.is_empty() && !list.contains(&label) => {
            push_below(list, label, what, LABELS_MAX)
        }
        _ => Ok(()),
    }
}
