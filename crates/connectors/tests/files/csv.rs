//! CSV as it is found: quotes, NULLs, line ends, broken rows, encodings, compression, and types told from the text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::batch::Data;
use levada_core::error::ErrorKind;
use levada_core::source::{ReadMode, ReadRequest};
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row, row};
use serde_json::json;

use super::{connect, drain, folder, open, read_all, source, stream, types};

#[tokio::test]
async fn quotes_mean_data_and_bare_empty_means_null() {
    let text =
        "\u{feff}a,b,\"c \"\"x\"\"\"\r\n\"\",,\"NULL\"\r\n\"1,2\",\"line\r\nend\",\"\"\"\"\r\n=cmd(),\"\\N\",5\" pipe";
    let folder = folder(&[("t.csv", text.as_bytes())]);
    let (stream, rows, rejects) = read_all(source(&folder, json!({})).as_ref(), "t.csv").await;
    let names: Vec<_> = stream.schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["a", "b", "c \"x\""]);
    let mut expected = vec![
        row(&[Some(""), None, Some("NULL")]),
        row(&[Some("1,2"), Some("line\r\nend"), Some("\"")]),
        row(&[Some("=cmd()"), Some("\\N"), Some("5\" pipe")]),
    ];
    expected.sort();
    assert_eq!((rows, rejects), (expected, vec![]));
}

#[tokio::test]
async fn a_null_text_can_be_chosen() {
    let folder = folder(&[("t.csv", b"a,b\n\\N,\"\\N\"\n,x\n")]);
    let (_, rows, _) = read_all(source(&folder, json!({ "csv": { "null": "\\N" } })).as_ref(), "t.csv").await;
    assert_eq!(rows, [row(&[None, Some("\\N")]), row(&[Some(""), Some("x")])]);
}

#[tokio::test]
async fn types_are_told_only_where_the_text_comes_back() {
    let text = "i,z,d,e,day,bad,at,zulu,yes,phone,none\n1,007,1.50,1e5,2024-02-29,2024-13-01,2024-01-01T00:00:00,2024-01-01T00:00:00Z,true,+49,\n\
                -2,1,-0.25,2,2024-03-01,2024-01-01,2024-01-01 10:00:00.5,2024-01-01T00:00:00.000001Z,false,1,\n";
    let folder = folder(&[("t.csv", text.as_bytes())]);
    let (stream, rows, rejects) = read_all(source(&folder, json!({})).as_ref(), "t.csv").await;
    let expected =
        ["int64", "text", "decimal(38,2)", "text", "date", "text", "timestamp", "timestamptz", "bool", "text", "text"];
    assert_eq!(types(&stream), expected);
    assert_eq!((rows.len(), rejects), (2, vec![]));
    assert_eq!(rows[1][1].as_deref(), Some("007"));
}

#[tokio::test]
async fn a_later_value_that_does_not_fit_a_told_type_is_a_reject() {
    let mut text = "id,zip\n".to_owned();
    for id in 0..40_000 {
        text.push_str(&format!("{id},{}\n", if id == 39_999 { "01234".to_owned() } else { (10_000 + id).to_string() }));
    }
    let folder = folder(&[("t.csv", text.as_bytes())]);
    let source = source(&folder, json!({ "sample": "64KB" }));
    let (stream, rows, rejects) = read_all(source.as_ref(), "t.csv").await;
    assert_eq!(types(&stream), ["int64", "int64"]);
    assert_eq!((rows.len(), rejects.len()), (39_999, 1));
    assert_eq!(rejects[0].column.as_deref(), Some("zip"));
    assert!(rejects[0].row.contains("\"01234\"") && rejects[0].reason.contains("line 40001"), "{rejects:?}");
    assert!(rejects[0].reason.contains("cast"), "{rejects:?}");
}

#[tokio::test]
async fn broken_rows_are_rejected_with_their_line() {
    let mut bytes = b"a,b\n1,x\n2\n3,y,z\n\n4,\"q\"r\n5,".to_vec();
    bytes.extend_from_slice(&[0xFF, b'\n', b'6', b',', b'\xC3', b'\xA9', b'\n']);
    let folder = folder(&[("t.csv", &bytes)]);
    let (_, rows, rejects) = read_all(source(&folder, json!({})).as_ref(), "t.csv").await;
    assert_eq!(rows, [row(&[Some("1"), Some("x")]), row(&[Some("6"), Some("é")])]);
    let reasons: Vec<_> = rejects.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    for (line, what) in [(3, "1 field where 2"), (4, "3 fields where 2"), (6, "closing quote"), (7, "not UTF-8")] {
        assert!(reasons.iter().any(|r| r.contains(&format!("line {line}:")) && r.contains(what)), "{line} {reasons:?}");
    }
}

#[tokio::test]
async fn latin1_is_read_where_it_is_declared() {
    let folder = folder(&[("t.csv", b"a,b\nM\xFCller,1\n")]);
    let (_, rows, _) = read_all(source(&folder, json!({ "csv": { "encoding": "latin1" } })).as_ref(), "t.csv").await;
    assert_eq!(rows, [row(&[Some("Müller"), Some("1")])]);
}

#[tokio::test]
async fn a_quote_that_is_never_closed_fails_the_read() {
    let folder = folder(&[("t.csv", b"a,b\n1,\"x\n2,y\n")]);
    let source = source(&folder, json!({}));
    let error = source.discover(Some("t.csv")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("never closed") && error.to_string().contains("t.csv"), "{error}");
}

