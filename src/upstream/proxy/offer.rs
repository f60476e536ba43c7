//! What a proxy server says to somebody who does not sign in: which ways to sign in it offers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::challenge::Challenge;
use super::error::ProxyError;
use super::scheme::{NoChoice, choose, names};
use crate::upstream::{ProxyTarget, Target, TransportLimits};

/// Bytes of a proxy server's answer that are looked at.
const HEAD_MAX: usize = 16 * 1024;

/// What a proxy server wants before it passes a request on.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::upstream) enum Offer {
    /// No sign-in.
    Open,
    /// One of these schemes.
    SignIn {
        names: String,
        /// The password will be sent in clear text.
        in_clear: bool,
        /// Kerberos is among them, which Weir does not offer.
        has_negotiate: bool,
    },
}

/// Asks without a sign-in for the way to `target`, over a connection that is used for nothing else.
///
/// # Errors
/// [`ProxyError`] when there is no answer of a proxy server, or none of its offers can be taken.
pub(in crate::upstream) async fn ask(
    mut stream: TcpStream,
    settings: &ProxyTarget,
    target: &Target,
    limits: &TransportLimits,
) -> Result<Offer, ProxyError> {
    let proxy = settings.shown();
    let exchange = async {
        stream.write_all(request(target).as_bytes()).await?;
        read_head(&mut stream).await
    };
    let head = match timeout(limits.headers, exchange).await {
        Ok(Ok(head)) => head,
        Ok(Err(_)) => return Err(ProxyError::BrokeOff { proxy }),
        Err(_) => return Err(ProxyError::Silent { proxy, limit_s: limits.headers.as_secs() }),
    };
    let Some((status, offers)) = parse(&head) else {
        return Err(ProxyError::NotHttp { proxy, reason: "it does not answer in HTTP".to_owned() });
    };
    if status != 407 {
        return Ok(Offer::Open);
    }
    let names = names(&offers);
    let Some(who) = &settings.credentials else {
        return Err(ProxyError::SignInWanted { proxy, offered: names });
    };
    match choose(&offers, who.basic_allowed) {
        Ok(choice) => Ok(Offer::SignIn {
            in_clear: choice.is_basic(),
            has_negotiate: offers.iter().any(|offer| offer.is("Negotiate")),
            names,
        }),
        Err(NoChoice::OnlyBasic) => Err(ProxyError::OnlyBasic { proxy }),
        Err(NoChoice::Digest(reason)) => Err(ProxyError::DigestUnusable { proxy, reason }),
        Err(NoChoice::Unknown) => Err(ProxyError::NoKnownScheme { proxy, offered: names }),
    }
}

fn request(target: &Target) -> String {
    let host = target.shown();
    let method = match target.origin.scheme() {
        "https" => format!("CONNECT {host} HTTP/1.1"),
        _ => format!("HEAD http://{host}/ HTTP/1.1"),
    };
    format!(
        "{method}\r\nHost: {host}\r\nUser-Agent: Weir/{}\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Up to the empty line, or to the limit.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1_024);
    let mut piece = [0; 1_024];
    while head.len() < HEAD_MAX && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece).await? {
            0 if head.is_empty() => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            0 => break,
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(head)
}

/// Status and offers; `None` for what is not HTTP.
fn parse(head: &[u8]) -> Option<(u16, Vec<Challenge>)> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
    let offers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("proxy-authenticate"))
        .flat_map(|(_, value)| Challenge::parse(value.as_bytes()));
    Some((status, offers.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_found_in_one_header_and_in_several() {
        let head = b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM, Basic realm=\"a, b\"\r\n\
            PROXY-AUTHENTICATE: Digest realm=\"x\", nonce=\"y\"\r\n\r\nProxy-Authenticate: No\r\n";
        let (status, offers) = parse(head).unwrap();
        assert_eq!((status, names(&offers).as_str()), (407, "NTLM, Basic, Digest"));
    }

    #[test]
    fn what_is_no_answer_of_a_proxy_is_none() {
        for head in ["", "SSH-2.0-OpenSSH", "HTTP/2 200", "HTTP/1.1 abc", "HTTP/1.1 99999 x", "\u{15}\u{3}"] {
            assert_eq!(parse(head.as_bytes()), None, "{head:?}");
        }
    }
}
