//! GetRevisionIdList: which revisions there are, or are new since an anchor. Source: MS-WSUSSS 3.1.4.5.

use uuid::Uuid;

use super::{Cookie, Reply, Request};
use crate::protocol::ProtocolError;
use crate::protocol::ids::{RevisionKey, SyncAnchor, parse_guid, parse_id};
use crate::protocol::soap::fields::{self, Once};
use crate::protocol::soap::{Method, Reader, Writer};

/// Revisions an answer may list: a hundred times what the biggest known servers list.
const REVISIONS_MAX: usize = 5_000_000;
/// Entries each list of a filter may have.
const FILTER_ENTRIES_MAX: usize = 20_000;

/// A product, family or classification that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdAndDelta {
    pub id: Uuid,
    /// True: only what changed since the anchor. False: everything under it again.
    pub delta: bool,
}

/// A language that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageAndDelta {
    /// Windows language number (LCID).
    pub id: i32,
    pub delta: bool,
}

/// What to list. Two empty lists mean everything; exactly one empty list selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RevisionFilter {
    /// The anchor of the last answer; `None` the first time.
    pub anchor: Option<SyncAnchor>,
    /// True: categories, classifications and detectoids. False: updates.
    pub get_config: bool,
    pub get_63_language_only: bool,
    pub categories: Vec<IdAndDelta>,
    pub classifications: Vec<IdAndDelta>,
    pub languages: Vec<LanguageAndDelta>,
}

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRevisionIdList {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    pub filter: RevisionFilter,
}

/// The answer: complete, in no useful order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRevisionIdListReply {
    pub anchor: SyncAnchor,
    /// When read: sorted, each revision once, however often the server listed it.
    pub new_revisions: Vec<RevisionKey>,
}

impl Request for GetRevisionIdList {
    const METHOD: Method = Method::GetRevisionIdList;
    type Reply = GetRevisionIdListReply;

    fn write(&self, writer: &mut Writer) {
        if let Some(cookie) = &self.cookie {
            cookie.write(writer, "cookie");
        }
        self.filter.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut cookie, mut filter) = (Once::new("cookie"), Once::new("filter"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "cookie" => cookie.set(Cookie::read_in_request(reader)?)?,
                "filter" => {
                    filter
                        .set(RevisionFilter::read(reader).map_err(|error| error.in_parameter("filter"))?)?;
                }
                _ => reader.skip()?,
            }
        }
        let filter = filter.required().map_err(|error| error.in_parameter("filter"))?;
        Ok(Self { cookie: cookie.optional().flatten(), filter })
    }
}

impl RevisionFilter {
    fn write(&self, writer: &mut Writer) {
        writer.open("filter");
        if let Some(anchor) = &self.anchor {
            writer.text("Anchor", anchor.as_str());
        }
        writer.value("GetConfig", self.get_config);
        writer.value("Get63LanguageOnly", self.get_63_language_only);
        for (name, list) in [("Categories", &self.categories), ("Classifications", &self.classifications)] {
            if list.is_empty() {
                continue;
            }
            writer.open(name);
            for item in list {
                write_delta(writer, "IdAndDelta", item.id.hyphenated(), item.delta);
            }
            writer.close(name);
        }
        if !self.languages.is_empty() {
            writer.open("Languages");
            for item in &self.languages {
                write_delta(writer, "LanguageAndDelta", item.id, item.delta);
            }
            writer.close("Languages");
        }
        writer.close("filter");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut anchor, mut get_config) = (Once::new("Anchor"), Once::new("GetConfig"));
        let mut only_63 = Once::new("Get63LanguageOnly");
        let (mut categories, mut classifications) = (Once::new("Categories"), Once::new("Classifications"));
        let mut languages = Once::new("Languages");
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "Anchor" => anchor.set(fields::string(reader, &field)?)?,
                "GetConfig" => get_config.set(fields::boolean(reader, &field, "GetConfig")?)?,
                "Get63LanguageOnly" => {
                    only_63.set(fields::boolean(reader, &field, "Get63LanguageOnly")?)?;
                }
                "Categories" => categories.set(read_ids(reader, "Categories")?)?,
                "Classifications" => classifications.set(read_ids(reader, "Classifications")?)?,
                "Languages" => languages.set(read_languages(reader)?)?,
                _ => reader.skip()?,
            }
        }
        let anchor = anchor.optional().filter(|text| !text.trim().is_empty());
        Ok(Self {
            anchor: anchor.map(SyncAnchor::parse).transpose()?,
            get_config: get_config.required()?,
            get_63_language_only: only_63.optional().unwrap_or(false),
            categories: categories.optional().unwrap_or_default(),
            classifications: classifications.optional().unwrap_or_default(),
            languages: languages.optional().unwrap_or_default(),
        })
    }
}

