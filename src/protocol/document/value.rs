//! Reading single values of a document: flags, numbers, dates, digests.

use chrono::{DateTime, Utc};

use super::facts::{FileProblem, Severity};
use crate::protocol::ids::{Sha1Digest, Sha256Digest};
use crate::protocol::time;

/// Longest article number kept, in digits.
const ARTICLE_DIGITS_MAX: usize = 12;

/// `true` and `1` in any letter case; everything else is false.
pub fn flag(text: &str) -> bool {
    let text = text.trim();
    text.eq_ignore_ascii_case("true") || text == "1"
}

/// The severity of a word; unknown words are unspecified.
pub fn severity(text: &str) -> Severity {
    match text.trim().to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "important" => Severity::Important,
        "moderate" => Severity::Moderate,
        "low" => Severity::Low,
        _ => Severity::Unspecified,
    }
}

/// A date, or `None` when it cannot be read: a bad date never costs a revision.
pub fn date(text: &str) -> Option<DateTime<Utc>> {
    time::parse(text.trim()).ok()
}

/// An article number without its `KB`; `None` for what is no number.
pub fn article(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("kb") => text[2..].trim(),
        _ => text,
    };
    let fits = !digits.is_empty() && digits.len() <= ARTICLE_DIGITS_MAX;
    (fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.to_owned())
}

/// The digests a `File` element itself gives, by its algorithm (`SHA1` when not said).
pub fn file_digest(
    digest: &str,
    algorithm: Option<&str>,
) -> Result<(Option<Sha1Digest>, Option<Sha256Digest>), FileProblem> {
    let digest = digest.trim();
    match algorithm.map(|name| name.trim().to_ascii_uppercase().replace('-', "")).as_deref() {
        None | Some("SHA1") => {
            Sha1Digest::from_base64(digest).map(|sha1| (Some(sha1), None)).map_err(|_| FileProblem::Digest)
        }
        Some("SHA256") => Sha256Digest::from_base64(digest)
            .map(|sha256| (None, Some(sha256)))
            .map_err(|_| FileProblem::Digest),
        Some(_) => Err(FileProblem::Algorithm),
    }
}

/// A size in bytes; `None` when missing, negative or no number.
pub fn size(text: Option<&str>) -> Option<i64> {
    text?.trim().parse().ok().filter(|size| *size >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_any_case() {
        assert!(flag("True") && flag("1") && flag(" true "));
        assert!(!flag("false") && !flag("") && !flag("yes"));
    }

    #[test]
    fn article_numbers_lose_their_prefix_and_must_be_digits() {
        assert_eq!(article(" KB5031234 ").as_deref(), Some("5031234"));
        assert_eq!(article("kb12").as_deref(), Some("12"));
        assert_eq!(article("é1"), None);
        assert_eq!(article(""), None);
        assert_eq!(article("12a"), None);
        assert_eq!(article("1234567890123"), None);
    }

    #[test]
    fn sizes_are_never_negative() {
        assert_eq!(size(Some("14800000000")), Some(14_800_000_000));
        assert_eq!(size(Some("-1")), None);
        assert_eq!(size(Some("99999999999999999999")), None);
        assert_eq!(size(None), None);
    }
}
