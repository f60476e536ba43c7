//! Values that are refused: which field, and what to do, in words for the person who typed them.

use std::fmt;

use super::keys::Key;

/// One refused value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub key: Key,
    /// A whole sentence.
    pub sentence: String,
    /// The field is locked on this server, so no page could have sent the value.
    pub locked: bool,
}

/// All refused values of one attempt, in the order of the page; never empty when returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    pub(super) fn add(&mut self, key: Key, sentence: impl Into<String>) {
        self.push(key, sentence.into(), false);
    }

    pub(super) fn add_locked(&mut self, key: Key, sentence: impl Into<String>) {
        self.push(key, sentence.into(), true);
    }

    /// A field keeps its first message.
    fn push(&mut self, key: Key, sentence: String, locked: bool) {
        if self.of(key).is_none() {
            self.0.push(FieldError { key, sentence, locked });
        }
    }

    /// The message of one field.
    #[must_use]
    pub fn of(&self, key: Key) -> Option<&str> {
        self.0.iter().find(|one| one.key == key).map(|one| one.sentence.as_str())
    }

    /// Was something locked to be changed?
    #[must_use]
    pub fn any_locked(&self) -> bool {
        self.0.iter().any(|one| one.locked)
    }

    pub(super) fn into_result<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|one| one.key);
        Err(self)
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, one) in self.0.iter().enumerate() {
            let line_end = if nth == 0 { "" } else { "\n" };
            write!(f, "{line_end}{}: {}", one.key.name(), one.sentence)?;
        }
        Ok(())
    }
}

impl std::error::Error for FieldErrors {}
