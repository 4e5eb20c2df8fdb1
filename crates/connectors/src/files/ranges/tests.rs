//! Ranges of any length, read by any number of readers, against the same file cut from its start in one piece.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use arrow_schema::{DataType, Field, Schema};
use levada_core::batch::{Batch, Data};
use levada_testkit::rows::{self, Row};

use super::*;
use crate::files::chunks::{Chunker, Piece};
use crate::files::format::Format;
use crate::files::format::csv::{CsvCutter, Dialect, FileColumns, Parser};
use crate::files::place::changed;
use crate::files::settings::CsvSettings;

/// A file in memory; a read waits until as many are under way as shall be at once, or nobody else comes.
struct Memory {
    bytes: Vec<u8>,
    together: usize,
    inside: AtomicUsize,
    most: AtomicUsize,
    fails_at: Option<u64>,
}

impl Memory {
    fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), together: 0, inside: 0.into(), most: 0.into(), fails_at: None }
    }
}

impl RandomRead for Memory {
    fn name(&self) -> &str {
        "t.csv"
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.fails_at.is_some_and(|at| offset >= at) {
            return Err(changed("t.csv"));
        }
        self.most.fetch_max(self.inside.fetch_add(1, SeqCst) + 1, SeqCst);
        let start = Instant::now();
        while self.most.load(SeqCst) < self.together && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        buffer.copy_from_slice(&self.bytes[offset as usize..offset as usize + buffer.len()]);
        self.inside.fetch_sub(1, SeqCst);
        Ok(())
    }
}

/// What one range became: its first line, rows and rejects.
type Made = (u64, Vec<Row>, Vec<String>);

const RULES: Rules = Rules { delimiter: b',', quote: Some(b'"') };

fn ranges(file: Memory, step: usize, record_bytes_max: usize, rules: Rules) -> Ranges {
    let limits = Limits { chunk_bytes: step, record_bytes_max };
    Ranges::new(Arc::new(file), rules, limits, Start { offset: 0, line: 1 })
}

fn parser(record_bytes_max: usize) -> Parser {
    let schema = Schema::new(vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Int64, true)]);
    let dialect = Dialect::new(Format::Csv, &CsvSettings::default());
    Parser::new(Arc::new(schema), vec![false, false], dialect, record_bytes_max).unwrap()
}

fn columns() -> FileColumns {
    let names = vec!["a".to_owned(), "b".to_owned()];
    FileColumns { file: "t.csv".to_owned(), names, slots: vec![Some(0), Some(1)], constants: Vec::new() }
}

fn told(line: u64, batch: Batch) -> Made {
    let Data::Arrow(data) = batch.data else { panic!("raw") };
    let rejects = batch.rejects.iter().map(|reject| format!("{} {}", reject.reason, reject.row));
    (line, rows::of(&data), rejects.collect())
}

/// What each reader made, in its order.
fn read(ranges: &Ranges, readers: usize) -> Result<Vec<Vec<Made>>> {
    let one = || -> Result<Vec<Made>> {
        let (mut parser, columns, mut found) = (parser(ranges.limits.record_bytes_max), columns(), Vec::new());
        while let Some(records) = ranges.next()? {
            if let Some(too_long) = records.too_long {
                let reject = too_long.reject("t.csv", ranges.limits.record_bytes_max);
                found.push((too_long.line, Vec::new(), vec![format!("{} {}", reject.reason, reject.row)]));
            }
            if let Some(chunk) = records.chunk {
                found.push(told(chunk.line, parser.parse(&columns, &chunk)?));
            }
        }
        Ok(found)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..readers).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// What one reader makes of the whole file in one piece.
fn in_one_piece(bytes: &[u8], record_bytes_max: usize) -> Result<(Vec<Row>, Vec<String>)> {
    let limits = Limits { chunk_bytes: 1 << 20, record_bytes_max: 1 << 20 };
    let mut chunker = Chunker::new("t.csv", Box::new(std::io::Cursor::new(bytes.to_vec())), limits)?;
    chunker.set_cutter(CsvCutter::new(&Dialect::new(Format::Csv, &CsvSettings::default())));
    let mut parser = parser(record_bytes_max);
    let Some(Piece::Chunk(chunk)) = chunker.next()? else { return Ok(Default::default()) };
    let (_, rows, rejects) = told(1, parser.parse(&columns(), &chunk)?);
    assert!(chunker.next()?.is_none());
    Ok((rows, rejects))
}

/// A small generator, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Mostly CSV, with all that bends it: stray quotes, line ends of both kinds and in fields, broken rows, no UTF-8.
    fn csv(&mut self) -> Vec<u8> {
        const PARTS: [&[u8]; 16] = [
            b"a",
            b"word",
            b",",
            b"\n",
            b"\r\n",
            b"\"",
            b"\"\"",
            b"\",\"",
            b"x,1\n",
            b"\"y\",2\r\n",
            b"\"l\nm\",3\n",
            b"\"q\"\"r\n\",4\n",
            b"\xFF",
            "é".as_bytes(),
            b"z,\"5\"\n",
            b"\",6\n\"",
        ];
        let mut bytes: Vec<u8> =
            (0..5 + self.below(40)).flat_map(|_| PARTS[self.below(PARTS.len())]).copied().collect();
        if self.below(3) == 0 {
            // One that is over every limit, with quotes or without.
            let long = [&[b'w'; 150][..], &b"\n"[..self.below(2)], &[b'v'; 150]].concat();
            let at = self.below(bytes.len());
            bytes.splice(at..at, long);
        }
        bytes
    }
}

