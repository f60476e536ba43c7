//! One input as a template sees it: what was typed, and what is wrong with it.

use askama::filters::{Html, Safe};
use rocket::form::Context;
use rocket::form::error::ErrorKind;

/// Filled from what the browser sent, or from what is stored. Secrets are never put into `value`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// The name of the input, and its id.
    pub name: &'static str,
    pub value: String,
    /// A sentence that says what to enter.
    pub error: Option<String>,
}

impl Field {
    /// A field that shows a stored value.
    pub fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), error: None }
    }

    /// A field as submitted. Rocket's own words for a value it cannot read are replaced by `hint`; the
    /// messages of our own validators are kept.
    pub fn submitted(context: &Context<'_>, name: &'static str, hint: &str) -> Self {
        let value = context.field_value(name).unwrap_or_default().to_owned();
        let error = context.field_errors(name).next().map(|error| match &error.kind {
            ErrorKind::Validation(message) => message.to_string(),
            _ => hint.to_owned(),
        });
        Self { name, value, error }
    }

    /// The same field with a message.
    pub fn with_error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }

    /// Where help about this field is, when there is some.
    pub fn help(&self) -> Option<String> {
        super::help::of_field(self.name)
    }

    /// Whether a check box of this name is ticked, or a radio button of this value is chosen.
    pub fn is(&self, value: &str) -> bool {
        self.value == value
    }

    /// The id of the message, for `aria-describedby`.
    pub fn error_id(&self) -> String {
        format!("{}-error", self.name)
    }
}

/// One choice of a select. Its element is made once, for lists of hundreds that many pages show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    /// `<option value="…"`, for ` selected` to follow.
    open: String,
    /// `>…</option>`.
    close: String,
}

impl Choice {
    pub fn new(value: impl Into<String>, label: impl AsRef<str>) -> Self {
        let value = value.into();
        let open = format!("<option value=\"{}\"", escaped(&value));
        Self { value, open, close: format!(">{}</option>", escaped(label.as_ref())) }
    }

    /// The element up to its attributes' end, made safe.
    pub fn open(&self) -> Safe<&str> {
        Safe(&self.open)
    }

    /// The rest of it, made safe.
    pub fn close(&self) -> Safe<&str> {
        Safe(&self.close)
    }
}

fn escaped(text: &str) -> impl std::fmt::Display {
    let Ok(escaped) = askama::filters::escape(text, Html);
    escaped
}
