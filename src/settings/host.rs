//! Host names as an administrator types them, brought into the one form that is kept.

use std::net::{IpAddr, Ipv6Addr};

use url::Host;

/// Longest host name kept, in bytes of its ASCII form. Source: RFC 1035 2.3.4, without the dot.
pub const HOST_LEN_MAX: usize = 253;

/// What to do about a host that is refused; each text is for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("Enter a host name, such as updates.example.org.")]
    Empty,
    #[error("Enter the host name alone, without http:// or https://.")]
    Scheme,
    #[error("Enter the host name alone, without anything after a slash.")]
    Path,
    #[error("Enter the host name alone, without a user name or password.")]
    User,
    #[error("A host name has no spaces.")]
    Space,
    #[error("The host name contains a character that cannot be seen. Type it again.")]
    Control,
    #[error("Enter the port number in its own field, not after the host name.")]
    Port,
    #[error("The host name is too long: at most 253 characters.")]
    TooLong,
    #[error("This is not a host name or address. Enter one such as updates.example.org.")]
    Malformed,
}

/// The form that is kept: lower-case ASCII (international names in their `xn--` form), without a
/// dot at the end; IPv6 in brackets. Underscores are taken, since Windows computers have them.
///
/// # Errors
/// Which rule was broken, in words for the person who typed it.
pub fn normalize_host(typed: &str) -> Result<String, HostError> {
    if typed.chars().any(is_invisible) {
        return Err(HostError::Control);
    }
    let text = typed.trim_matches(' ');
    if text.is_empty() {
        return Err(HostError::Empty);
    }
    if text.len() > 4 * HOST_LEN_MAX {
        return Err(HostError::TooLong);
    }
    if text.contains("://") {
        return Err(HostError::Scheme);
    }
    if text.contains(char::is_whitespace) {
        return Err(HostError::Space);
    }
    if text.contains('@') {
        return Err(HostError::User);
    }
    if text.contains(['/', '\\', '?', '#']) {
        return Err(HostError::Path);
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = inner.parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    if text.contains(':') && !text.starts_with('[') {
        return Err(HostError::Port);
    }
    name(text)
}

/// A name or an IPv4 address.
fn name(text: &str) -> Result<String, HostError> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.contains(['%', '[', ']']) {
        return Err(HostError::Malformed);
    }
    let ascii = match Host::parse(text) {
        Ok(Host::Domain(name)) => name,
        Ok(Host::Ipv4(address)) => return Ok(address.to_string()),
        Ok(Host::Ipv6(_)) | Err(_) => {
            let long = text.len() > HOST_LEN_MAX;
            return Err(if long { HostError::TooLong } else { HostError::Malformed });
        }
    };
    if ascii.len() > HOST_LEN_MAX {
        return Err(HostError::TooLong);
    }
    if ascii.split('.').all(is_label) { Ok(ascii) } else { Err(HostError::Malformed) }
}

fn is_label(label: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(known)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Control and zero-width characters, which a person cannot see in a field.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The address in a kept host, if it is one.
#[must_use]
pub fn host_address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r207_accepted_forms_are_brought_into_one() {
        let table = [
            ("wsus01", "wsus01"),
            ("  WSUS01.Corp.Example ", "wsus01.corp.example"),
            ("updates.example.org.", "updates.example.org"),
            ("build_server.corp", "build_server.corp"),
            ("10.0.0.7", "10.0.0.7"),
            ("::1", "[::1]"),
            ("[2001:DB8::7]", "[2001:db8::7]"),
            ("bücher.example", "xn--bcher-kva.example"),
        ];
        for (typed, kept) in table {
            assert_eq!(normalize_host(typed).as_deref(), Ok(kept), "{typed}");
        }
    }

    #[test]
    fn r207_refused_forms_say_why() {
        let long = format!("{}.example", "a.".repeat(125) + "ab");
        let table = [
            ("", HostError::Empty),
            ("   ", HostError::Empty),
            ("http://wsus01", HostError::Scheme),
            ("wsus01/path", HostError::Path),
            ("wsus01\\share", HostError::Path),
            ("wsus 01", HostError::Space),
            ("wsus\u{3000}01", HostError::Space),
            ("wsus01\r\nHost: other", HostError::Control),
            ("wsus01\t", HostError::Control),
            ("ws\u{200b}us", HostError::Control),
            ("user:pass@wsus01", HostError::User),
            ("wsus01:8530", HostError::Port),
            ("a..b", HostError::Malformed),
            ("wsus01..", HostError::Malformed),
            ("-wsus01", HostError::Malformed),
            ("exa%6dple.org", HostError::Malformed),
            ("[::1", HostError::Malformed),
            ("[fe80::1%25eth0]", HostError::Malformed),
            ("256.1.1.1", HostError::Malformed),
            ("wsus01;rm", HostError::Malformed),
            (long.as_str(), HostError::TooLong),
        ];
        for (typed, error) in table {
            assert_eq!(normalize_host(typed), Err(error), "{typed:?}");
        }
    }
}
