//! From the bytes of an answer to rows: SOAP, Base64, cabinet, UTF-16, and each document read with its attributes.
//! Written without Weir's readers, so that what they cost shows.

use std::io::{Cursor, Read};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use uuid::Uuid;

/// SHA-1, length and name of a file.
pub type FileRow = (Vec<u8>, i64, String);

/// What is stored of one revision.
#[derive(Debug, Default)]
pub struct Row {
    pub update_id: Uuid,
    pub revision: i32,
    pub kind: i16,
    pub title: String,
    pub description: String,
    /// The document as it came, and whether it is a cabinet.
    pub body: Vec<u8>,
    pub is_cabinet: bool,
    /// Section of the document and target.
    pub relations: Vec<(i16, Uuid)>,
    pub files: Vec<FileRow>,
}

/// Reads an answer with documents.
pub fn read(answer: &[u8]) -> Result<Vec<Row>> {
    let mut xml = Reader::from_str(std::str::from_utf8(answer)?);
    let (mut rows, mut row, mut text) = (Vec::new(), Row::default(), String::new());
    loop {
        match xml.read_event()? {
            Event::Start(_) => text.clear(),
            Event::Text(piece) => text.push_str(&piece),
            Event::GeneralRef(entity) => {
                text.push_str(resolve_predefined_entity(&entity).unwrap_or_default())
            }
            Event::End(end) => match end.local_name().into_inner() {
                "UpdateID" => row.update_id = Uuid::try_parse(&text)?,
                "RevisionNumber" => row.revision = text.parse()?,
                "XmlUpdateBlob" => {
                    document(&text, &mut row)?;
                    row.body = std::mem::take(&mut text).into_bytes();
                }
                "XmlUpdateBlobCompressed" => {
                    row.body = STANDARD.decode(&text)?;
                    row.is_cabinet = true;
                    document(&unpack(&row.body)?, &mut row)?;
                }
                "ServerSyncUpdateData" => rows.push(std::mem::take(&mut row)),
                _ => {}
            },
            Event::Eof => return Ok(rows),
            _ => {}
        }
    }
}

fn unpack(cabinet: &[u8]) -> Result<String> {
    let mut cabinet = cab::Cabinet::new(Cursor::new(cabinet))?;
    let mut bytes = Vec::new();
    cabinet.read_file("blob")?.read_to_end(&mut bytes)?;
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    Ok(String::from_utf16(&units)?)
}

/// Takes what is stored from a document; every attribute is looked at.
fn document(text: &str, row: &mut Row) -> Result<()> {
    let mut xml = Reader::from_str(text);
    let (mut section, mut content, mut texts) = (-1, String::new(), 0);
    loop {
        match xml.read_event()? {
            Event::Start(start) => {
                content.clear();
                section = match start.local_name().into_inner() {
                    "Prerequisites" => 0,
                    "SupersededUpdates" => 2,
                    "BundledUpdates" => 3,
                    "LocalizedProperties" => {
                        texts += 1;
                        section
                    }
                    _ => section,
                };
                element(&start, section, row)?;
            }
            Event::Empty(start) => element(&start, section, row)?,
            Event::Text(piece) => content.push_str(&piece),
            Event::GeneralRef(entity) => {
                content.push_str(resolve_predefined_entity(&entity).unwrap_or_default());
            }
            Event::End(end) => match end.local_name().into_inner() {
                "Title" if texts == 1 => row.title = std::mem::take(&mut content),
                "Description" if texts == 1 => row.description = std::mem::take(&mut content),
                "Prerequisites" | "SupersededUpdates" | "BundledUpdates" => section = -1,
                _ => {}
            },
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn element(start: &BytesStart<'_>, section: i16, row: &mut Row) -> Result<()> {
    let name = start.local_name().into_inner();
    let (mut digest, mut size, mut file) = (None, 0, String::new());
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
        match (name, attribute.key.into_inner()) {
            ("UpdateIdentity", "UpdateID") if section >= 0 => {
                row.relations.push((section, Uuid::try_parse(&value)?));
            }
            ("Properties", "UpdateType") => {
                row.kind = match &*value {
                    "Software" => 0,
                    "Driver" => 1,
                    "Category" => 2,
                    _ => 4,
                };
            }
            ("File", "Digest") => digest = Some(STANDARD.decode(value.as_bytes())?),
            ("File", "Size") => size = value.parse()?,
            ("File", "FileName") => file = value.into_owned(),
            _ => {}
        }
    }
    if name == "File" {
        row.files.push((digest.context("a file with a digest")?, size, file));
    }
    Ok(())
}