#[test]
fn any_ranges_and_any_number_of_readers_find_the_same_rows_and_rejects() {
    let (mut whole, mut open) = (0, 0);
    for seed in 1..=60_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let bytes = random.csv();
        let record_bytes_max = [1 << 20, 30, 9][random.below(3)];
        let expected = in_one_piece(&bytes, record_bytes_max);
        for step in 1..=bytes.len() {
            let readers = 1 + (seed as usize + step) % 8;
            let told = || format!("seed {seed} step {step} readers {readers} {:?}", String::from_utf8_lossy(&bytes));
            let found = read(&ranges(Memory::new(&bytes), step, record_bytes_max, RULES), readers);
            let Ok((rows, rejects)) = &expected else {
                let (expected, found) = (expected.as_ref().unwrap_err(), found.unwrap_err());
                assert_eq!(found.kind(), expected.kind(), "{}", told());
                open += 1;
                continue;
            };
            let found = found.unwrap_or_else(|error| panic!("{error} {}", told()));
            assert!(found.iter().all(|reader| reader.is_sorted_by(|a, b| a.0 < b.0)), "{found:?} {}", told());
            let mut found: Vec<Made> = found.into_iter().flatten().collect();
            found.sort_by_key(|(line, ..)| *line);
            let found_rows: Vec<Row> = found.iter().flat_map(|(_, rows, _)| rows.clone()).collect();
            assert_eq!(found_rows, *rows, "{}", told());
            let mut found_rejects: Vec<String> = found.into_iter().flat_map(|(.., rejects)| rejects).collect();
            let mut rejects = rejects.clone();
            found_rejects.sort();
            rejects.sort();
            assert_eq!(found_rejects, rejects, "{}", told());
            whole += 1;
        }
    }
    assert!(whole > 2000 && open > 500, "both kinds of files: {whole} {open}");
}

#[test]
fn lines_are_cut_at_every_byte_without_regard_to_quotes() {
    let bytes = b"{\"a\":\"x\"}\n{\"a\":\"\\\"\"}\r\n\n{\"a\":1}";
    for step in 1..=bytes.len() {
        for readers in 1..=8 {
            let ranges = ranges(Memory::new(bytes), step, 1 << 20, Rules { delimiter: b',', quote: None });
            let mut found: Vec<(u64, Vec<u8>)> = std::thread::scope(|scope| {
                let one =
                    || std::iter::from_fn(|| ranges.next().unwrap()).filter_map(|it| it.chunk).collect::<Vec<_>>();
                let threads: Vec<_> = (0..readers).map(|_| scope.spawn(one)).collect();
                let chunks = threads.into_iter().flat_map(|thread| thread.join().unwrap());
                chunks.map(|chunk| (chunk.line, chunk.bytes().to_vec())).collect()
            });
            found.sort();
            assert_eq!(found.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>(), bytes);
            for (at, (line, chunk)) in found.iter().enumerate() {
                assert!(chunk.ends_with(b"\n") || at + 1 == found.len(), "{step} {readers}");
                let before: Vec<u8> = found[..at].iter().flat_map(|(_, bytes)| bytes.clone()).collect();
                assert_eq!(*line, 1 + newlines(&before), "{step} {readers}");
            }
        }
    }
}

#[test]
fn readers_fetch_at_the_same_time_and_share_the_work() {
    let bytes: Vec<u8> = (0..4000).flat_map(|n| format!("\"text, {n}\",{n}\n").into_bytes()).collect();
    let file = Arc::new(Memory { together: 4, ..Memory::new(&bytes) });
    let limits = Limits { chunk_bytes: 1000, record_bytes_max: 1 << 20 };
    let ranges = Ranges::new(file.clone(), RULES, limits, Start { offset: 0, line: 1 });
    let found = read(&ranges, 4).unwrap();
    assert_eq!(file.most.load(SeqCst), 4, "four ranges are fetched at once");
    assert!(found.iter().all(|reader| !reader.is_empty()), "each reader has a part");
    let rows: usize = found.iter().flatten().map(|(_, rows, _)| rows.len()).sum();
    assert_eq!((rows, found.iter().map(Vec::len).sum::<usize>()), (4000, bytes.len().div_ceil(1000)));
}

#[test]
fn a_failure_of_one_range_is_that_of_every_reader() {
    let bytes: Vec<u8> = (0..400).flat_map(|n| format!("a,{n}\n").into_bytes()).collect();
    for fails_at in [0, 500, 1500] {
        let ranges = ranges(Memory { fails_at: Some(fails_at), ..Memory::new(&bytes) }, 100, 1 << 20, RULES);
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let one = || loop {
                match ranges.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => return Some(error),
                }
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(outcomes.iter().any(Option::is_some));
        for error in outcomes.into_iter().flatten() {
            assert_eq!((error.kind(), error.message()), (ErrorKind::Busy, "`t.csv` changed while it was read"));
        }
    }
}

#[test]
fn what_is_never_closed_is_told_by_its_line() {
    let bytes = b"a,1\n\"b\nc\",2\n\"d,3\ne,4\n";
    for step in 1..=bytes.len() {
        let error = read(&ranges(Memory::new(bytes), step, 1 << 20, RULES), 2).unwrap_err();
        assert!(error.to_string().contains("line 4, has a quoted field that is never closed"), "{step} {error}");
    }
}
