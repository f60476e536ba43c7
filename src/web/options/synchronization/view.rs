//! The page as its template sees it: typed values over saved ones, messages beside them.

use std::sync::Arc;

use askama::Template;
use chrono::Utc;
use chrono_tz::Tz;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::chips::chips;
use super::clash::Clash;
use super::form::Fault;
use super::meant::{self, BrokenUp};
use super::moments::{self, NextRun};
use super::notice::Notice;
use super::question::Question;
use super::test::Test;
use super::{Scene, room, supply};
use crate::content::Store;
use crate::secret::SecretKey;
use crate::settings::changes;
use crate::settings::languages::language_name;
use crate::settings::tree::CategoryTree;
use crate::settings::validate::Typed;
use crate::settings::{
    CategoryKind, FieldErrors, FileStore, Files, Key, Languages, Proxy, SourceKind, SyncOptions, locale,
};
use crate::web::form::Choice;
use crate::web::synchronizations::StatusBox;
use crate::web::{Field, PageError, Shell};

/// The whole page.
#[derive(Template)]
#[template(path = "options/synchronization.html")]
pub struct OptionsPage<'a> {
    pub shell: Shell,
    pub status: StatusBox,
    pub notice: Notice,
    pub view: &'a View,
    /// [`Panels`] as HTML.
    pub panels: &'a str,
}

/// What the form is made of. Nothing in it depends on who looks, but for the right to save.
#[derive(Template)]
#[template(path = "options/panels.html")]
pub struct Panels<'a> {
    pub view: &'a View,
}

/// A message in the summary, with the place it is about.
pub struct Summary {
    /// Address of the field on this page; empty: the form as a whole.
    pub href: String,
    pub text: String,
}

/// Everything between the tasks and the end of the page.
pub struct View {
    pub version: i64,
    pub draft: String,
    /// Something is typed or chosen that is not saved.
    pub dirty: bool,
    pub may_save: bool,
    pub question: Option<Question>,
    pub summary: Vec<Summary>,
    /// The test of a connection that was just made, on a page without a script.
    pub test: Option<Test>,
    pub clash: Option<Clash>,
    pub mode: Field,
    pub time: Field,
    pub per_day: Field,
    pub time_zone: Field,
    pub counts: Vec<Choice>,
    pub zones: Arc<[Choice]>,
    pub half_hours: Vec<String>,
    pub next_run: Option<NextRun>,
    pub products: Vec<String>,
    pub products_error: Option<String>,
    pub classifications: Vec<String>,
    pub classifications_error: Option<String>,
    /// What is selected and was not fetched from this source yet; empty: nothing, or never asked.
    pub pending: String,
    /// What a replica takes; empty: not a replica.
    pub offered: String,
    pub broken_up: Vec<BrokenUp>,
    pub proxy_enabled: Field,
    pub proxy_server: Field,
    pub proxy_port: Field,
    pub proxy_credentials: Field,
    pub proxy_user: Field,
    pub proxy_domain: Field,
    pub proxy_password: Field,
    pub proxy_basic: Field,
    pub password_kept: bool,
    /// A password was typed and could not be kept.
    pub password_lost: bool,
    /// A password is kept, sealed with a key that is not this server's.
    pub password_unreadable: bool,
    pub kind: Field,
    pub server: Field,
    pub port: Field,
    pub ssl: Field,
    pub content_port: Field,
    pub ca: Field,
    pub replica: Field,
    /// The upstream server that decides for this replica; empty: not a replica.
    pub locked_by: String,
    pub microsoft: bool,
    pub files: String,
    pub languages: String,
    /// What saving would fetch, against the room there is; empty: no more than now.
    pub room: String,
    pub files_error: Option<String>,
}

