//! Sends pages and files as gzip to browsers that take it.
//!
//! Compression beside a secret can give it away to who measures lengths (BREACH). The only secret on a page
//! is its anti-forgery token, and that is masked anew in each answer (see [`super::csrf::token`]).

use std::io::{Cursor, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{ContentType, Header};
use rocket::{Request, Response};

/// Shorter answers are not worth it, in bytes.
const BYTES_MIN: usize = 860;
/// Longer ones are compressed beside the threads that answer, in bytes.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// The fairing that compresses. Attach it after the one that sets headers.
pub(super) struct Compress;

#[rocket::async_trait]
impl Fairing for Compress {
    fn info(&self) -> Info {
        Info { name: "compression", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if !response.content_type().is_some_and(|kind| is_text(&kind)) {
            return;
        }
        response.adjoin_header(Header::new("Vary", "Accept-Encoding"));
        // Streams have no size beforehand and stay as they are.
        let size = response.body().preset_size();
        let worth =
            size.is_some_and(|size| size >= BYTES_MIN) && !response.headers().contains("Content-Encoding");
        if !worth || !accepts_gzip(request) {
            return;
        }
        let plain = match response.body_mut().to_bytes().await {
            Ok(plain) => plain,
            Err(error) => {
                tracing::error!(%error, "an answer could not be read to compress it");
                return;
            }
        };
        let packed = match plain.len() {
            0..=INLINE_BYTES_MAX => gzip(&plain, Compression::fast()),
            _ => match tokio::task::spawn_blocking(move || gzip(&plain, Compression::fast())).await {
                Ok(packed) => packed,
                Err(error) => {
                    tracing::error!(%error, "compressing ended early");
                    return;
                }
            },
        };
        response.set_header(Header::new("Content-Encoding", "gzip"));
        response.set_sized_body(packed.len(), Cursor::new(packed));
    }
}

/// Pages, styles, scripts and drawings; event streams are none of them.
fn is_text(kind: &ContentType) -> bool {
    [ContentType::HTML, ContentType::CSS, ContentType::JavaScript, ContentType::SVG].contains(kind)
}

/// `bytes` as gzip.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), level);
    // Writing to memory cannot fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Whether the browser takes gzip: named, or any coding, and not with a weight of zero.
pub(super) fn accepts_gzip(request: &Request<'_>) -> bool {
    request.headers().get("Accept-Encoding").any(takes_gzip)
}

fn takes_gzip(header: &str) -> bool {
    let weight = |wanted: &str| {
        header.split(',').find_map(|entry| {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let weight =
                parameters.trim().strip_prefix("q=").map_or(Some(1.0), |text| text.parse::<f32>().ok());
            name.trim().eq_ignore_ascii_case(wanted).then_some(weight.unwrap_or(0.0))
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for yes in ["gzip", "GZIP", "deflate, gzip;q=1.0, *;q=0.5", "br, *", "gzip;q=0.001"] {
            assert!(takes_gzip(yes), "{yes}");
        }
        for no in ["", "br", "identity", "gzip;q=0", "*, gzip;q=0.0", "gzip;q=x", "xgzip"] {
            assert!(!takes_gzip(no), "{no}");
        }
    }
}
