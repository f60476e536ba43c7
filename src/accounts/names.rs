//! Names of accounts: what may be in one, and when two are the same.

use super::AccountError;
use unicode_normalization::UnicodeNormalization;

/// Longest name, in characters after normalization. Ours.
pub const NAME_CHARS_MAX: usize = 64;

/// What the audit log calls those who are nobody: nobody may be called so, in any letter case. Ours.
const RESERVED: [&str; 3] = ["weir", "schedule", "command line"];

/// A name that was checked. Two names with the same [`AccountName::folded`] are one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountName {
    shown: String,
    folded: String,
}

impl AccountName {
    /// Trims, normalizes (NFKC) and checks `raw`.
    ///
    /// # Errors
    /// [`AccountError::NameLength`], [`AccountError::NameInvisible`] for control, formatting and
    /// zero-width characters, [`AccountError::NameMixed`] for Latin mixed with look-alike alphabets.
    pub fn parse(raw: &str) -> Result<Self, AccountError> {
        if raw.len() > NAME_CHARS_MAX * 8 {
            return Err(AccountError::NameLength);
        }
        let shown: String = raw.trim_matches(' ').nfkc().collect();
        if shown.is_empty() || shown.chars().count() > NAME_CHARS_MAX {
            return Err(AccountError::NameLength);
        }
        if shown.chars().any(is_invisible) {
            return Err(AccountError::NameInvisible);
        }
        let alphabets = shown.chars().filter_map(alphabet).collect::<std::collections::BTreeSet<_>>();
        if alphabets.len() > 1 {
            return Err(AccountError::NameMixed);
        }
        let folded = fold(&shown);
        Ok(Self { shown, folded })
    }

    /// Whether the audit log means nobody by this name, so that no new account may have it.
    pub(super) fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.folded.split_whitespace().collect::<Vec<_>>().join(" ").as_str())
    }

    /// The name as shown.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The name as compared: compatibility forms and case removed.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// Upper and then lower case, so that `ß` and `SS` meet, as full case folding does.
fn fold(text: &str) -> String {
    text.to_uppercase().to_lowercase().nfkc().collect()
}

/// Control characters, and formatting ones that take no room on screen.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The alphabets whose letters look alike; letters of all others may be mixed.
fn alphabet(c: char) -> Option<u8> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some(0),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(1),
        '\u{400}'..='\u{52f}' => Some(2),
        '\u{530}'..='\u{58f}' => Some(3),
        '\u{13a0}'..='\u{13ff}' => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r212_case_and_width_variants_are_one_name() {
        let plain = AccountName::parse("Strasse").unwrap();
        for variant in ["strasse", "STRASSE", "Straße", "Ｓｔｒａｓｓｅ", " strasse "] {
            assert_eq!(AccountName::parse(variant).unwrap().folded(), plain.folded(), "{variant}");
        }
    }

    #[test]
    fn r212_invisible_and_mixed_names_are_refused() {
        assert!(matches!(AccountName::parse("ad\u{200b}min"), Err(AccountError::NameInvisible)));
        assert!(matches!(AccountName::parse("ad\nmin"), Err(AccountError::NameInvisible)));
        assert!(matches!(AccountName::parse("аdmin"), Err(AccountError::NameMixed)), "Cyrillic a");
    }

    #[test]
    fn r212_names_of_the_audit_log_are_nobodys() {
        for reserved in ["weir", " WEIR ", "Schedule", "command line", "Command  Line", "ｗｅｉｒ"] {
            assert!(AccountName::parse(reserved).unwrap().is_reserved(), "{reserved}");
        }
        assert!(!AccountName::parse("weir admin").unwrap().is_reserved());
    }

    #[test]
    fn r212_length_is_counted_in_characters() {
        assert!(AccountName::parse("").is_err() && AccountName::parse("   ").is_err());
        assert!(AccountName::parse("管").is_ok());
        assert!(AccountName::parse(&"管".repeat(64)).is_ok());
        assert!(AccountName::parse(&"管".repeat(65)).is_err());
        assert!(AccountName::parse(&"a".repeat(300)).is_err());
    }
}
