//! Documents of the sample, made as long as real ones and with as many languages. The sample itself stays small: it is
//! for looking at.

use std::fmt::Write;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use weir::protocol::document::UpdateKind;
use weir::sample::SampleRevision;
use weir::settings::languages::LANGUAGES;

/// One that no list of languages has, so that there are 39 with it.
const UNLISTED: &str = "ca";
/// Languages of an update that can be approved, of the 39.
const LANGUAGES_PER_UPDATE: usize = 35;
const TITLE_CHARS: usize = 90;
const DESCRIPTION_CHARS: usize = 260;
/// Where further languages and further conditions go.
const TEXTS_END: &str = "</upd:LocalizedPropertiesCollection>";
const RULES_START: &str = "<upd:IsInstalled><lar:And>";
/// UTF-16 bytes of a document: so many in the middle, 2.4 times that for one in ten, and six times more for one in a
/// hundred. Source: documents of real servers.
const MEDIAN_BYTES: f64 = 29_000.0;
const SPREAD: f64 = 0.69;
const LONG_EVERY: u32 = 100;
const LONG_FACTOR: f64 = 6.0;
/// The longest document there is.
const LARGE_BYTES: usize = 8 << 20;

/// Is it one that conditions can be added to?
pub fn has_rules(revision: &SampleRevision) -> bool {
    revision.document.contains(RULES_START)
}

/// The document in its real size; `large`: the largest there is.
pub fn widen(revision: &SampleRevision, large: bool) -> String {
    let mut random = StdRng::seed_from_u64(revision.key.update_id.as_u128() as u64);
    let mut document = revision.document.clone();
    if revision.approvable && revision.kind == UpdateKind::Software {
        let texts = texts(&mut random, &document);
        document = document.replacen(TEXTS_END, &(texts + TEXTS_END), 1);
    }
    let wanted = if large { LARGE_BYTES } else { wanted_bytes(&mut random) };
    let missing = (wanted / 2).saturating_sub(document.len());
    if missing > 0 && has_rules(revision) {
        let rules = rules(&mut random, missing);
        document = document.replacen(RULES_START, &format!("{RULES_START}{rules}"), 1);
    }
    document
}

fn wanted_bytes(random: &mut StdRng) -> usize {
    let (one, other): (f64, f64) = (random.random_range(1e-9..1.0), random.random_range(0.0..1.0));
    let normal = (-2.0 * one.ln()).sqrt() * (other * std::f64::consts::TAU).cos();
    let longer = if random.random_ratio(1, LONG_EVERY) { LONG_FACTOR } else { 1.0 };
    (MEDIAN_BYTES * (SPREAD * normal).exp() * longer) as usize
}

/// Titles and descriptions in the languages that the document has not.
fn texts(random: &mut StdRng, document: &str) -> String {
    let mut texts = String::new();
    let all = LANGUAGES.iter().map(|(language, _)| *language).chain([UNLISTED]);
    for language in all.take(LANGUAGES_PER_UPDATE) {
        if document.contains(&format!("<upd:Language>{language}<")) {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(
            texts,
            "<upd:LocalizedProperties><upd:Language>{language}</upd:Language><upd:Title>{}</upd:Title>\
             <upd:Description>{}</upd:Description></upd:LocalizedProperties>",
            words(random, language, TITLE_CHARS),
            words(random, language, DESCRIPTION_CHARS)
        );
    }
    texts
}

/// So many characters of made-up words in the letters of a language.
fn words(random: &mut StdRng, language: &str, chars: usize) -> String {
    let letters = match language {
        "ar" => 'ا'..='غ',
        "he" => 'א'..='ת',
        "el" => 'α'..='ω',
        "bg" | "ru" | "sr" | "uk" => 'а'..='я',
        "th" => 'ก'..='ฮ',
        "hi" => 'अ'..='ह',
        "ja" | "ja-nec" => 'あ'..='ん',
        "ko" => '가'..='깋',
        "zh-cn" | "zh-hk" | "zh-tw" => '一'..='丿',
        _ => 'a'..='z',
    };
    let mut text = String::with_capacity(chars * 2);
    for _ in 0..chars {
        text.push(if random.random_ratio(1, 7) { ' ' } else { random.random_range(letters.clone()) });
    }
    text
}

/// Conditions of about so many characters.
fn rules(random: &mut StdRng, chars: usize) -> String {
    let mut rules = String::with_capacity(chars + 200);
    while rules.len() < chars {
        let _ = write!(
            rules,
            "<bar:FileVersion Path=\"component{:04}.dll\" Csidl=\"37\" Comparison=\"GreaterThanOrEqualTo\" \
             Version=\"10.0.{}.{}\"/>",
            random.random_range(0..10_000),
            random.random_range(10_000..30_000),
            random.random_range(0..1_000)
        );
    }
    rules
}
