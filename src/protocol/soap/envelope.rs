//! Opens a SOAP message and finds out what it holds.

use std::io::BufRead;

use super::reader::{Element, Reader};
use super::{Method, SoapVersion};
use crate::protocol::ProtocolError;

/// A message that was opened up to the first element of its body, which decides what it is.
///
/// The SOAPAction header is not needed for that. Source: MS-WSUSSS 2.1 and real servers.
pub struct Message<'a> {
    pub version: SoapVersion,
    /// First element child of the body.
    pub element: Element,
    reader: Reader<'a>,
}

impl<'a> Message<'a> {
    /// A message that is in memory.
    ///
    /// # Errors
    /// Everything that makes it no SOAP message.
    pub fn open(message: &'a [u8]) -> Result<Self, ProtocolError> {
        Self::from_reader(message)
    }

    /// A message that is still coming.
    ///
    /// # Errors
    /// Everything that makes it no SOAP message.
    pub fn from_reader(message: impl BufRead + Send + 'a) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(message);
        let root = match reader.next_child() {
            Ok(Some(root)) => root,
            Ok(None) => return Err(ProtocolError::NotAnEnvelope { found: String::new() }),
            Err(error) => return Err(error),
        };
        let version = [SoapVersion::V11, SoapVersion::V12]
            .into_iter()
            .find(|version| root.name == "Envelope" && root.namespace == version.namespace())
            .ok_or_else(|| ProtocolError::NotAnEnvelope { found: cut(&root.name) })?;
        loop {
            let child = reader.next_child()?.ok_or(ProtocolError::NoBody)?;
            if is_body(&child, version) {
                break;
            }
            reader.skip()?;
        }
        let element = reader.next_child()?.ok_or(ProtocolError::EmptyBody)?;
        Ok(Self { version, element, reader })
    }

    /// The operation a request asks for; `None` for an element we do not know.
    pub fn method(&self) -> Option<Method> {
        Method::of_element(&self.element.namespace, &self.element.name)
    }

    /// True when it is a fault of its SOAP version.
    pub fn is_fault(&self) -> bool {
        self.element.name == "Fault" && self.element.namespace == self.version.namespace()
    }

    /// Reads the content of the first element by `read`, which sees fields of `namespace`, then makes
    /// sure that the message ends as it should.
    ///
    /// # Errors
    /// Those of `read`, [`ProtocolError::TwoBodies`], and what follows a message that must not.
    pub fn content<T>(
        mut self,
        namespace: &'static str,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, ProtocolError>,
    ) -> Result<T, ProtocolError> {
        self.reader.expect_namespace(namespace);
        let value = read(&mut self.reader)?;
        // The rest of the body, then the rest of the envelope.
        while self.reader.next_child()?.is_some() {
            self.reader.skip()?;
        }
        while let Some(child) = self.reader.next_child()? {
            if is_body(&child, self.version) {
                return Err(ProtocolError::TwoBodies);
            }
            self.reader.skip()?;
        }
        self.reader.end()?;
        Ok(value)
    }
}

fn is_body(element: &Element, version: SoapVersion) -> bool {
    element.name == "Body" && element.namespace == version.namespace()
}

fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}
