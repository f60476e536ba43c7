//! GetConfigData: limits, flags and languages of an upstream server. Source: MS-WSUSSS 3.1.4.4.

use super::{Cookie, Reply, Request};
use crate::protocol::ProtocolError;
use crate::protocol::ids::ConfigAnchor;
use crate::protocol::soap::fields::{self, Once};
use crate::protocol::soap::{Element, Method, Reader, Writer};

/// Languages an answer may list. Real servers list 39.
const LANGUAGES_MAX: usize = 1_000;

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetConfigData {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    /// The anchor of the last answer; `None` the first time.
    pub config_anchor: Option<ConfigAnchor>,
}

/// One language an upstream server can have files in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// Windows language number (LCID); 0 stands for all.
    pub id: i32,
    /// `en`, `zh-tw`; `all` for 0.
    pub short_name: String,
    pub long_name: String,
    pub enabled: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetConfigDataReply {
    /// True: there is no content service; files come from the addresses in GetUpdateData.
    pub catalog_only_sync: bool,
    /// True: a file is fetched upstream only when needed, so "not found" may mean "ask and come back".
    pub lazy_sync: bool,
    /// True: express installation files are kept upstream.
    pub server_hosts_psf_files: bool,
    /// 0: not supported.
    pub computer_ids_max: i32,
    /// 0: not supported.
    pub driver_sets_max: i32,
    /// 0: not supported.
    pub hardware_ids_max: i32,
    /// As sent; use [`GetConfigDataReply::batch_size`].
    pub updates_max: i32,
    pub new_config_anchor: ConfigAnchor,
    /// `None` on servers of the oldest generation.
    pub protocol_version: Option<String>,
    /// With an anchor only what changed since: an empty list says nothing about the languages there are.
    pub languages: Vec<Language>,
    pub decryption_updates_max: i32,
}

impl GetConfigDataReply {
    /// What real servers say, and what a missing or senseless limit is taken for.
    pub const UPDATES_MAX: i32 = 100;
    /// We never ask for more at once, whatever a server offers. Ours.
    pub const BATCH_SIZE_MAX: usize = 1_000;

    /// How many updates one GetUpdateData may ask for: 1 to [`Self::BATCH_SIZE_MAX`].
    pub fn batch_size(&self) -> usize {
        let said = if self.updates_max > 0 { self.updates_max } else { Self::UPDATES_MAX };
        usize::try_from(said).unwrap_or(1).min(Self::BATCH_SIZE_MAX)
    }
}

impl Request for GetConfigData {
    const METHOD: Method = Method::GetConfigData;
    type Reply = GetConfigDataReply;

    fn write(&self, writer: &mut Writer) {
        if let Some(cookie) = &self.cookie {
            cookie.write(writer, "cookie");
        }
        if let Some(anchor) = &self.config_anchor {
            writer.text("configAnchor", anchor.as_str());
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut cookie, mut anchor) = (Once::new("cookie"), Once::new("configAnchor"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "cookie" => cookie.set(Cookie::read_in_request(reader)?)?,
                "configAnchor" => anchor.set(fields::string(reader, &field)?)?,
                _ => reader.skip()?,
            }
        }
        let anchor = anchor.optional().filter(|text| !text.is_empty());
        Ok(Self {
            cookie: cookie.optional().flatten(),
            config_anchor: anchor
                .map(ConfigAnchor::parse)
                .transpose()
                .map_err(|error| error.in_parameter("configAnchor"))?,
        })
    }
}

impl Reply for GetConfigDataReply {
    const METHOD: Method = Method::GetConfigData;

