//! Avro's binary encoding of the primitive types, read from a piece of memory and never past its end.

use levada_core::error::Result;

use super::malformed;

/// A position in the bytes of a block.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How many bytes are behind it.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| malformed("a value is longer than its block"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A zigzag variable-length integer.
    pub(super) fn long(&mut self) -> Result<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.bytes.get(self.at) else { return Err(malformed("a value is longer than its block")) };
            self.at += 1;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                if shift == 63 && *byte > 1 {
                    break;
                }
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(malformed("an integer has more than 64 bits"))
    }

    /// An integer of 32 bits.
    pub(super) fn int(&mut self) -> Result<i32> {
        i32::try_from(self.long()?).map_err(|_| malformed("an `int` has more than 32 bits"))
    }

    /// A length and as many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.long()?).map_err(|_| malformed("a length is negative"))?;
        self.take(length)
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(malformed("a `boolean` is neither 0 nor 1")),
        }
    }

    pub(super) fn float(&mut self) -> Result<f32> {
        let bytes = self.take(4)?.try_into().unwrap_or_default();
        Ok(f32::from_le_bytes(bytes))
    }

    pub(super) fn double(&mut self) -> Result<f64> {
        let bytes = self.take(8)?.try_into().unwrap_or_default();
        Ok(f64::from_le_bytes(bytes))
    }

    /// An index into `length` branches or symbols.
    pub(super) fn index(&mut self, length: usize) -> Result<usize> {
        let index = usize::try_from(self.long()?).ok().filter(|index| *index < length);
        index.ok_or_else(|| malformed("a union branch or enum symbol is not in the schema"))
    }

    /// The head of the next block of an array or map: how many items, and their bytes if it says. `None` at the end.
    pub(super) fn items(&mut self) -> Result<Option<(u64, Option<usize>)>> {
        match self.long()? {
            0 => Ok(None),
            count if count > 0 => Ok(Some((count.unsigned_abs(), None))),
            count => {
                let bytes = usize::try_from(self.long()?).map_err(|_| malformed("a length is negative"))?;
                Ok(Some((count.unsigned_abs(), Some(bytes))))
            }
        }
    }
}

/// Appends a zigzag variable-length integer.
pub(super) fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length and the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}