fn write_delta(writer: &mut Writer, name: &str, id: impl std::fmt::Display, delta: bool) {
    writer.open(name);
    writer.value("Id", id);
    writer.value("Delta", delta);
    writer.close(name);
}

fn read_ids(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<IdAndDelta>, ProtocolError> {
    let list = read_deltas(reader, "IdAndDelta", field, parse_guid)?;
    Ok(list.into_iter().map(|(id, delta)| IdAndDelta { id, delta }).collect())
}

fn read_languages(reader: &mut Reader<'_>) -> Result<Vec<LanguageAndDelta>, ProtocolError> {
    let list = read_deltas(reader, "LanguageAndDelta", "Languages", str::parse::<i32>)?;
    Ok(list.into_iter().map(|(id, delta)| LanguageAndDelta { id, delta }).collect())
}

fn read_deltas<T, E: std::fmt::Display>(
    reader: &mut Reader<'_>,
    item_name: &str,
    list: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<(T, bool)>, ProtocolError> {
    let mut items = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != item_name || item.nil {
            reader.skip()?;
            continue;
        }
        if items.len() == FILTER_ENTRIES_MAX {
            return Err(ProtocolError::TooMany { field: list, max: FILTER_ENTRIES_MAX });
        }
        let (mut id, mut delta) = (Once::new("Id"), Once::new("Delta"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "Id" => id.set(fields::parsed(reader, &field, list, &parse)?)?,
                "Delta" => delta.set(fields::boolean(reader, &field, "Delta")?)?,
                _ => reader.skip()?,
            }
        }
        items.push((id.required()?, delta.optional().unwrap_or(false)));
    }
    Ok(items)
}

impl Reply for GetRevisionIdListReply {
    const METHOD: Method = Method::GetRevisionIdList;

    fn write(&self, writer: &mut Writer) {
        writer.open("GetRevisionIdListResult");
        writer.text("Anchor", self.anchor.as_str());
        write_identities(writer, "NewRevisions", &self.new_revisions);
        writer.close("GetRevisionIdListResult");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut anchor, mut revisions) = (Once::new("Anchor"), Once::new("NewRevisions"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "Anchor" => anchor.set(SyncAnchor::parse(fields::string(reader, &field)?)?)?,
                "NewRevisions" => {
                    revisions.set(read_identities(reader, "NewRevisions", REVISIONS_MAX)?)?;
                }
                _ => reader.skip()?,
            }
        }
        let anchor = anchor.required()?;
        if anchor.as_str().is_empty() {
            return Err(ProtocolError::Missing { field: "Anchor" });
        }
        let mut new_revisions = revisions.required()?;
        new_revisions.sort_unstable();
        new_revisions.dedup();
        Ok(Self { anchor, new_revisions })
    }
}

pub(super) fn write_identities(writer: &mut Writer, name: &str, keys: &[RevisionKey]) {
    if keys.is_empty() {
        return writer.empty(name);
    }
    writer.open(name);
    for key in keys {
        write_identity(writer, "UpdateIdentity", *key);
    }
    writer.close(name);
}

pub(super) fn write_identity(writer: &mut Writer, name: &str, key: RevisionKey) {
    writer.open(name);
    writer.value("UpdateID", key.update_id.hyphenated());
    writer.value("RevisionNumber", key.revision);
    writer.close(name);
}

pub(super) fn read_identities(
    reader: &mut Reader<'_>,
    list: &'static str,
    max: usize,
) -> Result<Vec<RevisionKey>, ProtocolError> {
    let mut keys = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != "UpdateIdentity" || item.nil {
            reader.skip()?;
            continue;
        }
        if keys.len() == max {
            return Err(ProtocolError::TooMany { field: list, max });
        }
        keys.push(read_identity(reader)?);
    }
    Ok(keys)
}

pub(super) fn read_identity(reader: &mut Reader<'_>) -> Result<RevisionKey, ProtocolError> {
    let (mut id, mut revision) = (Once::new("UpdateID"), Once::new("RevisionNumber"));
    while let Some(field) = reader.next_field()? {
        match field.name.as_str() {
            "UpdateID" => id.set(fields::parsed(reader, &field, "UpdateID", parse_id)?)?,
            "RevisionNumber" => {
                revision.set(fields::parsed(reader, &field, "RevisionNumber", revision_number)?)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(RevisionKey { update_id: id.required()?, revision: revision.required()? })
}

fn revision_number(text: &str) -> Result<i32, &'static str> {
    text.parse::<i32>().ok().filter(|number| *number >= 0).ok_or("it is no whole number from 0 to 2147483647")
}
