//! Writes envelopes the way real servers do: XML declaration, `soap:` prefix, no blanks between elements.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::SoapVersion;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="utf-8"?>"#;
const INSTANCE_NS: &str = "http://www.w3.org/2001/XMLSchema-instance";
const SCHEMA_NS: &str = "http://www.w3.org/2001/XMLSchema";

/// Builds one message. Every [`Writer::open`] needs its [`Writer::close`].
pub struct Writer {
    out: String,
}

impl Writer {
    /// A message whose body is open.
    pub fn new(version: SoapVersion) -> Self {
        let mut out = String::with_capacity(1_024);
        out.push_str(DECLARATION);
        let soap = version.namespace();
        out.push_str(&format!(
            r#"<soap:Envelope xmlns:soap="{soap}" xmlns:xsi="{INSTANCE_NS}" xmlns:xsd="{SCHEMA_NS}"><soap:Body>"#
        ));
        Self { out }
    }

    /// A writer without envelope, to measure how long something becomes.
    pub fn fragment() -> Self {
        Self { out: String::new() }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// True before the first byte.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// `<name xmlns="namespace">`: everything inside is in that namespace.
    pub fn open_in(&mut self, namespace: &str, name: &str) {
        self.tag("<", name, &format!(r#" xmlns="{namespace}">"#));
    }

    /// `<name>`.
    pub fn open(&mut self, name: &str) {
        self.tag("<", name, ">");
    }

    /// `</name>`.
    pub fn close(&mut self, name: &str) {
        self.tag("</", name, ">");
    }

    /// `<name />`.
    pub fn empty(&mut self, name: &str) {
        self.tag("<", name, " />");
    }

    /// `<name>text</name>`, or `<name />` when there is no text.
    pub fn text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return self.empty(name);
        }
        self.open(name);
        push_escaped(&mut self.out, text);
        self.close(name);
    }

    /// Escaped text inside the element that is open.
    pub fn plain(&mut self, text: &str) {
        push_escaped(&mut self.out, text);
    }

    /// A number, truth value or id: text that needs no escaping.
    pub fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        self.open(name);
        self.out.push_str(&value.to_string());
        self.close(name);
    }

    /// Bytes as Base64; `<name />` when there are none.
    pub fn base64(&mut self, name: &str, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.empty(name);
        }
        self.open(name);
        STANDARD.encode_string(bytes, &mut self.out);
        self.close(name);
    }

    /// Closes body and envelope.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push_str("</soap:Body></soap:Envelope>");
        self.out.into_bytes()
    }

    fn tag(&mut self, before: &str, name: &str, after: &str) {
        self.out.push_str(before);
        self.out.push_str(name);
        self.out.push_str(after);
    }
}

/// Escapes so that a reader gets exactly `text` back: a bare carriage return would be read as a line feed.
/// Characters that XML cannot hold become U+FFFD.
fn push_escaped(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let replacement = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'\r' => "&#xD;",
            b'\t' | b'\n' => continue,
            0..=0x1f => "\u{fffd}",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(replacement);
        from = at + 1;
    }
    out.push_str(&text[from..]);
}