impl View {
    /// The page for what is saved, with what was typed over it.
    pub(super) fn new(scene: &Scene, typed: &Typed, may_save: bool) -> Self {
        let Scene { current, tree, .. } = scene;
        let field = |key: Key| {
            let text = typed.values.get(&key).cloned().unwrap_or_else(|| key.text(current));
            Field::new(key.name(), text)
        };
        // What the page says in words follows what is typed, as far as it can be read.
        let meant = meant::options(current, typed, tree);
        let files = if scene.in_force.is_inherited { &scene.in_force.files } else { &meant.files };
        let product_ticks = meant::ticks(current, typed, tree, CategoryKind::Product);
        let classification_ticks = meant::ticks(current, typed, tree, CategoryKind::Classification);
        Self {
            version: current.version,
            draft: String::new(),
            dirty: !changes::between(current, &meant).is_empty()
                || (product_ticks.is_empty() && typed.values.contains_key(&Key::Products))
                || (classification_ticks.is_empty() && typed.values.contains_key(&Key::Classifications)),
            may_save,
            question: None,
            summary: Vec::new(),
            test: None,
            clash: None,
            mode: field(Key::ScheduleMode),
            time: field(Key::ScheduleTime),
            per_day: field(Key::SchedulePerDay),
            time_zone: field(Key::ScheduleTimeZone),
            counts: (1..=24).map(|n: u8| Choice::new(n.to_string(), n.to_string())).collect(),
            zones: moments::zones(),
            half_hours: moments::half_hours(),
            next_run: moments::next_run(&meant.schedule, Utc::now()),
            products: chips(tree, &product_ticks, CategoryKind::Product),
            products_error: None,
            classifications: chips(tree, &classification_ticks, CategoryKind::Classification),
            classifications_error: None,
            pending: supply::pending(scene),
            offered: supply::offered(scene),
            broken_up: meant::broken_up(current, &product_ticks, tree),
            proxy_enabled: field(Key::ProxyEnabled),
            proxy_server: field(Key::ProxyServer),
            proxy_port: field(Key::ProxyPort),
            proxy_credentials: field(Key::ProxyCredentials),
            proxy_user: field(Key::ProxyUser),
            proxy_domain: field(Key::ProxyDomain),
            proxy_password: Field::new(Key::ProxyPassword.name(), ""),
            proxy_basic: field(Key::ProxyBasic),
            password_kept: current.proxy.password.is_some(),
            password_lost: false,
            password_unreadable: false,
            kind: field(Key::SourceKind),
            server: field(Key::SourceServer),
            port: field(Key::SourcePort),
            ssl: field(Key::SourceSsl),
            content_port: field(Key::SourceContentPort),
            ca: field(Key::SourceCa),
            replica: field(Key::Replica),
            locked_by: if current.replica { current.source.shown() } else { String::new() },
            microsoft: meant.source.kind == SourceKind::MicrosoftUpdate,
            files: files_words(files),
            languages: languages_words(&files.languages),
            room: String::new(),
            files_error: None,
        }
    }

    /// The panels as HTML.
    ///
    /// # Errors
    /// [`PageError::Internal`] when they cannot be rendered.
    pub fn panels(&self) -> Result<String, PageError> {
        Panels { view: self }.render().map_err(PageError::internal)
    }

    /// With the choices of a draft.
    pub fn with_draft(mut self, id: Option<Uuid>) -> Self {
        self.draft = id.map(|id| id.to_string()).unwrap_or_default();
        self
    }

    /// A password was typed before and has to be typed again.
    pub fn with_password_lost(mut self, lost: bool) -> Self {
        self.password_lost = lost;
        self
    }

    /// Whether the password that is kept can be opened with this server's key.
    pub fn with_key(mut self, key: &SecretKey, kept: &Proxy) -> Self {
        let sealed = kept.password.as_deref();
        self.password_unreadable = sealed.is_some_and(|it| key.open(Proxy::PASSWORD_PURPOSE, it).is_err());
        self
    }

    /// With refused values: a message beside each field and a summary of all.
    pub fn with_errors(mut self, errors: &FieldErrors, faults: &[Fault]) -> Self {
        let from_faults = faults.iter().map(|one| (one.key, one.sentence.clone()));
        let from_rules = errors.0.iter().map(|one| (Some(one.key), one.sentence.clone()));
        for (key, sentence) in from_faults.chain(from_rules) {
            let Some(key) = key else {
                self.summary.push(Summary { href: String::new(), text: sentence });
                continue;
            };
            let panel = key.panel().title();
            let text = format!("{panel}, {}: {sentence}", key.label());
            self.summary.push(Summary { href: anchor(key), text });
            self.put_error(key, sentence);
        }
        self
    }

    /// With what somebody else saved in between. Saving again then is a choice.
    pub fn with_clash(
        mut self,
        in_force: &SyncOptions,
        wanted: &SyncOptions,
        tree: &CategoryTree,
        zone: Tz,
    ) -> Self {
        self.clash = Some(Clash::between(in_force, wanted, tree, zone));
        self
    }

