//! Paths in any letter case and with doubled slashes, as real downstream servers write them.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::Origin;
use rocket::{Data, Request};

/// Lower-cases every path and collapses repeated slashes before routing, so that the routes of the
/// services are written in lower case. The query stays as it is.
pub struct NormalisePath;

#[rocket::async_trait]
impl Fairing for NormalisePath {
    fn info(&self) -> Info {
        Info { name: "paths in any form", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        let origin = request.uri();
        let path = origin.path().raw().as_str();
        let wanted = normalise(path);
        if wanted == path {
            return;
        }
        let wanted = match origin.query() {
            Some(query) => format!("{wanted}?{}", query.raw()),
            None => wanted,
        };
        if let Ok(uri) = Origin::parse_owned(wanted) {
            request.set_uri(uri);
        }
    }
}

/// Whether a path, in any form, is one of a file of an update.
pub fn is_file(path: &str) -> bool {
    normalise(path).starts_with("/content/")
}

fn normalise(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for character in path.chars() {
        if character == '/' && out.ends_with('/') {
            continue;
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn p01_letter_case_and_doubled_slashes_do_not_matter() {
        for path in
            ["//DssAuthWebService/dssauthwebservice.ASMX", "/dssAuthwebService///DssAuthWebService.asmx"]
        {
            assert_eq!(normalise(path), "/dssauthwebservice/dssauthwebservice.asmx");
        }
        assert_eq!(normalise("/healthz"), "/healthz");
    }
}
