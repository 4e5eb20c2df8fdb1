//! What Parquet files give back, and what is read of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::builder::{ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::{Date64Type, Int32Type, Time64NanosecondType, TimestampMillisecondType, TimestampSecondType};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, FixedSizeBinaryArray, Int32Array, Int64Array, LargeStringArray, NullArray,
    PrimitiveArray, RecordBatch, StringArray, StringViewArray, StructArray,
};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use levada_core::batch::Batch;
use levada_core::error::ErrorKind;
use levada_core::schema::{Logical, NATIVE, timestamp};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::data_type::{FixedLenByteArrayType, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::super::samples::{Kept, Memory, arrow, columns, drain, everything, only, texts};
use super::super::{RandomRead, SelfDescribing};
use super::Parquet;
use super::write::{compressed, writer};

fn written(batches: &[RecordBatch], codec: Codec) -> Arc<Memory> {
    let kept = Kept::default();
    let mut file = compressed(kept.sink(), batches[0].schema(), codec).unwrap();
    for batch in batches {
        file.write(batch).unwrap();
    }
    assert!(file.size() > 0);
    file.finish().unwrap();
    Memory::new(kept.bytes())
}

/// A file as another program writes it.
fn foreign(columns: Vec<(&str, ArrayRef)>, embed: bool) -> Arc<Memory> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let options = parquet::arrow::arrow_writer::ArrowWriterOptions::new().with_skip_arrow_metadata(!embed);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    Memory::new(writer.into_inner().unwrap())
}

fn schema(file: &Arc<Memory>) -> SchemaRef {
    Parquet::load(file.clone()).unwrap().info().schema.clone()
}

fn read(file: &Arc<Memory>, wanted: SchemaRef) -> Vec<Batch> {
    drain(Parquet::load(file.clone()).unwrap().open(0..usize::MAX, wanted, 4 << 20).unwrap())
}

#[test]
fn every_type_comes_back_with_its_values_and_its_origin() {
    let batch = everything();
    for codec in [Codec::ZSTD(ZstdLevel::default()), Codec::SNAPPY, Codec::UNCOMPRESSED] {
        let file = written(std::slice::from_ref(&batch), codec);
        let found = schema(&file);
        for (given, found) in batch.schema().fields().iter().zip(found.fields()) {
            assert_eq!(given.data_type(), found.data_type(), "{}", given.name());
            assert_eq!((given.name(), Logical::of(given)), (found.name(), Logical::of(found)));
            if let Some(native) = given.metadata().get(NATIVE) {
                assert_eq!(found.metadata().get(NATIVE), Some(native));
            }
        }
        let batches = read(&file, found);
        assert_eq!(batches.len(), 1);
        for (given, found) in batch.columns().iter().zip(columns(&batches[0]).columns()) {
            assert_eq!(texts(given), texts(found));
        }
    }
}

#[test]
fn other_readers_find_uuid_and_json_annotations() {
    let file = written(&[everything()], Codec::ZSTD(ZstdLevel::default()));
    let layout = super::Layout::load(&(file as Arc<dyn RandomRead>)).unwrap();
    let descriptor = layout.metadata.parquet_schema().root_schema();
    let annotation = |name: &str| {
        let field = descriptor.get_fields().iter().find(|field| field.name() == name).unwrap();
        field.get_basic_info().logical_type_ref().cloned()
    };
    assert_eq!(annotation("uuid"), Some(parquet::basic::LogicalType::Uuid));
    assert_eq!(annotation("json"), Some(parquet::basic::LogicalType::Json));
    assert_eq!(annotation("text"), Some(parquet::basic::LogicalType::String));
}