    /// With what saving would fetch.
    pub(super) async fn take_room(
        &mut self,
        conn: &mut AsyncPgConnection,
        store: &Store,
        scene: &Scene,
        typed: &Typed,
    ) -> Result<(), PageError> {
        let meant = meant::options(&scene.current, typed, &scene.tree);
        let room = room::look(conn, store, &scene.current, &meant).await?;
        self.room = room.map(|room| room.words).unwrap_or_default();
        Ok(())
    }

    /// Which of the hints at the port concerns it: `plain` (SSL on a port that is usual without), `ssl`, or none.
    pub fn port_hint(&self) -> &'static str {
        match (self.ssl.is("true"), self.port.value.trim()) {
            _ if self.microsoft => "",
            (true, "8530" | "80") => "plain",
            (false, "8531" | "443") => "ssl",
            _ => "",
        }
    }

    /// The line under the password.
    pub fn password_hint(&self) -> &'static str {
        match (self.password_lost, self.password_kept) {
            (false, true) if self.password_unreadable => {
                "The stored password cannot be read, because the key file it was sealed with is lost. Type it again."
            }
            (true, _) => "The password you typed was not kept. Type it again.",
            (false, true) => "Unchanged unless you type a new one.",
            (false, false) => "",
        }
    }

    fn put_error(&mut self, key: Key, sentence: String) {
        let slot = match key {
            Key::Products => &mut self.products_error,
            Key::Classifications => &mut self.classifications_error,
            Key::FilesStore
            | Key::FilesDeferred
            | Key::FilesExpress
            | Key::FilesFromMicrosoft
            | Key::FilesLanguages => &mut self.files_error,
            Key::ScheduleMode => &mut self.mode.error,
            Key::ScheduleTime => &mut self.time.error,
            Key::SchedulePerDay => &mut self.per_day.error,
            Key::ScheduleTimeZone => &mut self.time_zone.error,
            Key::ProxyEnabled => &mut self.proxy_enabled.error,
            Key::ProxyServer => &mut self.proxy_server.error,
            Key::ProxyPort => &mut self.proxy_port.error,
            Key::ProxyCredentials => &mut self.proxy_credentials.error,
            Key::ProxyUser => &mut self.proxy_user.error,
            Key::ProxyDomain => &mut self.proxy_domain.error,
            Key::ProxyPassword => &mut self.proxy_password.error,
            Key::ProxyBasic => &mut self.proxy_basic.error,
            Key::SourceKind => &mut self.kind.error,
            Key::SourceServer => &mut self.server.error,
            Key::SourcePort => &mut self.port.error,
            Key::SourceSsl => &mut self.ssl.error,
            Key::SourceCa => &mut self.ca.error,
            Key::SourceContentPort => &mut self.content_port.error,
            Key::Replica => &mut self.replica.error,
        };
        slot.get_or_insert(sentence);
    }
}

fn anchor(key: Key) -> String {
    match key {
        Key::Products => "#change-products".to_owned(),
        Key::Classifications => "#change-classifications".to_owned(),
        Key::FilesStore
        | Key::FilesDeferred
        | Key::FilesExpress
        | Key::FilesFromMicrosoft
        | Key::FilesLanguages => "#advanced".to_owned(),
        Key::ScheduleMode => "#schedule.mode-manual".to_owned(),
        Key::SourceKind => "#source.kind-microsoft-update".to_owned(),
        other => format!("#{}", other.name()),
    }
}

fn files_words(files: &Files) -> String {
    let words = match (files.store, files.deferred) {
        (FileStore::Source, _) => {
            "Update files are not stored here. Clients install updates from Microsoft Update."
        }
        (FileStore::Local, true) => {
            "Update files are stored on this server, each fetched when its update is approved."
        }
        (FileStore::Local, false) => {
            "Update files are stored on this server, fetched during each synchronization."
        }
    };
    let express = files.express && files.store == FileStore::Local;
    let more = if express { " Express installation files are fetched too." } else { "" };
    let from = match files.from_microsoft && files.store == FileStore::Local {
        true => {
            " They come from Microsoft Update also when update information comes from an upstream server."
        }
        false => "",
    };
    format!("{words}{more}{from}")
}

fn languages_words(languages: &Languages) -> String {
    match languages {
        Languages::All => "All, including new languages".to_owned(),
        Languages::Locale => format!("The language of this server ({})", locale::name()),
        Languages::Only(names) => {
            let mut names: Vec<_> = names.iter().map(|short| language_name(short)).collect();
            names.sort_unstable();
            names.join(", ")
        }
    }
}
