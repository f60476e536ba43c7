//! A pull reader over one message, with limits on everything a peer can make large.

use std::borrow::Cow;
use std::io::BufRead;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::{Method, SoapVersion};
use crate::protocol::ProtocolError;

/// Elements may be nested this deep. Real messages use at most nine levels.
pub const DEPTH_MAX: usize = 32;
/// Attributes one element may have.
pub const ATTRIBUTES_MAX: usize = 32;
/// Bytes one start tag may have.
pub const TAG_LEN_MAX: usize = 8 * 1024;
/// Bytes a simple value may have; longer ones are read with a limit of their own.
pub const VALUE_LEN_MAX: usize = 64 * 1024;

/// An element whose start tag was just read. Read its content by [`Reader::text`], [`Reader::skip`] or
/// [`Reader::next_child`] before going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Empty: none.
    pub namespace: Cow<'static, str>,
    /// Without prefix.
    pub name: String,
    /// It says `xsi:nil="true"`.
    pub nil: bool,
}

/// Reads one message from front to back, as its bytes come.
pub struct Reader<'a> {
    xml: NsReader<Box<dyn BufRead + Send + 'a>>,
    /// Bytes of the present event.
    buffer: Vec<u8>,
    /// How many elements are open.
    depth: usize,
    /// Namespace of the fields [`Reader::next_field`] sees.
    namespace: &'static str,
}

impl<'a> Reader<'a> {
    /// Starts before the outermost element. A byte order mark is skipped.
    pub fn new(message: impl BufRead + Send + 'a) -> Self {
        let mut xml = NsReader::from_reader(Box::new(message) as Box<dyn BufRead + Send + 'a>);
        xml.config_mut().expand_empty_elements = true;
        Self { xml, buffer: Vec::new(), depth: 0, namespace: "" }
    }

    /// From here on [`Reader::next_field`] sees only elements of this namespace.
    pub fn expect_namespace(&mut self, namespace: &'static str) {
        self.namespace = namespace;
    }

    /// The next child of the element that is open; `None` when it ended. Text between is ignored.
    ///
    /// # Errors
    /// Every limit above, [`ProtocolError::NotXml`], and [`ProtocolError::CutShort`] at the end of input.
    pub fn next_child(&mut self) -> Result<Option<Element>, ProtocolError> {
        loop {
            let mut buffer = self.empty_buffer();
            let child = match read(&mut self.xml, &mut buffer)? {
                Event::Start(tag) => Some(self.enter(&tag)?),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    None
                }
                Event::Text(text) if self.depth == 0 && !text.trim().is_empty() => {
                    return Err(not_xml("there is text outside of the outermost element"));
                }
                Event::GeneralRef(entity) => {
                    resolve(&entity)?;
                    continue;
                }
                Event::Eof => return Err(ProtocolError::CutShort),
                _ => continue,
            };
            self.buffer = buffer;
            return Ok(child);
        }
    }

    /// The next child that belongs to the message's own namespace; others are skipped.
    ///
    /// # Errors
    /// As [`Reader::next_child`].
    pub fn next_field(&mut self) -> Result<Option<Element>, ProtocolError> {
        while let Some(element) = self.next_child()? {
            if element.namespace == self.namespace {
                return Ok(Some(element));
            }
            self.skip()?;
        }
        Ok(None)
    }

