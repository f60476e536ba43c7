//! Walks the XML: namespaces, limits, text. What the elements mean is decided in `build`.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::errors::Error;
use quick_xml::escape::{EscapeError, ParseCharRefError, resolve_predefined_entity};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::build::Builder;
use super::place::{Namespace, Place};
use super::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, DocumentError, ELEMENTS_MAX,
    NAMESPACES_MAX, TEXT_BYTES_MAX, UpdateDocument,
};

pub fn read(text: &str) -> Result<UpdateDocument, DocumentError> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(DocumentError::TooLarge { limit: DOCUMENT_BYTES_MAX });
    }
    let mut xml = NsReader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    xml.resolver_mut().set_max_namespace_bindings(NAMESPACES_MAX);
    let mut walk = Walk::default();
    loop {
        let step = xml.read_resolved_event();
        let (namespace, event) = match step {
            Ok((resolved, event)) => (namespace_of(&resolved), event),
            Err(error) => return Err(xml_error(error, xml.buffer_position())),
        };
        let position = xml.buffer_position();
        match event {
            Event::Start(start) => walk.open(namespace, &start, position)?,
            Event::Empty(start) => {
                walk.open(namespace, &start, position)?;
                walk.close()?;
            }
            Event::End(_) => walk.close()?,
            Event::Text(text) => walk.text(&text.xml10_content(), position)?,
            Event::CData(text) => walk.text(&text.xml10_content(), position)?,
            Event::GeneralRef(reference) => {
                let text = resolve(&reference, position)?;
                walk.text(&text, position)?;
            }
            Event::DocType(_) => return Err(DocumentError::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return walk.finish(),
        }
    }
}

/// The attributes of one element. Only unprefixed names count: the ones we read carry no prefix.
pub struct Attributes<'a> {
    start: &'a BytesStart<'a>,
    position: u64,
}

impl Attributes<'_> {
    /// The value with references resolved; `None` when absent.
    pub fn get(&self, name: &'static str) -> Result<Option<String>, DocumentError> {
        for attribute in self.start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| malformed(error, self.position))?;
            if attribute.key.into_inner() != name {
                continue;
            }
            if attribute.value.len() > ATTRIBUTE_BYTES_MAX {
                return Err(DocumentError::TooLong { what: name, limit: ATTRIBUTE_BYTES_MAX });
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| xml_error(error, self.position))?;
            return no_nul(value).map(|value| Some(value.into_owned()));
        }
        Ok(None)
    }
}

#[derive(Default)]
struct Walk {
    builder: Builder,
    open: Vec<Place>,
    text: String,
    elements: usize,
    root_seen: bool,
}

impl Walk {
    fn open(
        &mut self,
        namespace: Namespace,
        start: &BytesStart<'_>,
        position: u64,
    ) -> Result<(), DocumentError> {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(DocumentError::TooMany { what: "elements", limit: ELEMENTS_MAX });
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(DocumentError::TooDeep { limit: DEPTH_MAX });
        }
        check_attributes(start, position)?;
        let name = start.local_name();
        let name = name.into_inner();
        let attributes = Attributes { start, position };
        let place = match self.open.last() {
            Some(parent) => self.builder.open(*parent, namespace, name, &attributes)?,
            None if self.root_seen => return Err(malformed("more than one outermost element", position)),
            None if namespace == Namespace::Update && name == "Update" => Place::Update,
            None => {
                let found = name.chars().take(60).collect();
                return Err(DocumentError::NotAnUpdate { found });
            }
        };
        self.root_seen = true;
        if matches!(place, Place::Text(_)) {
            self.text.clear();
        }
        self.open.push(place);
        Ok(())
    }

    fn close(&mut self) -> Result<(), DocumentError> {
        // An end without a start is refused by the reader below us.
        let Some(place) = self.open.pop() else { return Ok(()) };
        match place {
            Place::Text(field) => self.builder.text(field, self.text.trim()),
            place => self.builder.close(place),
        }
    }

    fn text(&mut self, text: &str, position: u64) -> Result<(), DocumentError> {
        if text.contains('\0') {
            return Err(DocumentError::NulCharacter);
        }
        match self.open.last() {
            Some(Place::Text(_)) => {
                if self.text.len() + text.len() > TEXT_BYTES_MAX {
                    return Err(DocumentError::TooLong { what: "a text", limit: TEXT_BYTES_MAX });
                }
                self.text.push_str(text);
                Ok(())
            }
            Some(_) => Ok(()),
            None if text.trim().is_empty() => Ok(()),
            None => Err(malformed("text outside the outermost element", position)),
        }
    }

    fn finish(self) -> Result<UpdateDocument, DocumentError> {
        match (self.open.is_empty(), self.root_seen) {
            (true, true) => self.builder.finish(),
            _ => Err(DocumentError::CutOff),
        }
    }
}

fn namespace_of(resolved: &ResolveResult<'_>) -> Namespace {
    match resolved {
        ResolveResult::Bound(namespace) => Namespace::of(namespace.into_inner()),
        ResolveResult::Unbound | ResolveResult::Unknown(_) => Namespace::Other,
    }
}

fn check_attributes(start: &BytesStart<'_>, position: u64) -> Result<(), DocumentError> {
    for (count, attribute) in start.attributes().with_checks(false).enumerate() {
        if count >= ATTRIBUTES_MAX {
            return Err(DocumentError::TooMany { what: "attributes on one element", limit: ATTRIBUTES_MAX });
        }
        attribute.map_err(|error| malformed(error, position))?;
    }
    Ok(())
}

fn resolve(reference: &BytesRef<'_>, position: u64) -> Result<Cow<'static, str>, DocumentError> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Ok(Cow::Owned(character.to_string())),
        Ok(None) => match resolve_predefined_entity(reference) {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => Err(malformed("an entity that is not defined", position)),
        },
        Err(error) => Err(xml_error(error, position)),
    }
}

fn no_nul(value: Cow<'_, str>) -> Result<Cow<'_, str>, DocumentError> {
    if value.contains('\0') { Err(DocumentError::NulCharacter) } else { Ok(value) }
}

fn xml_error(error: Error, position: u64) -> DocumentError {
    match error {
        Error::Escape(EscapeError::InvalidCharRef(ParseCharRefError::IllegalCharacter(0))) => {
            DocumentError::NulCharacter
        }
        error => malformed(error, position),
    }
}

fn malformed(reason: impl ToString, position: u64) -> DocumentError {
    let reason: String = reason.to_string().chars().take(200).collect();
    DocumentError::NotWellFormed { position, reason }
}
