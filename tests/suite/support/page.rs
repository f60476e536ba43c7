//! An answer, taken apart: tests select, they do not search strings.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use scraper::{ElementRef, Html, Selector};

/// Status, headers and body of one answer.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Where a redirect leads.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    pub fn html(&self) -> Html {
        Html::parse_document(&self.body)
    }

    /// The text of each element a selector finds, blanks collapsed.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.html().select(&css(selector)).map(text_of).collect()
    }

    /// The text of the only element a selector finds.
    pub fn text(&self, selector: &str) -> String {
        let texts = self.texts(selector);
        assert_eq!(texts.len(), 1, "{selector} in {}", self.body);
        texts.into_iter().next().unwrap_or_default()
    }

    /// An attribute of the first element a selector finds.
    pub fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.html().select(&css(selector)).next().and_then(|one| one.attr(name).map(str::to_owned))
    }

    pub fn has(&self, selector: &str) -> bool {
        self.html().select(&css(selector)).next().is_some()
    }

    /// The anti-forgery token of the page's first form; empty where there is none.
    pub fn csrf(&self) -> String {
        self.attribute("input[name=csrf]", "value").unwrap_or_default()
    }

    /// One field of a form.
    pub fn field(&self, name: &str) -> FieldOnPage {
        let html = self.html();
        let found = html.select(&css(&format!("[name=\"{name}\"]"))).next();
        let found = found.unwrap_or_else(|| panic!("no field {name} in {}", self.body));
        let value = match found.value().name() {
            "select" => selected(found),
            "textarea" => found.text().collect(),
            _ => found.attr("value").unwrap_or_default().to_owned(),
        };
        let described = found.attr("aria-describedby").unwrap_or_default();
        let error = described
            .split_ascii_whitespace()
            .filter(|id| id.contains("error"))
            .flat_map(|id| self.texts(&format!("[id=\"{id}\"]")))
            .collect::<Vec<_>>()
            .join(" ");
        FieldOnPage { value, error, invalid: found.attr("aria-invalid") == Some("true") }
    }
}

/// A field as the page shows it.
#[derive(Debug)]
pub struct FieldOnPage {
    value: String,
    error: String,
    pub invalid: bool,
}

impl FieldOnPage {
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The message beside it; empty when it is fine.
    pub fn error(&self) -> &str {
        &self.error
    }
}

fn selected(select: ElementRef<'_>) -> String {
    let chosen = select.select(&css("option[selected]")).next();
    let option = chosen.or_else(|| select.select(&css("option")).next());
    option.and_then(|one| one.attr("value")).unwrap_or_default().to_owned()
}

fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn css(selector: &str) -> Selector {
    Selector::parse(selector).unwrap()
}
