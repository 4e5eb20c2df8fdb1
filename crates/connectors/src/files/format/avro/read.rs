//! The file as blocks: its header, the blocks of a part found by the sync marker, and their rows as batches.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{Field, Schema, SchemaRef};
use levada_core::batch::Batch;
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Context, Result};
use memchr::memmem;

use super::super::fit::{BadRows, fit};
use super::super::{FileReader, RandomRead};
use super::codec::Codec;
use super::cursor::Cursor;
use super::decode::{decode, skip};
use super::field::{Column, columns};
use super::schema::Types;
use super::{BLOCK_BYTES_MAX, MAGIC, PART_BYTES, malformed};

/// A header that has not ended by then is none.
const HEADER_BYTES_MAX: u64 = 16 << 20;
/// What is read from the file at once.
const READ_BYTES: usize = 1 << 20;
const ROWS_MAX: usize = 65_536;
/// Rows without bytes are only their number; no honest block has more.
const EMPTY_ROWS_MAX: u64 = 100_000_000;

/// What stands before the first block.
pub(super) struct Header {
    types: Types,
    columns: Vec<Column>,
    codec: Codec,
    sync: [u8; 16],
    /// Where the first block starts.
    end: u64,
    /// The columns in the closed type set.
    pub(super) schema: SchemaRef,
}

impl Header {
    /// Reads the header.
    pub(super) fn load(file: &Arc<dyn RandomRead>) -> Result<Self> {
        let mut length = (64 << 10).min(file.len());
        loop {
            let mut bytes = vec![0; length as usize];
            file.read_at(0, &mut bytes)?;
            match Self::parse(&bytes) {
                Err(_) if length < file.len().min(HEADER_BYTES_MAX) && bytes.starts_with(MAGIC) => {
                    length = (length * 8).min(file.len()).min(HEADER_BYTES_MAX);
                }
                parsed => return parsed,
            }
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes, 0);
        if bytes.len() < 4 || cursor.take(4)? != MAGIC {
            return Err(malformed("it does not start with `Obj` and 1"));
        }
        let mut entries: HashMap<&[u8], &[u8]> = HashMap::new();
        while let Some((count, _)) = cursor.items()? {
            for _ in 0..count {
                let key = cursor.bytes()?;
                entries.insert(key, cursor.bytes()?);
            }
        }
        let sync = cursor.take(16)?.try_into().unwrap_or_default();
        let json = entries.get(b"avro.schema".as_slice()).ok_or_else(|| malformed("its header has no schema"))?;
        let types = Types::parse(json)?;
        let codec = entries.get(b"avro.codec".as_slice()).copied().unwrap_or(b"null");
        let codec = Codec::named(&String::from_utf8_lossy(codec))?;
        let columns = columns(&types);
        let fields: Vec<Field> = columns.iter().map(|column| column.field.clone()).collect();
        let end = cursor.at() as u64;
        Ok(Self { types, columns, codec, sync, end, schema: Arc::new(Schema::new(fields)) })
    }

    /// As if all blocks were like the first.
    pub(super) fn rows_estimate(&self, file: &Arc<dyn RandomRead>) -> Result<Option<u64>> {
        let left = file.len().saturating_sub(self.end);
        let mut head = vec![0; left.min(20) as usize];
        file.read_at(self.end, &mut head)?;
        let mut cursor = Cursor::new(&head, 0);
        let (Ok(count), Ok(size)) = (cursor.long(), cursor.long()) else { return Ok((left == 0).then_some(0)) };
        let block = size.max(0).unsigned_abs().saturating_add(cursor.at() as u64 + 16);
        let rows = u128::from(count.max(0).unsigned_abs()) * u128::from(left) / u128::from(block);
        Ok(u64::try_from(rows).ok())
    }
}

/// The file read forwards through a buffer.
struct Input {
    file: Arc<dyn RandomRead>,
    /// Where `buffer` starts in the file.
    start: u64,
    buffer: Vec<u8>,
}

