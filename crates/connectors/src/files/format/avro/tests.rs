//! What Avro files give back, the schemas they are written with, and what is made of files of others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::Batch;
use levada_core::error::{Error, ErrorKind};
use levada_core::schema::{Logical, NATIVE, timestamp, timestamp_utc};
use serde_json::json;

use super::super::samples::{Kept, Memory, arrow, columns, drain, everything, only, texts};
use super::super::{RandomRead, SelfDescribing};
use super::codec::Codec;
use super::cursor::{put_bytes, put_long};
use super::field::{encoded_name, file_schema};
use super::write::writer;
use super::{Avro, PART_BYTES};

const CODECS: [Codec; 4] = [Codec::Deflate, Codec::Zstandard, Codec::Snappy, Codec::Null];

fn written(batches: &[RecordBatch], codec: Codec) -> Arc<Memory> {
    let kept = Kept::default();
    let mut file = writer(kept.sink(), batches[0].schema(), codec).unwrap();
    for batch in batches {
        file.write(batch).unwrap();
    }
    assert!(file.size() > 0);
    file.finish().unwrap();
    Memory::new(kept.bytes())
}

/// A file as another program writes it, of blocks with their numbers of rows.
fn foreign(schema: &serde_json::Value, codec: &str, blocks: &[(i64, &[u8])]) -> Arc<Memory> {
    let mut bytes = b"Obj\x01".to_vec();
    put_long(&mut bytes, -2); // a negative count comes with the bytes of the entries
    let mut entries = Vec::new();
    put_bytes(&mut entries, b"avro.codec");
    put_bytes(&mut entries, codec.as_bytes());
    put_bytes(&mut entries, b"avro.schema");
    put_bytes(&mut entries, schema.to_string().as_bytes());
    put_long(&mut bytes, entries.len() as i64);
    bytes.extend_from_slice(&entries);
    put_long(&mut bytes, 0);
    bytes.extend_from_slice(&[7; 16]);
    for (rows, content) in blocks {
        put_long(&mut bytes, *rows);
        put_bytes(&mut bytes, content);
        bytes.extend_from_slice(&[7; 16]);
    }
    Memory::new(bytes)
}

fn schema(file: &Arc<Memory>) -> SchemaRef {
    Avro::load(file.clone()).unwrap().info().schema.clone()
}

fn read(file: &Arc<Memory>, wanted: SchemaRef) -> Vec<Batch> {
    drain(Avro::load(file.clone()).unwrap().open(0..usize::MAX, wanted, 4 << 20).unwrap())
}

fn failure(file: Arc<Memory>) -> Error {
    let file = match Avro::load(file) {
        Ok(file) => file,
        Err(error) => return error,
    };
    let mut reader = file.open(0..usize::MAX, file.info().schema.clone(), 4 << 20).unwrap();
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("read to its end"),
            Err(error) => return error,
        }
    }
}

#[test]
fn every_type_comes_back_with_its_values_and_its_origin() {
    let batch = everything();
    for compression in CODECS {
        let file = written(&[batch.clone(), batch.clone()], compression);
        let found = schema(&file);
        for (given, found) in batch.schema().fields().iter().zip(found.fields()) {
            assert_eq!(given.data_type(), found.data_type(), "{}", given.name());
            assert_eq!(
                (given.name(), Logical::of(given)),
                (found.name(), Logical::of(found).filter(|l| *l != Logical::Uuid || Logical::of(given).is_some()))
            );
            if let Some(native) = given.metadata().get(NATIVE) {
                assert_eq!(found.metadata().get(NATIVE), Some(native));
            }
        }
        let batches = read(&file, found);
        let twice = arrow_select::concat::concat_batches(&batch.schema(), [&batch, &batch]).unwrap();
        for (given, found) in twice.columns().iter().zip(columns(&batches[0]).columns()) {
            assert_eq!(texts(given), texts(found));
        }
    }
}

