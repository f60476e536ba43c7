//! Bytes of a file that came and are not written yet, and how they are written: past the page cache where that can be.
//!
//! What is copied into the page cache takes memory from the database beside us, is looked after by the kernel, and has to
//! be forced to the disk in the end. A large file is read again perhaps in days, so its blocks go straight to the disk.
//! For that a block begins in memory, and in the file, where the disk takes blocks.

use std::fs::File;
use std::io::{self, Write as _};

use bytes::{Buf as _, Bytes};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::statfs::{EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, fstatfs};

/// Bytes that are hashed and written together.
const BLOCK_BYTES: usize = 256 * 1024;
/// Every disk takes blocks that begin and end at multiples of this.
const STEP_BYTES: usize = 4096;

/// Bytes in one piece, at most so many as there is room for.
#[derive(Default)]
pub(super) struct Block {
    buffer: Vec<u8>,
    /// Where the bytes begin in the buffer.
    start: usize,
    room: usize,
}

impl Block {
    /// Makes room for bytes of a file from `at` on, of which there are `left`. The block ends where the next one can be
    /// written straight.
    pub fn begin(&mut self, at: u64, left: u64) {
        let room = BLOCK_BYTES - (at % STEP_BYTES as u64) as usize;
        self.room = usize::try_from(left).map_or(room, |left| left.min(room));
        self.buffer.clear();
        self.buffer.reserve_exact(self.room + STEP_BYTES);
        self.start = self.buffer.as_ptr().align_offset(STEP_BYTES).min(STEP_BYTES);
        self.buffer.resize(self.start, 0);
    }

    /// What waits.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Takes as many of these bytes as there is room for.
    pub fn take(&mut self, bytes: &mut Bytes) {
        let taken = bytes.len().min(self.room - self.bytes().len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        bytes.advance(taken);
    }

    /// Its bytes are written.
    pub fn clear(&mut self) {
        self.buffer.truncate(self.start);
    }
}

/// Whether blocks of this file may go straight to the disk: on file systems of which it is known that they lose nothing
/// by it.
pub(super) fn goes_straight(file: &File) -> bool {
    fstatfs(file).is_ok_and(|about| [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC].contains(&about.filesystem_type()))
}

/// Writes bytes at the end of a file that has `at` bytes and is open for appending. `straight`: as far as they begin and
/// end where the disk takes blocks, past the page cache; it is no longer set when the disk does not take them.
///
/// # Errors
/// The system's.
pub(super) fn write(mut file: &File, at: u64, bytes: &[u8], straight: &mut bool) -> io::Result<()> {
    let whole = bytes.len() - bytes.len() % STEP_BYTES;
    let mut left = bytes;
    if *straight && whole > 0 && at.is_multiple_of(STEP_BYTES as u64) {
        let written = match fcntl(file, FcntlArg::F_SETFL(OFlag::O_APPEND | OFlag::O_DIRECT)) {
            Ok(_) => write_straight(file, &bytes[..whole]),
            Err(_) => Ok(0), // this file system has no such way
        };
        fcntl(file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
        let written = written?;
        *straight = written == whole;
        left = &bytes[written..];
    }
    file.write_all(left)
}

/// How many of these bytes the disk took; not all when it wants them otherwise.
fn write_straight(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => written += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    /// Writes `content` in blocks as they come; all but the first begin and end at a step, or with the file.
    fn write_in_blocks(file: &File, mut at: u64, content: &[u8], straight: &mut bool) {
        let mut left = Bytes::copy_from_slice(content);
        let mut block = Block::default();
        while !left.is_empty() {
            block.begin(at, left.len() as u64);
            block.take(&mut left);
            write(file, at, block.bytes(), straight).unwrap();
            at += block.bytes().len() as u64;
            assert!(left.is_empty() || at.is_multiple_of(STEP_BYTES as u64), "a block ended at {at}");
            assert!(block.bytes().as_ptr().addr().is_multiple_of(STEP_BYTES));
            block.clear();
            assert!(block.bytes().is_empty());
        }
    }

    #[test]
    fn bytes_are_the_same_by_any_way_and_from_anywhere() {
        let content: Vec<u8> = (0..1_000_000_u32).map(|number| (number / 5) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        for (name, begins, is_straight) in
            [("a", 0, true), ("b", 5_001, true), ("c", 8_192, true), ("d", 0, false)]
        {
            let path = folder.path().join(name);
            std::fs::write(&path, &content[..begins]).unwrap();
            let file = OpenOptions::new().append(true).open(&path).unwrap();
            let mut straight = is_straight;
            write_in_blocks(&file, begins as u64, &content[begins..], &mut straight);
            assert!(std::fs::read(&path).unwrap() == content, "{name}");
            assert!(
                straight || !is_straight || !goes_straight(&file),
                "{name} was to go straight and did not"
            );
            let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL).unwrap());
            assert!(!flags.contains(OFlag::O_DIRECT), "who writes next need not know of steps");
        }
    }

    #[test]
    fn what_the_disk_does_not_take_straight_is_written_the_other_way() {
        let content: Vec<u8> = (0..3 * STEP_BYTES).map(|number| (number / 7) as u8).collect();
        let aligned = content.as_ptr().align_offset(STEP_BYTES);
        let odd = &content[aligned + 1..aligned + 1 + STEP_BYTES];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd");
        let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let mut straight = true;
        for at in [0, STEP_BYTES as u64] {
            write(&file, at, odd, &mut straight).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == [odd, odd].concat());
    }
}
