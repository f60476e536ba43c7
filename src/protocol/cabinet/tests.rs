//! Cabinets made here: by our writer, and by hand for what it cannot write.

use super::*;

const LIMIT: usize = 1 << 22;

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A cabinet of one folder and one file around ready data blocks `(packed, unpacked length)`.
fn cabinet(name: &str, compression: u16, size: u32, blocks: &[(Vec<u8>, u16)]) -> Vec<u8> {
    let data_at = 44 + 16 + name.len() as u32 + 1;
    let mut out = Vec::new();
    out.extend_from_slice(b"MSCF\0\0\0\0");
    let total: usize = blocks.iter().map(|(packed, _)| packed.len() + 8).sum();
    out.extend_from_slice(&(data_at + total as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&44_u32.to_le_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 3, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&data_at.to_le_bytes());
    out.extend_from_slice(&(blocks.len() as u16).to_le_bytes());
    out.extend_from_slice(&compression.to_le_bytes());
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    for (packed, unpacked) in blocks {
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(packed.len() as u16).to_le_bytes());
        out.extend_from_slice(&unpacked.to_le_bytes());
        out.extend_from_slice(packed);
    }
    out
}

/// LZX with uncompressed blocks only, one for each 32 KiB. Window of 2 MiB, as real servers use.
fn lzx(bytes: &[u8]) -> Vec<u8> {
    let blocks: Vec<_> = bytes
        .chunks(32 * 1024)
        .enumerate()
        .map(|(index, chunk)| {
            // First chunk: one bit "no E8 translation"; then 3 bits block type 3, 24 bits length, padding to a word.
            let header = (3_u32 << 24 | chunk.len() as u32) << if index == 0 { 4 } else { 5 };
            let mut packed = Vec::new();
            packed.extend_from_slice(&((header >> 16) as u16).to_le_bytes());
            packed.extend_from_slice(&(header as u16).to_le_bytes());
            for recent in [1_u32; 3] {
                packed.extend_from_slice(&recent.to_le_bytes());
            }
            packed.extend_from_slice(chunk);
            (packed, chunk.len() as u16)
        })
        .collect();
    cabinet("blob", 0x1503, bytes.len() as u32, &blocks)
}

fn stored(name: &str, bytes: &[u8]) -> Vec<u8> {
    cabinet(name, 0, bytes.len() as u32, &[(bytes.to_vec(), bytes.len() as u16)])
}

fn long_text() -> String {
    (0..20_000).map(|number| format!("<rule n=\"{number}\"/>العربية 日本語 ")).collect()
}

#[test]
fn p26_what_we_pack_we_unpack() {
    for text in ["<a/>", "\u{1f600} 日本", &long_text()] {
        assert_eq!(decode(&encode_mszip(text).unwrap(), LIMIT).unwrap(), text);
    }
    let small = encode_mszip(&long_text()).unwrap();
    assert!(small.len() < utf16(&long_text()).len() / 4);
}

#[test]
fn an_empty_text_makes_the_round_trip() {
    assert_eq!(decode(&encode_mszip("").unwrap(), LIMIT).unwrap(), "");
}

#[test]
fn p26_lzx_is_read_with_one_block_and_with_many() {
    for text in ["<upd:Update/>", &long_text()] {
        assert_eq!(decode(&lzx(&utf16(text)), LIMIT).unwrap(), text);
    }
}

#[test]
fn p26_a_byte_order_mark_is_dropped() {
    assert_eq!(decode(&stored("blob", &utf16("\u{feff}<a/>")), LIMIT).unwrap(), "<a/>");
}

#[test]
fn any_single_member_name_will_do() {
    assert_eq!(decode(&stored("something.xml", &utf16("<a/>")), LIMIT).unwrap(), "<a/>");
}

#[test]
fn bytes_after_the_end_are_ignored() {
    let mut packed = encode_mszip("<a/>").unwrap();
    packed.extend_from_slice(b"trailing junk");
    assert_eq!(decode(&packed, LIMIT).unwrap(), "<a/>");
}