#[test]
fn columns_are_chosen_reordered_made_up_and_cast() {
    let batch = everything();
    let file = written(std::slice::from_ref(&batch), Codec::ZSTD(ZstdLevel::default()));
    let wanted = Arc::new(Schema::new(vec![
        Field::new("missing", DataType::Date32, true),
        Field::new("int64", DataType::Utf8, true),
        Field::new("int16", DataType::Int8, true),
        Field::new("bool", DataType::Boolean, true),
    ]));
    let batches = read(&file, wanted);
    let found = arrow(&batches[0]);
    assert_eq!(found.num_rows() + batches[0].rejects.len(), batch.num_rows());
    assert_eq!(found.column(0).null_count(), found.num_rows());
    assert_eq!(batches[0].rejects.len(), 2);
    assert_eq!(batches[0].rejects[0].column.as_deref(), Some("int16"));
    assert_eq!(batches[0].rejects[0].reason, "-32768 is out of range for Int8");
    assert!(batches[0].rejects[0].row.contains("\"int64\":\"-9223372036854775808\""), "{}", batches[0].rejects[0].row);
    let empty = Arc::new(Schema::empty());
    assert_eq!(read(&file, empty).iter().map(Batch::rows).sum::<u64>(), batch.num_rows() as u64);
}

#[test]
fn types_outside_the_closed_set_keep_their_values() {
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    dictionary.extend([Some("a"), None, Some("a")]);
    let millis = PrimitiveArray::<TimestampMillisecondType>::from(vec![Some(-1), None, Some(253_402_300_799_999)]);
    let seconds = PrimitiveArray::<TimestampSecondType>::from(vec![Some(1), None, Some(i64::MAX)]);
    let floats: ArrayRef = Arc::new(arrow_array::Float32Array::from(vec![Some(0.5), None, Some(65504.0)]));
    let halves = arrow_cast::cast(&floats, &DataType::Float16).unwrap();
    let bytes16 = FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([7_u8; 16]), None, None].into_iter(), 16);
    let decimal = Decimal128Array::from(vec![Some(-12345), None, Some(0)]).with_precision_and_scale(9, 2).unwrap();
    let file = foreign(
        vec![
            ("large", Arc::new(LargeStringArray::from(vec![Some("x"), None, Some("")]))),
            ("view", Arc::new(StringViewArray::from(vec![Some("y"), None, Some("longer than twelve bytes")]))),
            ("dictionary", Arc::new(dictionary.finish())),
            ("millis", Arc::new(millis.with_timezone("America/Bogota"))),
            ("seconds", Arc::new(seconds)),
            ("half", halves),
            ("bytes16", Arc::new(bytes16.unwrap())),
            ("decimal", Arc::new(decimal)),
            ("nulls", Arc::new(NullArray::new(3))),
            ("date64", Arc::new(PrimitiveArray::<Date64Type>::from(vec![Some(-86_400_000), None, Some(1)]))),
            ("nanos", Arc::new(PrimitiveArray::<Time64NanosecondType>::from(vec![Some(1000), None, Some(1001)]))),
        ],
        true,
    );
    let found = schema(&file);
    let expect = |name: &str, data_type: &DataType, values: &[Option<&str>], rejected: usize| {
        assert_eq!(found.field_with_name(name).unwrap().data_type(), data_type, "{name}");
        let batches = read(&file, only(&found, &[name]));
        let values: Vec<Option<String>> = values.iter().map(|v| v.map(str::to_owned)).collect();
        assert_eq!(texts(arrow(&batches[0]).column(0)), values, "{name}");
        assert_eq!(batches[0].rejects.len(), rejected, "{name}");
    };
    expect("large", &DataType::Utf8, &[Some("x"), None, Some("")], 0);
    expect("view", &DataType::Utf8, &[Some("y"), None, Some("longer than twelve bytes")], 0);
    expect("dictionary", &DataType::Utf8, &[Some("a"), None, Some("a")], 0);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    expect("millis", &utc, &[Some("1969-12-31T23:59:59.999Z"), None, Some("9999-12-31T23:59:59.999Z")], 0);
    expect("seconds", &timestamp(), &[Some("1970-01-01T00:00:01"), None], 1);
    expect("half", &DataType::Float32, &[Some("0.5"), None, Some("65504")], 0);
    expect("bytes16", &DataType::Binary, &[Some("\\x07070707070707070707070707070707"), None, None], 0);
    expect("decimal", &DataType::Decimal128(9, 2), &[Some("-123.45"), None, Some("0.00")], 0);
    expect("nulls", &DataType::Utf8, &[None, None, None], 0);
    expect("date64", &DataType::Date32, &[Some("1969-12-31"), None], 1);
    expect("nanos", &DataType::Time64(TimeUnit::Microsecond), &[Some("00:00:00.000001"), None], 1);
}

