//! The flat `key=value` view of the options: the names `weir options` and the audit log use.

use serde_json::{Value, json};

use super::options::{CategoryKind, SyncOptions};

/// The panels of the Synchronization Options page, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    Schedule,
    Products,
    Proxy,
    Source,
    Files,
}

impl Panel {
    /// All, in the order of the page.
    pub const ALL: [Self; 5] = [Self::Schedule, Self::Products, Self::Proxy, Self::Source, Self::Files];

    /// The panel's heading on the page.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Schedule => "Schedule",
            Self::Products => "Products and Classifications",
            Self::Proxy => "Proxy server",
            Self::Source => "Update Source",
            Self::Files => "Update Files and Languages",
        }
    }
}

macro_rules! keys {
    ($($variant:ident $name:literal $panel:ident $label:literal $help:literal,)*) => {
        /// One setting by its flat name. The order is that of the page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key { $(#[doc = $help] $variant,)* }

        impl Key {
            /// All keys, in the order of the page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in `weir options set NAME=VALUE` and in the audit log.
            #[must_use]
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }

            /// The panel the setting is in.
            #[must_use]
            pub fn panel(self) -> Panel { match self { $(Self::$variant => Panel::$panel,)* } }

            /// The field's label on the page.
            #[must_use]
            pub fn label(self) -> &'static str { match self { $(Self::$variant => $label,)* } }

            /// What may be set, for `weir options keys`.
            #[must_use]
            pub fn help(self) -> &'static str { match self { $(Self::$variant => $help,)* } }
        }
    };
}

keys! {
    ScheduleMode "schedule.mode" Schedule "Mode" "manual or daily",
    ScheduleTime "schedule.time" Schedule "Time" "HH:MM, 00:00 to 23:59",
    SchedulePerDay "schedule.per_day" Schedule "Synchronizations per day" "1 to 24",
    ScheduleTimeZone "schedule.time_zone" Schedule "Time zone" "a name of the time zone database, such as Europe/Berlin",
    Products "products" Products "Products" "ids joined by commas; the id of a family stands for everything below it, future products included",
    Classifications "classifications" Products "Update classifications" "ids joined by commas",
    ProxyEnabled "proxy.enabled" Proxy "Use a proxy server when synchronizing" "true or false",
    ProxyServer "proxy.server" Proxy "Server name" "host name or address",
    ProxyPort "proxy.port" Proxy "Port number" "1 to 65535",
    ProxyCredentials "proxy.credentials" Proxy "Use user credentials to connect to the proxy server" "true or false",
    ProxyUser "proxy.user" Proxy "User name" "user name at the proxy server",
    ProxyDomain "proxy.domain" Proxy "Domain" "Windows domain of the user, may be empty",
    ProxyPassword "proxy.password" Proxy "Password" "only -, which reads the password from standard input",
    ProxyBasic "proxy.basic" Proxy "Allow basic authentication (password in clear text)" "true or false",
    SourceKind "source.kind" Source "Source" "microsoft-update or upstream",
    SourceServer "source.server" Source "Server name" "host name or address of the upstream server",
    SourcePort "source.port" Source "Port number" "1 to 65535",
    SourceSsl "source.ssl" Source "Use SSL when synchronizing update information" "true or false",
    SourceCa "source.ca" Source "Certificates to trust" "a file with certificates in PEM form; empty removes them",
    SourceContentPort "source.content_port" Source "Port number for files" "1 to 65535; empty: found by rule",
    Replica "replica" Source "Replica" "true or false",
    FilesStore "files.store" Files "Update Files" "local or source",
    FilesDeferred "files.deferred" Files "Download updates to this server only when updates are approved" "true or false",
    FilesExpress "files.express" Files "Download express installation files" "true or false",
    FilesFromMicrosoft "files.from_microsoft" Files "Download update files from Microsoft Update, not from the upstream server" "true or false",
    FilesLanguages "files.languages" Files "Languages" "all, locale, or short names joined by commas, such as en,de",
}

impl Key {
    /// The key of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }

    /// The value in force: booleans and numbers as such, lists as arrays, the password as `set` or
    /// `unset`.
    #[must_use]
    pub fn value(self, options: &SyncOptions) -> Value {
        let SyncOptions { schedule, source, proxy, files, .. } = options;
        match self {
            Self::ScheduleMode => json!(schedule.mode.as_str()),
            Self::ScheduleTime => json!(schedule.time.format("%H:%M").to_string()),
            Self::SchedulePerDay => json!(schedule.per_day),
            Self::ScheduleTimeZone => json!(schedule.time_zone.name()),
            Self::Products => ids(options, CategoryKind::Product),
            Self::Classifications => ids(options, CategoryKind::Classification),
            Self::ProxyEnabled => json!(proxy.enabled),
            Self::ProxyServer => json!(proxy.server),
            Self::ProxyPort => json!(proxy.port),
            Self::ProxyCredentials => json!(proxy.credentials),
            Self::ProxyUser => json!(proxy.user),
            Self::ProxyDomain => json!(proxy.domain),
            Self::ProxyPassword => json!(if proxy.password.is_some() { "set" } else { "unset" }),
            Self::ProxyBasic => json!(proxy.basic),
            Self::SourceKind => json!(source.kind.as_str()),
            Self::SourceServer => json!(source.server),
            Self::SourcePort => json!(source.port),
            Self::SourceSsl => json!(source.ssl),
            Self::SourceCa => json!(source.ca),
            Self::SourceContentPort => source.content_port.map_or(json!(""), |port| json!(port)),
            Self::Replica => json!(options.replica),
            Self::FilesStore => json!(files.store.as_str()),
            Self::FilesDeferred => json!(files.deferred),
            Self::FilesExpress => json!(files.express),
            Self::FilesFromMicrosoft => json!(files.from_microsoft),
            Self::FilesLanguages => match &files.languages {
                super::options::Languages::Only(names) => json!(names),
                other => json!(other.to_text()),
            },
        }
    }
}

impl Key {
    /// The value in force as one text, as it would be typed: lists joined by commas.
    #[must_use]
    pub fn text(self, options: &SyncOptions) -> String {
        match self.value(options) {
            Value::String(text) => text,
            Value::Array(items) => {
                let texts = items.iter().map(|one| one.as_str().unwrap_or_default());
                texts.collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        }
    }
}

/// The flat object of `weir options show --json`.
#[must_use]
pub fn flat(options: &SyncOptions) -> serde_json::Map<String, Value> {
    Key::ALL.iter().map(|key| (key.name().to_owned(), key.value(options))).collect()
}

fn ids(options: &SyncOptions, kind: CategoryKind) -> Value {
    options.selected(kind).map(|one| json!(one.category_id)).collect()
}
