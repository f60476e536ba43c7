//! Which part of a file a request asks for. Source: RFC 9110 14.

/// What to send of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// First byte and number of bytes, at least one.
    Section {
        start: u64,
        len: u64,
    },
    /// Nothing of the file is in it.
    Unsatisfiable,
}

/// Judges a Range header for a file of `size` bytes.
///
/// Other units are ignored. Several ranges, reversed ones and what cannot be read are refused: nobody
/// who updates computers asks so.
pub fn part(header: Option<&str>, size: u64) -> Part {
    let Some((unit, wanted)) = header.and_then(|header| header.split_once('=')) else {
        return Part::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    section(wanted.trim(), size).unwrap_or(Part::Unsatisfiable)
}

fn section(wanted: &str, size: u64) -> Option<Part> {
    let (first, last) = wanted.split_once('-')?;
    let (start, end) = match (first.trim(), last.trim()) {
        ("", suffix) => {
            let len = number(suffix)?.min(size);
            (size - len, size)
        }
        (first, "") => (number(first)?, size),
        (first, last) => (number(first)?, number(last)?.checked_add(1)?.min(size)),
    };
    (start < end).then(|| Part::Section { start, len: end - start })
}

/// Digits only; too many of them are no number.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p44_a_single_range_is_exact() {
        for (header, start, len) in [
            ("bytes=0-0", 0, 1),
            ("bytes=0-99", 0, 100),
            ("bytes=10-19", 10, 10),
            ("bytes=90-1000", 90, 10),
            ("bytes=99-", 99, 1),
            ("bytes=-1", 99, 1),
            ("bytes=-1000", 0, 100),
            ("Bytes = 5-6", 5, 2),
        ] {
            assert_eq!(part(Some(header), 100), Part::Section { start, len }, "{header}");
        }
    }

    #[test]
    fn r239_what_no_file_has_is_refused() {
        for header in [
            "bytes=100-",
            "bytes=100-200",
            "bytes=9-5",
            "bytes=-0",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=0-1,5-6",
            "bytes=18446744073709551616-",
            "bytes=0-18446744073709551615",
            "bytes=+1-2",
        ] {
            assert_eq!(part(Some(header), 100), Part::Unsatisfiable, "{header}");
        }
        assert_eq!(part(Some("bytes=0-"), 0), Part::Unsatisfiable);
    }

    #[test]
    fn other_units_mean_the_whole_file() {
        assert_eq!(part(Some("lines=1-2"), 100), Part::Whole);
        assert_eq!(part(Some("rubbish"), 100), Part::Whole);
        assert_eq!(part(None, 100), Part::Whole);
    }
}
