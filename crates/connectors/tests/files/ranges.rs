//! Big text files that several readers read in ranges: the same rows and rejects as from a compressed copy, which only one can
//! read, on a disk and in a bucket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::{Data, Reject};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::{Extract, ReadMode, ReadRequest, Source};
use levada_testkit::rows::{self, Row, row};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};

use super::{connect, folder, source, stream};

/// What one reader made of its part: rows and rejects in their order.
type Part = (Vec<Row>, Vec<Reject>);

fn texts(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
}

async fn opened(source: &dyn Source, name: &str, schema: &SchemaRef, readers: usize) -> Extract {
    let mut stream = stream(source, name).await;
    stream.schema = schema.clone();
    let (columns, mode) = (schema.clone(), ReadMode::Full);
    let request =
        ReadRequest { stream, columns, mode, raw: None, only: Vec::new(), limit: None, readers, batch_bytes: 64 << 10 };
    source.read(request).await.unwrap()
}

/// Drives all readers at once.
async fn together(extract: Extract) -> Result<Vec<Part>> {
    let parts = extract.readers.into_iter().map(|mut reader| {
        tokio::spawn(async move {
            let mut part = Part::default();
            while let Some(batch) = reader.next().await? {
                part.1.extend(batch.rejects);
                let Data::Arrow(data) = batch.data else { panic!("raw") };
                part.0.extend(rows::of(&data));
            }
            Ok::<Part, Error>(part)
        })
    });
    let mut found = Vec::new();
    for part in parts.collect::<Vec<_>>() {
        found.push(part.await.unwrap()?);
    }
    Ok(found)
}

/// All rows by the number in their first column, and all rejects; the file's name is left out of their reasons.
fn all(parts: Vec<Part>) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    for (part, broken) in parts {
        assert!(part.is_sorted_by_key(number), "each reader keeps the order of the file");
        rows.extend(part);
        let reason = |reject: &Reject| reject.reason.split_once(" line ").unwrap().1.to_owned();
        rejects.extend(broken.iter().map(|reject| format!("{} {}", reason(reject), reject.row)));
    }
    rows.sort_by_key(number);
    rejects.sort();
    (rows, rejects)
}

fn number(row: &Row) -> u64 {
    row[0].as_deref().unwrap().parse().unwrap()
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

    /// Some 700 KB of numbered rows; some are broken, and some values are longer than a range.
    fn csv(&mut self) -> Vec<u8> {
        const PARTS: [&str; 11] =
            ["a", "word ", "\"\"", ",", "\n", "\r\n", "é😀", "\n\n", ",\"\"", "\"\"\n", "x,\"\",y"];
        let ending = ["\n", "\r\n"][self.below(2)];
        let mut bytes = format!("n,text,more{ending}").into_bytes();
        let mut count = 0;
        while bytes.len() < 700_000 {
            let mut quoted = String::new();
            let parts = if self.below(400) == 0 { 60_000 } else { self.below(12) };
            (0..parts).for_each(|_| quoted.push_str(PARTS[self.below(PARTS.len())]));
            let more = ["", "5\" pipe", "\"\"", "\"q\"r", "x,too many", "bare"][self.below(6)];
            bytes.extend(format!("{count},\"{quoted}\",{more}").into_bytes());
            if self.below(50) == 0 {
                bytes.push(0xFF);
            }
            bytes.extend(ending.as_bytes());
            count += 1;
        }
        bytes
    }
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_on_disk_is_the_same_for_any_number_of_readers() {
    let schema = texts(&["n", "text", "more"]);
    for seed in 1..=4_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let bytes = random.csv();
        let folder = folder(&[("t.csv", &bytes), ("z.csv.gz", &zipped(&bytes))]);
        // The last one takes every byte for a letter; for the others, rows that are not UTF-8 are bad.
        let (limit, encoding) = (["64MB", "100KB"][seed as usize % 2], if seed == 4 { "latin1" } else { "utf8" });
        let settings = json!({ "record_max": limit, "csv": { "encoding": encoding } });
        let source = source(&folder, settings);
        let expected = all(together(opened(source.as_ref(), "z.csv.gz", &schema, 1).await).await.unwrap());
        assert!(!expected.0.is_empty() && !expected.1.is_empty());
        for readers in 1..=8 {
            let parts = together(opened(source.as_ref(), "t.csv", &schema, readers).await).await.unwrap();
            assert_eq!(parts.len(), readers);
            assert!(all(parts) == expected, "seed {seed}, {readers} readers");
        }
    }
}

