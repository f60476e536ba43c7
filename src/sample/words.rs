//! Titles and descriptions in several languages. All of it is written for this catalogue.

use super::random::Random;
use super::xml::Text;

/// What an update is about: the noun in each language, and the words of the sentence around it.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    Security,
    Critical,
    Rollup,
    Definitions,
    Driver,
    Other,
}

/// Facts that titles speak of.
pub struct Topic<'a> {
    pub subject: Subject,
    /// `2026-05`; empty for what has no month.
    pub month: &'a str,
    pub product: &'a str,
    pub article: &'a str,
    pub bits: &'a str,
    /// Added after a revision; empty at first.
    pub note: &'a str,
}

const LANGUAGES: [&str; 9] = ["en", "de", "fr", "ja", "ar", "he", "zh-cn", "pt-br", "ru"];

const SENTENCES: [&str; 6] = [
    "This package replaces components that did not check the length of what they were given.",
    "After it is installed, a service no longer stops when two people print at the same moment.",
    "It corrects the way times near a change of the clocks are shown.",
    "Computers that have it may have to be started again; plan for it.",
    "It makes the start of large folders faster and \"recent files\" reliable again.",
    "Install it on test computers first & watch them for a day.",
];

/// Texts in English and `more` other languages.
pub fn texts(random: &mut Random, topic: &Topic<'_>, more: usize) -> Vec<Text> {
    LANGUAGES.iter().take(1 + more).map(|language| text(random, language, topic)).collect()
}

fn text(random: &mut Random, language: &'static str, topic: &Topic<'_>) -> Text {
    let Topic { month, product, article, bits, note, .. } = topic;
    let noun = noun(topic.subject, language);
    let title = match language {
        "en" => format!("{month} {noun} for {product}, {bits}{note} (KB{article})"),
        "de" => format!("{month} {noun} für {product}, {bits}{note} (KB{article})"),
        "fr" => format!("{month} {noun} pour {product}, {bits}{note} (KB{article})"),
        "ja" => format!("{month} {product} 用の{noun}、{bits}{note} (KB{article})"),
        "zh-cn" => format!("{month} 适用于 {product} 的{noun}，{bits}{note} (KB{article})"),
        "pt-br" => format!("{month} {noun} para {product}, {bits}{note} (KB{article})"),
        "ru" => format!("{month} {noun} для {product}, {bits}{note} (KB{article})"),
        // Right to left; the marks belong to real titles too.
        "ar" | "he" => format!("\u{200f}{month} {noun} {product} \u{200e}{bits}{note} (KB{article})"),
        _ => format!("{month} {noun} {product} {bits}{note} (KB{article})"),
    };
    let description = if language == "en" {
        let first = random.below(SENTENCES.len());
        (0..2 + random.below(3))
            .map(|place| SENTENCES[(first + place) % SENTENCES.len()])
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        format!("{noun}: {product}.")
    };
    Text { language, title: title.trim().to_owned(), description }
}

fn noun(subject: Subject, language: &str) -> &'static str {
    match (subject, language) {
        (Subject::Security, "de") => "Sicherheitspaket",
        (Subject::Security, "fr") => "Lot de sécurité",
        (Subject::Security, "ja") => "セキュリティの修正",
        (Subject::Security, "ar") => "حزمة أمان",
        (Subject::Security, "he") => "חבילת אבטחה",
        (Subject::Security, "zh-cn") => "安全修补",
        (Subject::Security, "pt-br") => "Pacote de segurança",
        (Subject::Security, "ru") => "Пакет безопасности",
        (Subject::Security, _) => "Security package",
        (Subject::Critical, "en") => "Critical correction",
        (Subject::Rollup, "en") => "Collected corrections",
        (Subject::Definitions, "en") => "Definitions package",
        (Subject::Driver, "en") => "Driver",
        (Subject::Other, "en") => "Package of improvements",
        (_, "de") => "Paket mit Verbesserungen",
        (_, "fr") => "Lot d'améliorations",
        (_, "ja") => "改善パッケージ",
        (_, "ar") => "حزمة تحسينات",
        (_, "he") => "חבילת שיפורים",
        (_, "zh-cn") => "改进包",
        (_, "pt-br") => "Pacote de melhorias",
        (_, "ru") => "Пакет улучшений",
        (_, _) => "Package",
    }
}
