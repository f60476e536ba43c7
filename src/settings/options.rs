//! What an administrator chooses on the Synchronization Options page, as types that cannot hold a
//! value the page would refuse. Where text comes in, `validate` turns it into these.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

/// Everything the Synchronization Options page saves, of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncOptions {
    /// Rises by one with each save; a save names the version it started from.
    pub version: i64,
    pub saved_at: DateTime<Utc>,
    /// Account name, `command line`, or `weir` for the defaults of a new installation.
    pub saved_by: String,
    pub schedule: Schedule,
    pub source: Source,
    /// This server takes its products, classifications, files and approvals from its upstream server.
    pub replica: bool,
    pub proxy: Proxy,
    pub files: Files,
    /// What is ticked, sorted by id and free of repetitions.
    pub selections: Vec<Selected>,
}

impl SyncOptions {
    /// The ticked categories of one kind, in the order of their ids.
    pub fn selected(&self, kind: CategoryKind) -> impl Iterator<Item = Selected> + '_ {
        self.selections.iter().copied().filter(move |one| one.kind == kind)
    }
}

/// When synchronizations start by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub mode: ScheduleMode,
    /// Wall-clock time of the first run of a day, whole minutes, in `time_zone`.
    pub time: NaiveTime,
    /// Runs each day, 1 to [`Schedule::PER_DAY_MAX`], spread evenly from `time` on.
    pub per_day: u8,
    pub time_zone: Tz,
}

impl Schedule {
    /// Most runs a day (ours, as in later WSUS versions).
    pub const PER_DAY_MAX: u8 = 24;
}

/// Does the schedule start runs at all?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleMode {
    /// Only **Synchronize now** starts a run.
    Manual,
    Daily,
}

impl ScheduleMode {
    /// The word kept in the database and used by `weir options`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Daily => "daily",
        }
    }
}

/// Where updates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub kind: SourceKind,
    /// Host name in ASCII form, IPv4 address, or IPv6 address in brackets; may be empty while
    /// `kind` is Microsoft Update.
    pub server: String,
    pub port: u16,
    /// Use TLS for update information (files are never sent over it by the protocol).
    pub ssl: bool,
    /// Certificates in PEM form to trust besides the public ones; may be empty.
    pub ca: String,
    /// Port of the upstream server's files; `None`: by rule, see [`Source::content_port`].
    pub content_port: Option<u16>,
}

impl Source {
    /// The port an upstream server gives files out on: the chosen one, else the port itself without
    /// SSL, 80 for SSL on 443, and one less for any other SSL port.
    ///
    /// Source: the pairing rule of the WSUS operations guide.
    #[must_use]
    pub fn content_port(&self) -> u16 {
        match (self.content_port, self.ssl, self.port) {
            (Some(chosen), _, _) => chosen,
            (None, false, port) => port,
            (None, true, 443) => 80,
            (None, true, port) => port.saturating_sub(1).max(1),
        }
    }

    /// The source in a few words for a person: `Microsoft Update` or `wsus01.example:8530`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.kind {
            SourceKind::MicrosoftUpdate => "Microsoft Update".to_owned(),
            SourceKind::Upstream => format!("{}:{}", self.server, self.port),
        }
    }
}

/// The two kinds of update source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    MicrosoftUpdate,
    Upstream,
}

impl SourceKind {
    /// The word kept in the database and used by `weir options`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MicrosoftUpdate => "microsoft-update",
            Self::Upstream => "upstream",
        }
    }
}

/// The proxy server used by synchronizations while `enabled`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub enabled: bool,
    pub server: String,
    pub port: u16,
    /// Sign in to the proxy with the fields below.
    pub credentials: bool,
    pub user: String,
    pub domain: String,
    /// Sealed for [`Proxy::PASSWORD_PURPOSE`]; `None`: no password is kept.
    pub password: Option<Vec<u8>>,
    /// The password may be sent in clear text (Basic authentication).
    pub basic: bool,
}

impl Proxy {
    /// The purpose the password is sealed and opened for.
    pub const PASSWORD_PURPOSE: &'static str = "proxy-password";
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("enabled", &self.enabled)
            .field("server", &self.server)
            .field("port", &self.port)
            .field("credentials", &self.credentials)
            .field("password", &self.password.as_ref().map(|_| "set"))
            .finish_non_exhaustive()
    }
}

/// What happens with the files of updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub store: FileStore,
    /// Download a file only when its update is approved.
    pub deferred: bool,
    /// Download express installation files too.
    pub express: bool,
    /// Fetch files from Microsoft Update although update information comes from an upstream server.
    pub from_microsoft: bool,
    pub languages: Languages,
}

/// Where clients get files from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStore {
    /// This server keeps them.
    Local,
    /// Clients fetch them from Microsoft Update.
    Source,
}

impl FileStore {
    /// The word kept in the database and used by `weir options`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Source => "source",
        }
    }
}

/// The languages updates are wanted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Languages {
    /// All, new ones included.
    All,
    /// The one of this server's locale.
    Locale,
    /// These short names (`en`, `zh-tw`), lower case; never empty.
    Only(BTreeSet<String>),
}

impl Languages {
    /// `all`, `locale`, or the short names joined by commas: the form kept in the database.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Locale => "locale".to_owned(),
            Self::Only(names) => names.iter().map(String::as_str).collect::<Vec<_>>().join(","),
        }
    }

    /// The reverse of [`Languages::to_text`]; `None` when no name is left.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text.trim() {
            "all" => Some(Self::All),
            "locale" => Some(Self::Locale),
            names => {
                let names: BTreeSet<String> = names
                    .split(',')
                    .map(|name| name.trim().to_ascii_lowercase())
                    .filter(|name| !name.is_empty())
                    .collect();
                (!names.is_empty()).then_some(Self::Only(names))
            }
        }
    }
}

/// The two halves of the Products and Classifications panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CategoryKind {
    /// A product, a family of products, or a company.
    Product,
    Classification,
}

impl CategoryKind {
    /// The word kept in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Classification => "classification",
        }
    }
}

/// One tick in Products and Classifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selected {
    pub category_id: Uuid,
    pub kind: CategoryKind,
    /// Stands for everything below it too, also for what comes later.
    pub with_descendants: bool,
}
