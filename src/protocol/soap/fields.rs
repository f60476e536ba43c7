//! Small readers for the kinds of values messages hold.

use std::fmt::Display;

use base64::{Engine, engine::general_purpose::STANDARD};

pub use super::reader::VALUE_LEN_MAX;
use super::reader::{Element, Reader};
use crate::protocol::ProtocolError;

/// A field that may appear once.
#[derive(Debug)]
pub struct Once<T> {
    name: &'static str,
    value: Option<T>,
}

impl<T> Once<T> {
    /// Not seen yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, value: None }
    }

    /// The field's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// # Errors
    /// [`ProtocolError::Repeated`] the second time.
    pub fn set(&mut self, value: T) -> Result<(), ProtocolError> {
        match self.value.replace(value) {
            None => Ok(()),
            Some(_) => Err(ProtocolError::Repeated { field: self.name }),
        }
    }

    /// `None` when it never appeared.
    pub fn optional(self) -> Option<T> {
        self.value
    }

    /// # Errors
    /// [`ProtocolError::Missing`].
    pub fn required(self) -> Result<T, ProtocolError> {
        self.value.ok_or(ProtocolError::Missing { field: self.name })
    }
}

/// Text as it is; empty for an empty or nil element.
pub fn string(reader: &mut Reader<'_>, element: &Element) -> Result<String, ProtocolError> {
    reader.text(element, VALUE_LEN_MAX)
}

/// A value with a parser of its own, surrounding blanks removed.
pub fn parsed<T, E: Display>(
    reader: &mut Reader<'_>,
    element: &Element,
    field: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, ProtocolError> {
    let text = string(reader, element)?;
    parse(text.trim()).map_err(|error| ProtocolError::bad_value(field, error))
}

/// `true`, `false`, `1` or `0`.
pub fn boolean(
    reader: &mut Reader<'_>,
    element: &Element,
    field: &'static str,
) -> Result<bool, ProtocolError> {
    parsed(reader, element, field, |text| match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("it is neither true nor false"),
    })
}

/// A whole number of 32 bits.
pub fn integer(
    reader: &mut Reader<'_>,
    element: &Element,
    field: &'static str,
) -> Result<i32, ProtocolError> {
    parsed(reader, element, field, str::parse)
}

/// Base64, blanks and line breaks inside allowed, of at most `max` bytes of text.
pub fn base64(
    reader: &mut Reader<'_>,
    element: &Element,
    field: &'static str,
    max: usize,
) -> Result<Vec<u8>, ProtocolError> {
    let mut text = reader.text(element, max)?;
    // Real servers put no blanks inside; a look for some takes as long as decoding.
    if let Ok(bytes) = STANDARD.decode(&text) {
        return Ok(bytes);
    }
    text.retain(|character| !character.is_ascii_whitespace());
    STANDARD.decode(text).map_err(|_| ProtocolError::bad_value(field, "it is not Base64"))
}
