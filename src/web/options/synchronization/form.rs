//! What the page's one form sends: every field by name, each at most once. Its dialogs read theirs here too.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use rocket::form::{DataField, Errors, FromForm, Options, ValueField};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::settings::Key;
use crate::settings::drafts::Draft;
use crate::settings::validate::{PasswordInput, Typed};

/// The names that one form has.
pub trait Names: Send + 'static {
    fn include(name: &str) -> bool;
}

/// The page's form when it is saved: [`Submission::read`] names what does not belong to it, on the page and in the audit
/// log of the settings, and nothing typed is lost.
pub struct Saved;

impl Names for Saved {
    fn include(_: &str) -> bool {
        true
    }
}

/// The page's form as its other buttons send it.
pub struct OnPage;

impl Names for OnPage {
    fn include(name: &str) -> bool {
        CARRIERS.contains(&name)
            || name == REMOVE_PASSWORD
            || Key::parse(name).is_some_and(|key| key == Key::ProxyPassword || ON_THE_PAGE.contains(&key))
    }
}

/// The names and values of a submitted form, in order, nothing judged yet.
pub struct Fields<N = OnPage>(pub Vec<(String, String)>, PhantomData<N>);

/// A form while it is read.
pub struct Reading<'r, N> {
    fields: Fields<N>,
    is_strict: bool,
    unknown: Errors<'r>,
}

#[rocket::async_trait]
impl<'r, N: Names> FromForm<'r> for Fields<N> {
    type Context = Reading<'r, N>;

    fn init(options: Options) -> Reading<'r, N> {
        Reading { fields: Fields(Vec::new(), PhantomData), is_strict: options.strict, unknown: Errors::new() }
    }

    fn push_value(reading: &mut Reading<'r, N>, field: ValueField<'r>) {
        let name = field.name.source().as_str();
        if reading.is_strict && !N::include(name) {
            reading.unknown.push(field.unexpected());
        } else {
            reading.fields.0.push((name.to_owned(), field.value.to_owned()));
        }
    }

    async fn push_data(reading: &mut Reading<'r, N>, field: DataField<'r, '_>) {
        reading.unknown.push(field.unexpected()); // no form here has a file
    }

    fn finalize(reading: Reading<'r, N>) -> rocket::form::Result<'r, Self> {
        if reading.unknown.is_empty() { Ok(reading.fields) } else { Err(reading.unknown) }
    }
}

impl<N> Fields<N> {
    /// The first value of a field; empty when it was not sent.
    pub fn first(&self, name: &str) -> &str {
        self.0.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value.as_str())
    }

    /// All values of a field that may be sent many times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The ids of a field that may be sent many times; what is no id is passed over.
    pub fn ids(&self, name: &str) -> BTreeSet<Uuid> {
        self.all(name).filter_map(|text| Uuid::try_parse(text).ok()).collect()
    }

    /// The id in a field; `None` when it is empty or not an id.
    pub fn id(&self, name: &str) -> Option<Uuid> {
        Uuid::try_parse(self.first(name)).ok()
    }
}

/// Something about a submission that is refused before any rule is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field it belongs to; `None`: the form as a whole.
    pub key: Option<Key>,
    pub sentence: String,
    /// No page could have sent it.
    pub is_crafted: bool,
}

/// The page's form, read.
#[derive(Debug, Default)]
pub struct Submission {
    /// The version of the options the page showed.
    pub version: i64,
    pub draft: Option<Uuid>,
    pub typed: Typed,
    /// A password was typed before a dialog was opened, and not kept.
    pub password_lost: bool,
    pub faults: Vec<Fault>,
}

/// The fields of the page itself; the others are chosen in dialogs and come with the draft.
const ON_THE_PAGE: [Key; 18] = [
    Key::ScheduleMode,
    Key::ScheduleTime,
    Key::SchedulePerDay,
    Key::ScheduleTimeZone,
    Key::ProxyEnabled,
    Key::ProxyServer,
    Key::ProxyPort,
    Key::ProxyCredentials,
    Key::ProxyUser,
    Key::ProxyDomain,
    Key::ProxyBasic,
    Key::SourceKind,
    Key::SourceServer,
    Key::SourcePort,
    Key::SourceSsl,
    Key::SourceCa,
    Key::SourceContentPort,
    Key::Replica,
];
const REMOVE_PASSWORD: &str = "proxy.remove_password";
/// Fields that carry the form, not a setting.
const CARRIERS: [&str; 3] = ["csrf", "version", "draft"];

impl Submission {
    /// Reads the form. Fields that the page's script disabled are absent and keep their value; what
    /// is in force has to be there.
    pub fn read<N>(fields: &Fields<N>) -> Self {
        let mut read = Self {
            version: fields.first("version").parse().unwrap_or(0),
            draft: fields.id("draft"),
            ..Self::default()
        };
        let mut password = Zeroizing::new(String::new());
        let mut remove = false;
        let mut names = BTreeSet::new();
        for (name, value) in &fields.0 {
            let repeated = !names.insert(name.as_str());
            let key = Key::parse(name);
            if repeated {
                read.fault(key, "This field was sent twice. Nothing was saved.".to_owned());
            } else if let Some(key) = key.filter(|key| ON_THE_PAGE.contains(key)) {
                read.typed.values.insert(key, value.clone());
            } else if key == Some(Key::ProxyPassword) {
                password = Zeroizing::new(value.clone());
            } else if name == REMOVE_PASSWORD {
                remove = value == "true";
            } else if !CARRIERS.contains(&name.as_str()) {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                read.fault(None, format!("The page has no field named {shown}. Nothing was saved."));
            }
        }
        read.typed.password = match (password.is_empty(), remove) {
            (false, _) => PasswordInput::Replace(password),
            (true, true) => PasswordInput::Remove,
            (true, false) => PasswordInput::Keep,
        };
        read.complete();
        read
    }