#[tokio::test]
async fn carriage_returns_alone_and_utf16_are_named() {
    let folder = folder(&[("mac.csv", b"a,b\r1,2\r"), ("wide.csv", b"\xFF\xFEa\0,\0")]);
    let source = source(&folder, json!({}));
    assert!(source.discover(Some("mac.csv")).await.unwrap_err().to_string().contains("CR alone"));
    assert!(source.discover(Some("wide.csv")).await.unwrap_err().to_string().contains("UTF-16"));
}

#[tokio::test]
async fn a_record_over_the_limit_is_rejected_and_the_rest_goes_on() {
    let mut text = "id,t\n1,a\n2,\"".to_owned();
    text.push_str(&"long\n".repeat(100_000));
    text.push_str("\"\n3,c\n");
    let folder = folder(&[("t.csv", text.as_bytes())]);
    let source = source(&folder, json!({ "record_max": "100KB" }));
    let (_, rows, rejects) = read_all(source.as_ref(), "t.csv").await;
    assert_eq!(rows, [row(&[Some("1"), Some("a")]), row(&[Some("3"), Some("c")])]);
    assert_eq!(rejects.len(), 1);
    assert!(rejects[0].reason.contains("record_max") && rejects[0].reason.contains("line 3"), "{rejects:?}");
}

#[tokio::test]
async fn dialects_and_compression() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"1;'a;''b'\n2;c\n").unwrap();
    let zstd = zstd::encode_all(&b"1;x\n"[..], 3).unwrap();
    let folder = folder(&[("t-1.csv.gz", &gzip.finish().unwrap()), ("t-2.csv.zst", &zstd)]);
    let settings = json!({ "csv": { "delimiter": ";", "quote": "'", "header": false } });
    let (stream, rows, _) = read_all(source(&folder, settings).as_ref(), "t-*").await;
    assert_eq!(stream.schema.field(0).name(), "column_1");
    assert_eq!(rows, [row(&[Some("1"), Some("a;'b")]), row(&[Some("1"), Some("x")]), row(&[Some("2"), Some("c")])]);
}

#[tokio::test]
async fn any_type_can_be_asked_for() {
    let folder = folder(&[("t.csv", b"a,b,c\n1,2.5,2024-01-01\n007,1e2,\n")]);
    let source = source(&folder, json!({}));
    let stream = stream(source.as_ref(), "t.csv").await;
    let columns = Arc::new(Schema::new(vec![
        Field::new("b", DataType::Float64, true),
        Field::new("c", DataType::Date32, true),
        Field::new("a", DataType::Int32, true),
    ]));
    let request = ReadRequest {
        stream,
        columns,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: 1 << 20,
    };
    let (rows, rejects) = drain(source.read(request).await.unwrap()).await.unwrap();
    assert_eq!(rows, [row(&[Some("100"), None, Some("7")]), row(&[Some("2.5"), Some("2024-01-01"), Some("1")])]);
    assert!(rejects.is_empty());
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

    fn value(&mut self) -> Option<String> {
        const PARTS: [&str; 12] = [",", "\"", "\n", "\r\n", "\r", "a", "é😀", " ", "\\.", "NULL", "12", "\t"];
        if self.below(6) == 0 {
            return None;
        }
        Some((0..self.below(6)).map(|_| PARTS[self.below(PARTS.len())]).collect())
    }
}

#[tokio::test]
async fn random_tables_read_back_as_they_were_under_random_chunk_sizes() {
    for seed in 1..=40_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let width = 1 + random.below(4);
        let fields = (0..width).map(|c| Field::new(format!("c \"{c}\","), DataType::Utf8, true)).collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        let count = random.below(3000);
        let mut table: Vec<Row> = (0..count).map(|_| (0..width).map(|_| random.value()).collect()).collect();
        let folder = folder(&[]);
        let ending = ["csv", "tsv", "csv.gz", "csv.zst"][random.below(4)];
        let settings = json!({ "root": folder.path().join(format!("t.{ending}")), "settle_ms": 0 });
        let target = connect(settings.clone()).unwrap().destination().unwrap();
        let job = Job::new(None, "t");
        pump::load(target.as_ref(), &job, &schema, &[rows::batch(&schema, &table)]).await.unwrap();
        // Without the manifest the file speaks for itself.
        std::fs::remove_dir_all(folder.path().join("_levada")).unwrap();
        let source = connect(settings).unwrap().source().unwrap();
        let mut stream = stream(source.as_ref(), &format!("t.{ending}")).await;
        stream.schema = schema;
        let extract = open(source.as_ref(), &stream, ReadMode::Full, 64 << 10).await.unwrap();
        let (found, rejects) = drain(extract).await.unwrap();
        table.sort();
        assert_eq!(rejects, [], "seed {seed}");
        assert_eq!(found, table, "seed {seed}");
    }
}

#[tokio::test]
async fn one_big_file_is_shared_by_the_readers() {
    let mut text = "id,t\n".to_owned();
    (0..200_000).for_each(|id| text.push_str(&format!("{id},\"text, {id}\"\n")));
    let folder = folder(&[("t.csv", text.as_bytes())]);
    let source = source(&folder, json!({}));
    let stream = stream(source.as_ref(), "t.csv").await;
    let extract = open(source.as_ref(), &stream, ReadMode::Full, 256 << 10).await.unwrap();
    assert_eq!(extract.readers.len(), 3);
    let (mut total, mut batches) = (0, 0);
    for mut reader in extract.readers {
        while let Some(batch) = reader.next().await.unwrap() {
            let Data::Arrow(data) = batch.data else { panic!() };
            total += data.num_rows();
            batches += 1;
        }
    }
    assert!(batches > 10, "{batches}");
    assert_eq!(total, 200_000);
}
