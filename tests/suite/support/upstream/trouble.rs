//! What can be wrong with an answer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use weir::protocol::ids::RevisionKey;
use weir::protocol::server_sync::{GetRevisionIdListReply, GetUpdateDataReply, Reply, UpdateData};
use weir::protocol::soap::SoapVersion;

use super::fault;
use super::wire::{Answer, drip};

/// What to do instead of answering properly.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// A SOAP fault with this code.
    Fault(&'static str),
    /// A SOAP fault with this code and message.
    Says(&'static str, &'static str),
    /// A page with this status.
    Html(u16, &'static str),
    /// Status 401 that offers these ways to sign in.
    SignIn(&'static [&'static str]),
    /// Status 503 with this `Retry-After`.
    RetryAfter(&'static str),
    /// The proper content, cut after this share of its length (of 20), and nothing that tells its length.
    Cut(usize),
    /// The proper answer with its length, cut after this share of all its bytes (of 20).
    CutAnywhere(usize),
    /// The proper answer with a length that is wrong by this much.
    Length(isize),
    /// Text under `text/xml` in place of an answer.
    Xml(&'static str),
    /// Exactly this status and this text under `text/xml`.
    Exactly(u16, Vec<u8>),
    /// The proper text, changed.
    Text(fn(&str) -> Vec<u8>),
    /// The proper list, changed.
    List(fn(&mut Vec<RevisionKey>)),
    /// The proper documents, changed.
    Documents(fn(&mut Vec<UpdateData>)),
    /// The proper answer, with an empty list of documents.
    Nothing,
    /// No answer for this long.
    Stall(Duration),
    /// A redirect with this status to this address.
    Redirect(u16, &'static str),
    /// The headers one byte at a time.
    DripHeaders(Duration),
    /// The content one byte at a time.
    DripBody(Duration),
    /// Content that does not end.
    Endless,
    /// Compressed content that unpacks to 10 GiB.
    GzipBomb,
    /// The connection is reset in place of an answer.
    Reset,
    /// The connection is reset in the middle of the content.
    ResetInBody,
}

/// Sends the answer, spoiled. `false`: the connection is to be closed.
pub async fn send<S>(good: Answer, trouble: Option<Trouble>, stream: &mut S) -> io::Result<bool>
where
    S: AsyncWrite + Unpin,
{
    let answer = match trouble {
        None => good,
        Some(Trouble::Fault(code)) => fault(code, ""),
        Some(Trouble::Says(code, message)) => fault(code, message),
        Some(Trouble::Html(status, text)) => Answer::page(status, text),
        Some(Trouble::SignIn(ways)) => {
            let page = Answer::page(401, "Unauthorized");
            ways.iter().fold(page, |page, way| page.with("www-authenticate", *way))
        }
        Some(Trouble::RetryAfter(text)) => Answer::page(503, "Busy").with("retry-after", text),
        Some(Trouble::Xml(text)) => Answer::soap(200, text),
        Some(Trouble::Exactly(status, text)) => Answer::soap(status, text),
        Some(Trouble::Redirect(status, to)) => Answer::page(status, "").with("location", to),
        Some(Trouble::Nothing) => Answer::soap(200, GetUpdateDataReply::default().to_bytes(SoapVersion::V11)),
        Some(Trouble::Text(change)) => {
            Answer::soap(good.status, change(std::str::from_utf8(&good.body).unwrap()))
        }
        Some(Trouble::List(change)) => {
            let mut reply = GetRevisionIdListReply::from_bytes(&good.body).unwrap();
            change(&mut reply.new_revisions);
            Answer::soap(200, reply.to_bytes(SoapVersion::V11))
        }
        Some(Trouble::Documents(change)) => {
            let mut reply = GetUpdateDataReply::from_bytes(&good.body).unwrap();
            change(&mut reply.updates);
            Answer::soap(200, reply.to_bytes(SoapVersion::V11))
        }
        Some(Trouble::Stall(time)) => {
            tokio::time::sleep(time).await;
            good
        }
        Some(other) => return spoil(&good, &other, stream).await.map(|()| false),
    };
    stream.write_all(&answer.whole()).await?;
    stream.flush().await?;
    Ok(true)
}

/// Troubles of the bytes, after which the connection ends.
async fn spoil<S: AsyncWrite + Unpin>(good: &Answer, trouble: &Trouble, stream: &mut S) -> io::Result<()> {
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    let whole = good.whole();
    let length = good.body.len();
    match trouble {
        Trouble::Cut(share) => {
            // No length: the connection's end is the answer's end, so only the content can tell.
            stream.write_all(&good.head(None)).await?;
            stream.write_all(&good.body[..length * share / 20]).await?;
        }
        Trouble::CutAnywhere(share) => stream.write_all(&whole[..whole.len() * share / 20]).await?,
        Trouble::Length(by) => {
            stream.write_all(&good.head(Some(length.saturating_add_signed(*by)))).await?;
            stream.write_all(&good.body).await?;
        }
        Trouble::DripHeaders(pause) => drip(stream, &whole, *pause).await?,
        Trouble::DripBody(pause) => {
            stream.write_all(&good.head(Some(length))).await?;
            drip(stream, &good.body, *pause).await?;
        }
        Trouble::Endless => {
            stream.write_all(&good.head(None)).await?;
            loop {
                stream.write_all(&[b' '; 64 * 1024]).await?;
            }
        }
        Trouble::GzipBomb => {
            let (start, mebibyte) = bomb();
            stream.write_all(&good.clone().with("content-encoding", "gzip").head(None)).await?;
            stream.write_all(&start).await?;
            for _ in 0..10 * 1024 {
                stream.write_all(&mebibyte).await?;
            }
        }
        Trouble::ResetInBody => {
            stream.write_all(&good.head(Some(length))).await?;
            stream.write_all(&good.body[..length / 2]).await?;
            stream.flush().await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Err(reset());
        }
        _ => return Err(reset()),
    }
    stream.flush().await
}

/// The start of a gzip stream, and a piece that unpacks to 1 MiB however often it is repeated.
fn bomb() -> (Vec<u8>, Vec<u8>) {
    use flate2::{Compress, Compression, FlushCompress};
    let spaces = vec![b' '; 1 << 20];
    let mut compress = Compress::new(Compression::best(), false);
    let mut piece = Vec::with_capacity(64 * 1024);
    compress.compress_vec(&spaces, &mut piece, FlushCompress::Full).unwrap();
    (vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], piece)
}