#[test]
fn p27_a_cabinet_that_expands_too_far_is_refused_before_it_is_unpacked() {
    let packed = encode_mszip(&"a".repeat(1_000_000)).unwrap();
    assert!(packed.len() < 20_000);
    assert!(matches!(decode(&packed, 100_000), Err(CabinetError::TooLarge { limit: 100_000 })));
}

#[test]
fn r100_a_declared_size_that_lies_is_refused() {
    let mut packed = encode_mszip(&"a".repeat(50_000)).unwrap();
    packed[44..48].copy_from_slice(&10_u32.to_le_bytes());
    assert!(matches!(decode(&packed, 100), Err(CabinetError::WrongSize { declared: 10, actual: 100_000 })));
}

#[test]
fn r100_a_block_never_unpacks_to_more_than_it_says() {
    let mut packed = encode_mszip(&"a".repeat(1_000)).unwrap();
    packed[44..48].copy_from_slice(&100_u32.to_le_bytes());
    // Checksum off, unpacked length of the only block changed to fit the lie.
    packed[0x41..0x45].copy_from_slice(&[0; 4]);
    packed[0x47..0x49].copy_from_slice(&100_u16.to_le_bytes());
    match decode(&packed, LIMIT) {
        Ok(text) => assert_eq!(text.len(), 50),
        Err(error) => assert!(matches!(error, CabinetError::Damaged { .. })),
    }
}

#[test]
fn r100_two_files_two_folders_and_sets_are_refused() {
    let good = stored("blob", &utf16("<a/>"));
    for (at, wanted) in [(26, "folders"), (28, "files")] {
        let mut bad = good.clone();
        bad[at] = 2;
        assert!(matches!(decode(&bad, LIMIT), Err(CabinetError::NotSingle { .. })), "{wanted}");
    }
    let mut bad = good.clone();
    bad[30] = 2;
    assert!(matches!(decode(&bad, LIMIT), Err(CabinetError::PartOfASet)));
}

#[test]
fn r100_unknown_compression_bad_checksum_and_a_wrong_window_are_named() {
    let text = utf16("<a/>");
    let quantum = cabinet("blob", 2, text.len() as u32, &[(text.clone(), text.len() as u16)]);
    assert!(matches!(decode(&quantum, LIMIT), Err(CabinetError::UnknownCompression { code: 2 })));
    let window = cabinet("blob", 0x1f03, text.len() as u32, &[(text.clone(), text.len() as u16)]);
    assert!(matches!(decode(&window, LIMIT), Err(CabinetError::Damaged { .. })));
    let mut sum = encode_mszip("<a/>").unwrap();
    sum[0x41] ^= 0xff;
    assert!(matches!(decode(&sum, LIMIT), Err(CabinetError::Damaged { .. })));
}

#[test]
fn half_a_character_and_lone_surrogates_are_not_text() {
    assert!(matches!(decode(&stored("blob", b"<\0a"), LIMIT), Err(CabinetError::NotUtf16)));
    assert!(matches!(decode(&stored("blob", &[0x00, 0xd8, 0x41, 0x00]), LIMIT), Err(CabinetError::NotUtf16)));
}

#[test]
fn r100_cut_at_every_byte_it_is_an_error_and_never_a_panic() {
    for whole in [encode_mszip("<a>some text, some text</a>").unwrap(), lzx(&utf16("<a>some text</a>"))] {
        for end in 0..whole.len() {
            assert!(decode(&whole[..end], LIMIT).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn r115_every_bit_flipped_is_survived() {
    for whole in [encode_mszip("<a>some text, some text</a>").unwrap(), lzx(&utf16("<a>some text</a>"))] {
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bad = whole.clone();
                bad[at] ^= 1 << bit;
                let _ = decode(&bad, LIMIT);
            }
        }
    }
}

#[test]
fn what_is_no_cabinet_is_said_to_be_none() {
    assert!(matches!(decode(b"<html></html>", LIMIT), Err(CabinetError::NotACabinet)));
    assert!(matches!(decode(b"", LIMIT), Err(CabinetError::CutOff)));
}
