//! Logs of attempts: what is written can be read from anywhere, also while it is written and after a crash.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use levada_core::redact::Redactor;
use levada_core::time::{Clock, Timestamp};
use levada_engine::log::{Budget, Filter, Level, LogReader, Stream, TaskLog};

pub struct SystemTime;

impl Clock for SystemTime {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
    }
}

fn log(path: &Path) -> TaskLog {
    TaskLog::new(path, Arc::new(Redactor::new(["hunter22"]).unwrap()), Arc::new(SystemTime))
}

fn texts(lines: &[levada_engine::log::LogLine]) -> Vec<String> {
    lines.iter().map(|line| line.text.clone()).collect()
}

#[test]
fn any_range_of_a_long_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/7/load.1.log");
    let (log, reader) = (log(&path), LogReader::new(&path));
    assert_eq!(reader.lines(0, 10).unwrap(), []);
    let mut out = log.stream(Stream::Out);
    for batch in 0..50u32 {
        let text: String = (0..100).map(|n| format!("line {}\n", batch * 100 + n)).collect();
        out.push(text.as_bytes(), |_| ()).unwrap();
    }
    log.close().unwrap();

    assert_eq!(fs::metadata(path.with_extension("log.idx")).unwrap().len(), 4 * 16);
    assert_eq!(reader.count().unwrap(), 5000);
    for from in [0, 1, 999, 1000, 1001, 3500, 4999] {
        let lines = reader.lines(from, 3).unwrap();
        assert_eq!(lines[0].text, format!("line {from}"));
        assert_eq!((lines[0].number, lines[0].stream), (from, Stream::Out));
        assert_eq!(lines.len(), 3.min(5000 - usize::try_from(from).unwrap()));
    }
    assert_eq!(texts(&reader.tail(2).unwrap()), ["line 4998", "line 4999"]);
    assert_eq!(reader.lines(5000, 3).unwrap(), []);
}

#[test]
fn a_worker_that_was_killed_leaves_a_log_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.1.log");
    let first = log(&path);
    let text: String = (0..2500).map(|n| format!("{n}\n")).collect();
    first.stream(Stream::Out).push(text.as_bytes(), |_| ()).unwrap();
    first.close().unwrap();
    // Half a line and half an entry, as a crash leaves them.
    let append =
        |path: &Path, bytes: &[u8]| OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    append(&path, b"2026-11-21T10:00:00Z out cut o");
    append(&path.with_extension("log.idx"), &[0xFF; 7]);
    assert_eq!(LogReader::new(&path).count().unwrap(), 2500);

    let second = log(&path);
    let text: String = (0..2000).map(|n| format!("again {n}\n")).collect();
    second.stream(Stream::Err).push(text.as_bytes(), |_| ()).unwrap();
    second.close().unwrap();
    let reader = LogReader::new(&path);
    assert_eq!(reader.count().unwrap(), 4501);
    assert_eq!(texts(&reader.lines(2499, 3).unwrap()), ["2499", "cut o", "again 0"]);
    assert_eq!(texts(&reader.lines(4400, 1).unwrap()), ["again 1899"]);
}

#[tokio::test]
async fn a_follower_sees_lines_soon_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.1.log");
    let (log, reader) = (log(&path), LogReader::new(&path));
    let mut cursor = reader.follow(0).unwrap();
    let mut out = log.stream(Stream::Out);
    out.push(b"one\ntw", |_| ()).unwrap();
    assert_eq!(cursor.page(10).unwrap(), []);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(texts(&cursor.page(10).unwrap()), ["one"]);
    out.push(b"o\n", |_| ()).unwrap();
    log.sys("told at once");
    assert_eq!(texts(&cursor.page(10).unwrap()), ["two", "told at once"]);
    assert_eq!(cursor.page(10).unwrap(), []);
}

#[test]
fn garbage_long_lines_and_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.1.log");
    let log = log(&path);
    let mut out = log.stream(Stream::Out);
    out.push(b"\xff\xfe\0 hunter22\r\n\n", |_| ()).unwrap();
    out.push(&[b'x'; 200_000], |_| ()).unwrap();
    out.push(b"hunt", |_| ()).unwrap();
    out.push(b"er22", |_| ()).unwrap();
    out.end(|_| ());
    log.sys("hunter22\nin two lines");
    log.close().unwrap();
    let lines = texts(&LogReader::new(&path).lines(0, 100).unwrap());
    assert_eq!(lines[..2], ["\u{FFFD}\u{FFFD}\0 ***".to_owned(), String::new()]);
    assert!(lines.iter().all(|line| line.len() <= 70_000));
    assert_eq!(lines[2..lines.len() - 2].concat(), format!("{}***", "x".repeat(200_000)));
    assert_eq!(lines[lines.len() - 2..], ["***", "in two lines"]);
}

