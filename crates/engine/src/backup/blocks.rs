//! Counts the rows of an Avro file by its blocks, and hashes every byte on the way. Nothing is unpacked: a block begins with the
//! number of its rows (Avro specification, "Object Container Files").

use std::io::Read;

use sha2::{Digest, Sha256};

use super::manifest::hex;

const MAGIC: [u8; 4] = *b"Obj\x01";
const SYNC: usize = 16;
/// What is read at once.
const PIECE: usize = 256 << 10;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The rows of its blocks, where it is an Avro file.
    pub rows: Option<u64>,
}

/// Reads a file to its end. `is_avro` says whether its blocks are counted; the hash is also told of one that is cut off, which
/// then has no rows.
///
/// # Errors
/// What reading failed with.
pub fn contents(reader: Box<dyn Read + Send>, is_avro: bool) -> std::io::Result<Contents> {
    let mut hashed = Hashed { reader, hash: Sha256::new(), bytes: 0 };
    let rows = if is_avro { rows(&mut hashed)? } else { None };
    hashed.skip(u64::MAX)?;
    Ok(Contents { bytes: hashed.bytes, sha256: hex(&hashed.hash.finalize()), rows })
}

/// A reader that hashes what is read.
struct Hashed {
    reader: Box<dyn Read + Send>,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    /// Fills the buffer; false at an end before.
    fn fill(&mut self, buffer: &mut [u8]) -> std::io::Result<bool> {
        let mut done = 0;
        while done < buffer.len() {
            match self.reader.read(&mut buffer[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.hash.update(&buffer[..done]);
        self.bytes += done as u64;
        Ok(done == buffer.len())
    }

    /// Passes over bytes; false where there are not as many.
    fn skip(&mut self, mut bytes: u64) -> std::io::Result<bool> {
        let mut piece = vec![0; PIECE];
        while bytes > 0 {
            let take = usize::try_from(bytes).unwrap_or(PIECE).min(PIECE);
            if !self.fill(&mut piece[..take])? {
                return Ok(false);
            }
            bytes -= take as u64;
        }
        Ok(true)
    }

    /// A number in the variable-length form; `None` at the end, and for one that is too long.
    fn long(&mut self) -> std::io::Result<Option<i64>> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            if !self.fill(&mut byte)? {
                return Ok(None);
            }
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(Some((number >> 1) as i64 ^ -((number & 1) as i64)));
            }
        }
        Ok(None)
    }

    /// A length in the variable-length form.
    fn length(&mut self) -> std::io::Result<Option<u64>> {
        Ok(self.long()?.and_then(|length| u64::try_from(length).ok()))
    }

    /// Passes over what begins with its length.
    fn skip_counted(&mut self) -> std::io::Result<bool> {
        match self.length()? {
            Some(length) => self.skip(length),
            None => Ok(false),
        }
    }
}

/// The rows of all blocks; `None` where the file is no whole container.
fn rows(file: &mut Hashed) -> std::io::Result<Option<u64>> {
    let mut magic = [0; MAGIC.len()];
    if !file.fill(&mut magic)? || magic != MAGIC {
        return Ok(None);
    }
    // the metadata: groups of pairs, up to one of none; a negative number is followed by the length of the group
    loop {
        let Some(pairs) = file.long()? else { return Ok(None) };
        if pairs == 0 {
            break;
        }
        if pairs < 0 && file.length()?.is_none() {
            return Ok(None);
        }
        for _ in 0..pairs.unsigned_abs() {
            if !file.skip_counted()? || !file.skip_counted()? {
                return Ok(None);
            }
        }
    }
    let mut sync = [0; SYNC];
    if !file.fill(&mut sync)? {
        return Ok(None);
    }
    let mut rows = 0_u64;
    loop {
        let before = file.bytes;
        let Some(count) = file.length()? else {
            return Ok((file.bytes == before).then_some(rows));
        };
        let mut mark = [0; SYNC];
        if !file.skip_counted()? || !file.fill(&mut mark)? || mark != sync {
            return Ok(None);
        }
        rows = rows.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn count(bytes: &[u8]) -> Option<u64> {
        contents(Box::new(std::io::Cursor::new(bytes.to_vec())), true).unwrap().rows
    }

    #[test]
    fn only_whole_files_have_rows() {
        // no metadata, a mark of zeros, and two blocks of 3 and 64 rows
        let mut file = b"Obj\x01\x00".to_vec();
        file.extend([0; SYNC]);
        file.extend([6, 4, 1, 2]);
        file.extend([0; SYNC]);
        let first = file.len();
        file.extend([0x80, 0x01, 2, 9]);
        file.extend([0; SYNC]);
        assert_eq!(count(&file), Some(67));
        for end in 0..file.len() {
            let whole = [5 + SYNC, first].contains(&end);
            assert_eq!(count(&file[..end]).is_some(), whole, "cut after {end} bytes");
        }
        file[first + 6] ^= 1;
        assert_eq!(count(&file), None);
    }
}
