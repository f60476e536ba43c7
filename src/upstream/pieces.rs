//! The body of an answer as a reader that waits for its next piece.

use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// Pieces on their way from the network to the reader; each has at most some ten kilobytes.
const IN_TRANSIT_MAX: usize = 16;

/// Reads what comes through the channel, to the moment at which it closes. For blocking threads only.
pub(super) struct Pieces {
    coming: mpsc::Receiver<Bytes>,
    present: Bytes,
}

/// A channel and its reader.
pub(super) fn pieces() -> (mpsc::Sender<Bytes>, Pieces) {
    let (sender, coming) = mpsc::channel(IN_TRANSIT_MAX);
    (sender, Pieces { coming, present: Bytes::new() })
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.present.is_empty() {
            match self.coming.blocking_recv() {
                Some(piece) => self.present = piece,
                None => break,
            }
        }
        Ok(&self.present)
    }

    fn consume(&mut self, amount: usize) {
        self.present.advance(amount);
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let amount = self.fill_buf()?.read(buffer)?;
        self.consume(amount);
        Ok(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_as_one_text() {
        let (sender, mut reader) = pieces();
        for piece in ["one", "", " and", " two"] {
            sender.blocking_send(Bytes::from_static(piece.as_bytes())).unwrap();
        }
        drop(sender);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one and two");
    }
}
