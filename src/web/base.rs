//! A console below a path of a proxy, such as `/weir`: our own paths begin with `/`, and on their way to the browser
//! the proxy's part is put before them here. What a browser asks for loses it in [`crate::listen`].

use std::fmt;
use std::io::Cursor;
use std::sync::Arc;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{ContentType, Header};
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, Response};

use crate::listen::Arrival;

/// Headers of ours that hold a path.
const HEADERS: [&str; 2] = ["Location", "HX-Redirect"];
/// Attributes in our templates that hold one. No text of a person or an update can contain `="`, since templates
/// escape the quote.
const ATTRIBUTES: [&str; 7] = ["href", "src", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect"];

/// The part before our paths; empty, or `/weir`.
#[derive(Debug, Clone)]
pub struct Base(Arc<str>);

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Base {
    pub fn of(request: &Request<'_>) -> Self {
        Self(request.local_cache(Arrival::default).base.clone())
    }

    /// Puts it before every path of ours in `html`.
    pub fn add(&self, html: String) -> String {
        if self.0.is_empty() {
            return html;
        }
        let mut whole = String::with_capacity(html.len() + html.len() / 16);
        let mut rest = html.as_str();
        while let Some(place) = rest.find("=\"/") {
            let (before, after) = rest.split_at(place);
            whole.push_str(before);
            whole.push_str("=\"");
            let name = before.rsplit(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
            if ATTRIBUTES.contains(&name) {
                whole.push_str(&self.0);
            }
            rest = &after[2..];
        }
        whole.push_str(rest);
        whole
    }

    /// Takes it away from a path that the browser knows.
    pub fn remove<'p>(&self, path: &'p str) -> &'p str {
        match path.strip_prefix(&*self.0) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Base {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// The fairing for whole pages; event streams do it event by event. Attach it before the one that compresses.
pub(super) struct AddBase;

#[rocket::async_trait]
impl Fairing for AddBase {
    fn info(&self) -> Info {
        Info { name: "path of a proxy", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let base = Base::of(request);
        if base.0.is_empty() {
            return;
        }
        for name in HEADERS {
            let path = response.headers().get_one(name).filter(|path| path.starts_with('/'));
            if let Some(whole) = path.map(|path| format!("{}{path}", base.0)) {
                response.set_header(Header::new(name, whole));
            }
        }
        if response.content_type() != Some(ContentType::HTML) {
            return;
        }
        match response.body_mut().to_string().await {
            Ok(html) => {
                let html = base.add(html);
                response.set_sized_body(html.len(), Cursor::new(html));
            }
            Err(error) => tracing::error!(%error, "a page could not be read to put the proxy's path into it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_in_attributes_change() {
        let base = Base("/weir".into());
        let html = r#"<a class="x" href="/updates?a=1">"/b" =/c</a> <form action="/login"><input value="/updates">
            <a href="https://kb.test/">x</a><a href="?page=2">2</a><div hx-sse:connect="/events"></div>"#;
        let expected = r#"<a class="x" href="/weir/updates?a=1">"/b" =/c</a> <form action="/weir/login"><input value="/updates">
            <a href="https://kb.test/">x</a><a href="?page=2">2</a><div hx-sse:connect="/weir/events"></div>"#;
        assert_eq!(base.add(html.to_owned()), expected);
        assert_eq!(Base("".into()).add(html.to_owned()), html);
    }

    #[test]
    fn a_path_that_came_with_it_loses_it_once() {
        let base = Base("/weir".into());
        for (path, bare) in
            [("/weir", "/"), ("/weir/", "/"), ("/weir/updates", "/updates"), ("/weirs", "/weirs"), ("/", "/")]
        {
            assert_eq!(base.remove(path), bare);
        }
        assert_eq!(Base("".into()).remove("/updates"), "/updates");
    }
}
