//! The language this server's system is set to.

use std::env;

use super::languages::{LANGUAGES, language_name};

/// The short name of the system's language, `en` when it says none we know.
///
/// Source: POSIX, the order of `LC_ALL`, `LC_MESSAGES`, `LANG`.
#[must_use]
pub fn short() -> &'static str {
    let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"));
    of(&locale.unwrap_or_default())
}

/// The English name of [`short`].
#[must_use]
pub fn name() -> &'static str {
    language_name(short())
}

fn of(locale: &str) -> &'static str {
    let tag = locale.split(['.', '@']).next().unwrap_or_default();
    let tag = tag.to_ascii_lowercase().replace('_', "-");
    let language = tag.split('-').next().unwrap_or_default();
    let language = if language == "nb" || language == "nn" { "no" } else { language };
    let known = |wanted: &str| LANGUAGES.iter().map(|(short, _)| *short).find(|one| *one == wanted);
    known(&tag).or_else(|| known(language)).unwrap_or("en")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_its_language() {
        let table =
            [("de_DE.UTF-8", "de"), ("zh_TW", "zh-tw"), ("nb_NO", "no"), ("C.UTF-8", "en"), ("", "en")];
        for (locale, short) in table {
            assert_eq!(of(locale), short, "{locale}");
        }
    }
}