#[test]
fn nested_values_become_json_without_loss() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a\"\n\u{1}"), None]);
    lists.append_null();
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    maps.keys().append_value("k");
    maps.values().append_null();
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    let inner: ArrayRef = Arc::new(
        Decimal128Array::from(vec![Some(i128::from(i64::MAX)), None]).with_precision_and_scale(38, 2).unwrap(),
    );
    let fields = Fields::from(vec![
        Field::new("n", inner.data_type().clone(), true),
        Field::new("big", DataType::Int64, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("raw", DataType::FixedSizeBinary(2), true),
        Field::new("x", DataType::Float64, true),
    ]);
    let raw = FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([0_u8, 255]), None].into_iter(), 2).unwrap();
    let structs = StructArray::new(
        fields,
        vec![
            inner,
            Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None])),
            Arc::new(PrimitiveArray::<TimestampMillisecondType>::from(vec![Some(1), None])),
            Arc::new(raw),
            Arc::new(arrow_array::Float64Array::from(vec![Some(f64::NAN), Some(1e300)])),
        ],
        None,
    );
    let file =
        foreign(vec![("l", Arc::new(lists.finish())), ("m", Arc::new(maps.finish())), ("s", Arc::new(structs))], true);
    let found = schema(&file);
    assert!(found.fields().iter().all(|f| Logical::of(f) == Some(Logical::Json) && *f.data_type() == DataType::Utf8));
    let batches = read(&file, found);
    let batch = columns(&batches[0]);
    assert_eq!(texts(batch.column(0)), [Some("[\"a\\\"\\n\\u0001\",null]".to_owned()), None]);
    assert_eq!(texts(batch.column(1)), [Some("{\"k\":null}".to_owned()), None]);
    let full = "{\"n\":92233720368547758.07,\"big\":9007199254740993,\"at\":\"1970-01-01T00:00:00.001\",\"raw\":\"\\\\x00ff\",\"x\":\"NaN\"}";
    let empty = "{\"n\":null,\"big\":null,\"at\":null,\"raw\":null,\"x\":1e300}";
    assert_eq!(texts(batch.column(2)), [Some(full.to_owned()), Some(empty.to_owned())]);
}

#[test]
fn int96_and_interval_are_exact_or_rejected() {
    let message = "message m { required int96 t; required fixed_len_byte_array(12) i (INTERVAL); }";
    let schema_type = Arc::new(parquet::schema::parser::parse_message_type(message).unwrap());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema_type, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut times = group.next_column().unwrap().unwrap();
    let int96 = |day: u32, nanos: u64| Int96::from(vec![nanos as u32, (nanos >> 32) as u32, day]);
    let values = [int96(1_721_426, 0), int96(5_373_484, 86_399_999_999_000), int96(2_440_588, 1)];
    times.typed::<Int96Type>().write_batch(&values, None, None).unwrap();
    times.close().unwrap();
    let mut intervals = group.next_column().unwrap().unwrap();
    let interval = |m: u32, d: u32, ms: u32| {
        let bytes: Vec<u8> = [m, d, ms].iter().flat_map(|part| part.to_le_bytes()).collect();
        parquet::data_type::FixedLenByteArray::from(bytes)
    };
    let values = [interval(14, 3, 14_706_789), interval(0, 0, 0), interval(0, 0, u32::MAX)];
    intervals.typed::<FixedLenByteArrayType>().write_batch(&values, None, None).unwrap();
    intervals.close().unwrap();
    group.close().unwrap();
    let file = Memory::new(writer.into_inner().unwrap());
    let found = schema(&file);
    assert_eq!(found.field(0).data_type(), &timestamp());
    assert_eq!(Logical::of(found.field(1)), Some(Logical::Interval));
    let batches = read(&file, found.clone());
    let batch = arrow(&batches[0]);
    let expected = ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"].map(|t| Some(t.to_owned()));
    assert_eq!(texts(batch.column(0)), expected);
    assert_eq!(batches[0].rejects.len(), 1);
    assert!(batches[0].rejects[0].reason.contains("finer than a microsecond"), "{}", batches[0].rejects[0].reason);
    let batches = read(&file, only(&found, &["i"]));
    let expected = ["P1Y2M3DT4H5M6.789S", "PT0S", "PT1193H2M47.295S"].map(|t| Some(t.to_owned()));
    assert_eq!(texts(columns(&batches[0]).column(0)), expected);
}

