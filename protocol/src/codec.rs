//! Reading and writing of binary formats: fixed-width little-endian integers, byte strings with a
//! length before them. Every length is checked against what is there and against the caller's limit
//! before anything is allocated.

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the data ends too early")]
    Truncated,
    /// There are bytes after the end.
    #[error("there is data after the end")]
    Trailing,
    /// A length, count or number is larger than allowed.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A tag or version that this version does not know.
    #[error("unknown {what} {value}")]
    Unknown {
        /// What was read.
        what: &'static str,
        /// Its value.
        value: u8,
    },
    /// Text that is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
}

/// Reads from the front of a byte slice.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses bytes after the end.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        Ok(self.take(N)?.try_into().expect("take gives what was asked for"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count of things of which each takes at least `each` bytes.
    pub(crate) fn count(
        &mut self,
        what: &'static str,
        max: u32,
        each: usize,
    ) -> Result<u32, DecodeError> {
        let count = self.u32()?;
        if count > max {
            return Err(DecodeError::OutOfRange(what));
        }
        if (count as usize).saturating_mul(each) > self.0.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(count)
    }

    /// Text with a 16-bit length before it.
    pub(crate) fn text(&mut self, what: &'static str, max: usize) -> Result<&'a str, DecodeError> {
        let len = usize::from(self.u16()?);
        if len > max {
            return Err(DecodeError::OutOfRange(what));
        }
        std::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::NotUtf8(what))
    }
}

/// Appends to a byte vector.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// A count that the caller keeps below 2^32.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.u32(u32::try_from(count).expect("counts are bounded far below 2^32"))
    }

    /// Text that the caller keeps below 64 KiB.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.u16(u16::try_from(text.len()).expect("texts are bounded below 64 KiB"))
            .bytes(text.as_bytes())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
