//! The rules for new options, in one place for the page and `weir options set`.
//!
//! Values arrive as text by key; a key that is absent keeps its value. What is not in force (the
//! proxy's fields while no proxy is used, say) is stored if it is valid and else keeps its old
//! value, so that a field nobody can see in use never stands in the way.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::host::{HostError, is_invisible, normalize_host};
use super::keys::Key;
use super::options::{
    CategoryKind, FileStore, Files, Languages, Proxy, Schedule, ScheduleMode, Selected, Source, SourceKind,
    SyncOptions,
};
use super::own::OwnServices;
use super::refusal::FieldErrors;
use super::text;
use super::tree::CategoryTree;

/// Most ticks of each half of Products and Classifications (ours).
pub const TICKS_MAX: usize = 10_000;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Text by key; booleans as `true` and `false`, ids joined by commas. An entry for
    /// [`Key::ProxyPassword`] is passed over.
    pub values: BTreeMap<Key, String>,
    pub password: PasswordInput,
}

/// What is to become of the proxy password.
#[derive(Clone, Default)]
pub enum PasswordInput {
    #[default]
    Keep,
    Remove,
    Replace(Zeroizing<String>),
}

impl std::fmt::Debug for PasswordInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove => "Remove",
            Self::Replace(_) => "Replace",
        })
    }
}

/// What the rules need to know besides the options.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    pub tree: &'a CategoryTree,
    pub own: &'a OwnServices,
}

/// Options that broke no rule. The new password, if there is one, is still to be sealed.
#[derive(Debug, Clone)]
pub struct Valid {
    pub options: SyncOptions,
    pub new_password: Option<Zeroizing<String>>,
}

/// Applies every rule, and asks what the source's name resolves to. Beyond [`validate`] it judges what only a save has to
/// answer for; **Test connection** may well try a port that is unusual.
///
/// # Errors
/// All fields that are refused, in the order of the page.
pub async fn check(current: &SyncOptions, typed: &Typed, world: World<'_>) -> Result<Valid, FieldErrors> {
    let valid = validate(current, typed, world)?;
    let source = &valid.options.source;
    let mut errors = FieldErrors::default();
    if source.kind == SourceKind::Upstream && world.own.is_reached_by(&source.server, source.port).await {
        errors.add(Key::SourceServer, OWN_ADDRESS);
    }
    ports::check(&current.source, source, &mut errors);
    errors.into_result(valid)
}

/// Applies every rule that needs no network.
///
/// # Errors
/// All fields that are refused, in the order of the page.
pub fn validate(current: &SyncOptions, typed: &Typed, world: World<'_>) -> Result<Valid, FieldErrors> {
    let mut form = Reader { typed, errors: FieldErrors::default() };
    let replica = form.take(Key::Replica, true, current.replica, text::boolean);
    let schedule = read_schedule(&mut form, &current.schedule);
    let source = read_source(&mut form, &current.source);
    let (proxy, new_password) = read_proxy(&mut form, &current.proxy);
    let files = read_files(&mut form, &current.files);
    let mut selections = read_ticks(&mut form, current, world.tree, CategoryKind::Product, replica);
    selections.extend(read_ticks(&mut form, current, world.tree, CategoryKind::Classification, replica));
    selections.sort_by_key(|one| one.category_id);
    let options = SyncOptions { schedule, source, replica, proxy, files, selections, ..current.clone() };
    let mut errors = form.errors;
    check_source(&options, world.own, &mut errors);
    check_replica(current, &options, &mut errors);
    errors.into_result(Valid { options, new_password })
}

const OWN_ADDRESS: &str = "This is the address of this server itself. \
    Enter the name and port of another server.";

struct Reader<'a> {
    typed: &'a Typed,
    errors: FieldErrors,
}

impl Reader<'_> {
    fn take<T>(
        &mut self,
        key: Key,
        in_force: bool,
        old: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let Some(typed) = self.typed.values.get(&key) else { return old };
        match parse(typed) {
            Ok(new) => new,
            Err(sentence) => {
                if in_force {
                    self.errors.add(key, sentence);
                }
                old
            }
        }
    }

    fn take_host(&mut self, key: Key, in_force: bool, old: &str, empty: &str) -> String {
        let host = self.take(key, in_force, old.to_owned(), |typed| match normalize_host(typed) {
            Err(HostError::Empty) => Ok(String::new()),
            other => other.map_err(|error| error.to_string()),
        });
        if in_force && host.is_empty() {
            self.errors.add(key, empty);
        }
        host
    }
}