#[test]
fn one_huge_row_group_is_read_in_bounded_pieces() {
    let rows = 400_000;
    let words = StringArray::from_iter_values(
        (0..rows).map(|i| format!("{:x}", (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))),
    );
    let numbers = Int64Array::from_iter_values((0..rows).map(|i| i * 7_919));
    let others = Int64Array::from_iter_values((0..rows).map(|i| i * 104_729));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("words", Arc::new(words) as ArrayRef, true),
        ("numbers", Arc::new(numbers) as ArrayRef, true),
        ("others", Arc::new(others) as ArrayRef, true),
    ])
    .unwrap();
    let file = written(std::slice::from_ref(&batch), Codec::UNCOMPRESSED);
    let found = schema(&file);
    file.reads.store(0, Ordering::Relaxed);
    file.read_bytes.store(0, Ordering::Relaxed);
    let batches = drain(Parquet::load(file.clone()).unwrap().open(0..1000, found.clone(), 1 << 20).unwrap());
    assert!(batches.iter().all(|batch| batch.bytes() < 3 << 20), "{:?}", batches.iter().map(Batch::bytes).max());
    let mut row = 0;
    for found in &batches {
        let found = columns(found);
        assert_eq!(found, &batch.slice(row, found.num_rows()).with_schema(found.schema()).unwrap());
        row += found.num_rows();
    }
    assert_eq!(row as i64, rows);
    let (reads, bytes) = (file.reads.load(Ordering::Relaxed), file.read_bytes.load(Ordering::Relaxed));
    assert!(bytes < file.len() + (256 << 10), "{bytes} bytes read of {}", file.len());
    assert!(reads < 40, "{reads} reads of {} bytes", file.len());
    file.read_bytes.store(0, Ordering::Relaxed);
    let some: u64 = read(&file, only(&found, &["numbers"])).iter().map(Batch::rows).sum();
    assert_eq!(some as i64, rows);
    assert!(file.read_bytes.load(Ordering::Relaxed) < file.len() / 2);
}

