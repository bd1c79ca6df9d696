//! Chat: lines of text that members say to the room.
//!
//! A line is signed by its author's device key over the room and all that is in it, so it is worth the
//! same whoever passes it on, and nothing in another room. Which line it is follows from the author, the
//! stay and the sequence: the two tabs of one browser have one key, and a tab that was loaded again starts
//! counting anew. Times are by the author's clock.

use crate::codec::{DecodeError, Reader, Writer};
use crate::identity::{BadSignature, DeviceKey, PublicKey, Signature};
use crate::message::MAX_NAME_BYTES;
use crate::signaling::RoomId;

const SIGN: &str = "shoal v1 author signs a line of chat";
/// The most text in one line, in bytes. What is longer is better shared as a file.
pub const MAX_LINE_BYTES: usize = 16 << 10;

/// Something that a member said to the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who said it.
    pub author: PublicKey,
    /// When the author said the first line of its stay, in milliseconds since 1970, times 2^16, and a random
    /// number below that: so later ones are larger, and two tabs do not meet.
    pub stay: u64,
    /// Counts the author's lines of one stay, from 0.
    pub sequence: u64,
    /// When it was said, in milliseconds since 1970.
    pub sent_ms: u64,
    /// What the author called itself; a label, as long as nobody knows the key.
    pub name: String,
    /// What was said: at least one byte, at most [`MAX_LINE_BYTES`]. It may have line breaks.
    pub text: String,
    /// By the author.
    pub signature: Signature,
}

/// Why something cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// There is no text.
    #[error("there is nothing to say; write something first")]
    Empty,
    /// It is longer than [`MAX_LINE_BYTES`].
    #[error("that is too long for chat; share it as a file")]
    TooLong,
    /// The policy switches chat off.
    #[error("chat is switched off; switch it on in the settings")]
    Off,
    /// Others would not take so much.
    #[error("that is too much at once; wait a moment and say it again")]
    TooFast,
}

impl Line {
    /// Signs a line for a room; its signature is set by that.
    pub fn sign(mut self, room: RoomId, key: &DeviceKey) -> Self {
        self.author = key.public();
        self.signature = key.sign(SIGN, &self.signed_part(room));
        self
    }

    /// Whether its author said it in this room.
    pub fn verify(&self, room: RoomId) -> Result<(), BadSignature> {
        self.author.verify(SIGN, &self.signed_part(room), &self.signature)
    }

    fn signed_part(&self, room: RoomId) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&room.0);
        self.write_word(&mut w);
        w.finish()
    }

    fn write_word(&self, w: &mut Writer) {
        w.u64(self.stay).u64(self.sequence).u64(self.sent_ms).text(&self.name).text(&self.text);
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(&self.author.0);
        self.write_word(w);
        w.bytes(&self.signature.0);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let line = Self {
            author: PublicKey(r.array()?),
            stay: r.u64()?,
            sequence: r.u64()?,
            sent_ms: r.u64()?,
            name: r.text("name length", MAX_NAME_BYTES)?.to_owned(),
            text: r.text("line length", MAX_LINE_BYTES)?.to_owned(),
            signature: Signature(r.array()?),
        };
        if line.text.is_empty() {
            return Err(DecodeError::OutOfRange("line length"));
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let key = DeviceKey::from_bytes([2; 32]);
        let (name, text, signature) = ("Ada".into(), text.into(), Signature([0; 64]));
        Line { author: key.public(), stay: 3, sequence: 4, sent_ms: 5, name, text, signature }
            .sign(RoomId([1; 16]), &key)
    }

    #[test]
    fn a_line_holds_only_as_it_was_signed() {
        let room = RoomId([1; 16]);
        let said = line("hello");
        assert_eq!(said.verify(room), Ok(()));
        assert_eq!(said.verify(RoomId([9; 16])), Err(BadSignature), "another room");
        let other = DeviceKey::from_bytes([9; 32]).public();
        for changed in [
            Line { author: other, ..said.clone() },
            Line { stay: 9, ..said.clone() },
            Line { sequence: 9, ..said.clone() },
            Line { sent_ms: 9, ..said.clone() },
            Line { name: "Bob".into(), ..said.clone() },
            Line { text: "hellO".into(), ..said.clone() },
            // What is the name's and what is the text's is signed too.
            Line { name: "Adah".into(), text: "ello".into(), ..said.clone() },
        ] {
            assert_eq!(changed.verify(room), Err(BadSignature), "{changed:?}");
        }
    }

    #[test]
    fn lines_without_text_or_with_too_much_do_not_decode() {
        let read = |text: &str| {
            let mut w = Writer::new();
            line(text).write(&mut w);
            Line::read(&mut Reader::new(&w.finish())).map(|line| line.text)
        };
        let longest = "x".repeat(MAX_LINE_BYTES);
        assert_eq!(read(&longest), Ok(longest.clone()));
        for text in [String::new(), longest + "x"] {
            assert_eq!(read(&text), Err(DecodeError::OutOfRange("line length")));
        }
    }
}