    /// Puts what was chosen in dialogs beside what was typed.
    pub fn take_draft(&mut self, draft: Draft) {
        self.password_lost = draft.password_lost;
        for (key, value) in draft.values {
            if !ON_THE_PAGE.contains(&key) {
                self.typed.values.entry(key).or_insert(value);
            }
        }
    }

    /// Has a password been typed that no page can show again?
    pub fn loses_password(&self) -> bool {
        self.password_lost || matches!(self.typed.password, PasswordInput::Replace(_))
    }

    /// Everything typed and chosen, as a draft; of the password only that there was one.
    pub fn to_draft(&self) -> Draft {
        let password_lost = self.loses_password();
        Draft { version: self.version, values: self.typed.values.clone(), password_lost }
    }

    fn fault(&mut self, key: Option<Key>, sentence: String) {
        let fault = Fault { key, sentence, is_crafted: true };
        if self.faults.len() < 20 && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// An unticked box is not sent, so in force its absence means "no"; a text in force that is
    /// absent is an empty one, which its rule judges.
    fn complete(&mut self) {
        let values = &mut self.typed.values;
        let absent = |values: &mut BTreeMap<Key, String>, keys: &[Key], value: &str| {
            for key in keys {
                values.entry(*key).or_insert_with(|| value.to_owned());
            }
        };
        absent(values, &[Key::ScheduleMode, Key::SourceKind], "");
        absent(values, &[Key::ProxyEnabled], "false");
        let is = |values: &BTreeMap<Key, String>, key: Key, wanted: &str| {
            values.get(&key).is_some_and(|value| value == wanted)
        };
        if is(values, Key::ScheduleMode, "daily") {
            absent(values, &[Key::ScheduleTime, Key::SchedulePerDay, Key::ScheduleTimeZone], "");
        }
        if is(values, Key::SourceKind, "upstream") {
            absent(values, &[Key::SourceServer, Key::SourcePort], "");
            absent(values, &[Key::SourceSsl, Key::Replica], "false");
        }
        if is(values, Key::ProxyEnabled, "true") {
            absent(values, &[Key::ProxyServer, Key::ProxyPort], "");
            absent(values, &[Key::ProxyCredentials], "false");
            if is(values, Key::ProxyCredentials, "true") {
                absent(values, &[Key::ProxyUser, Key::ProxyDomain], "");
                absent(values, &[Key::ProxyBasic], "false");
            }
        }
        // Browsers send line ends of a text box as CR LF; the kept form has LF.
        if let Some(ca) = values.get_mut(&Key::SourceCa) {
            *ca = ca.replace("\r\n", "\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Submission {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Submission::read::<Saved>(&Fields(fields.collect(), PhantomData))
    }

    #[test]
    fn r205_a_field_the_page_does_not_have_is_named() {
        let read = read(&[("role", "administrator"), ("products", "x")]);
        let sentences: Vec<&str> = read.faults.iter().map(|one| one.sentence.as_str()).collect();
        assert!(sentences[0].contains("role"));
        assert!(sentences[1].contains("products"), "chosen in a dialog, not on the page");
    }

    #[test]
    fn r205_the_form_of_the_page_has_no_fields_of_its_dialogs() {
        assert!(
            OnPage::include("csrf") && OnPage::include("source.port") && OnPage::include("proxy.password")
        );
        assert!(!OnPage::include("products") && !OnPage::include("tick") && !OnPage::include("role"));
    }

    #[test]
    fn r204_a_field_sent_twice_is_refused() {
        let read = read(&[("source.port", "80"), ("source.port", "81")]);
        assert_eq!(read.faults.len(), 1);
        assert_eq!(read.faults[0].key, Some(Key::SourcePort));
    }

    #[test]
    fn absent_boxes_mean_no_only_where_they_are_in_force() {
        let off = read(&[("source.kind", "microsoft-update")]);
        assert_eq!(off.typed.values.get(&Key::SourceSsl), None);
        assert_eq!(off.typed.values.get(&Key::ProxyBasic), None);
        let on = read(&[("source.kind", "upstream"), ("proxy.enabled", "true")]);
        assert_eq!(on.typed.values[&Key::SourceSsl], "false");
        assert_eq!(on.typed.values[&Key::SourcePort], "");
        assert_eq!(on.typed.values[&Key::ProxyCredentials], "false");
    }

    #[test]
    fn r217_a_draft_never_holds_the_password() {
        let read = read(&[("proxy.password", "hunter2")]);
        assert!(matches!(read.typed.password, PasswordInput::Replace(_)));
        assert!(!format!("{:?}", read.to_draft()).contains("hunter2"));
    }
}
