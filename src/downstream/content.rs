//! `/Content/XX/SHA1.ext`: the files of updates, whole or in single ranges.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use rocket::http::{Header, Method, Status};
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::{self, Responder, Response};
use rocket::{Route, State, get, head, routes};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

use super::Services;
use super::range::{self, Part};
use crate::content::{self, Contents, StoreError};
use crate::protocol::ids::Sha1Digest;

/// Longest extension, in characters.
const EXTENSION_LEN_MAX: usize = 16;

pub fn routes() -> Vec<Route> {
    routes![show_file, describe_file]
}

/// The headers that decide what of a file is sent.
struct Conditions {
    range: Option<String>,
    if_range: Option<String>,
    if_none_match: Option<String>,
    is_head: bool,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Conditions {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let header = |name| request.headers().get_one(name).map(str::to_owned);
        // Ranges are defined for GET only; a HEAD describes the whole file.
        let is_head = request.method() == Method::Head;
        let range = if is_head { None } else { header("Range") };
        let (if_range, if_none_match) = (header("If-Range"), header("If-None-Match"));
        Outcome::Success(Self { range, if_range, if_none_match, is_head })
    }
}

/// Serves one file. A name without extension is refused as real servers do; everything that is not
/// exactly a content name, and every file we do not have, is "not found".
#[get("/content/<folder>/<name>")]
async fn show_file(
    services: &State<Services>,
    folder: &str,
    name: &str,
    conditions: Conditions,
) -> Result<Sent, Status> {
    send(services, folder, name, conditions).await
}

async fn send(services: &Services, folder: &str, name: &str, conditions: Conditions) -> Result<Sent, Status> {
    let (place, digest) = locate(folder, name)?;
    if is_declined(services, &digest).await? {
        return Err(Status::NotFound);
    }
    let about = services.store.describe(&place).await.map_err(|error| refused(&place, &error))?;
    let about = about.ok_or(Status::NotFound)?;
    let size = about.size;
    let etag = format!("\"{digest}\"");
    let modified = about.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if conditions.if_none_match.as_deref().is_some_and(|wanted| wanted == "*" || wanted.contains(&etag)) {
        return Ok(Sent { part: None, status: Status::NotModified, size, etag, modified });
    }
    let same = conditions.if_range.is_none_or(|wanted| wanted == etag || wanted == modified);
    let range = conditions.range.as_deref().filter(|_| same);
    let (start, len, status) = match range::part(range, size) {
        Part::Whole => (0, size, Status::Ok),
        Part::Section { start, len } => (start, len, Status::PartialContent),
        Part::Unsatisfiable => {
            return Ok(Sent { part: None, status: Status::RangeNotSatisfiable, size, etag, modified });
        }
    };
    // A description needs no bytes.
    let range = if conditions.is_head { start..start } else { start..start + len };
    let contents = services.store.read(&place, range).await.map_err(|error| refused(&place, &error))?;
    Ok(Sent { part: Some((contents, start, len)), status, size, etag, modified })
}

/// Whether only declined updates need the file: nobody is to get it, although it may still be here.
async fn is_declined(services: &Services, digest: &Sha1Digest) -> Result<bool, Status> {
    let mut conn = services.borrow().await.map_err(|_| Status::ServiceUnavailable)?;
    content::is_declined(&mut conn, digest).await.map_err(|error| {
        tracing::warn!(%error, "whether a file may be served cannot be told");
        Status::ServiceUnavailable
    })
}

/// A file that cannot be read now is no file that is not there: who asks may try again.
fn refused(place: &str, error: &StoreError) -> Status {
    match error {
        StoreError::Missing => Status::NotFound,
        StoreError::Bucket { .. } => {
            tracing::warn!(file = place, %error, "a file cannot be served");
            Status::ServiceUnavailable
        }
        _ => {
            tracing::error!(file = place, %error, "a stored file cannot be opened");
            Status::InternalServerError
        }
    }
}