/// A connection to a folder of its own in the bucket, and what puts objects there.
fn bucket(name: &str) -> (Arc<dyn Source>, impl ObjectStore, String) {
    let url = url::Url::parse(&levada_testkit::services::s3()).unwrap();
    let mut settings = levada_connectors::registry().get("files").unwrap().settings_from_url(&url).unwrap();
    let text = |key: &str, settings: &Value| settings[key].as_str().unwrap_or_default().to_owned();
    let root = text("root", &settings);
    let root = root.strip_prefix("s3://").unwrap();
    let (bucket, prefix) = root.split_once('/').unwrap_or((root, ""));
    let prefix = format!("{}/{name}-{}", prefix.trim_matches('/'), std::process::id());
    let prefix = prefix.trim_matches('/').to_owned();
    let store = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_endpoint(text("endpoint", &settings))
        .with_region(settings["region"].as_str().unwrap_or("us-east-1"))
        .with_access_key_id(text("access_key", &settings))
        .with_secret_access_key(text("secret_key", &settings))
        .with_allow_http(true)
        .build()
        .unwrap();
    settings["root"] = format!("s3://{bucket}/{prefix}").into();
    (connect(settings).unwrap().source().unwrap(), store, prefix)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_in_a_bucket_is_the_same_for_any_number_of_readers() {
    let schema = texts(&["n", "text", "more"]);
    let (source, store, prefix) = bucket("ranges");
    let bytes = Random(0x5EED_5EED).csv();
    let put = async |name: &str, bytes: Vec<u8>| store.put(&Path::from(format!("{prefix}/{name}")), bytes.into()).await;
    put("t.csv", bytes.clone()).await.unwrap();
    put("z.csv.gz", zipped(&bytes)).await.unwrap();
    let expected = all(together(opened(source.as_ref(), "z.csv.gz", &schema, 1).await).await.unwrap());
    for readers in 1..=8 {
        let parts = together(opened(source.as_ref(), "t.csv", &schema, readers).await).await.unwrap();
        assert!(all(parts) == expected, "{readers} readers");
    }
    // One that takes its place while it is read is noticed, whatever its length.
    for replaced in [bytes.clone(), bytes[1..].to_vec(), [&bytes[..], b"1,x,y\n"].concat()] {
        put("t.csv", bytes.clone()).await.unwrap();
        let mut extract = opened(source.as_ref(), "t.csv", &schema, 2).await;
        assert!(extract.readers[0].next().await.unwrap().is_some());
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        put("t.csv", replaced.iter().rev().copied().collect()).await.unwrap();
        let Err(error) = together(extract).await else { panic!("not noticed") };
        assert!(error.kind() == ErrorKind::Busy && error.to_string().contains("changed while it was read"), "{error}");
    }
    for name in ["t.csv", "z.csv.gz"] {
        store.delete(&Path::from(format!("{prefix}/{name}"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_on_disk_that_changes_between_ranges_fails_the_read() {
    let bytes: Vec<u8> = (0..60_000).flat_map(|n| format!("{n},x,y\n").into_bytes()).collect();
    let schema = texts(&["column_1", "column_2", "column_3"]);
    for change in ["longer", "shorter", "the same length"] {
        let folder = folder(&[("t.csv", &bytes)]);
        let source = source(&folder, json!({ "csv": { "header": false } }));
        let mut extract = opened(source.as_ref(), "t.csv", &schema, 3).await;
        assert!(extract.readers[0].next().await.unwrap().is_some());
        let mut file = std::fs::File::options().write(true).open(folder.path().join("t.csv")).unwrap();
        match change {
            "longer" => file.set_len(bytes.len() as u64 + 1).unwrap(),
            "shorter" => file.set_len(bytes.len() as u64 - 1).unwrap(),
            _ => file.write_all(b"9").unwrap(),
        }
        let Err(error) = together(extract).await else { panic!("not noticed") };
        assert!(error.kind() == ErrorKind::Busy && error.to_string().contains("`t.csv` changed"), "{change}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_row_of_many_ranges_is_one_row_or_one_reject() {
    let mut text = "n,text\n".to_owned();
    (0..20_000).for_each(|n| text.push_str(&format!("{n},small\n")));
    let long = "l\"\"ong, and so on and on and on\n".repeat(50 << 15);
    text.push_str(&format!("20000,\"{long}\"\n"));
    (20_001..40_000).for_each(|n| text.push_str(&format!("{n},small\n")));
    let folder = folder(&[("t.csv", text.as_bytes())]);
    let schema = texts(&["n", "text"]);
    let parts = together(opened(source(&folder, json!({})).as_ref(), "t.csv", &schema, 4).await).await.unwrap();
    let (rows, rejects) = all(parts);
    assert_eq!((rows.len(), rejects.len()), (40_000, 0));
    assert!(rows[20_000][1].as_deref() == Some(&long.replace("\"\"", "\"")));
    let source = source(&folder, json!({ "record_max": "10MB" }));
    let (rows, rejects) = all(together(opened(source.as_ref(), "t.csv", &schema, 4).await).await.unwrap());
    assert_eq!((rows.len(), rejects.len()), (39_999, 1));
    assert!(rejects[0].starts_with("20002: the record is longer than 10485760 bytes (`record_max`)"), "{rejects:?}");
    assert_eq!(rows[20_000], row(&[Some("20001"), Some("small")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn columns_are_told_by_position_where_the_header_is_absent_or_ignored() {
    let bare: String = (0..30_000).map(|n| format!("{n},v{n}\n")).collect();
    let headed = format!("\u{feff}\"some\nheader\",x\r\n{bare}");
    let folder = folder(&[("bare.csv", bare.as_bytes()), ("headed.csv", headed.as_bytes()), ("one.csv", b"a\n1\n")]);
    for (name, header) in [("bare.csv", false), ("headed.csv", true)] {
        let source = source(&folder, json!({ "csv": { "header": header, "columns": ["n", "v"] } }));
        assert_eq!(super::types(&stream(source.as_ref(), name).await), ["int64", "text"]);
        // By their names, whatever the order.
        let schema = texts(&["n", "v"]);
        let (rows, rejects) = all(together(opened(source.as_ref(), name, &schema, 4).await).await.unwrap());
        assert!(rejects.is_empty() && rows.len() == 30_000);
        assert_eq!(rows[29_999], row(&[Some("29999"), Some("v29999")]));
    }
    let mismatch = source(&folder, json!({ "csv": { "columns": ["n", "v"] } }));
    let error = mismatch.discover(Some("one.csv")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("the header names 1, and `csv.columns` 2 columns"), "{error}");
    let twice = connect(json!({ "root": "x", "csv": { "columns": ["n", "n"] } })).err().unwrap();
    assert!(twice.kind() == ErrorKind::Config && twice.to_string().contains("name 2 of `csv.columns`"), "{twice}");
}

#[tokio::test]
async fn what_is_for_reading_only_is_not_written_with() {
    use levada_testkit::pump::{self, Job};
    let folder = folder(&[]);
    let schema = texts(&["n"]);
    for (csv, said) in [(json!({ "columns": ["n"] }), "csv.columns"), (json!({ "encoding": "latin1" }), "csv.encoding")]
    {
        let settings = json!({ "root": folder.path(), "format": "csv", "csv": csv });
        let target = connect(settings).unwrap().destination().unwrap();
        let batches = [rows::batch(&schema, &[row(&[Some("ü")])])];
        let error = pump::load(target.as_ref(), &Job::new(None, "t"), &schema, &batches).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains(said), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}