impl Input {
    /// At least `length` bytes from a place that never lies before an earlier one; fewer only at the end of the file.
    fn at(&mut self, place: u64, length: usize) -> Result<&[u8]> {
        let length = length.min(usize::try_from(self.file.len().saturating_sub(place)).unwrap_or(usize::MAX));
        let have = (self.start + self.buffer.len() as u64).saturating_sub(place);
        if have < length as u64 {
            if have == 0 {
                self.buffer.clear();
            } else {
                self.buffer.drain(..(place - self.start) as usize);
            }
            self.start = place;
            let from = place + have;
            let more = (length - have as usize).max(READ_BYTES).min((self.file.len() - from) as usize);
            let old = self.buffer.len();
            self.buffer.resize(old + more, 0);
            self.file.read_at(from, &mut self.buffer[old..])?;
        }
        let offset = (place - self.start) as usize;
        Ok(&self.buffer[offset.min(self.buffer.len())..])
    }
}

/// A block that is being decoded.
struct Block {
    content: Vec<u8>,
    at: usize,
    rows: u64,
}

/// Rows of some parts.
pub(super) struct Rows {
    header: Arc<Header>,
    wanted: SchemaRef,
    /// For each wanted column, its index among the file's columns.
    sources: Vec<Option<usize>>,
    /// For each column of the file, whether it is decoded.
    used: Vec<bool>,
    batch_bytes: usize,
    input: Input,
    /// Where the next block is expected, `None` until the first is found.
    next_block: Option<u64>,
    range: Range<u64>,
    block: Option<Block>,
}

impl Rows {
    pub(super) fn new(
        file: Arc<dyn RandomRead>,
        header: Arc<Header>,
        parts: Range<usize>,
        wanted: SchemaRef,
        batch_bytes: usize,
    ) -> Self {
        let mut by_name = BTreeMap::new();
        for (index, field) in header.schema.fields().iter().enumerate() {
            by_name.entry(field.name().as_str()).or_insert(index);
        }
        let sources: Vec<Option<usize>> =
            wanted.fields().iter().map(|field| by_name.get(field.name().as_str()).copied()).collect();
        let used = (0..header.columns.len()).map(|index| sources.contains(&Some(index))).collect();
        let place = |part: usize| (part as u64).saturating_mul(PART_BYTES).min(file.len());
        let range = place(parts.start)..place(parts.end);
        let next_block = (range.start <= header.end).then_some(header.end);
        let input = Input { file, start: 0, buffer: Vec::new() };
        Self { header, wanted, sources, used, batch_bytes, input, next_block, range, block: None }
    }

    /// The start of the first block of the range: behind the first sync marker whose block is whole.
    fn find_block(&mut self) -> Result<Option<u64>> {
        let finder = memmem::Finder::new(&self.header.sync).into_owned();
        let mut place = self.range.start.saturating_sub(16).max(self.header.end);
        loop {
            let bytes = self.input.at(place, READ_BYTES)?;
            let (length, found) = (bytes.len(), finder.find(bytes));
            match found {
                Some(at) => {
                    let start = place + at as u64 + 16;
                    if start >= self.range.start && (start >= self.input.file.len() || self.is_block(start)?) {
                        return Ok(Some(start));
                    }
                    place += at as u64 + 1;
                }
                None if length < READ_BYTES || place >= self.range.end => return Ok(None),
                None => place += length as u64 - 15,
            }
        }
    }

    /// Whether a block from here ends with the sync marker; the bytes of a value can look like one.
    fn is_block(&self, start: u64) -> Result<bool> {
        let file = &self.input.file;
        let mut head = vec![0; (file.len() - start).min(20) as usize];
        file.read_at(start, &mut head)?;
        let mut cursor = Cursor::new(&head, 0);
        let (Ok(_), Ok(size)) = (cursor.long(), cursor.long()) else { return Ok(false) };
        let end = u64::try_from(size).ok().and_then(|size| (start + cursor.at() as u64).checked_add(size));
        let Some(end) = end.filter(|end| end.saturating_add(16) <= file.len()) else { return Ok(false) };
        let mut sync = [0; 16];
        file.read_at(end, &mut sync)?;
        Ok(sync == self.header.sync)
    }

