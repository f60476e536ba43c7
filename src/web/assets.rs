//! Stylesheet, scripts and icons: embedded in the program, named by their hash, kept for good by browsers.

use super::compress;
use flate2::Compression;
use rocket::http::{ContentType, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder, Response};
use rocket::{Request, Route, get, routes};
use rust_embed::RustEmbed;
use std::collections::HashMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// What pages use; texts about the files are embedded too, and not served.
const EXTENSIONS: [&str; 3] = [".css", ".js", ".svg"];
/// Hexadecimal digits of the hash in an address.
const HASH_CHARS: usize = 12;

/// From a file's name to its address. Made once: the files do not change while the program runs.
static ADDRESSES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    Files::iter()
        .filter(|name| EXTENSIONS.iter().any(|extension| name.ends_with(extension)))
        .filter_map(|name| {
            let hash = hex::encode(Files::get(&name)?.metadata.sha256_hash());
            Some((name.to_string(), format!("/assets/{}/{name}", &hash[..HASH_CHARS])))
        })
        .collect()
});

/// The address of an embedded file, for templates: `assets::url("weir.css")`.
///
/// A name that does not exist gives an address that answers 404; a test draws every page and asks for each.
pub fn url(name: &str) -> &'static str {
    ADDRESSES.get(name).map_or("/assets/missing", String::as_str)
}

pub(super) fn routes() -> Vec<Route> {
    routes![file, favicon]
}

/// The rule of these routes: anyone, without a look at the session.
struct Embedded {
    gzip: bool,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Embedded {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self { gzip: compress::accepts_gzip(request) })
    }
}

/// The same files compressed as well as can be, each on its first use.
static PACKED: LazyLock<Mutex<HashMap<String, Arc<[u8]>>>> = LazyLock::new(Mutex::default);

/// One file, with its type and for how long it may be kept.
struct Asset {
    body: Arc<[u8]>,
    packed: bool,
    kind: ContentType,
    cache: &'static str,
}

impl<'r> Responder<'r, 'static> for Asset {
    fn respond_to(self, _request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.header(self.kind).raw_header("Cache-Control", self.cache);
        if self.packed {
            response.raw_header("Content-Encoding", "gzip");
        }
        response.sized_body(self.body.len(), Cursor::new(self.body)).ok()
    }
}

/// The hash in the address must be the file's own, so that an old address never shows a new file.
#[get("/assets/<hash>/<path..>")]
fn file(rule: Embedded, hash: &str, path: PathBuf) -> Result<Asset, Status> {
    let name = path.to_str().ok_or(Status::NotFound)?;
    let wanted = format!("/assets/{hash}/{name}");
    if ADDRESSES.get(name).is_none_or(|address| *address != wanted) {
        return Err(Status::NotFound);
    }
    asset(name, rule.gzip, "public, max-age=31536000, immutable")
}

#[get("/favicon.ico")]
fn favicon(rule: Embedded) -> Result<Asset, Status> {
    asset("favicon.svg", rule.gzip, "public, max-age=86400")
}

fn asset(name: &str, gzip: bool, cache: &'static str) -> Result<Asset, Status> {
    let found = Files::get(name).ok_or(Status::NotFound)?;
    let extension = name.rsplit('.').next().unwrap_or_default();
    let kind = ContentType::from_extension(extension).unwrap_or(ContentType::Binary);
    let body = if gzip { packed(name, &found.data) } else { Arc::from(found.data.as_ref()) };
    Ok(Asset { body, packed: gzip, kind, cache })
}

fn packed(name: &str, plain: &[u8]) -> Arc<[u8]> {
    let mut known = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || Arc::from(compress::gzip(plain, Compression::best()));
    known.entry(name.to_owned()).or_insert_with(make).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_an_address_with_its_hash() {
        for name in
            ["weir.css", "weir.js", "icons.svg", "vendor/htmx-4.0.1.min.js", "vendor/hx-sse-4.0.1.min.js"]
        {
            let address = url(name);
            assert!(address.ends_with(&format!("/{name}")) && address.len() > name.len() + 20, "{address}");
        }
        assert!(!ADDRESSES.contains_key("vendor/README.md"), "only what pages use is served");
    }
}