fn read_schedule(form: &mut Reader<'_>, old: &Schedule) -> Schedule {
    let mode = form.take(Key::ScheduleMode, true, old.mode, |typed| match typed {
        "manual" => Ok(ScheduleMode::Manual),
        "daily" => Ok(ScheduleMode::Daily),
        _ => Err("Choose when to synchronize: manual or daily.".to_owned()),
    });
    let daily = mode == ScheduleMode::Daily;
    Schedule {
        mode,
        time: form.take(Key::ScheduleTime, daily, old.time, text::time),
        per_day: form.take(Key::SchedulePerDay, daily, old.per_day, text::per_day),
        time_zone: form.take(Key::ScheduleTimeZone, daily, old.time_zone, text::time_zone),
    }
}

fn read_source(form: &mut Reader<'_>, old: &Source) -> Source {
    let kind = form.take(Key::SourceKind, true, old.kind, |typed| match typed {
        "microsoft-update" => Ok(SourceKind::MicrosoftUpdate),
        "upstream" => Ok(SourceKind::Upstream),
        _ => Err("Choose where to synchronize from: microsoft-update or upstream.".to_owned()),
    });
    let upstream = kind == SourceKind::Upstream;
    let content_port = |typed: &str| match typed.trim_matches(' ') {
        "" => Ok(None),
        number => text::port(number).map(Some),
    };
    Source {
        kind,
        server: form.take_host(
            Key::SourceServer,
            upstream,
            &old.server,
            "Enter the name of the upstream server, such as updates.example.org.",
        ),
        port: form.take(Key::SourcePort, upstream, old.port, text::port),
        ssl: form.take(Key::SourceSsl, true, old.ssl, text::boolean),
        ca: form.take(Key::SourceCa, upstream, old.ca.clone(), text::certificates),
        content_port: form.take(Key::SourceContentPort, upstream, old.content_port, content_port),
    }
}

fn read_proxy(form: &mut Reader<'_>, old: &Proxy) -> (Proxy, Option<Zeroizing<String>>) {
    let enabled = form.take(Key::ProxyEnabled, true, old.enabled, text::boolean);
    let credentials = form.take(Key::ProxyCredentials, true, old.credentials, text::boolean);
    let signs_in = enabled && credentials;
    let no_server = "Enter the proxy server's name, or clear Use a proxy server when synchronizing.";
    let mut new = Proxy {
        enabled,
        server: form.take_host(Key::ProxyServer, enabled, &old.server, no_server),
        port: form.take(Key::ProxyPort, enabled, old.port, text::port),
        credentials,
        user: form.take(Key::ProxyUser, signs_in, old.user.clone(), |typed| text::word(typed, "user name")),
        domain: form
            .take(Key::ProxyDomain, signs_in, old.domain.clone(), |typed| text::word(typed, "domain")),
        password: old.password.clone(),
        basic: form.take(Key::ProxyBasic, true, old.basic, text::boolean),
    };
    if signs_in && new.user.is_empty() {
        let sentence = "Enter the user name, or clear Use user credentials to connect to the proxy server.";
        form.errors.add(Key::ProxyUser, sentence);
    }
    if signs_in && new.basic && new.user.contains(':') {
        let sentence = "A user name with a colon cannot be sent with basic authentication.";
        form.errors.add(Key::ProxyUser, sentence);
    }
    if signs_in && new.basic && new.domain.contains(':') {
        let sentence = "A domain with a colon cannot be sent with basic authentication.";
        form.errors.add(Key::ProxyDomain, sentence);
    }
    let new_password = read_password(form, old, &mut new, enabled);
    (new, new_password)
}

/// A kept password goes to the server and user it was typed for, and to nobody else.
fn read_password(
    form: &mut Reader<'_>,
    old: &Proxy,
    new: &mut Proxy,
    enabled: bool,
) -> Option<Zeroizing<String>> {
    let typed = match &form.typed.password {
        PasswordInput::Remove => {
            new.password = None;
            return None;
        }
        PasswordInput::Keep => {
            let moved = new.server != old.server || new.user != old.user;
            if moved && old.password.is_some() && enabled {
                form.errors.add(
                    Key::ProxyPassword,
                    "Enter the password again, because the server name or the user name has changed.",
                );
            } else if moved && old.password.is_some() {
                new.server.clone_from(&old.server);
                new.user.clone_from(&old.user);
            }
            return None;
        }
        PasswordInput::Replace(typed) => typed,
    };
    let sentence = if typed.chars().any(char::is_control) {
        "The password contains a control character. Type it again.".to_owned()
    } else if typed.chars().count() > text::WORD_LEN_MAX {
        format!("The password is too long: at most {} characters.", text::WORD_LEN_MAX)
    } else {
        return Some(typed.clone());
    };
    form.errors.add(Key::ProxyPassword, sentence);
    None
}