#[test]
fn the_schema_of_a_file_is_the_one_other_readers_know() {
    let fields = |fields: Vec<Field>| Schema::new(fields).fields().to_vec();
    let given = fields(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("User Id", DataType::UInt64, true),
        Field::new("price", DataType::Decimal128(10, 2), true),
        Field::new("at", timestamp(), true),
        Field::new("since", timestamp_utc(), false),
        Field::new("day", DataType::Date32, false),
        Field::new("key", DataType::FixedSizeBinary(16), false),
        Field::new("took", DataType::Duration(arrow_schema::TimeUnit::Microsecond), false),
    ]);
    let expected = json!({ "type": "record", "name": "Row", "fields": [
        { "name": "id", "type": "long" },
        { "name": "User_u20_Id",
          "type": ["null", { "type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0 }],
          "default": null, "levada:name": "User Id", "levada:type": "uint64" },
        { "name": "price",
          "type": ["null", { "type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2 }], "default": null },
        { "name": "at", "type": ["null", { "type": "long", "logicalType": "local-timestamp-micros" }], "default": null },
        { "name": "since", "type": { "type": "long", "logicalType": "timestamp-micros" } },
        { "name": "day", "type": { "type": "int", "logicalType": "date" } },
        { "name": "key", "type": { "type": "string", "logicalType": "uuid" } },
        { "name": "took", "type": "long", "levada:type": "duration" },
    ]});
    assert_eq!(file_schema(&given), expected);
}

#[test]
fn forbidden_names_are_encoded_so_that_different_ones_stay_different() {
    let names =
        ["a", "User Id", "User_Id", "User_u20_Id", "1st", "_u31_st", "größe", "a-b", "a_u", "", "_u_", "_", "😀"];
    let encoded: Vec<String> = names.iter().map(|name| encoded_name(name)).collect();
    let distinct: std::collections::BTreeSet<&String> = encoded.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{encoded:?}");
    for name in &encoded {
        assert!(
            name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
                && !name.starts_with(|c: char| c.is_ascii_digit())
        );
    }
    assert_eq!((encoded[0].as_str(), encoded[2].as_str(), encoded[4].as_str()), ("a", "User_Id", "_u31_st"));
}

#[test]
fn decimals_that_avro_has_no_word_for_are_text_and_come_back() {
    let decimals = Decimal128Array::from(vec![Some(-12), None]).with_precision_and_scale(10, -3).unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable([("d", Arc::new(decimals) as ArrayRef, true)]).unwrap();
    let file = written(std::slice::from_ref(&batch), Codec::Null);
    let batches = read(&file, schema(&file));
    assert_eq!(columns(&batches[0]).column(0), batch.column(0));
}

#[test]
fn types_of_others_keep_their_values() {
    let logical = |of: &str, logical: &str| json!({ "type": of, "logicalType": logical });
    let fixed = |name: &str, size: u32, logical: &str| json!({ "type": "fixed", "name": name, "size": size, "logicalType": logical });
    let node = json!({ "type": "record", "name": "Node", "namespace": "x", "fields": [
        { "name": "v", "type": ["int", "string", "null"] }, { "name": "next", "type": ["null", "Node"] } ]});
    let of = json!({ "type": "record", "name": "R", "namespace": "a.b", "fields": [
        { "name": "e", "type": { "type": "enum", "name": "E", "symbols": ["A", "B"] } },
        { "name": "again", "type": ["a.b.E", "null"] },
        { "name": "tm", "type": logical("int", "time-millis") },
        { "name": "ts", "type": logical("long", "timestamp-millis") },
        { "name": "ln", "type": logical("long", "local-timestamp-nanos") },
        { "name": "odd", "type": logical("long", "fortnights") },
        { "name": "u", "type": fixed("U", 16, "uuid") },
        { "name": "dur", "type": fixed("D", 12, "duration") },
        { "name": "dec", "type": { "type": "fixed", "name": "F", "size": 3, "logicalType": "decimal", "precision": 5, "scale": 2 } },
        { "name": "big", "type": logical("bytes", "big-decimal") },
        { "name": "list", "type": { "type": "array", "items": logical("int", "date") } },
        { "name": "map", "type": { "type": "map", "values": "bytes" } },
        { "name": "node", "type": node },
        { "name": "any", "type": ["null", "long", "string"] },
    ]});
    let mut row = Vec::new();
    put_long(&mut row, 1);
    put_long(&mut row, 0);
    put_long(&mut row, 0);
    put_long(&mut row, 86_399_999);
    put_long(&mut row, -1);
    put_long(&mut row, 1);
    put_long(&mut row, 14);
    row.extend_from_slice(&[0x11; 16]);
    for part in [1_u32, 2, 3] {
        row.extend_from_slice(&part.to_le_bytes());
    }
    row.extend_from_slice(&[0xFF, 0xFF, 0xFB]);
    put_bytes(&mut row, &[4, 0xFB, 0x2E, 2]); // -1234 with scale 1
    put_long(&mut row, -2); // two dates in a block that tells its bytes
    put_long(&mut row, 2);
    put_long(&mut row, 0);
    put_long(&mut row, -1);
    put_long(&mut row, 0);
    put_long(&mut row, 1);
    put_bytes(&mut row, b"k\"");
    put_bytes(&mut row, &[0, 255]);
    put_long(&mut row, 0);
    for branch in [0, 7, 1, 1] {
        put_long(&mut row, branch);
    }
    put_bytes(&mut row, "ü".as_bytes());
    put_long(&mut row, 0);
    put_long(&mut row, 2);
    put_bytes(&mut row, b"s");
    let file = foreign(&of, "null", &[(1, &row)]);
    let found = schema(&file);
    let batches = read(&file, found.clone());
    let batch = columns(&batches[0]);
    let expected = [
        ("e", "B"),
        ("again", "A"),
        ("tm", "23:59:59.999"),
        ("ts", "1969-12-31T23:59:59.999Z"),
        ("ln", "1970-01-01T00:00:00.000000001"),
        ("odd", "14"),
        ("u", "11111111-1111-1111-1111-111111111111"),
        ("dur", "P1M2DT0.003S"),
        ("dec", "-0.05"),
        ("big", "-123.4"),
        ("list", "[\"1970-01-01\",\"1969-12-31\"]"),
        ("map", "{\"k\\\"\":\"\\\\x00ff\"}"),
        ("node", "{\"v\":7,\"next\":{\"v\":\"ü\",\"next\":null}}"),
        ("any", "\"s\""),
    ];
    for ((name, text), column) in expected.into_iter().zip(batch.columns()) {
        assert_eq!(texts(column), [Some(text.to_owned())], "{name}");
        assert_eq!(texts(columns(&read(&file, only(&found, &[name]))[0]).column(0)), [Some(text.to_owned())], "{name}");
    }
    let nullable: Vec<&String> = found.fields().iter().filter(|f| f.is_nullable()).map(|f| f.name()).collect();
    assert_eq!(nullable, ["again", "any"]);
}

#[test]
fn values_that_cannot_be_carried_are_rejects() {
    let of = json!({ "type": "record", "name": "R", "fields": [
        { "name": "d", "type": { "type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1 } },
        { "name": "s", "type": "string" },
        { "name": "u", "type": { "type": "string", "logicalType": "uuid" } },
    ]});
    let mut content = Vec::new();
    let good = b"00112233-4455-6677-8899-aabbccddeeff".as_slice();
    for (decimal, text, uuid) in [
        (&[0x03, 0xE7][..], &b"ok"[..], good),
        (&[0x03, 0xE8], b"ok", good),
        (&[1], b"\xFF", good),
        (&[1], b"ok", b"no uuid"),
    ] {
        put_bytes(&mut content, decimal);
        put_bytes(&mut content, text);
        put_bytes(&mut content, uuid);
    }
    let file = foreign(&of, "null", &[(4, &content)]);
    let batches = read(&file, schema(&file));
    assert_eq!(texts(arrow(&batches[0]).column(0)), [Some("99.9".to_owned())]);
    let reasons: Vec<&str> = batches[0].rejects.iter().map(|reject| reject.reason.as_str()).collect();
    assert_eq!(reasons, ["`100.0` has too many digits", "`\\xff` is not UTF-8", "`no uuid` is not a UUID"]);
    assert_eq!(
        batches[0].rejects[0].row,
        format!("{{\"d\":null,\"s\":\"ok\",\"u\":\"{}\"}}", String::from_utf8_lossy(good))
    );
}

#[test]
fn columns_are_chosen_reordered_made_up_and_cast() {
    let file = written(&[everything()], Codec::Snappy);
    let wanted = Arc::new(Schema::new(vec![
        Field::new("missing", DataType::Date32, true),
        Field::new("int64", DataType::Utf8, true),
        Field::new("bool", DataType::Boolean, true),
    ]));
    let batches = read(&file, wanted);
    assert_eq!(texts(columns(&batches[0]).column(1))[0].as_deref(), Some("-9223372036854775808"));
    let counted: u64 = read(&file, Arc::new(Schema::empty())).iter().map(Batch::rows).sum();
    assert_eq!(counted, everything().num_rows() as u64);
}

#[test]
fn parts_together_give_every_row_once() {
    let rows = 900_000_i64;
    let batch = |from: i64| {
        let texts = (from..from + 100_000).map(|n| format!("{:x}", (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from_iter_values(from..from + 100_000)) as ArrayRef),
            ("t", Arc::new(StringArray::from_iter_values(texts.map(|t| t.repeat(3)))) as ArrayRef),
        ])
        .unwrap()
    };
    let batches: Vec<RecordBatch> = (0..rows).step_by(100_000).map(batch).collect();
    let file: Arc<dyn RandomRead> = written(&batches, Codec::Null);
    let described = Avro::load(file.clone()).unwrap();
    let info = described.info();
    assert!(info.parts > 2 && info.parts as u64 == file.len().div_ceil(PART_BYTES));
    assert!(info.rows.unwrap().abs_diff(rows as u64) < 50_000, "{:?}", info.rows);
    let mut next = 0;
    for part in 0..info.parts {
        for batch in drain(described.open(part..part + 1, only(&info.schema, &["n"]), 1 << 20).unwrap()) {
            assert!(batch.bytes() < 4 << 20);
            let numbers = columns(&batch).column(0).clone();
            let expected = Int64Array::from_iter_values(next..next + numbers.len() as i64);
            assert_eq!(numbers.as_ref(), &expected as &dyn arrow_array::Array);
            next += numbers.len() as i64;
        }
    }
    assert_eq!(next, rows);
}

#[test]
fn no_rows_are_a_file_with_a_schema() {
    let file = written(&[everything().slice(0, 0)], Codec::Deflate);
    let found = schema(&file);
    assert_eq!(found.fields().len(), everything().num_columns());
    assert!(read(&file, found).is_empty());
}

#[test]
fn lies_and_bombs_are_refused() {
    let of = json!({ "type": "record", "name": "R", "fields": [{ "name": "a", "type": { "type": "array", "items": "null" } }] });
    let text = json!({ "type": "record", "name": "R", "fields": [{ "name": "s", "type": "string" }] });
    let empty = json!({ "type": "record", "name": "R", "fields": [] });
    let mut long = Vec::new();
    put_long(&mut long, i64::MAX);
    let mut zeros = Vec::new();
    Codec::Zstandard.pack(&vec![0; 9 << 20], &mut zeros).unwrap();
    let mut deep = json!("int");
    for _ in 0..100 {
        deep = json!({ "type": "array", "items": deep });
    }
    let cases: Vec<(Arc<Memory>, &str)> = vec![
        (foreign(&text, "null", &[(1, &long)]), "longer than its block"),
        (foreign(&text, "null", &[(1, &[1])]), "negative"),
        (foreign(&text, "null", &[(1, &[0xFF; 12])]), "64 bits"),
        (foreign(&text, "null", &[(1, &[2, b'a', 0])]), "behind its last row"),
        (foreign(&text, "null", &[(i64::MAX, &[0])]), "longer than its block"),
        (foreign(&text, "zstandard", &[(1, &zeros)]), "a block unpacks to more than"),
        (foreign(&text, "snappy", &[(1, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0, 0])]), "a block unpacks to more than"),
        (foreign(&text, "deflate", &[(1, b"no deflate")]), "unpacked"),
        (foreign(&of, "null", &[(1, &long)]), "a nested value is longer than"),
        (foreign(&empty, "null", &[(i64::MAX, &[])]), "without bytes"),
        (foreign(&deep, "null", &[]), "its schema"),
        (
            foreign(
                &json!({ "type": "record", "name": "R", "fields": [{ "name": "s", "type": "Nope" }] }),
                "null",
                &[],
            ),
            "Nope",
        ),
        (Memory::new(b"Obj\x01\xFF".to_vec()), "longer than its block"),
        (Memory::new(b"PAR1".to_vec()), "does not start"),
    ];
    for (file, expected) in cases {
        let error = failure(file);
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert!(error.to_string().contains(expected), "{error} / {expected}");
    }
    let bzip2 = failure(foreign(&text, "bzip2", &[]));
    assert_eq!(bzip2.kind(), ErrorKind::Unsupported);
}

#[test]
fn bent_files_never_break_the_process() {
    let whole = written(&[everything()], Codec::Null).bytes.clone();
    let wanted = schema(&Memory::new(whole.clone()));
    let cut = failure(Memory::new(whole[..whole.len() - 5].to_vec()));
    assert!(cut.to_string().contains("cut off"), "{cut}");
    for at in (0..whole.len()).step_by(3) {
        let mut bent = whole.clone();
        bent[at] ^= 0x5A;
        let rows = Avro::load(Memory::new(bent)).and_then(|file| file.open(0..1, wanted.clone(), 1 << 20));
        if let Ok(mut reader) = rows {
            while let Ok(Some(_)) = reader.next() {}
        }
    }
}
