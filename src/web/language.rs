//! The languages a person reads, as the browser tells them: for titles of updates, which come in many.

use std::convert::Infallible;

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::catalog::texts::TitleIn;

/// Languages looked at; a browser names a handful.
const LANGUAGES_MAX: usize = 20;

/// Short names in lower case, the one read best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Languages(Vec<String>);

impl Languages {
    /// Reads an `Accept-Language` header; what cannot be read is passed over.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        let mut wanted: Vec<(f32, String)> = header
            .split(',')
            .take(LANGUAGES_MAX)
            .filter_map(|entry| {
                let (name, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
                let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
                let name = name.trim().to_ascii_lowercase();
                (weight > 0.0 && !name.is_empty() && name != "*").then_some((weight, name))
            })
            .collect();
        wanted.sort_by(|one, other| other.0.total_cmp(&one.0)); // stable: equal ones stay in their order
        Self(wanted.into_iter().map(|(_, name)| name).collect())
    }

    /// The title to show: in a language the person reads; `None` when there is none, or English comes first.
    #[must_use]
    pub fn choose<'a>(&self, titles: &'a [TitleIn]) -> Option<&'a TitleIn> {
        let in_language = |name: &str| {
            titles.iter().find(|text| text.language.eq_ignore_ascii_case(name) && !text.title.is_empty())
        };
        let found = self.0.iter().find_map(|name| {
            let main = name.split('-').next().unwrap_or(name);
            in_language(name).or_else(|| in_language(main))
        })?;
        (!found.language.eq_ignore_ascii_case("en")).then_some(found)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Languages {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let header = request.headers().get_one("Accept-Language").unwrap_or_default();
        Outcome::Success(Self::parse(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(languages: &[&str]) -> Vec<TitleIn> {
        let title = |language: &&str| TitleIn {
            language: (*language).to_owned(),
            title: format!("Title {language}"),
            ..TitleIn::default()
        };
        languages.iter().map(title).collect()
    }

    fn chosen(header: &str, languages: &[&str]) -> Option<String> {
        Languages::parse(header).choose(&titles(languages)).map(|text| text.language.clone())
    }

    #[test]
    fn the_language_read_best_is_chosen_and_else_english_stays() {
        let there = ["en", "de", "pt-br", "zh-tw"];
        assert_eq!(chosen("de-AT,de;q=0.9,en;q=0.5", &there).as_deref(), Some("de"));
        assert_eq!(chosen("fr;q=0.4, PT-BR;q=0.8", &there).as_deref(), Some("pt-br"));
        assert_eq!(chosen("en-US,en;q=0.9,de;q=0.8", &there), None);
        assert_eq!(chosen("fr,it", &there), None);
        for odd in ["", "*", "de;q=0", ";;;,,", "de;q=NaN", "\u{0}"] {
            assert_eq!(chosen(odd, &there), None, "{odd:?}");
        }
    }
}