    /// The text of the element just entered, up to and including its end tag, entities replaced.
    ///
    /// # Errors
    /// [`ProtocolError::NotText`] when it has children; [`ProtocolError::TextTooLong`] above `max` bytes.
    pub fn text(&mut self, element: &Element, max: usize) -> Result<String, ProtocolError> {
        let mut text = String::new();
        let mut buffer = self.empty_buffer();
        loop {
            buffer.clear();
            match read(&mut self.xml, &mut buffer)? {
                Event::Text(piece) => text.push_str(&piece.xml10_content()),
                Event::CData(piece) => text.push_str(&piece.xml10_content()),
                Event::GeneralRef(entity) => text.push(resolve(&entity)?),
                Event::Start(_) => return Err(ProtocolError::NotText { field: element.name.clone() }),
                Event::End(_) => break,
                Event::Eof => return Err(ProtocolError::CutShort),
                _ => {}
            }
            if text.len() > max {
                return Err(ProtocolError::TextTooLong { field: element.name.clone(), max });
            }
        }
        self.buffer = buffer;
        self.depth = self.depth.saturating_sub(1);
        if text.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) {
            return Err(not_xml("a character appears that XML does not allow"));
        }
        Ok(text)
    }

    /// Passes over the element just entered and everything in it.
    ///
    /// # Errors
    /// As [`Reader::next_child`].
    pub fn skip(&mut self) -> Result<(), ProtocolError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next_child()?;
        }
        Ok(())
    }

    /// Makes sure that only blanks and comments follow the outermost element.
    ///
    /// # Errors
    /// [`ProtocolError::NotXml`].
    pub fn end(&mut self) -> Result<(), ProtocolError> {
        let mut buffer = self.empty_buffer();
        loop {
            buffer.clear();
            match read(&mut self.xml, &mut buffer)? {
                Event::Eof => return Ok(()),
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Comment(_) | Event::PI(_) => {}
                _ => return Err(not_xml("something follows the outermost element")),
            }
        }
    }

    /// The buffer, emptied; it comes back when the event in it was looked at.
    fn empty_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer
    }

    fn enter(&mut self, tag: &BytesStart<'_>) -> Result<Element, ProtocolError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(ProtocolError::TooDeep { max: DEPTH_MAX });
        }
        if tag.len() > TAG_LEN_MAX {
            return Err(ProtocolError::TagTooLong { max: TAG_LEN_MAX });
        }
        let mut nil = false;
        for (count, attribute) in tag.attributes().enumerate() {
            let attribute = attribute.map_err(not_xml)?;
            if count >= ATTRIBUTES_MAX {
                return Err(ProtocolError::TooManyAttributes { max: ATTRIBUTES_MAX });
            }
            nil |= attribute.key.local_name().as_ref() == "nil"
                && matches!(attribute.value.as_ref(), "true" | "1");
        }
        let (namespace, local) = self.xml.resolver().resolve_element(tag.name());
        let namespace = match namespace {
            ResolveResult::Unbound => Cow::Borrowed(""),
            ResolveResult::Bound(namespace) => known(namespace.0),
            ResolveResult::Unknown(prefix) => {
                return Err(not_xml(format!("the prefix {prefix} is not declared")));
            }
        };
        Ok(Element { namespace, name: local.as_ref().to_owned(), nil })
    }
}

/// The next event, of a kind that a message may have.
fn read<'b>(
    xml: &mut NsReader<Box<dyn BufRead + Send + '_>>,
    buffer: &'b mut Vec<u8>,
) -> Result<Event<'b>, ProtocolError> {
    let event = xml.read_event_into(buffer).map_err(|error| match error {
        quick_xml::Error::IllFormed(quick_xml::errors::IllFormedError::MissingEndTag(_)) => {
            ProtocolError::CutShort
        }
        // The only syntax errors there are: markup that never ends.
        quick_xml::Error::Syntax(_) => ProtocolError::CutShort,
        quick_xml::Error::Encoding(_) => ProtocolError::NotUtf8,
        other => not_xml(other),
    })?;
    match &event {
        Event::DocType(_) => Err(ProtocolError::DocumentType),
        Event::Decl(decl) => match decl.encoding() {
            Some(Ok(name)) if !["utf-8", "us-ascii"].contains(&name.to_ascii_lowercase().as_str()) => {
                Err(ProtocolError::NotUtf8)
            }
            _ => Ok(event),
        },
        // UTF-16 without its mark: every other byte is zero, and no name has one.
        Event::Start(tag) if tag.name().into_inner().contains('\0') => Err(ProtocolError::NotUtf8),
        Event::Text(text) if text.starts_with('\0') => Err(ProtocolError::NotUtf8),
        _ => Ok(event),
    }
}

/// The namespaces of our messages need no allocation.
fn known(namespace: &str) -> Cow<'static, str> {
    let all = [
        Method::GetCookie.namespace(),
        Method::GetAuthorizationCookie.namespace(),
        Method::Ping.namespace(),
        SoapVersion::V11.namespace(),
        SoapVersion::V12.namespace(),
    ];
    all.into_iter()
        .find(|one| *one == namespace)
        .map_or_else(|| Cow::Owned(namespace.to_owned()), Cow::Borrowed)
}

/// Character references and the five entities XML itself defines; no others.
fn resolve(entity: &BytesRef<'_>) -> Result<char, ProtocolError> {
    if let Some(character) = entity.resolve_char_ref().map_err(not_xml)? {
        return Ok(character);
    }
    match &**entity {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        name => Err(ProtocolError::UnknownEntity { name: name.chars().take(40).collect() }),
    }
}

fn not_xml(problem: impl ToString) -> ProtocolError {
    ProtocolError::NotXml { problem: problem.to_string() }
}
