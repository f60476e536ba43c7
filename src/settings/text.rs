//! Small values as they are typed: ports, times, numbers, words, certificates.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveTime;
use chrono_tz::Tz;

use super::host::is_invisible;
use super::options::{Languages, Schedule};

/// Longest user name, domain or password, in characters (ours).
pub const WORD_LEN_MAX: usize = 256;
/// Largest text with certificates, in bytes (ours).
pub const CERTIFICATES_LEN_MAX: usize = 64 * 1_024;
const CERTIFICATES_MAX: usize = 20;

type Refusal = String;

/// A port: 1 to 65535 in ASCII digits, blanks around them are fine.
pub(super) fn port(typed: &str) -> Result<u16, Refusal> {
    match digits(typed, 5).and_then(|number| u16::try_from(number).ok()) {
        Some(port) if port > 0 => Ok(port),
        _ => Err("Enter a port from 1 to 65535.".to_owned()),
    }
}

/// Runs per day, 1 to 24.
pub(super) fn per_day(typed: &str) -> Result<u8, Refusal> {
    match digits(typed, 2).and_then(|number| u8::try_from(number).ok()) {
        Some(number) if (1..=Schedule::PER_DAY_MAX).contains(&number) => Ok(number),
        _ => Err("Enter a number from 1 to 24.".to_owned()),
    }
}

