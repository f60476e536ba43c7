//! Cabinets as real update servers send them: LZX with matches and Huffman trees. The bench's update server makes
//! them, too.

use lzxc::{Encoder, MAX_CHUNK_SIZE, Strategy, WindowSize};

/// The window of real servers, as a power of two.
pub const REAL_WINDOW: u16 = 21;
/// Bytes before the first data block: header, folder, and file with the name `blob`.
const DATA_AT: u32 = 36 + 8 + 16 + 5;
const LZX: u16 = 3;
const UNCOMPRESSED: u16 = 3;

/// Packs a document in UTF-16LE as the member `blob`. `window` is a power of two, 15 to 21.
pub fn cabinet(text: &str, window: u16) -> Vec<u8> {
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let blocks = blocks(&bytes, window);
    let count = blocks.len() as u16;
    let blocks = blocks.concat();
    let mut out = Vec::with_capacity(DATA_AT as usize + blocks.len());
    out.extend_from_slice(b"MSCF\0\0\0\0");
    out.extend_from_slice(&(DATA_AT + blocks.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    // The file entry stands at 44; version 1.3; one folder, one file; no flags, no set.
    out.extend_from_slice(&44_u32.to_le_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 3, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&DATA_AT.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&(LZX | window << 8).to_le_bytes());
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    // Begins at 0 in folder 0; without date, time and attributes.
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(b"blob\0");
    out.extend_from_slice(&blocks);
    out
}

/// Each 32 KiB with its checksum, packed length and length.
fn blocks(bytes: &[u8], window: u16) -> Vec<Vec<u8>> {
    let mut packed = pack(bytes, window, Strategy::Greedy);
    // A block of one symbol alone is stored, and then the encoder loses track of recent distances. Without matches
    // there are none.
    if packed.iter().enumerate().any(|(number, block)| kind(block, number == 0) == UNCOMPRESSED) {
        packed = pack(bytes, window, Strategy::LiteralOnly);
    }
    let block = |(chunk, packed): (&[u8], Vec<u8>)| {
        let mut lengths = (packed.len() as u16).to_le_bytes().to_vec();
        lengths.extend_from_slice(&(chunk.len() as u16).to_le_bytes());
        let sum = checksum(&lengths, checksum(&packed, 0));
        [sum.to_le_bytes().as_slice(), &lengths, &packed].concat()
    };
    bytes.chunks(MAX_CHUNK_SIZE).zip(packed).map(block).collect()
}

fn pack(bytes: &[u8], window: u16, strategy: Strategy) -> Vec<Vec<u8>> {
    let window = match window {
        15 => WindowSize::KB32,
        16 => WindowSize::KB64,
        17 => WindowSize::KB128,
        18 => WindowSize::KB256,
        19 => WindowSize::KB512,
        20 => WindowSize::MB1,
        _ => WindowSize::MB2,
    };
    let mut encoder = Encoder::new(window).with_strategy(strategy);
    bytes.chunks(MAX_CHUNK_SIZE).map(|chunk| encoder.encode_chunk(chunk)).collect()
}

/// The first three bits of a block, in words of two bytes; in the first block after the bit that says whether calls in
/// programs are translated.
fn kind(block: &[u8], is_first: bool) -> u16 {
    u16::from_le_bytes([block[0], block[1]]) >> (if is_first { 12 } else { 13 }) & 7
}

/// The cabinet format's checksum: words of four bytes, least significant first; the rest the other way round.
fn checksum(bytes: &[u8], seed: u32) -> u32 {
    let words = bytes.chunks_exact(4);
    let rest = words.remainder().iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).fold(seed ^ rest, |a, b| a ^ b)
}
