//! Tables and documents that a browser stores: CSV and JSON.

use rocket::Responder;
use rocket::http::{ContentType, Header};
use serde::Serialize;

use super::PageError;

/// The two forms a report can be taken away in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Csv,
    Json,
}

impl Form {
    /// By the ending of the file that was asked for: `name.csv` or `name.json`.
    ///
    /// # Errors
    /// [`PageError::NotFound`] for any other file.
    pub fn of_file(file: &str, name: &str) -> Result<Self, PageError> {
        match file.strip_prefix(name) {
            Some(".csv") => Ok(Self::Csv),
            Some(".json") => Ok(Self::Json),
            _ => Err(PageError::NotFound { what: "report" }),
        }
    }

    /// As sent.
    pub fn content_type(self) -> ContentType {
        match self {
            Self::Csv => ContentType::new("text", "csv").with_params(("charset", "utf-8")),
            Self::Json => ContentType::JSON,
        }
    }
}

/// The header that makes a browser store the answer as `file`, a name of ours.
pub fn disposition(file: &str) -> Header<'static> {
    Header::new("Content-Disposition", format!("attachment; filename=\"{file}\""))
}

/// A whole document to store.
#[derive(Responder)]
pub struct Download {
    body: String,
    content_type: ContentType,
    disposition: Header<'static>,
}

impl Download {
    /// A table.
    pub fn csv(file: &str, rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut body = BOM.to_owned();
        rows.into_iter().for_each(|row| csv_row(&mut body, &row));
        Self { body, content_type: Form::Csv.content_type(), disposition: disposition(file) }
    }

    /// A document.
    ///
    /// # Errors
    /// [`PageError::Internal`] when the value cannot be written as JSON.
    pub fn json(file: &str, value: &impl Serialize) -> Result<Self, PageError> {
        let body = serde_json::to_string_pretty(value).map_err(PageError::internal)?;
        Ok(Self { body, content_type: Form::Json.content_type(), disposition: disposition(file) })
    }

    /// One JSON value a line.
    ///
    /// # Errors
    /// [`PageError::Internal`] when a value cannot be written as JSON.
    pub fn json_lines<T: Serialize>(file: &str, values: &[T]) -> Result<Self, PageError> {
        let mut body = String::new();
        for value in values {
            body.push_str(&serde_json::to_string(value).map_err(PageError::internal)?);
            body.push('\n');
        }
        let content_type = ContentType::new("application", "jsonl");
        Ok(Self { body, content_type, disposition: disposition(file) })
    }
}

/// Stands at the beginning of a table, so that spreadsheets read it as UTF-8.
pub const BOM: &str = "\u{feff}";

/// Adds a row. Each cell is quoted. A text that a spreadsheet would take for a formula begins with an apostrophe.
/// Source: RFC 4180; OWASP, CSV Injection.
pub fn csv_row(to: &mut String, cells: &[impl AsRef<str>]) {
    for (place, cell) in cells.iter().enumerate() {
        let cell = cell.as_ref();
        to.push_str(if place == 0 { "\"" } else { ",\"" });
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            to.push('\'');
        }
        to.push_str(&cell.replace('"', "\"\""));
        to.push('"');
    }
    to.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::csv_row;

    #[test]
    fn cells_are_quoted_and_no_formula_is_run() {
        let mut text = String::new();
        csv_row(&mut text, &["a \"b\", c", "=1+1", "", "x\ny"]);
        assert_eq!(text, "\"a \"\"b\"\", c\",\"'=1+1\",\"\",\"x\ny\"\r\n");
    }
}
