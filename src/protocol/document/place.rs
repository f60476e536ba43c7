//! Where the reader can stand in a document.

/// The namespaces we read; everything else is ignored. Source: the schema's target namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    Update,
    Category,
    Driver,
    Other,
}

impl Namespace {
    pub fn of(uri: &str) -> Self {
        match uri {
            "http://schemas.microsoft.com/msus/2002/12/Update" => Self::Update,
            "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category" => Self::Category,
            "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsDriver" => Self::Driver,
            _ => Self::Other,
        }
    }
}

/// Where in the document the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Ignored,
    Update,
    Properties,
    Titles,
    Language,
    EulaFile,
    Relationships,
    Supersedes,
    Prerequisites,
    PrerequisiteGroup,
    Bundles,
    BundleGroup,
    Files,
    File,
    Rules,
    Metadata,
    Handler,
    /// An element whose text is wanted.
    Text(Field),
}

/// Texts that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Language,
    Article,
    Bulletin,
    SupportUrl,
    TextLanguage,
    Title,
    Description,
    UninstallNotes,
    TextMoreInfoUrl,
    TextSupportUrl,
    FileSha256,
    EulaSha256,
}
