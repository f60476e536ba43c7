//! Bytes of a file that came and are not written yet.

use bytes::Bytes;

/// Smaller pieces are put together. A piece keeps the whole buffer alive that it was received in, which is larger than a
/// small one by far.
const PIECE_MIN_BYTES: usize = 16 * 1024;

/// In the order in which they came: large pieces as they are, small ones put together.
#[derive(Default)]
pub(super) struct Waiting {
    pieces: Vec<Bytes>,
    /// What came since the last of the pieces.
    tail: Vec<u8>,
    len: usize,
}

impl Waiting {
    /// In bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn add(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if bytes.len() < PIECE_MIN_BYTES {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        if !self.tail.is_empty() {
            self.pieces.push(std::mem::take(&mut self.tail).into());
        }
        self.pieces.push(bytes);
    }

    /// All of them, none of them empty.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let tail = Some(self.tail.as_slice()).filter(|tail| !tail.is_empty());
        self.pieces.iter().map(Bytes::as_ref).chain(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_stay_in_their_order_and_small_ones_are_put_together() {
        let content: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let mut waiting = Waiting::default();
        let mut rest = Bytes::from(content.clone());
        for len in [1, 2, 20_000, 16_384, 16_383, 5, 0, 60_000].into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            waiting.add(rest.split_to(len.min(rest.len())));
        }
        assert_eq!(waiting.len(), content.len());
        let pieces: Vec<&[u8]> = waiting.pieces().collect();
        assert_eq!(pieces.concat(), content);
        assert!(pieces.len() < 12 && pieces.iter().all(|piece| !piece.is_empty()), "{}", pieces.len());
        assert_eq!(Waiting::default().pieces().count(), 0);
    }
}
