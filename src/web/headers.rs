//! Headers that every answer of the console carries.

use super::{Console, shell};
use crate::listen::HSTS;
use hyper::header::STRICT_TRANSPORT_SECURITY;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{ContentType, Header};
use rocket::{Request, Response};

/// Only our own files, no inline script or style, no framing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The fairing that adds them, also to errors and static files.
pub(super) struct Headers;

#[rocket::async_trait]
impl Fairing for Headers {
    fn info(&self) -> Info {
        Info { name: "security headers", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        for (name, value) in [
            ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Frame-Options", "DENY"),
            ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        ] {
            response.set_header(Header::new(name, value));
        }
        if Console::of(request).secure {
            response.set_header(Header::new(STRICT_TRANSPORT_SECURITY.as_str(), HSTS));
        }
        response.remove_header("Server");
        response.set_header(Header::new("X-Request-Id", shell::request_id(request).to_owned()));
        // A page may show what only this person may see; only the embedded files say otherwise.
        if !response.headers().contains("Cache-Control") {
            response.set_header(Header::new("Cache-Control", "no-store"));
        }
        if response.content_type().is_none_or(|kind| kind == ContentType::HTML) {
            response.set_header(Header::new("Vary", "HX-Request"));
        }
    }
}