#[test]
fn row_groups_are_parts_and_an_empty_file_has_its_schema() {
    let batch =
        RecordBatch::try_from_iter([("n", Arc::new(Int32Array::from_iter_values(0..1000)) as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(300)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let memory = Memory::new(writer.into_inner().unwrap());
    let file = Parquet::load(memory.clone()).unwrap();
    let info = file.info();
    assert_eq!((info.parts, info.rows), (4, Some(1000)));
    let counts: Vec<u64> = (0..4)
        .map(|part| {
            let reads = memory.reads.load(Ordering::Relaxed);
            let rows = file.open(part..part + 1, info.schema.clone(), 1 << 20).unwrap();
            assert_eq!(memory.reads.load(Ordering::Relaxed), reads, "the footer is read once for all parts");
            let batches = drain(rows);
            batches.iter().map(Batch::rows).sum()
        })
        .collect();
    assert_eq!(counts, [300, 300, 300, 100]);

    let empty = everything().slice(0, 0);
    let file = {
        let kept = Kept::default();
        writer_of(&kept, &empty).finish().unwrap();
        Memory::new(kept.bytes())
    };
    let found = schema(&file);
    assert_eq!(found.fields().len(), empty.num_columns());
    assert!(read(&file, found).is_empty());
}

fn writer_of(kept: &Kept, batch: &RecordBatch) -> Box<dyn super::super::FileWriter> {
    writer(kept.sink(), batch.schema()).unwrap()
}

#[test]
fn broken_files_are_named_and_never_believed() {
    let whole = written(&[everything()], Codec::ZSTD(ZstdLevel::default())).bytes.clone();
    let describe = |bytes: Vec<u8>| Parquet::load(Memory::new(bytes)).map(|_| ());
    for bytes in [Vec::new(), b"PAR1".to_vec(), whole[..whole.len() / 2].to_vec(), vec![b'x'; 5000]] {
        let error = describe(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert!(error.to_string().starts_with("memory: "), "{error}");
    }
    let mut huge_footer = whole.clone();
    let at = huge_footer.len() - 8;
    huge_footer[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(describe(huge_footer).unwrap_err().kind(), ErrorKind::Data);
    let good = Memory::new(whole.clone());
    let wanted = schema(&good);
    for at in (4..whole.len() - 8).step_by(31) {
        let mut bent = whole.clone();
        bent[at] ^= 0x5A;
        let rows = Parquet::load(Memory::new(bent)).and_then(|file| file.open(0..1, wanted.clone(), 1 << 20));
        if let Ok(mut reader) = rows {
            while let Ok(Some(_)) = reader.next() {}
        }
    }
}

#[test]
fn bent_files_give_rows_or_errors_of_the_file() {
    let whole = written(&[everything()], Codec::UNCOMPRESSED).bytes.clone();
    let wanted = schema(&Memory::new(whole.clone()));
    for seed in 0..400 {
        let bytes = Memory::new(levada_testkit::bent::bent(&whole, seed));
        let opened = Parquet::load(bytes).and_then(|file| file.open(0..usize::MAX, wanted.clone(), 1 << 20));
        let read = opened.and_then(|mut rows| {
            while rows.next()?.is_some() {}
            Ok(())
        });
        if let Err(error) = read {
            assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Unsupported), "seed {seed}: {error}");
        }
    }
}

#[test]
fn a_table_without_columns_is_refused() {
    let error = writer(Kept::default().sink(), Arc::new(Schema::empty())).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// A store that fails after some reads.
struct Failing(Arc<Memory>, u64);

impl RandomRead for Failing {
    fn name(&self) -> &str {
        "failing"
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> levada_core::error::Result<()> {
        if self.0.reads.load(Ordering::Relaxed) >= self.1 {
            return Err(levada_core::error::Error::new(ErrorKind::Connect, "the connection broke"));
        }
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn an_error_of_the_store_keeps_its_kind() {
    let file = written(&[everything()], Codec::UNCOMPRESSED);
    let wanted = schema(&file);
    let reads = [0, 1].map(|reads| {
        file.reads.store(0, Ordering::Relaxed);
        let failing: Arc<dyn RandomRead> = Arc::new(Failing(file.clone(), reads));
        match Parquet::load(failing).and_then(|file| file.open(0..1, wanted.clone(), 1 << 20)) {
            Err(error) => error,
            Ok(mut reader) => loop {
                match reader.next() {
                    Ok(batch) => assert!(batch.is_some(), "no error after {reads} reads"),
                    Err(error) => break error,
                }
            },
        }
    });
    for error in reads {
        assert_eq!((error.kind(), error.message()), (ErrorKind::Connect, "the connection broke"));
    }
}

#[test]
fn wide_tables_are_cut_into_row_groups_by_their_bytes() {
    let row = |column: usize| StringArray::from_iter_values((0..200).map(|row| format!("{column} {row}")));
    let columns = (0..1600).map(|column| (format!("c{column}"), Arc::new(row(column)) as ArrayRef));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = written(&[batch.clone(), batch.clone()], Codec::ZSTD(ZstdLevel::default()));
    let found = schema(&file);
    let batches = read(&file, found);
    assert_eq!(batches.iter().map(Batch::rows).sum::<u64>(), 400);
    assert_eq!(texts(columns_of(&batches[0], 1599))[0].as_deref(), Some("1599 0"));
}

fn columns_of(batch: &Batch, column: usize) -> &dyn Array {
    columns(batch).column(column).as_ref()
}

#[test]
fn long_values_go_without_dictionary_and_names_may_have_points() {
    let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(5000), "y".repeat(5000)]));
    let short: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let batch = RecordBatch::try_from_iter([("a.long", long), ("a.short", short)]).unwrap();
    let file = written(&[batch.slice(0, 0), batch.clone()], Codec::ZSTD(ZstdLevel::default()));
    let layout = super::Layout::load(&(file.clone() as Arc<dyn RandomRead>)).unwrap();
    let group = layout.metadata.metadata().row_group(0).clone();
    let has = |leaf: usize| {
        let column = group.column(leaf);
        (column.dictionary_page_offset().is_some(), column.statistics().is_some())
    };
    assert_eq!((has(0), has(1)), ((false, false), (true, true)));
    let found = schema(&file);
    assert_eq!(columns(&read(&file, found)[0]).columns(), batch.columns());
}
