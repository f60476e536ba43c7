//! GetUpdateData: the documents of revisions and the addresses of their files. Source: MS-WSUSSS 3.1.4.6.

use std::collections::HashSet;

use super::revision_id_list::{read_identities, read_identity, write_identities, write_identity};
use super::{Cookie, Reply, Request};
use crate::protocol::ProtocolError;
use crate::protocol::ids::{RevisionKey, Sha1Digest};
use crate::protocol::soap::fields::{self, Once, VALUE_LEN_MAX};
use crate::protocol::soap::{Element, Method, Reader, Writer};

/// Ids a request may name before it is not read any further. The receiver's own limit is far lower.
const REQUEST_IDS_MAX: usize = 1_000_000;
/// Updates one answer may hold, whatever was asked.
const UPDATES_MAX: usize = 10_000;
/// Addresses one answer may hold.
const URLS_MAX: usize = 1_000_000;
/// Files one update may have.
const DIGESTS_MAX: usize = 100_000;
/// Bytes one document may have, as text or as the Base64 of its cabinet.
const DOCUMENT_LEN_MAX: usize = 256 * 1024 * 1024;

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUpdateData {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    /// As asked, repetitions included.
    pub update_ids: Vec<RevisionKey>,
}

/// The document of a revision in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateBlob {
    /// The document itself.
    Text(String),
    /// A cabinet with the document in UTF-16LE, as received.
    Compressed(Vec<u8>),
}

/// One revision of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateData {
    pub key: RevisionKey,
    pub blob: UpdateBlob,
    pub file_digests: Vec<Sha1Digest>,
}

/// Where the original of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    pub digest: Sha1Digest,
    /// `None` when the file was published locally. Some addresses are short-lived.
    pub mu_url: Option<String>,
}

/// The answer. It may hold fewer revisions than were asked for: ask again for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetUpdateDataReply {
    pub updates: Vec<UpdateData>,
    /// For all updates of the answer together.
    pub file_urls: Vec<FileUrl>,
}

impl Request for GetUpdateData {
    const METHOD: Method = Method::GetUpdateData;
    type Reply = GetUpdateDataReply;

    fn write(&self, writer: &mut Writer) {
        if let Some(cookie) = &self.cookie {
            cookie.write(writer, "cookie");
        }
        write_identities(writer, "updateIds", &self.update_ids);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut cookie, mut ids) = (Once::new("cookie"), Once::new("updateIds"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "cookie" => cookie.set(Cookie::read_in_request(reader)?)?,
                "updateIds" => ids.set(
                    read_identities(reader, "updateIds", REQUEST_IDS_MAX)
                        .map_err(|error| error.in_parameter("updateIds"))?,
                )?,
                _ => reader.skip()?,
            }
        }
        Ok(Self { cookie: cookie.optional().flatten(), update_ids: ids.optional().unwrap_or_default() })
    }
}

impl Reply for GetUpdateDataReply {
    const METHOD: Method = Method::GetUpdateData;

    fn write(&self, writer: &mut Writer) {
        writer.open("GetUpdateDataResult");
        write_list(writer, "updates", &self.updates, UpdateData::write);
        write_list(writer, "fileUrls", &self.file_urls, FileUrl::write);
        writer.close("GetUpdateDataResult");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut updates, mut urls) = (Once::new("updates"), Once::new("fileUrls"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "updates" => updates.set(read_list(
                    reader,
                    ("updates", "ServerSyncUpdateData", UPDATES_MAX),
                    UpdateData::read,
                )?)?,
                "fileUrls" => {
                    urls.set(read_list(reader, ("fileUrls", "ServerSyncUrlData", URLS_MAX), FileUrl::read)?)?
                }
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            updates: updates.optional().unwrap_or_default(),
            file_urls: urls.optional().unwrap_or_default(),
        })
    }
}

impl GetUpdateDataReply {
    /// Drops updates from the end until the rest is at most `limit_bytes` long, but keeps the first one
    /// whatever its length; addresses that belong to no update left go too.
    pub fn fit(&mut self, limit_bytes: usize) {
        let mut used = 0;
        let mut kept = 0;
        for update in &self.updates {
            let mut writer = Writer::fragment();
            update.write(&mut writer);
            used += writer.len();
            if kept > 0 && used > limit_bytes {
                break;
            }
            kept += 1;
        }
        self.updates.truncate(kept);
        let named: HashSet<_> = self.updates.iter().flat_map(|update| &update.file_digests).collect();
        self.file_urls.retain(|url| named.contains(&url.digest));
    }
}

