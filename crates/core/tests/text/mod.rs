//! The canonical text of every value reads back to the same value, no text at all can break a reader, and a cast keeps
//! the value or names it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, PrimitiveArray, StringArray};
use arrow_schema::{DataType, TimeUnit};
use levada_core::builder::ColumnBuilder;
use levada_core::cast::cast;
use levada_core::schema::{timestamp, timestamp_utc};
use levada_core::text;
use proptest::prelude::*;

fn types() -> Vec<DataType> {
    use DataType as T;
    let ns = |zone: Option<&str>| T::Timestamp(TimeUnit::Nanosecond, zone.map(Arc::from));
    vec![
        T::Boolean,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Float32,
        T::Float64,
        T::Decimal128(38, 10),
        T::Decimal128(10, -3),
        T::Decimal256(76, 38),
        T::Utf8,
        T::Binary,
        T::FixedSizeBinary(16),
        T::Date32,
        T::Time64(TimeUnit::Microsecond),
        T::Duration(TimeUnit::Microsecond),
        timestamp(),
        timestamp_utc(),
        ns(None),
        ns(Some("UTC")),
    ]
}

/// Writes every value and reads it again.
fn round_trip(array: &dyn Array) -> ArrayRef {
    let mut builder = ColumnBuilder::new(array.data_type()).unwrap();
    for row in 0..array.len() {
        match text::value(array, row) {
            None => builder.push_null(),
            Some(value) => {
                builder.push_text(&value).unwrap_or_else(|why| panic!("{} of {} {why}", value, array.data_type()))
            }
        }
    }
    builder.finish()
}

fn keeps<T: ArrowPrimitiveType>(data_type: DataType, values: impl IntoIterator<Item = T::Native>) {
    let values: Vec<Option<T::Native>> = values.into_iter().map(Some).chain([None]).collect();
    let array = PrimitiveArray::<T>::from_iter(values).with_data_type(data_type);
    assert_eq!(round_trip(&array).as_primitive::<T>(), &array);
}

#[test]
fn the_edges_of_every_type_read_back() {
    keeps::<Int8Type>(DataType::Int8, [i8::MIN, 0, i8::MAX]);
    keeps::<Int64Type>(DataType::Int64, [i64::MIN, -1, i64::MAX]);
    keeps::<UInt64Type>(DataType::UInt64, [0, u64::MAX]);
    keeps::<Date32Type>(DataType::Date32, [i32::MIN, -719_163, -719_162, -141_427, -1, 0, 2_932_896, i32::MAX]);
    keeps::<Time64MicrosecondType>(DataType::Time64(TimeUnit::Microsecond), [0, 1, text::DAY_US - 1, text::DAY_US]);
    let durations = [i64::MIN, -1, 0, 1, 3_020_399_000_000, i64::MAX];
    keeps::<DurationMicrosecondType>(DataType::Duration(TimeUnit::Microsecond), durations);
    let micros = [i64::MIN, i64::MIN + 1, -62_135_596_800_000_001, -1, 0, 253_402_300_799_999_999, i64::MAX];
    keeps::<TimestampMicrosecondType>(timestamp(), micros);
    keeps::<TimestampMicrosecondType>(timestamp_utc(), micros);
    let nanos = [i64::MIN, i64::MIN + 1, -1_000_000_000, -1, 0, 1, 1_000, 999_999_999, i64::MAX];
    for zone in [None, Some(Arc::from("UTC"))] {
        keeps::<TimestampNanosecondType>(DataType::Timestamp(TimeUnit::Nanosecond, zone), nanos);
    }
    let nines = 10_i128.pow(38) - 1;
    for (precision, scale) in [(38, 0), (38, 38), (38, 1), (38, -5)] {
        keeps::<Decimal128Type>(DataType::Decimal128(precision, scale), [nines, -nines, 1, -1, 0, 10]);
    }
    let power = |digits: &str| <Decimal256Type as ArrowPrimitiveType>::Native::from_string(digits).unwrap();
    let nines = "9".repeat(76);
    for scale in [0, 76, 30, -2] {
        let values = [power(&nines), power(&format!("-{nines}")), power("1"), power("0")];
        keeps::<Decimal256Type>(DataType::Decimal256(76, scale), values);
    }
}

