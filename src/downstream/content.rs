//! `/Content/XX/SHA1.ext`: the files of updates, whole or in single ranges.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use rocket::http::{Header, Method, Status};
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::{self, Responder, Response};
use rocket::{Route, State, get, head, routes};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeek, AsyncSeekExt as _, ReadBuf, Take};

use super::Services;
use super::range::{self, Part};
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
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Conditions {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let header = |name| request.headers().get_one(name).map(str::to_owned);
        // Ranges are defined for GET only; a HEAD describes the whole file.
        let range = if request.method() == Method::Get { header("Range") } else { None };
        Outcome::Success(Self { range, if_range: header("If-Range"), if_none_match: header("If-None-Match") })
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
    let (path, digest) = locate(&services.content_dir, folder, name)?;
    let mut file = match File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Status::NotFound),
        Err(error) => {
            tracing::error!(path = %path.display(), error = %error, "a stored file cannot be opened");
            return Err(Status::InternalServerError);
        }
    };
    let about = file.metadata().await.map_err(|_| Status::InternalServerError)?;
    if !about.is_file() {
        return Err(Status::NotFound);
    }
    let size = about.len();
    let etag = format!("\"{digest}\"");
    let modified = about
        .modified()
        .ok()
        .map(|at| DateTime::<Utc>::from(at).format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if conditions.if_none_match.as_deref().is_some_and(|wanted| wanted == "*" || wanted.contains(&etag)) {
        return Ok(Sent { part: None, status: Status::NotModified, size, etag, modified });
    }
    let same = conditions
        .if_range
        .is_none_or(|wanted| wanted == etag || Some(wanted.as_str()) == modified.as_deref());
    let range = conditions.range.as_deref().filter(|_| same);
    let (start, len, status) = match range::part(range, size) {
        Part::Whole => (0, size, Status::Ok),
        Part::Section { start, len } => (start, len, Status::PartialContent),
        Part::Unsatisfiable => {
            return Ok(Sent { part: None, status: Status::RangeNotSatisfiable, size, etag, modified });
        }
    };
    file.seek(SeekFrom::Start(start)).await.map_err(|_| Status::InternalServerError)?;
    Ok(Sent { part: Some((file, start, len)), status, size, etag, modified })
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

/// The path of a content name: folder and digest are read and written anew, so nothing of the
/// request's own text reaches the file system but a checked extension.
fn locate(root: &Path, folder: &str, name: &str) -> Result<(PathBuf, Sha1Digest), Status> {
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
    let file_name = format!("{}.{}", digest.to_hex_upper(), extension.to_ascii_lowercase());
    Ok((root.join(wanted_folder).join(file_name), digest))
}

/// A file, or a part of it, on its way out.
struct Sent {
    /// First byte and number of bytes; the file stands there already.
    part: Option<(File, u64, u64)>,
    status: Status,
    size: u64,
    etag: String,
    modified: Option<String>,
}

impl<'r> Responder<'r, 'static> for Sent {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .status(self.status)
            .header(Header::new("Content-Type", "application/octet-stream"))
            .header(Header::new("Accept-Ranges", "bytes"))
            .header(Header::new("ETag", self.etag));
        if let Some(modified) = self.modified {
            response.header(Header::new("Last-Modified", modified));
        }
        if self.status == Status::RangeNotSatisfiable {
            response.header(Header::new("Content-Range", format!("bytes */{}", self.size)));
        }
        if let Some((file, start, len)) = self.part {
            if self.status == Status::PartialContent {
                let range = format!("bytes {start}-{}/{}", start + len - 1, self.size);
                response.header(Header::new("Content-Range", range));
            }
            let size = usize::try_from(len).map_err(|_| Status::InternalServerError)?;
            response.sized_body(size, Section(file.take(len)));
        }
        response.ok()
    }
}

/// The part of a file from where it stands. Its length is told beside it, so nobody needs to seek.
struct Section(Take<File>);

impl AsyncRead for Section {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
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

    fn found(folder: &str, name: &str) -> Result<PathBuf, Status> {
        locate(Path::new("/store"), folder, name).map(|(path, _)| path)
    }

    #[test]
    fn p40_the_folder_is_the_last_byte_with_its_zero() {
        let path = PathBuf::from("/store/0A/0123456789ABCDEF0123456789ABCDEF0123450A.cab");
        assert_eq!(found("0a", &format!("{HEX}.cab")), Ok(path.clone()));
        assert_eq!(found("0A", &format!("{}.CAB", HEX.to_uppercase())), Ok(path));
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
