//! What can go wrong with an update source: where, what, and what a person can do.

use std::time::Duration;

use super::proxy::ProxyError;
use super::tls::TlsProblem;

/// The station of the way at which something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hop {
    /// Our own settings, before any packet was sent.
    Settings,
    NameLookup,
    Tcp,
    Proxy,
    Tls,
    Http,
    Soap,
    Cookie,
    Document,
    Database,
}

impl Hop {
    /// The word shown on pages and written to `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Hop::Settings => "settings",
            Hop::NameLookup => "name lookup",
            Hop::Tcp => "TCP",
            Hop::Proxy => "proxy",
            Hop::Tls => "TLS",
            Hop::Http => "HTTP",
            Hop::Soap => "SOAP",
            Hop::Cookie => "cookie",
            Hop::Document => "document",
            Hop::Database => "database",
        }
    }
}

/// A failed conversation with an update source. The text is a sentence for an administrator.
///
/// Texts that came from outside are cut to [`UpstreamError::QUOTE_MAX`] characters where they enter.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UpstreamError {
    #[error("The connection settings cannot be used: {reason}")]
    Settings { reason: String },
    #[error("The name {host} was not found.")]
    NameNotFound { host: String },
    #[error("{address} cannot be reached: {reason}.")]
    Unreachable { address: String, reason: String },
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("No secure connection to {address}: {problem}.")]
    Tls { address: String, problem: Box<TlsProblem> },
    #[error("{address} did not answer {operation} in HTTP.")]
    NotHttp { operation: &'static str, address: String },
    #[error("{address} wants a sign-in before {operation} ({schemes}), which Weir does not support.")]
    SignInWanted {
        operation: &'static str,
        address: String,
        /// What it offers, e.g. `Negotiate, NTLM`.
        schemes: String,
    },
    #[error("{operation} at {address} broke off: {reason}.")]
    BrokeOff { operation: &'static str, address: String, reason: String },
    #[error("{operation} at {address} took longer than {limit_s} s ({stage}).")]
    TimedOut { operation: &'static str, address: String, limit_s: u64, stage: &'static str },
    #[error("{operation} at {address} came too slowly: less than {bytes_min} bytes in {window_s} s.")]
    TooSlow { operation: &'static str, address: String, bytes_min: usize, window_s: u64 },
    #[error("The answer to {operation} from {address} is larger than the limit of {limit_bytes} bytes.")]
    TooLarge { operation: &'static str, address: String, limit_bytes: usize },
    #[error("{address} answered {operation} with HTTP status {status}{title}.")]
    Status {
        operation: &'static str,
        address: String,
        status: u16,
        /// Empty, or ` ("title of the page")`.
        title: String,
        retry_after: Option<Duration>,
    },
    #[error("{address} sent {operation} on to {target}. Weir does not follow.")]
    Redirected { operation: &'static str, address: String, target: String },
    #[error("{address} did not give a SOAP answer to {operation}, but {content_type}{title}.")]
    NotSoap { operation: &'static str, address: String, content_type: String, title: String },
    #[error("The answer to {operation} from {address} cannot be read: {reason}.")]
    Unreadable { operation: &'static str, address: String, reason: String },
    #[error("{address} answered {operation} with the fault {}.", shown_fault(.code, .message, .fault_id))]
    Fault {
        operation: &'static str,
        address: String,
        /// The ErrorCode as received; empty when the fault has none.
        code: String,
        message: String,
        fault_id: String,
    },
    #[error("{address} is busy{}.", shown_message(.message))]
    Busy { operation: &'static str, address: String, message: String, retry_after: Option<Duration> },
    #[error("{address} keeps rejecting the cookie, although Weir signed in again {restarts} times.")]
    CookieRejected { address: String, restarts: u32 },
    #[error("{address} wants the authorization at {url}, which is not on the same server.")]
    ForeignAuthorization { address: String, url: String },
    #[error("{address} refuses protocol version {ours}{}.", shown_message(.message))]
    IncompatibleVersion { address: String, ours: &'static str, message: String },
}

impl UpstreamError {
    /// Characters kept of a text that came from outside.
    pub const QUOTE_MAX: usize = 300;

    /// Where it failed.
    pub fn hop(&self) -> Hop {
        match self {
            Self::Settings { .. } => Hop::Settings,
            Self::NameNotFound { .. } => Hop::NameLookup,
            Self::Unreachable { .. } => Hop::Tcp,
            Self::Proxy(_) => Hop::Proxy,
            Self::Tls { .. } => Hop::Tls,
            Self::BrokeOff { .. }
            | Self::TimedOut { .. }
            | Self::TooSlow { .. }
            | Self::TooLarge { .. }
            | Self::Status { .. }
            | Self::Redirected { .. }
            | Self::NotSoap { .. }
            | Self::NotHttp { .. }
            | Self::SignInWanted { .. }
            | Self::ForeignAuthorization { .. } => Hop::Http,
            Self::Unreadable { .. }
            | Self::Fault { .. }
            | Self::Busy { .. }
            | Self::IncompatibleVersion { .. } => Hop::Soap,
            Self::CookieRejected { .. } => Hop::Cookie,
        }
    }

    /// The name WSUS gives to this kind of error (SynchronizationError).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Proxy(_) => "ProxyError",
            Self::NameNotFound { .. } | Self::Unreachable { .. } => "UssNotFound",
            Self::Busy { .. } => "UssBusy",
            Self::Status { status: 429 | 503, .. } => "UssBusy",
            Self::Status { status: 404, .. } => "UssNotFound",
            Self::SignInWanted { .. } | Self::Status { status: 401 | 403, .. } => "DssAuthenticationError",
            Self::Fault { code, .. } if code == "InternalServerError" => "UssInternalError",
            Self::Fault { code, .. } if code == "InvalidAuthorizationCookie" => "DssAuthenticationError",
            Self::CookieRejected { .. } | Self::ForeignAuthorization { .. } => "DssAuthenticationError",
            Self::IncompatibleVersion { .. } => "IncompatibleProtocolVersion",
            Self::Fault { .. } | Self::Settings { .. } => "UssOtherError",
            _ => "UssCommunicationError",
        }
    }

    /// What a person can do about it: one or two sentences.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "Correct the update source or the proxy server under Options.",
            Self::Proxy(error) => error.advice(),
            Self::NameNotFound { .. } => {
                "Check the server name under Options, and that this machine's name service knows it."
            }
            Self::Unreachable { .. } => {
                "Check server name and port number under Options, that the server runs, and that no firewall is between."
            }
            Self::Tls { problem, .. } => problem.advice(),
            Self::NotHttp { .. } => {
                "If the port number is the one for SSL, tick Use SSL when synchronizing update information under Options; else check the port number."
            }
            Self::TooLarge { .. } => {
                "The server sent more than Weir accepts. Check that the address is that of an update server."
            }
            Self::SignInWanted { .. } => {
                "The server wants a Windows sign-in for this address. Allow anonymous access to its two services."
            }
            Self::Status { status: 401 | 403, .. } => {
                "The server, or a proxy server in between, refuses this address. Allow anonymous access to its two services, and ask the administrator of the proxy server to let it through."
            }
            Self::Status { .. } | Self::NotSoap { .. } | Self::Redirected { .. } => {
                "Check that server name and port number are those of an update server, and not of a web site or a proxy server in front of it."
            }
            Self::Busy { .. } => "The server is overloaded. Try again later.",
            Self::Fault { .. } | Self::Unreadable { .. } => {
                "Look at the log of the upstream server. Its administrator can search for the fault's identifier."
            }
            Self::CookieRejected { .. } => {
                "Check the clock of the upstream server, and whether several servers that do not share their keys answer under this name."
            }
            Self::ForeignAuthorization { .. } => {
                "Check the update source. Weir signs in only at the server it was pointed at."
            }
            Self::IncompatibleVersion { .. } => {
                "Update the older of the two servers, then synchronize again."
            }
            Self::BrokeOff { .. } | Self::TimedOut { .. } | Self::TooSlow { .. } => {
                "Check the network between this server and the upstream server, then synchronize again."
            }
        }
    }

    /// `Some` when the same call may succeed a little later; inside is the wait the server asked for.
    pub fn retry(&self) -> Option<Option<Duration>> {
        match self {
            Self::NameNotFound { .. }
            | Self::Unreachable { .. }
            | Self::BrokeOff { .. }
            | Self::NotHttp { .. }
            | Self::TimedOut { .. }
            | Self::TooSlow { .. } => Some(None),
            Self::Tls { problem, .. } => matches!(**problem, TlsProblem::Closed).then_some(None),
            Self::Proxy(error) => error.may_pass().then_some(None),
            Self::Busy { retry_after, .. } => Some(*retry_after),
            Self::Status { status: 429 | 502..=504, retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// The ErrorCode when this is a fault.
    pub fn fault_code(&self) -> Option<&str> {
        match self {
            Self::Fault { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// A text from outside: one line, cut to a limit, without control characters and without passwords in addresses.
pub(super) fn quote(text: &str) -> String {
    let text = &without_userinfo(text);
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = clean.take(UpstreamError::QUOTE_MAX).collect();
    if text.chars().nth(UpstreamError::QUOTE_MAX).is_some() {
        kept.push('…');
    }
    kept.trim().to_owned()
}

/// Removes what stands before the `@` of an address: a user name, and perhaps a password.
#[must_use]
pub fn without_userinfo(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find("://") {
        let (before, after) = rest.split_at(place + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c)).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                clean.push_str("...");
                &after[at..]
            }
            None => after,
        };
    }
    clean.push_str(rest);
    clean
}

fn shown_fault(code: &str, message: &str, fault_id: &str) -> String {
    let mut shown = if code.is_empty() { "without a code".to_owned() } else { code.to_owned() };
    if !message.is_empty() {
        shown.push_str(&format!(" \"{message}\""));
    }
    if !fault_id.is_empty() {
        shown.push_str(&format!(" (identifier {fault_id})"));
    }
    shown
}

fn shown_message(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": \"{message}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r267_user_and_password_of_an_address_are_removed() {
        let text =
            "to http://user:pa@ss@proxy.example:8080/x and https://plain.example/a@b, then http://me@host";
        let clean = without_userinfo(text);
        assert_eq!(
            clean,
            "to http://...@proxy.example:8080/x and https://plain.example/a@b, then http://...@host"
        );
    }
    #[test]
    fn r036_a_text_from_outside_is_one_line_cut_and_without_a_password() {
        let long = quote(&format!("a\r\nb\u{1b} http://me:secret@proxy/ {}", "x".repeat(1_000)));
        assert!(!long.contains(char::is_control) && !long.contains("secret"), "{long}");
        assert_eq!(long.chars().count(), UpstreamError::QUOTE_MAX + 1);
    }
}
