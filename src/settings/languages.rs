//! The languages updates come in, by the short names update servers use.

/// Short name and English name, in the order of the English names.
///
/// Source: the language list a WSUS server gives out.
pub const LANGUAGES: [(&str, &str); 38] = [
    ("ar", "Arabic"),
    ("bg", "Bulgarian"),
    ("zh-hk", "Chinese (Hong Kong)"),
    ("zh-cn", "Chinese (Simplified)"),
    ("zh-tw", "Chinese (Traditional)"),
    ("hr", "Croatian"),
    ("cs", "Czech"),
    ("da", "Danish"),
    ("nl", "Dutch"),
    ("en", "English"),
    ("et", "Estonian"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("de", "German"),
    ("el", "Greek"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hu", "Hungarian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ja-nec", "Japanese (NEC)"),
    ("ko", "Korean"),
    ("lv", "Latvian"),
    ("lt", "Lithuanian"),
    ("no", "Norwegian"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("pt-br", "Portuguese (Brazil)"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("sr", "Serbian"),
    ("sk", "Slovak"),
    ("sl", "Slovenian"),
    ("es", "Spanish"),
    ("sv", "Swedish"),
    ("th", "Thai"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
];

/// The English name of a language, or its short name when it is not in the list.
#[must_use]
pub fn language_name(short: &str) -> &str {
    LANGUAGES.iter().find(|(known, _)| *known == short).map_or(short, |(_, name)| name)
}
