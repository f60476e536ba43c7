//! Which of the offered schemes to answer with.

use super::challenge::Challenge;
use super::digest::DigestSession;

/// A way to sign in that Weir knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Ntlm,
    /// An NTLM message under the name Negotiate.
    Negotiate,
    Digest,
    Basic,
}

impl Scheme {
    /// The name in the header and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
            Self::Digest => "Digest",
            Self::Basic => "Basic",
        }
    }
}

/// What was found to answer with.
#[derive(Debug)]
pub(super) enum Choice {
    Ntlm(Scheme),
    Digest(Box<DigestSession>),
    Basic,
}

impl Choice {
    pub fn is_basic(&self) -> bool {
        matches!(self, Self::Basic)
    }
}

/// Why nothing was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoChoice {
    OnlyBasic,
    Digest(String),
    Unknown,
}

/// The strongest of the offers in the order of this module's parent.
///
/// # Errors
/// [`NoChoice`] when none can be answered, or Basic is the only one and not allowed.
pub(super) fn choose(offers: &[Challenge], basic_allowed: bool) -> Result<Choice, NoChoice> {
    for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
        if offers.iter().any(|offer| offer.is(scheme.name())) {
            return Ok(Choice::Ntlm(scheme));
        }
    }
    let digest = DigestSession::strongest(offers);
    let basic = offers.iter().any(|offer| offer.is(Scheme::Basic.name()));
    match digest {
        Some(Ok(session)) => Ok(Choice::Digest(Box::new(session))),
        _ if basic && basic_allowed => Ok(Choice::Basic),
        Some(Err(reason)) => Err(NoChoice::Digest(reason)),
        None if basic => Err(NoChoice::OnlyBasic),
        None => Err(NoChoice::Unknown),
    }
}

/// The offers by name, for a message.
pub(super) fn names(offers: &[Challenge]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for offer in offers {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(&offer.scheme)) {
            names.push(&offer.scheme);
        }
    }
    if names.is_empty() { "none at all".to_owned() } else { super::super::error::quote(&names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = r#"Digest realm="r", nonce="n", qop="auth""#;

    fn chosen(header: &str, basic_allowed: bool) -> Result<&'static str, NoChoice> {
        choose(&Challenge::parse(header.as_bytes()), basic_allowed).map(|choice| match choice {
            Choice::Ntlm(scheme) => scheme.name(),
            Choice::Digest(_) => "Digest",
            Choice::Basic => "Basic",
        })
    }

    #[test]
    fn r125_the_strongest_offer_is_taken() {
        let all = format!("Basic realm=x, {DIGEST}, Negotiate, Ntlm");
        assert_eq!(chosen(&all, true), Ok("NTLM"));
        assert_eq!(chosen(&format!("BASIC realm=x, {DIGEST}, negotiate"), true), Ok("Negotiate"));
        assert_eq!(chosen(&format!("Basic realm=x, {DIGEST}"), true), Ok("Digest"));
        assert_eq!(chosen("Bearer, Basic realm=x", true), Ok("Basic"));
    }

    #[test]
    fn r119_basic_alone_needs_permission() {
        assert_eq!(chosen("Basic realm=x", false), Err(NoChoice::OnlyBasic));
        assert_eq!(chosen("Bearer, Kerberos", true), Err(NoChoice::Unknown));
        assert_eq!(chosen("", true), Err(NoChoice::Unknown));
    }

    #[test]
    fn r121_a_digest_that_cannot_be_used_gives_way_to_basic_only_with_permission() {
        let unusable = r#"Digest realm="r", nonce="n", qop="auth-int", Basic realm=x"#;
        assert_eq!(chosen(unusable, true), Ok("Basic"));
        assert!(matches!(chosen(unusable, false), Err(NoChoice::Digest(_))));
    }
}
