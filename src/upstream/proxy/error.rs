//! What can go wrong with a proxy server.

/// A failure at the proxy server. The text is a sentence for an administrator; `proxy` is its name and port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("The name of the proxy server {proxy} was not found.")]
    NameNotFound { proxy: String },
    #[error("The proxy server {proxy} cannot be reached: {reason}.")]
    Unreachable { proxy: String, reason: String },
    #[error("The proxy server {proxy} closed the connection without an answer.")]
    BrokeOff { proxy: String },
    #[error("The proxy server {proxy} gave no answer within {limit_s} s.")]
    Silent { proxy: String, limit_s: u64 },
    #[error("What answers at {proxy} is not a proxy server: {reason}.")]
    NotHttp { proxy: String, reason: String },
    #[error(
        "The proxy server {proxy} asks for a user name and a password ({offered}), and none are given here."
    )]
    SignInWanted { proxy: String, offered: String },
    #[error("The proxy server {proxy} offers only basic authentication, which is switched off.")]
    OnlyBasic { proxy: String },
    #[error("The proxy server {proxy} offers no sign-in that Weir knows, but {offered}.")]
    NoKnownScheme { proxy: String, offered: String },
    #[error("The Digest sign-in of the proxy server {proxy} cannot be used: {reason}.")]
    DigestUnusable { proxy: String, reason: String },
    #[error("The proxy server {proxy} rejected the credentials ({scheme}).")]
    SignInRefused { proxy: String, scheme: &'static str },
    #[error(
        "The proxy server {proxy} rejected the credentials {minutes} minutes ago. They are not tried again before {left} minutes have passed, so that the account is not locked."
    )]
    SignInHeldBack { proxy: String, minutes: u64, left: u64 },
    #[error("The {scheme} sign-in at the proxy server {proxy} failed: {reason}.")]
    SignInBroken { proxy: String, scheme: &'static str, reason: String },
    #[error("The proxy server {proxy} refused the connection to {address} by its rules{title}.")]
    Forbidden { proxy: String, address: String, title: String },
    #[error(
        "The proxy server {proxy} did not open a connection to {address}: it answered with HTTP status {status}{title}."
    )]
    Answered { proxy: String, address: String, status: u16, title: String },
    #[error("The proxy server {proxy} sent something of its own into the connection to {address}.")]
    Leftover { proxy: String, address: String },
}

impl ProxyError {
    /// What a person can do about it: one or two sentences.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NameNotFound { .. } => {
                "Check the name of the proxy server under Options, and that this machine's name service knows it."
            }
            Self::Unreachable { .. } | Self::BrokeOff { .. } | Self::Silent { .. } => {
                "Check name and port number of the proxy server under Options, and that it runs. Weir does not go around it."
            }
            Self::NotHttp { .. } | Self::Leftover { .. } => {
                "Check that name and port number under Options are those of an HTTP proxy server."
            }
            Self::SignInWanted { .. } => {
                "Turn on Use user credentials to connect to the proxy server under Options, and enter them."
            }
            Self::OnlyBasic { .. } => {
                "Turn on NTLM or Digest at the proxy server. Or tick Allow basic authentication under Options; then the password is sent in clear text."
            }
            Self::NoKnownScheme { .. } | Self::DigestUnusable { .. } => {
                "Turn on NTLM, or Digest with qop auth, at the proxy server, or let this server pass without a sign-in. Kerberos is not offered."
            }
            Self::SignInRefused { .. } | Self::SignInHeldBack { .. } => {
                "Enter user name, domain and password of the proxy server again under Options, and check that the account is not locked."
            }
            Self::SignInBroken { .. } => {
                "Look at the log of the proxy server. A device between this server and it may be changing its answers."
            }
            Self::Forbidden { .. } => {
                "Ask the administrator of the proxy server to allow this connection for this server or its account."
            }
            Self::Answered { .. } => {
                "Check that the proxy server itself can reach this address, and look at its log."
            }
        }
    }

    /// May the same succeed a little later? Never after a sign-in, which counts towards the lock of an account.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NameNotFound { .. }
            | Self::Unreachable { .. }
            | Self::BrokeOff { .. }
            | Self::Silent { .. } => true,
            Self::Answered { status, .. } => matches!(status, 429 | 502..=504),
            _ => false,
        }
    }

    /// Is it the sign-in that failed, so that only a person can help?
    pub fn is_sign_in(&self) -> bool {
        matches!(
            self,
            Self::SignInWanted { .. }
                | Self::OnlyBasic { .. }
                | Self::NoKnownScheme { .. }
                | Self::DigestUnusable { .. }
                | Self::SignInRefused { .. }
                | Self::SignInHeldBack { .. }
                | Self::SignInBroken { .. }
        )
    }
}