fn digits(typed: &str, len_max: usize) -> Option<u32> {
    let text = typed.trim_matches(' ');
    let plain = (1..=len_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A time of day: two digits, a colon, two digits.
pub(super) fn time(typed: &str) -> Result<NaiveTime, Refusal> {
    let refusal = || "Enter a time from 00:00 to 23:59, such as 03:30.".to_owned();
    let text = typed.trim_matches(' ');
    let (hour, minute) = text.split_once(':').ok_or_else(refusal)?;
    let both = [hour, minute].map(|part| if part.len() == 2 { digits(part, 2) } else { None });
    match both {
        [Some(hour), Some(minute)] => NaiveTime::from_hms_opt(hour, minute, 0).ok_or_else(refusal),
        _ => Err(refusal()),
    }
}

/// A zone of the time zone database.
pub(super) fn time_zone(typed: &str) -> Result<Tz, Refusal> {
    Tz::from_str(typed.trim_matches(' '))
        .map_err(|_| "Choose a time zone from the list, such as Europe/Berlin.".to_owned())
}

/// `true` or `false`.
pub(super) fn boolean(typed: &str) -> Result<bool, Refusal> {
    match typed {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("Enter true or false.".to_owned()),
    }
}

/// A user name or domain.
pub(super) fn word(typed: &str, what: &str) -> Result<String, Refusal> {
    let text = typed.trim_matches(' ');
    if text.chars().any(is_invisible) {
        return Err(format!("The {what} contains a character that cannot be seen. Type it again."));
    }
    if text.chars().count() > WORD_LEN_MAX {
        return Err(format!("The {what} is too long: at most {WORD_LEN_MAX} characters."));
    }
    Ok(text.to_owned())
}

/// Languages by short name: `all`, `locale`, or names joined by commas.
pub(super) fn languages(typed: &str) -> Result<Languages, Refusal> {
    let found = Languages::from_text(typed).ok_or("Select at least one language.")?;
    if let Languages::Only(names) = &found {
        if let Some(bad) = names.iter().find(|name| !is_language(name)) {
            let shown: String = bad.chars().filter(|c| !is_invisible(*c)).take(20).collect();
            return Err(format!("{shown} is not the short name of a language, such as en or zh-tw."));
        }
        if names.len() > 200 {
            return Err("Select at most 200 languages.".to_owned());
        }
    }
    Ok(found)
}

fn is_language(name: &str) -> bool {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    name.len() <= 20
        && name.split('-').all(part)
        && name.split('-').next().is_some_and(|first| {
            (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic())
        })
}

/// Certificates in PEM form, kept with plain line ends; empty is fine.
///
/// Each block has to be base64 around one DER sequence of exactly its length. Whether a certificate
/// is trusted is seen when it is used.
pub(super) fn certificates(typed: &str) -> Result<String, Refusal> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    if typed.len() > CERTIFICATES_LEN_MAX {
        return Err("The certificates are too long: at most 64 KB.".to_owned());
    }
    if typed.contains("PRIVATE KEY") {
        return Err("This contains a private key. Enter certificates only.".to_owned());
    }
    let mut kept = String::new();
    let mut rest = typed.trim();
    let mut count = 0;
    while !rest.is_empty() {
        let shape = || "Enter certificates in PEM form, from BEGIN CERTIFICATE to END CERTIFICATE.";
        let body = rest.find(BEGIN).map(|at| &rest[at + BEGIN.len()..]).ok_or_else(shape)?;
        let end = body.find(END).ok_or_else(shape)?;
        let base64: String = body[..end].split_ascii_whitespace().collect();
        let der = STANDARD.decode(&base64).map_err(|_| shape())?;
        if !is_one_sequence(&der) {
            return Err("One of these certificates is damaged or cut off.".to_owned());
        }
        count += 1;
        if count > CERTIFICATES_MAX {
            return Err("Enter at most 20 certificates.".to_owned());
        }
        kept.push_str(BEGIN);
        for line in base64.as_bytes().chunks(64) {
            kept.push('\n');
            kept.push_str(&String::from_utf8_lossy(line));
        }
        kept.push('\n');
        kept.push_str(END);
        kept.push('\n');
        rest = body[end + END.len()..].trim();
    }
    Ok(kept)
}

/// A DER SEQUENCE (tag 0x30) of definite length that ends where the bytes end.
fn is_one_sequence(der: &[u8]) -> bool {
    let [0x30, first, rest @ ..] = der else { return false };
    if *first < 0x80 {
        return rest.len() == usize::from(*first);
    }
    let octets = usize::from(first & 0x7f);
    if !(1..=4).contains(&octets) || rest.len() < octets {
        return false;
    }
    let len = rest[..octets].iter().fold(0_usize, |len, byte| (len << 8) | usize::from(*byte));
    rest.len() - octets == len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r206_ports_are_ascii_digits_from_1_to_65535() {
        assert_eq!(port(" 8530 "), Ok(8530));
        assert_eq!(port("65535"), Ok(65535));
        for bad in
            ["", "0", "-1", "65536", "70000", "8530.0", "８５３０", "+80", "1e3", "000080", "8 0", "80\n"]
        {
            assert!(port(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn r211_times_and_runs_per_day_have_their_range() {
        assert_eq!(time("23:59"), Ok(NaiveTime::from_hms_opt(23, 59, 0).unwrap()));
        for bad in ["", "24:00", "7:5", "07:60", "-1:00", "07:5", "0700", "07:00:00", "7:05 PM"] {
            assert!(time(bad).is_err(), "{bad:?}");
        }
        assert_eq!(per_day("24"), Ok(24));
        for bad in ["0", "25", "", "-1", "1.5", "024"] {
            assert!(per_day(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn certificates_are_checked_for_their_shape() {
        assert_eq!(certificates("  "), Ok(String::new()));
        let good = "-----BEGIN CERTIFICATE-----\r\nMAMCAQE=\r\n-----END CERTIFICATE-----\r\n";
        assert_eq!(
            certificates(good),
            Ok("-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n".to_owned())
        );
        for bad in [
            "hello",
            "-----BEGIN CERTIFICATE-----\nMAMCAQE=",
            "-----BEGIN CERTIFICATE-----\nMAMCAQ==\n-----END CERTIFICATE-----",
            "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----",
        ] {
            assert!(certificates(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn languages_are_short_names() {
        assert_eq!(languages("all"), Ok(Languages::All));
        assert_eq!(languages("EN, zh-TW,en").map(|found| found.to_text()).as_deref(), Ok("en,zh-tw"));
        for bad in ["", " , ", "english", "e", "en;de", "12"] {
            assert!(languages(bad).is_err(), "{bad:?}");
        }
    }
}