fn read_files(form: &mut Reader<'_>, old: &Files) -> Files {
    let store = form.take(Key::FilesStore, true, old.store, |typed| match typed {
        "local" => Ok(FileStore::Local),
        "source" => Ok(FileStore::Source),
        _ => Err("Choose where update files are kept: local or source.".to_owned()),
    });
    let local = store == FileStore::Local;
    let languages: Languages = form.take(Key::FilesLanguages, local, old.languages.clone(), text::languages);
    Files {
        store,
        deferred: form.take(Key::FilesDeferred, true, old.deferred, text::boolean),
        express: form.take(Key::FilesExpress, true, old.express, text::boolean),
        from_microsoft: form.take(Key::FilesFromMicrosoft, true, old.from_microsoft, text::boolean),
        languages,
    }
}

fn read_ticks(
    form: &mut Reader<'_>,
    current: &SyncOptions,
    tree: &CategoryTree,
    kind: CategoryKind,
    replica: bool,
) -> Vec<Selected> {
    let old: Vec<Selected> = current.selected(kind).collect();
    let (key, empty) = match kind {
        CategoryKind::Product => {
            (Key::Products, "Select at least one product. Without one, no update matches.")
        }
        CategoryKind::Classification => {
            (Key::Classifications, "Select at least one classification. Without one, no update matches.")
        }
    };
    let ticks = form.take(key, true, old.clone(), |typed| parse_ticks(typed, &old, tree, kind));
    if ticks.is_empty() && !replica {
        form.errors.add(key, empty);
    }
    ticks
}

/// Ids joined by commas. An id chosen before keeps its meaning, also when the source no longer
/// names it; repetitions fold.
///
/// # Errors
/// A sentence that names the first id this server does not know, or the limit.
pub fn parse_ticks(
    typed: &str,
    old: &[Selected],
    tree: &CategoryTree,
    kind: CategoryKind,
) -> Result<Vec<Selected>, String> {
    let what = match kind {
        CategoryKind::Product => "product",
        CategoryKind::Classification => "classification",
    };
    let kept: BTreeMap<Uuid, Selected> = old.iter().map(|one| (one.category_id, *one)).collect();
    let mut ids = BTreeSet::new();
    for (nth, part) in typed.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate() {
        if nth >= TICKS_MAX * 2 || ids.len() >= TICKS_MAX {
            return Err(format!("Select at most {TICKS_MAX} of these."));
        }
        let id = Uuid::try_parse(part).ok();
        let Some(id) = id.filter(|id| kept.contains_key(id) || tree.has(*id, kind)) else {
            let shown: String = part.chars().filter(|c| !is_invisible(*c)).take(40).collect();
            return Err(format!("{shown} is not a {what} this server knows."));
        };
        ids.insert(id);
    }
    let tick = |id: Uuid| kept.get(&id).copied().unwrap_or_else(|| tree.tick(id, kind));
    Ok(ids.into_iter().map(tick).collect())
}

fn check_source(options: &SyncOptions, own: &OwnServices, errors: &mut FieldErrors) {
    let source = &options.source;
    if source.kind == SourceKind::Upstream && own.is(&source.server, source.port) {
        errors.add(Key::SourceServer, OWN_ADDRESS);
    }
}

/// What a replica takes from its upstream server, and therefore cannot choose.
pub const LOCKED_BY_REPLICA: [Key; 7] = [
    Key::Products,
    Key::Classifications,
    Key::FilesStore,
    Key::FilesDeferred,
    Key::FilesExpress,
    Key::FilesFromMicrosoft,
    Key::FilesLanguages,
];

fn check_replica(current: &SyncOptions, wanted: &SyncOptions, errors: &mut FieldErrors) {
    if !wanted.replica {
        return;
    }
    if wanted.source.kind == SourceKind::MicrosoftUpdate {
        let sentence = "A replica synchronizes from an upstream server. \
            Choose the upstream server, or clear the replica check box.";
        match current.replica {
            true => errors.add_locked(Key::SourceKind, sentence),
            false => errors.add(Key::SourceKind, sentence),
        }
    }
    if !current.replica {
        return;
    }
    for key in LOCKED_BY_REPLICA {
        if key.value(current) != key.value(wanted) {
            let sentence =
                format!("This server is a replica of {}, which decides this.", current.source.shown());
            errors.add_locked(key, sentence);
        }
    }
}

mod ports;

#[cfg(test)]
mod tests;
