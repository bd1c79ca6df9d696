//! A set of pieces.

use crate::piece::PieceIndex;

/// A set of piece indices below a fixed count, one bit each.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Bitfield {
    words: Vec<u64>,
    len: u32,
    ones: u32,
}

/// Bytes that are no bitfield of the expected length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bitfield of {got} bytes or with set bits past its end, for {pieces} pieces")]
pub struct BadBitfield {
    /// Bytes received.
    pub got: usize,
    /// Pieces of the share.
    pub pieces: u32,
}

impl Bitfield {
    /// The empty set of pieces below `len`.
    pub fn new(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(64) as usize], len, ones: 0 }
    }

    /// All pieces below `len`.
    pub fn full(len: u32) -> Self {
        let mut words = vec![u64::MAX; len.div_ceil(64) as usize];
        if let (Some(last), true) = (words.last_mut(), !len.is_multiple_of(64)) {
            *last = (1 << (len % 64)) - 1;
        }
        Self { words, len, ones: len }
    }

    /// How many pieces there can be.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there can be no piece at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many pieces are in the set.
    pub fn count(&self) -> u32 {
        self.ones
    }

    /// Whether every piece is in the set.
    pub fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// Whether `piece` is in the set; false past the end.
    pub fn contains(&self, piece: PieceIndex) -> bool {
        self.words.get(piece.0 as usize / 64).is_some_and(|word| word >> (piece.0 % 64) & 1 == 1)
    }

    /// Adds a piece; true if it was not there. Past the end nothing is added.
    pub fn insert(&mut self, piece: PieceIndex) -> bool {
        if piece.0 >= self.len || self.contains(piece) {
            return false;
        }
        self.words[piece.0 as usize / 64] |= 1 << (piece.0 % 64);
        self.ones += 1;
        true
    }

    /// Removes a piece; true if it was there.
    pub fn remove(&mut self, piece: PieceIndex) -> bool {
        if !self.contains(piece) {
            return false;
        }
        self.words[piece.0 as usize / 64] &= !(1 << (piece.0 % 64));
        self.ones -= 1;
        true
    }

    /// The pieces in the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(PieceIndex(i as u32 * 64 + bit))
            })
        })
    }

    /// The first piece at or after `from` that is in this set and not in `except`.
    pub fn next_not_in(&self, except: &Self, from: u32) -> Option<PieceIndex> {
        let mut index = from as usize / 64;
        let mut mask = u64::MAX << (from % 64);
        while index < self.words.len() {
            let word = self.words[index] & !except.words.get(index).copied().unwrap_or(0) & mask;
            if word != 0 {
                return Some(PieceIndex(index as u32 * 64 + word.trailing_zeros()));
            }
            mask = u64::MAX;
            index += 1;
        }
        None
    }

    /// The pieces that are in this set and not in `other`, in order.
    pub fn iter_not_in<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = PieceIndex> + 'a {
        let mut from = 0;
        std::iter::from_fn(move || {
            let piece = self.next_not_in(other, from)?;
            from = piece.0 + 1;
            Some(piece)
        })
    }

    /// How many pieces are in this set and not in `other`.
    pub fn count_not_in(&self, other: &Self) -> u32 {
        let others = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words.iter().zip(others).map(|(word, other)| (word & !other).count_ones()).sum()
    }

    /// Whether this set holds a piece that `other` does not.
    pub fn has_any_not_in(&self, other: &Self) -> bool {
        self.next_not_in(other, 0).is_some()
    }

    /// Adds all pieces of another set; those past our end are left out.
    pub fn add_all(&mut self, other: &Self) {
        let last = self.words.len().wrapping_sub(1);
        for (i, (word, theirs)) in self.words.iter_mut().zip(&other.words).enumerate() {
            *word |= theirs;
            if i == last && !self.len.is_multiple_of(64) {
                *word &= (1 << (self.len % 64)) - 1;
            }
        }
        self.ones = self.words.iter().map(|word| word.count_ones()).sum();
    }

    /// The pieces of both sets.
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.add_all(other);
        union
    }

    /// The wire form: bit `i` is bit `i % 8` of byte `i / 8`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(self.len.div_ceil(8) as usize);
        bytes
    }

    /// Reads the wire form for a share of `len` pieces.
    pub fn from_bytes(bytes: &[u8], len: u32) -> Result<Self, BadBitfield> {
        let bad = BadBitfield { got: bytes.len(), pieces: len };
        if bytes.len() != len.div_ceil(8) as usize {
            return Err(bad);
        }
        let words: Vec<u64> = bytes
            .chunks(8)
            .map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            })
            .collect();
        if !len.is_multiple_of(64) && words.last().is_some_and(|last| last >> (len % 64) != 0) {
            return Err(bad);
        }
        let ones = words.iter().map(|word| word.count_ones()).sum();
        Ok(Self { words, len, ones })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_set(len in 0u32..300, steps in proptest::collection::vec((0u32..310, any::<bool>()), 0..200)) {
            let mut bits = Bitfield::new(len);
            let mut set = BTreeSet::new();
            for (index, add) in steps {
                if add {
                    prop_assert_eq!(bits.insert(PieceIndex(index)), index < len && set.insert(index));
                } else {
                    prop_assert_eq!(bits.remove(PieceIndex(index)), set.remove(&index));
                }
            }
            prop_assert_eq!(bits.count() as usize, set.len());
            prop_assert_eq!(bits.iter().map(|p| p.0).collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(Bitfield::from_bytes(&bits.to_bytes(), len), Ok(bits.clone()));
            let full = Bitfield::full(len);
            let mut missing = (0..len).filter(|i| !set.contains(i));
            let from = len / 3;
            prop_assert_eq!(full.next_not_in(&bits, from).map(|p| p.0), missing.find(|&i| i >= from));
            let mut all = bits.clone();
            all.add_all(&Bitfield::full(from));
            let expected: Vec<u32> = (0..len).filter(|i| *i < from || set.contains(i)).collect();
            prop_assert_eq!(all.iter().map(|p| p.0).collect::<Vec<_>>(), expected);
            prop_assert_eq!(all.count() as usize, all.iter().count());
            prop_assert_eq!(bits.union(&Bitfield::full(len + 70)), full.clone());
            prop_assert_eq!(full.has_any_not_in(&bits), set.len() < len as usize);
        }
    }

    #[test]
    fn wrong_lengths_and_bits_past_the_end_are_refused() {
        assert!(Bitfield::from_bytes(&[0, 0], 8).is_err());
        assert!(Bitfield::from_bytes(&[0b1000_0000], 7).is_err());
        assert!(Bitfield::from_bytes(&[0b0100_0000], 7).is_ok());
        assert!(Bitfield::from_bytes(&[], 0).unwrap().is_full());
    }
}