    /// Reads the next block of the range.
    fn read_block(&mut self) -> Result<bool> {
        let Some(start) = (match self.next_block {
            Some(start) => Some(start),
            None => self.find_block()?,
        }) else {
            self.next_block = Some(u64::MAX);
            return Ok(false);
        };
        self.next_block = Some(start);
        if start >= self.range.end || start >= self.input.file.len() {
            return Ok(false);
        }
        let left = self.input.file.len() - start;
        let mut cursor = Cursor::new(self.input.at(start, 20)?, 0);
        let (rows, size) = (cursor.long()?, cursor.long()?);
        let head = cursor.at();
        let (Ok(rows), Ok(size)) = (u64::try_from(rows), u64::try_from(size)) else {
            return Err(malformed("a block has a negative length"));
        };
        if size > left.saturating_sub(head as u64 + 16) {
            return Err(malformed("its last block is cut off"));
        }
        if size > BLOCK_BYTES_MAX {
            return Err(malformed(format!("a block has more than {} MiB", BLOCK_BYTES_MAX >> 20)));
        }
        let whole = head + size as usize + 16;
        let bytes = self.input.at(start, whole)?;
        if bytes[whole - 16..whole] != self.header.sync {
            return Err(malformed("a block does not end with the file's sync marker"));
        }
        let content = self.header.codec.unpack(&bytes[head..whole - 16])?.into_owned();
        if content.is_empty() && rows > EMPTY_ROWS_MAX {
            return Err(malformed(format!("a block without bytes declares {rows} rows")));
        }
        self.next_block = Some(start + whole as u64);
        self.block = Some(Block { content, at: 0, rows });
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<Batch>> {
        let mut builders = Vec::with_capacity(self.used.len());
        for (column, used) in self.header.columns.iter().zip(&self.used) {
            builders.push(if *used { Some(ColumnBuilder::new(column.field.data_type())?) } else { None });
        }
        let mut bad = BadRows::new();
        let (mut rows, mut bytes) = (0, 0);
        while rows < ROWS_MAX && bytes < self.batch_bytes {
            let Some(block) = self.block.as_mut().filter(|block| block.rows > 0) else {
                if let Some(block) = self.block.take().filter(|block| block.at < block.content.len()) {
                    return Err(malformed(format!(
                        "a block has {} bytes behind its last row",
                        block.content.len() - block.at
                    )));
                }
                if self.read_block()? {
                    continue;
                } else {
                    break;
                };
            };
            let mut cursor = Cursor::new(&block.content, block.at);
            for (column, to) in self.header.columns.iter().zip(&mut builders) {
                value(&self.header.types, column, &mut cursor, to.as_mut(), rows, &mut bad)?;
            }
            bytes += cursor.at() - block.at;
            block.at = cursor.at();
            block.rows -= 1;
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let decoded: Vec<Option<ArrayRef>> =
            builders.into_iter().map(|builder| builder.map(|mut builder| builder.finish())).collect();
        let found: Vec<Option<ArrayRef>> =
            self.sources.iter().map(|source| source.and_then(|index| decoded[index].clone())).collect();
        fit(&self.wanted, &found, rows, bad).map(Some)
    }
}

impl FileReader for Rows {
    fn next(&mut self) -> Result<Option<Batch>> {
        self.step().at(self.input.file.name())
    }
}

/// Decodes or skips one value of a column.
fn value(
    types: &Types,
    column: &Column,
    cursor: &mut Cursor<'_>,
    to: Option<&mut ColumnBuilder>,
    row: usize,
    bad: &mut BadRows,
) -> Result<()> {
    if let Some((null, branches)) = column.nullable
        && Some(cursor.index(branches)?) == null
    {
        if let Some(to) = to {
            to.push_null();
        }
        return Ok(());
    }
    let Some(to) = to else { return skip(types, column.value, cursor, 0) };
    if let Err(reason) = decode(types, column.value, cursor, to)? {
        to.push_null();
        bad.entry(row).or_insert_with(|| (column.field.name().clone(), reason));
    }
    Ok(())
}