    fn write(&self, writer: &mut Writer) {
        writer.open("GetConfigDataResult");
        writer.value("CatalogOnlySync", self.catalog_only_sync);
        writer.value("LazySync", self.lazy_sync);
        writer.value("ServerHostsPsfFiles", self.server_hosts_psf_files);
        writer.value("MaxNumberOfComputerIdsInRequest", self.computer_ids_max);
        writer.value("MaxNumberOfDriverSetsPerRequest", self.driver_sets_max);
        writer.value("MaxNumberOfPnpHardwareIdsInRequest", self.hardware_ids_max);
        writer.value("MaxNumberOfUpdatesPerRequest", self.updates_max);
        writer.text("NewConfigAnchor", self.new_config_anchor.as_str());
        if let Some(version) = &self.protocol_version {
            writer.text("ProtocolVersion", version);
        }
        if self.languages.is_empty() {
            writer.empty("LanguageUpdateList");
        } else {
            writer.open("LanguageUpdateList");
            self.languages.iter().for_each(|language| language.write(writer));
            writer.close("LanguageUpdateList");
        }
        writer.value("MaxUpdatesPerRequestInGetUpdateDecryptionData", self.decryption_updates_max);
        writer.close("GetConfigDataResult");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let mut flags = [("CatalogOnlySync"), ("LazySync"), ("ServerHostsPsfFiles")].map(Once::new);
        let mut limits = LIMIT_FIELDS.map(Once::new);
        let (mut anchor, mut version) = (Once::new("NewConfigAnchor"), Once::new("ProtocolVersion"));
        let mut languages = Once::new("LanguageUpdateList");
        while let Some(field) = reader.next_field()? {
            let name = field.name.as_str();
            if let Some(flag) = flags.iter_mut().find(|flag| flag.name() == name) {
                flag.set(fields::boolean(reader, &field, flag.name())?)?;
            } else if let Some(limit) = limits.iter_mut().find(|limit| limit.name() == name) {
                limit.set(read_limit(reader, &field, limit.name())?)?;
            } else {
                match name {
                    "NewConfigAnchor" => anchor.set(ConfigAnchor::parse(fields::string(reader, &field)?)?)?,
                    "ProtocolVersion" => version.set(fields::string(reader, &field)?)?,
                    "LanguageUpdateList" => languages.set(read_languages(reader)?)?,
                    _ => reader.skip()?,
                }
            }
        }
        let [catalog_only, lazy, psf] = flags.map(|flag| flag.optional().unwrap_or(false));
        let [computers, sets, hardware, updates, decryption] =
            limits.map(|limit| limit.optional().unwrap_or(0));
        Ok(Self {
            catalog_only_sync: catalog_only,
            lazy_sync: lazy,
            server_hosts_psf_files: psf,
            computer_ids_max: computers,
            driver_sets_max: sets,
            hardware_ids_max: hardware,
            updates_max: updates,
            new_config_anchor: anchor.required()?,
            protocol_version: version.optional().filter(|text| !text.is_empty()),
            languages: languages.optional().unwrap_or_default(),
            decryption_updates_max: decryption,
        })
    }
}

/// The limits, in the order of the array they are read into.
const LIMIT_FIELDS: [&str; 5] = [
    "MaxNumberOfComputerIdsInRequest",
    "MaxNumberOfDriverSetsPerRequest",
    "MaxNumberOfPnpHardwareIdsInRequest",
    "MaxNumberOfUpdatesPerRequest",
    "MaxUpdatesPerRequestInGetUpdateDecryptionData",
];

/// An empty limit is no limit named, which is 0.
fn read_limit(reader: &mut Reader<'_>, field: &Element, name: &'static str) -> Result<i32, ProtocolError> {
    fields::parsed(reader, field, name, |text| if text.is_empty() { Ok(0) } else { text.parse::<i32>() })
}

fn read_languages(reader: &mut Reader<'_>) -> Result<Vec<Language>, ProtocolError> {
    let mut languages = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != "ServerSyncLanguageData" || item.nil {
            reader.skip()?;
            continue;
        }
        if languages.len() == LANGUAGES_MAX {
            return Err(ProtocolError::TooMany { field: "LanguageUpdateList", max: LANGUAGES_MAX });
        }
        languages.push(Language::read(reader)?);
    }
    Ok(languages)
}

impl Language {
    fn write(&self, writer: &mut Writer) {
        writer.open("ServerSyncLanguageData");
        writer.value("LanguageID", self.id);
        writer.text("ShortLanguage", &self.short_name);
        writer.text("LongLanguage", &self.long_name);
        writer.value("Enabled", self.enabled);
        writer.close("ServerSyncLanguageData");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut id, mut enabled) = (Once::new("LanguageID"), Once::new("Enabled"));
        let (mut short, mut long) = (Once::new("ShortLanguage"), Once::new("LongLanguage"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "LanguageID" => id.set(fields::integer(reader, &field, "LanguageID")?)?,
                "ShortLanguage" => short.set(fields::string(reader, &field)?)?,
                "LongLanguage" => long.set(fields::string(reader, &field)?)?,
                "Enabled" => enabled.set(fields::boolean(reader, &field, "Enabled")?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            id: id.required()?,
            short_name: short.optional().unwrap_or_default(),
            long_name: long.optional().unwrap_or_default(),
            enabled: enabled.required()?,
        })
    }
}