/// The same without the bytes. A route of its own, because Rocket would make the request a GET, and then
/// its range would count.
#[head("/content/<folder>/<name>")]
async fn describe_file(
    services: &State<Services>,
    folder: &str,
    name: &str,
    conditions: Conditions,
) -> Result<Sent, Status> {
    send(services, folder, name, conditions).await
}

/// The place of a content name: folder and digest are read and written anew, so nothing of the
/// request's own text reaches the store but a checked extension.
fn locate(folder: &str, name: &str) -> Result<(String, Sha1Digest), Status> {
    let (stem, extension) = match name.split_once('.') {
        Some(parts) => parts,
        None if Sha1Digest::from_hex(name).is_ok() => return Err(Status::Forbidden),
        None => return Err(Status::NotFound),
    };
    let digest = Sha1Digest::from_hex(stem).map_err(|_| Status::NotFound)?;
    let wanted_folder = format!("{:02X}", digest.0[19]);
    let plain = !extension.is_empty()
        && extension.len() <= EXTENSION_LEN_MAX
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain || !folder.eq_ignore_ascii_case(&wanted_folder) {
        return Err(Status::NotFound);
    }
    let name = format!("{}.{}", digest.to_hex_upper(), extension.to_ascii_lowercase());
    Ok((format!("{wanted_folder}/{name}"), digest))
}

/// A file, or a part of it, on its way out.
struct Sent {
    /// The bytes, their first one in the file, and their number.
    part: Option<(Contents, u64, u64)>,
    status: Status,
    size: u64,
    etag: String,
    modified: String,
}

impl<'r> Responder<'r, 'static> for Sent {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .status(self.status)
            .header(Header::new("Content-Type", "application/octet-stream"))
            .header(Header::new("Accept-Ranges", "bytes"))
            .header(Header::new("ETag", self.etag))
            .header(Header::new("Last-Modified", self.modified));
        if self.status == Status::RangeNotSatisfiable {
            response.header(Header::new("Content-Range", format!("bytes */{}", self.size)));
        }
        if let Some((contents, start, len)) = self.part {
            if self.status == Status::PartialContent {
                let range = format!("bytes {start}-{}/{}", start + len - 1, self.size);
                response.header(Header::new("Content-Range", range));
            }
            let size = usize::try_from(len).map_err(|_| Status::InternalServerError)?;
            response.sized_body(size, Section(contents));
        }
        response.ok()
    }
}

/// The part of a file. Its length is told beside it, so nobody needs to seek.
struct Section(Contents);

impl AsyncRead for Section {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl AsyncSeek for Section {
    fn start_seek(self: Pin<&mut Self>, _: SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123450a";

    fn found(folder: &str, name: &str) -> Result<String, Status> {
        locate(folder, name).map(|(place, _)| place)
    }

    #[test]
    fn p40_the_folder_is_the_last_byte_with_its_zero() {
        let place = "0A/0123456789ABCDEF0123456789ABCDEF0123450A.cab".to_owned();
        assert_eq!(found("0a", &format!("{HEX}.cab")), Ok(place.clone()));
        assert_eq!(found("0A", &format!("{}.CAB", HEX.to_uppercase())), Ok(place));
        assert_eq!(found("0b", &format!("{HEX}.cab")), Err(Status::NotFound));
        assert_eq!(found("a", &format!("{HEX}.cab")), Err(Status::NotFound));
    }

    #[test]
    fn r238_nothing_but_a_content_name_reaches_the_store() {
        assert_eq!(found("0a", HEX), Err(Status::Forbidden));
        for name in ["..", "../../etc/passwd", "0123.cab", "a.b", "", "."] {
            assert_eq!(found("0a", name), Err(Status::NotFound), "{name}");
        }
        for extension in ["", ".", "../x", "a/b", "a\0", "tar.gz", "aaaaaaaaaaaaaaaaa", "é"] {
            assert_eq!(found("0a", &format!("{HEX}.{extension}")), Err(Status::NotFound), "{extension}");
        }
        assert_eq!(found("..", &format!("{HEX}.cab")), Err(Status::NotFound));
    }
}
