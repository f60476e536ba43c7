//! The cabinet around a large update document: one folder, one file, UTF-16LE inside.
//!
//! Reads stored, MSZIP and LZX cabinets from memory and writes MSZIP ones. The member is called `blob` by real
//! servers; any single name is accepted. What a cabinet declares is checked before anything is unpacked, and the
//! limit holds while unpacking too, because a declaration may lie.

mod header;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use header::Header;

/// Name of the member we write.
const MEMBER: &str = "blob";
/// Bytes handed over at once while packing.
const STEP_BYTES: usize = 64 * 1024;

/// Why a cabinet was refused.
#[derive(Debug, thiserror::Error)]
pub enum CabinetError {
    #[error("it is not a cabinet")]
    NotACabinet,
    #[error("the cabinet is cut off")]
    CutOff,
    #[error("the cabinet has {folders} folders and {files} files instead of one of each")]
    NotSingle { folders: u16, files: u16 },
    #[error("the cabinet is part of a set of several")]
    PartOfASet,
    #[error("the cabinet is compressed in a way we do not know ({code:#06x})")]
    UnknownCompression { code: u16 },
    #[error("the file in the cabinet does not start at the beginning of its folder")]
    BadOffset,
    #[error("the cabinet expands to more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the cabinet cannot be unpacked: {reason}")]
    Damaged { reason: String },
    #[error("the cabinet holds {actual} bytes and declares {declared}")]
    WrongSize { declared: u64, actual: u64 },
    #[error("the text in the cabinet is not UTF-16")]
    NotUtf16,
    #[error("the cabinet could not be written: {reason}")]
    Write { reason: String },
}

/// Unpacks the document of a cabinet. `limit` bounds the unpacked bytes (UTF-16, about twice the characters).
/// Bytes after the cabinet's declared end are ignored.
///
/// # Errors
/// Every [`CabinetError`] but `Write`.
pub fn decode(cabinet: &[u8], limit: usize) -> Result<String, CabinetError> {
    let header = Header::read(cabinet)?;
    if u64::from(header.size) > limit as u64 {
        return Err(CabinetError::TooLarge { limit });
    }
    // The unpacking code is not ours and has internal checks that panic on some damaged input. It works on memory
    // that is dropped afterwards, so a panic in it is contained here and becomes an error like the others.
    let unpacked =
        catch_unwind(AssertUnwindSafe(|| unpack(cabinet, &header, limit))).unwrap_or_else(|_| {
            Err(CabinetError::Damaged { reason: "its compressed data is not valid".into() })
        })?;
    utf16_text(&unpacked)
}

/// Packs a document as an MSZIP cabinet with the member `blob` in UTF-16LE, without byte order mark.
///
/// # Errors
/// [`CabinetError::Write`], for a document beyond what a cabinet can hold (about 2 GB).
pub fn encode_mszip(text: &str) -> Result<Vec<u8>, CabinetError> {
    let failed = |error: std::io::Error| CabinetError::Write { reason: error.to_string() };
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file(MEMBER);
    let mut writer = builder.build(Cursor::new(Vec::new())).map_err(failed)?;
    while let Some(mut member) = writer.next_file().map_err(failed)? {
        let mut step = Vec::with_capacity(STEP_BYTES);
        for unit in text.encode_utf16() {
            step.extend_from_slice(&unit.to_le_bytes());
            if step.len() >= STEP_BYTES {
                member.write_all(&step).map_err(failed)?;
                step.clear();
            }
        }
        member.write_all(&step).map_err(failed)?;
    }
    Ok(writer.finish().map_err(failed)?.into_inner())
}

fn unpack(cabinet: &[u8], header: &Header, limit: usize) -> Result<Vec<u8>, CabinetError> {
    let damaged = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => CabinetError::CutOff,
        _ => CabinetError::Damaged { reason: error.to_string() },
    };
    let mut archive = cab::Cabinet::new(Cursor::new(cabinet)).map_err(damaged)?;
    let name = archive
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .map(|file| file.name().to_owned())
        .next()
        .ok_or(CabinetError::NotACabinet)?;
    let mut member = archive.read_file(&name).map_err(damaged)?;
    // One byte more than declared, so that the end is seen without growing.
    let mut unpacked = Vec::with_capacity(header.size as usize + 1);
    member.by_ref().take(limit as u64 + 1).read_to_end(&mut unpacked).map_err(damaged)?;
    if unpacked.len() > limit {
        return Err(CabinetError::TooLarge { limit });
    }
    let (declared, actual) = (u64::from(header.size), unpacked.len() as u64);
    if declared != actual {
        return Err(CabinetError::WrongSize { declared, actual });
    }
    Ok(unpacked)
}

/// UTF-16LE with or without byte order mark.
fn utf16_text(bytes: &[u8]) -> Result<String, CabinetError> {
    let bytes = bytes.strip_prefix(&[0xff, 0xfe]).unwrap_or(bytes);
    let text = encoding_rs::UTF_16LE.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(Cow::into_owned).ok_or(CabinetError::NotUtf16)
}