#[test]
fn floats_read_back_bit_by_bit() {
    for value in [-0.0, 0.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, -f64::MAX, 0.1, 1e16, 1e-5, 1e15, f64::INFINITY] {
        let read = round_trip(&Float64Array::from(vec![value]));
        assert_eq!(read.as_primitive::<Float64Type>().value(0).to_bits(), f64::to_bits(value), "{value}");
    }
    assert!(round_trip(&Float64Array::from(vec![f64::NAN])).as_primitive::<Float64Type>().value(0).is_nan());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_numbers_and_times_read_back(bits in any::<i64>(), short in any::<i32>(), shift in 0_u32..64) {
        let bits = bits >> shift;
        keeps::<Int64Type>(DataType::Int64, [bits]);
        keeps::<UInt64Type>(DataType::UInt64, [bits as u64]);
        keeps::<Int32Type>(DataType::Int32, [short]);
        keeps::<UInt32Type>(DataType::UInt32, [short as u32]);
        keeps::<Int16Type>(DataType::Int16, [short as i16]);
        keeps::<UInt16Type>(DataType::UInt16, [short as u16]);
        keeps::<UInt8Type>(DataType::UInt8, [short as u8]);
        keeps::<Date32Type>(DataType::Date32, [short, short >> (shift % 32)]);
        keeps::<Time64MicrosecondType>(DataType::Time64(TimeUnit::Microsecond), [bits.rem_euclid(text::DAY_US)]);
        keeps::<DurationMicrosecondType>(DataType::Duration(TimeUnit::Microsecond), [bits]);
        keeps::<TimestampMicrosecondType>(timestamp(), [bits]);
        keeps::<TimestampNanosecondType>(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), [bits]);
    }

    #[test]
    fn decimals_read_back(value in any::<i128>(), shift in 0_u32..127, scale in -30_i8..=38) {
        let value = (value >> shift) % 10_i128.pow(38);
        keeps::<Decimal128Type>(DataType::Decimal128(38, scale), [value]);
        keeps::<Decimal256Type>(DataType::Decimal256(76, scale), [value.into()]);
    }

    #[test]
    fn any_float_reads_back(bits in any::<u64>()) {
        let (double, single) = (f64::from_bits(bits), f32::from_bits(bits as u32));
        let read = round_trip(&Float64Array::from(vec![double]));
        let read = read.as_primitive::<Float64Type>().value(0);
        prop_assert!(read.to_bits() == bits || read.is_nan() && double.is_nan());
        let read = round_trip(&PrimitiveArray::<Float32Type>::from(vec![single]));
        let read = read.as_primitive::<Float32Type>().value(0);
        prop_assert!(read.to_bits() == bits as u32 || read.is_nan() && single.is_nan());
    }

    #[test]
    fn texts_and_bytes_read_back(value in any::<String>(), bytes in any::<Vec<u8>>(), uuid in any::<[u8; 16]>()) {
        let mut builder = ColumnBuilder::new(&DataType::Utf8).unwrap();
        builder.push_text(&value).unwrap();
        prop_assert_eq!(text::value(&builder.finish(), 0).unwrap(), value);
        let bytes = arrow_array::BinaryArray::from(vec![bytes.as_slice()]);
        let read = round_trip(&bytes);
        prop_assert_eq!(read.as_binary::<i32>(), &bytes);
        let mut written = String::new();
        text::write_uuid(&mut written, &uuid);
        prop_assert_eq!(text::parse_uuid(&written), Some(uuid));
    }

    /// Whatever is written there is a value whose own text means the same, or is refused.
    #[test]
    fn no_text_breaks_a_reader(value in prop_oneof![
        any::<String>(),
        "[-+]?[0-9]{0,40}[.]?[0-9]{0,40}([eE][-+]?[0-9]{1,11})?",
        "[-+]?[0-9]{3,8}-[0-9]{1,2}-[0-9]{1,2}([T ][0-9]{1,8}:[0-9]{2}(:[0-9]{2})?([.][0-9]{0,10})?)?[-+zZ]?[0-9é:]{0,6}",
        "-?[0-9]{1,12}:[0-9]{2}:[0-9]{2}([.][0-9]{1,10})?",
        r"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?",
        r"\\x[0-9a-fA-F]{0,5}",
    ]) {
        for data_type in types() {
            let mut builder = ColumnBuilder::new(&data_type).unwrap();
            if builder.push_text(&value).is_ok() {
                prop_assert_eq!(builder.len(), 1);
                let once = builder.finish();
                let again = round_trip(&once);
                prop_assert_eq!(text::value(&once, 0), text::value(&again, 0), "{} as {}", value, data_type);
            } else {
                prop_assert_eq!(builder.len(), 0, "a refused text left a value behind: {} as {}", value, data_type);
            }
        }
    }

    #[test]
    fn a_cast_keeps_the_value_or_names_it(value in any::<i64>(), shift in 0_u32..64) {
        let value = value >> shift;
        let array: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        for to in types() {
            let (there, bad) = cast(&array, &to).unwrap();
            prop_assert_eq!(there.null_count(), bad.len());
            if bad.is_empty() && !matches!(to, DataType::Boolean) {
                let (back, bad) = cast(&there, &DataType::Int64).unwrap();
                prop_assert!(bad.is_empty(), "{} through {}: {:?}", value, to, bad);
                prop_assert_eq!(back.as_primitive::<Int64Type>().value(0), value, "through {}", to);
            }
        }
    }
}