impl UpdateData {
    fn write(&self, writer: &mut Writer) {
        writer.open("ServerSyncUpdateData");
        write_identity(writer, "Id", self.key);
        if let UpdateBlob::Text(document) = &self.blob {
            writer.text("XmlUpdateBlob", document);
        }
        if !self.file_digests.is_empty() {
            writer.open("FileDigestList");
            self.file_digests.iter().for_each(|digest| writer.base64("base64Binary", digest.as_bytes()));
            writer.close("FileDigestList");
        }
        if let UpdateBlob::Compressed(cabinet) = &self.blob {
            writer.base64("XmlUpdateBlobCompressed", cabinet);
        }
        writer.close("ServerSyncUpdateData");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut key, mut text) = (Once::new("Id"), Once::new("XmlUpdateBlob"));
        let (mut digests, mut cabinet) = (Once::new("FileDigestList"), Once::new("XmlUpdateBlobCompressed"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "Id" => key.set(read_identity(reader)?)?,
                "XmlUpdateBlob" => text.set(reader.text(&field, DOCUMENT_LEN_MAX)?)?,
                "FileDigestList" => digests.set(read_digests(reader)?)?,
                "XmlUpdateBlobCompressed" => cabinet.set(fields::base64(
                    reader,
                    &field,
                    "XmlUpdateBlobCompressed",
                    DOCUMENT_LEN_MAX,
                )?)?,
                _ => reader.skip()?,
            }
        }
        let text = text.optional().filter(|text| !text.is_empty());
        let cabinet = cabinet.optional().filter(|cabinet| !cabinet.is_empty());
        let blob = match (text, cabinet) {
            (Some(text), None) => UpdateBlob::Text(text),
            (None, Some(cabinet)) => UpdateBlob::Compressed(cabinet),
            (None, None) => return Err(ProtocolError::Missing { field: "XmlUpdateBlob" }),
            (Some(_), Some(_)) => return Err(ProtocolError::Repeated { field: "XmlUpdateBlob" }),
        };
        Ok(Self { key: key.required()?, blob, file_digests: digests.optional().unwrap_or_default() })
    }
}

fn read_digests(reader: &mut Reader<'_>) -> Result<Vec<Sha1Digest>, ProtocolError> {
    let mut digests = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != "base64Binary" || item.nil {
            reader.skip()?;
            continue;
        }
        if digests.len() == DIGESTS_MAX {
            return Err(ProtocolError::TooMany { field: "FileDigestList", max: DIGESTS_MAX });
        }
        digests.push(read_digest(reader, &item, "FileDigestList")?);
    }
    Ok(digests)
}

fn read_digest(
    reader: &mut Reader<'_>,
    item: &Element,
    field: &'static str,
) -> Result<Sha1Digest, ProtocolError> {
    let bytes = fields::base64(reader, item, field, VALUE_LEN_MAX)?;
    Sha1Digest::from_slice(&bytes).map_err(|error| ProtocolError::bad_value(field, error))
}

impl FileUrl {
    fn write(&self, writer: &mut Writer) {
        writer.open("ServerSyncUrlData");
        writer.base64("FileDigest", self.digest.as_bytes());
        if let Some(url) = &self.mu_url {
            writer.text("MUUrl", url);
        }
        writer.empty("UssUrl");
        writer.close("ServerSyncUrlData");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut digest, mut url) = (Once::new("FileDigest"), Once::new("MUUrl"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "FileDigest" => digest.set(read_digest(reader, &field, "FileDigest")?)?,
                "MUUrl" => url.set(fields::string(reader, &field)?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self { digest: digest.required()?, mu_url: url.optional().filter(|url| !url.is_empty()) })
    }
}

fn write_list<T>(writer: &mut Writer, name: &str, items: &[T], write: impl Fn(&T, &mut Writer)) {
    if items.is_empty() {
        return writer.empty(name);
    }
    writer.open(name);
    items.iter().for_each(|item| write(item, writer));
    writer.close(name);
}

fn read_list<T>(
    reader: &mut Reader<'_>,
    (list, item_name, max): (&'static str, &str, usize),
    read: impl Fn(&mut Reader<'_>) -> Result<T, ProtocolError>,
) -> Result<Vec<T>, ProtocolError> {
    let mut items = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != item_name || item.nil {
            reader.skip()?;
            continue;
        }
        if items.len() == max {
            return Err(ProtocolError::TooMany { field: list, max });
        }
        items.push(read(reader)?);
    }
    Ok(items)
}
