//! Reads `Proxy-Authenticate`: several schemes in one header or in several, in any case and with any spacing.
//!
//! Source: RFC 9110, section 11.6.1.

use hyper::header::{HeaderMap, PROXY_AUTHENTICATE};

/// What is kept of one header, in bytes; an NTLM message in Base64 has a few hundred.
const HEADER_MAX: usize = 32 * 1024;
/// Schemes in one answer.
const CHALLENGES_MAX: usize = 16;
/// Parameters of one scheme.
const PARAMS_MAX: usize = 32;

/// One scheme that a proxy server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// As it was written.
    pub scheme: String,
    /// The one value without a name, as NTLM has it.
    pub token: Option<String>,
    /// Names in small letters.
    pub params: Vec<(String, String)>,
}

impl Challenge {
    /// Every challenge of one header's value. What cannot be read is passed over, what is beyond the limits too.
    pub fn parse(value: &[u8]) -> Vec<Self> {
        let text = String::from_utf8_lossy(&value[..value.len().min(HEADER_MAX)]);
        let mut found: Vec<Self> = Vec::new();
        for item in split(&text) {
            let (word, rest) = take_token(item);
            if word.is_empty() {
                continue;
            }
            let after = rest.trim_start();
            if let Some(value) = after.strip_prefix('=') {
                if let Some(last) = found.last_mut() {
                    last.add(word, value);
                }
                continue;
            }
            if found.len() == CHALLENGES_MAX {
                break;
            }
            let mut challenge = Self { scheme: word.to_owned(), ..Self::default() };
            if is_token68(after) {
                challenge.token = Some(after.to_owned());
            } else if let (name, rest) = take_token(after)
                && let Some(value) = rest.trim_start().strip_prefix('=')
            {
                challenge.add(name, value);
            }
            found.push(challenge);
        }
        found
    }

    /// Every challenge of an answer.
    pub(super) fn all(headers: &HeaderMap) -> Vec<Self> {
        let values = headers.get_all(PROXY_AUTHENTICATE).iter();
        values.flat_map(|value| Self::parse(value.as_bytes())).take(CHALLENGES_MAX).collect()
    }

    pub(super) fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The value of a parameter; the first when it comes twice.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    fn add(&mut self, name: &str, value: &str) {
        if self.params.len() < PARAMS_MAX && !name.is_empty() {
            self.params.push((name.to_ascii_lowercase(), unquote(value.trim())));
        }
    }
}

/// The parameters of a header that names no scheme, such as `Proxy-Authentication-Info`.
pub(super) fn params(value: &[u8]) -> Vec<(String, String)> {
    let with_scheme = [b"x ".as_slice(), value].concat();
    Challenge::parse(&with_scheme).into_iter().next().unwrap_or_default().params
}

/// Splits at commas outside quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    })
    .map(str::trim)
}

/// A token at the beginning, and what follows it.
fn take_token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

/// A value without a name: Base64 and its relatives, with `=` at the end only.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c))
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => text.extend(letters.next()),
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemes(value: &str) -> Vec<String> {
        Challenge::parse(value.as_bytes()).into_iter().map(|one| one.scheme).collect()
    }

    #[test]
    fn r125_several_schemes_in_one_header_are_told_apart() {
        let value = r#"  nEgOtIaTe ,NTLM,, Digest  realm = "a, \"b\" c" ,nonce="n,1",qop="auth, auth-int" , basic realm=x"#;
        let found = Challenge::parse(value.as_bytes());
        let names: Vec<&str> = found.iter().map(|one| one.scheme.as_str()).collect();
        assert_eq!(names, ["nEgOtIaTe", "NTLM", "Digest", "basic"]);
        assert_eq!(found[2].param("realm"), Some("a, \"b\" c"));
        assert_eq!(found[2].param("nonce"), Some("n,1"));
        assert_eq!(found[2].param("qop"), Some("auth, auth-int"));
        assert_eq!(found[3].param("realm"), Some("x"));
        assert!(found[0].token.is_none() && found[1].params.is_empty());
    }

    #[test]
    fn r125_a_message_is_not_taken_for_a_parameter() {
        for token in ["TlRMTVNTUAACAAAA", "TlRMTVNTUAACAAAAA=", "TlRM/VNT+AACAAAAA=="] {
            let found = Challenge::parse(format!("NTLM {token}, Basic realm=\"x\"").as_bytes());
            assert_eq!(found[0].token.as_deref(), Some(token));
            assert_eq!(found[1].param("realm"), Some("x"));
        }
        assert_eq!(Challenge::parse(b"Digest NONCE=abc=, STALE=TRUE")[0].param("nonce"), Some("abc="));
    }

    #[test]
    fn r125_rubbish_is_passed_over_within_limits() {
        for rubbish in ["", ",,,", "=", "\"", "\"a, b", "= x, = y", "é", "realm=\"x\""] {
            assert!(schemes(rubbish).is_empty(), "{rubbish}");
        }
        assert_eq!(schemes("Digest realm=\"open, NTLM"), ["Digest"]);
        assert_eq!(schemes(&"NTLM,".repeat(10_000)).len(), CHALLENGES_MAX);
        let many = format!("Digest {}", "a=b,".repeat(1_000));
        assert_eq!(Challenge::parse(many.as_bytes())[0].params.len(), PARAMS_MAX);
    }

    #[test]
    fn the_info_header_has_parameters_only() {
        assert_eq!(params(b"nextnonce=\"n2\", qop=auth")[0], ("nextnonce".to_owned(), "n2".to_owned()));
        assert!(params(b"").is_empty());
    }
}
