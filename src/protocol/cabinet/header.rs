//! The fixed fields of a cabinet, read before anything is unpacked. Source: the cabinet format's CFHEADER,
//! CFFOLDER and CFFILE.

use super::CabinetError;

const SIGNATURE: &[u8] = b"MSCF";
const FILE_TABLE_AT: usize = 16;
const COUNTS_AT: usize = 26;
const FLAGS_AT: usize = 30;
const FIXED_LEN: usize = 36;
const FLAG_PREVIOUS: u16 = 1;
const FLAG_NEXT: u16 = 2;
const FLAG_RESERVE: u16 = 4;
/// Places inside a folder entry: number of data blocks, compression word.
const BLOCKS_AT: usize = 4;
const COMPRESSION_AT: usize = 6;
/// Bytes before the data of a block: checksum, packed size, unpacked size.
const BLOCK_LEN: usize = 8;
const COMPRESSION_KIND: u16 = 0x000f;
const STORED: u16 = 0;
const MSZIP: u16 = 1;
const LZX: u16 = 3;

/// What a cabinet says about its only member.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// Declared bytes of the member, unpacked.
    pub size: u32,
}

impl Header {
    /// # Errors
    /// `NotACabinet`, `CutOff`, `NotSingle`, `PartOfASet`, `UnknownCompression`, `BadOffset`, `WrongSize`.
    pub fn read(cabinet: &[u8]) -> Result<Self, CabinetError> {
        match cabinet.get(..SIGNATURE.len()) {
            Some(SIGNATURE) => {}
            Some(_) => return Err(CabinetError::NotACabinet),
            None => return Err(CabinetError::CutOff),
        }
        let (folders, files) = (word(cabinet, COUNTS_AT)?, word(cabinet, COUNTS_AT + 2)?);
        if (folders, files) != (1, 1) {
            return Err(CabinetError::NotSingle { folders, files });
        }
        let flags = word(cabinet, FLAGS_AT)?;
        if flags & (FLAG_PREVIOUS | FLAG_NEXT) != 0 {
            return Err(CabinetError::PartOfASet);
        }
        let (mut folder_at, mut block_reserve) = (FIXED_LEN, 0);
        if flags & FLAG_RESERVE != 0 {
            // Header reserve size (2 bytes), folder and data reserve sizes (1 byte each), then the reserve itself.
            folder_at += 4 + usize::from(word(cabinet, FIXED_LEN)?);
            block_reserve = usize::from(word(cabinet, FIXED_LEN + 2)? >> 8);
        }
        let code = word(cabinet, folder_at + COMPRESSION_AT)?;
        if !matches!(code & COMPRESSION_KIND, STORED | MSZIP | LZX) {
            return Err(CabinetError::UnknownCompression { code });
        }
        let file_at = double_word(cabinet, FILE_TABLE_AT)? as usize;
        let size = double_word(cabinet, file_at)?;
        let offset = double_word(cabinet, file_at.saturating_add(4))?;
        if offset != 0 {
            return Err(CabinetError::BadOffset);
        }
        let unpacked = unpacked_len(cabinet, folder_at, block_reserve)?;
        if unpacked != u64::from(size) {
            return Err(CabinetError::WrongSize { declared: u64::from(size), actual: unpacked });
        }
        Ok(Self { size })
    }
}

/// Adds up what the data blocks say they unpack to; the decoder holds each block to its word.
fn unpacked_len(cabinet: &[u8], folder_at: usize, block_reserve: usize) -> Result<u64, CabinetError> {
    let mut at = double_word(cabinet, folder_at)? as usize;
    let mut total = 0;
    for _ in 0..word(cabinet, folder_at + BLOCKS_AT)? {
        let packed = usize::from(word(cabinet, at.saturating_add(4))?);
        total += u64::from(word(cabinet, at.saturating_add(6))?);
        at = at.saturating_add(BLOCK_LEN + block_reserve + packed);
        if at > cabinet.len() {
            return Err(CabinetError::CutOff);
        }
    }
    Ok(total)
}

fn word(bytes: &[u8], at: usize) -> Result<u16, CabinetError> {
    let pair = bytes.get(at..at.saturating_add(2)).ok_or(CabinetError::CutOff)?;
    Ok(u16::from_le_bytes([pair[0], pair[1]]))
}

fn double_word(bytes: &[u8], at: usize) -> Result<u32, CabinetError> {
    let four = bytes.get(at..at.saturating_add(4)).ok_or(CabinetError::CutOff)?;
    Ok(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}