#[test]
fn extreme_exponents_and_hours_are_refused() {
    for value in ["1e-2147483648", "1e2147483647", "1e-200000", "0e99999999999", "1e", "e1", ".", "-", "+", ""] {
        let mut builder = ColumnBuilder::new(&DataType::Decimal128(38, 10)).unwrap();
        assert!(builder.push_text(value).is_err(), "{value}");
    }
    for value in ["9999999:00:00", "99999999999:00:00", "1:60:00", "00:00:00.1234567"] {
        let accepted = text::parse_duration(value);
        assert!(accepted.is_none() || value == "9999999:00:00", "{value}: {accepted:?}");
    }
}

#[test]
fn offsets_are_read_as_they_are_written_or_refused() {
    let at =
        |offset: &str| text::parse_timestamp(&format!("2000-01-01T12:00:00{offset}")).map(|(s, _, _)| s - 946_728_000);
    let read = ["Z", "+01", "+0130", "-01:30", "+05:53:28", "-055328"].map(at);
    assert_eq!(read, [0, -3600, -5400, 5400, -21_208, 21_208].map(Some));
    for bad in ["+", "+1", "+1é1", "+0:1", "+01:3", "+01:30:", "+:0130", "+24", "+00:60", "+01-30", "Zulu"] {
        assert_eq!(at(bad), None, "{bad}");
    }
}

#[test]
fn whole_decimals_and_floats_become_integers_and_numbers_never_change_silently() {
    let text_of = |array: &ArrayRef, to: &DataType| {
        let (column, bad) = cast(array, to).unwrap();
        (text::value(&column, 0), bad.len())
    };
    let array = |value: &str, of: &DataType| -> ArrayRef {
        let mut builder = ColumnBuilder::new(of).unwrap();
        builder.push_text(value).unwrap();
        builder.finish()
    };
    let accepted = [
        ("12.00", DataType::Decimal128(10, 2), DataType::Int64, "12"),
        ("1e17", DataType::Float64, DataType::Int64, "100000000000000000"),
        ("-0", DataType::Float64, DataType::Int32, "0"),
        ("0.1", DataType::Decimal128(2, 1), DataType::Float32, "0.1"),
        ("0.1", DataType::Float32, DataType::Float64, "0.1"),
        ("9007199254740992", DataType::Int64, DataType::Float64, "9007199254740992"),
        ("NaN", DataType::Float64, DataType::Float32, "NaN"),
        ("1970-01-01T00:00:00", timestamp(), DataType::Date32, "1970-01-01"),
    ];
    for (value, from, to, expected) in accepted {
        assert_eq!(text_of(&array(value, &from), &to), (Some(expected.to_owned()), 0), "{value} {from} -> {to}");
    }
    let refused = [
        ("12.01", DataType::Decimal128(10, 2), DataType::Int64),
        ("1e19", DataType::Float64, DataType::Int64),
        ("9007199254740993", DataType::Int64, DataType::Float64),
        ("0.123456789012", DataType::Float64, DataType::Float32),
        ("16777217", DataType::Int32, DataType::Float32),
        ("1e-46", DataType::Float64, DataType::Float32),
        ("1970-01-01T00:00:01", timestamp(), DataType::Date32),
    ];
    for (value, from, to) in refused {
        assert_eq!(text_of(&array(value, &from), &to), (None, 1), "{value} {from} -> {to}");
    }
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["0.12345678901234567890"]));
    assert_eq!(text_of(&texts, &DataType::Float64), (Some("0.12345678901234568".to_owned()), 0));
}