#[test]
fn output_has_a_limit_and_a_full_disk_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log_of_limit = log(&folder.path().join("a.log"));
    log_of_limit.limit_output(10);
    let mut out = log_of_limit.stream(Stream::Out);
    out.push(b"12345678\n", |_| ()).unwrap();
    let error = out.push(b"more", |_| ()).unwrap_err().to_string();
    assert_eq!(error, "wrote more than 10 bytes of output. Let it write less, or raise `output` of the command.");

    let full = log(Path::new("/dev/full"));
    full.sys("lost");
    assert_eq!(full.close().unwrap_err().kind(), levada_core::error::ErrorKind::Full);
}

/// 4,500 lines of program output, every 900th a warning, and an error on the standard error in the middle.
fn written(path: &Path) -> LogReader {
    let log = log(path);
    for n in 0..4500u32 {
        match n {
            2250 => log.stream(Stream::Err).push("ERROR no Größe left\n".as_bytes(), |_| ()).unwrap(),
            n if n % 900 == 0 => log.stream(Stream::Out).push(b"WARN slow\n", |_| ()).unwrap(),
            n => log.stream(Stream::Out).push(format!("line {n}\n").as_bytes(), |_| ()).unwrap(),
        }
    }
    log.close().unwrap();
    LogReader::new(path)
}

fn numbers(lines: &[levada_engine::log::LogLine]) -> Vec<u64> {
    lines.iter().map(|line| line.number).collect()
}

#[test]
fn what_is_looked_for_comes_in_pages_that_join() {
    let folder = tempfile::tempdir().unwrap();
    let reader = written(&folder.path().join("load.1.log"));
    let filter = Filter { level: Level::Warn, ..Filter::default() };
    // with little to read at a time most pages are empty, and still lead on
    for (count, budget) in [(1000, Budget::default()), (2, Budget::default()), (1000, Budget::of(3000))] {
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let page = reader.search(from, count, &filter, budget).unwrap();
            assert!(page.is_end || page.next > from);
            found.extend(numbers(&page.lines));
            from = page.next;
            if page.is_end {
                break;
            }
        }
        assert_eq!(found, [0, 900, 1800, 2250, 2700, 3600]);
        assert_eq!(from, 4500);
    }
    assert_eq!(reader.search(0, 10, &filter, Budget::of(3000)).unwrap().lines.len(), 1);
    assert!(reader.search(1, 10, &filter, Budget::of(3000)).unwrap().lines.is_empty());
}

#[test]
fn lines_are_told_by_stream_level_and_text() {
    let folder = tempfile::tempdir().unwrap();
    let reader = written(&folder.path().join("load.1.log"));
    let found = |filter: Filter| numbers(&reader.search(0, 1000, &filter, Budget::default()).unwrap().lines);
    assert_eq!(found(Filter { stream: Some(Stream::Err), ..Filter::default() }), [2250]);
    assert_eq!(found(Filter { stream: Some(Stream::Sys), ..Filter::default() }), [0; 0]);
    assert_eq!(found(Filter { level: Level::Error, ..Filter::default() }), [2250]);
    assert_eq!(found(Filter::default().containing(Some("gRÖSSE"))), [0; 0]);
    assert_eq!(found(Filter::default().containing(Some("GRÖßE"))), [2250]);
    assert_eq!(found(Filter::default().containing(Some("LINE 44")))[..3], [44, 440, 441]);
    let both = Filter { level: Level::Warn, stream: Some(Stream::Out), ..Filter::default() }.containing(Some("s"));
    assert_eq!(found(both), [0, 900, 1800, 2700, 3600]);
    assert_eq!(found(Filter::default().containing(Some("line .*"))), [0; 0]);
}

#[test]
fn the_newest_lines_are_found_from_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let reader = written(&folder.path().join("load.1.log"));
    let filter = Filter { level: Level::Warn, ..Filter::default() };
    let mut budget = Budget::default();
    assert_eq!(numbers(&reader.newest(4, &filter, &mut budget).unwrap()), [3600, 2700, 2250, 1800]);
    assert_eq!(numbers(&reader.newest(100, &filter, &mut budget).unwrap()), [3600, 2700, 2250, 1800, 900, 0]);
    assert_eq!(numbers(&reader.newest(2, &Filter::default(), &mut budget).unwrap()), [4499, 4498]);
    assert!(!budget.is_spent());
    // the last line is among the few bytes that may be read
    let mut little = Budget::of(30_000);
    assert_eq!(numbers(&reader.newest(1, &Filter::default(), &mut little).unwrap()), [4499]);
    let none = LogReader::new(folder.path().join("none.log"));
    assert_eq!(none.newest(5, &Filter::default(), &mut budget).unwrap(), []);
}
