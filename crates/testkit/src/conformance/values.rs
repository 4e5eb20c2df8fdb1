//! Edge values of every canonical type, and the test that a system gives them all back. The table is also what the tests
//! over pairs of connectors are made of.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use levada_core::schema::{LOGICAL, Logical, field, timestamp, timestamp_utc};

use super::{Harness, Place};
use crate::rows::{self, Row};

/// Makes one test of every function of this suite; the expression is a future of a [`Harness`].
#[macro_export]
macro_rules! values_suite {
    ($harness:expr) => {
        $crate::conformance_tests!(values, $harness, [every_type_round_trips]);
    };
}

/// One column of edge values.
pub struct Column {
    /// What the values test, and the column's name.
    pub name: &'static str,
    /// Its type.
    pub data_type: DataType,
    /// Its meaning.
    pub logical: Option<Logical>,
    /// Canonical texts.
    pub values: Vec<String>,
}

impl Column {
    /// The column as a field.
    pub fn field(&self) -> Field {
        let plain = Field::new(self.name, self.data_type.clone(), true);
        match self.logical {
            None => plain,
            Some(Logical::Foreign) => field(self.name, self.data_type.clone(), true, "other:thing", self.logical),
            Some(logical) => plain.with_metadata([(LOGICAL.to_owned(), logical.word().to_owned())].into()),
        }
    }

    /// A schema of a row number `n` and this column.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, false), self.field()]))
    }

    /// Its rows: each value, then NULL, numbered.
    pub fn rows(&self) -> Vec<Row> {
        let values = self.values.iter().cloned().map(Some).chain([None]);
        let mut rows: Vec<Row> = values.enumerate().map(|(n, value)| vec![Some(n.to_string()), value]).collect();
        rows.sort();
        rows
    }
}

fn column(name: &'static str, data_type: DataType, logical: Option<Logical>, values: &[&str]) -> Column {
    Column { name, data_type, logical, values: values.iter().map(|v| (*v).to_owned()).collect() }
}

/// Every canonical type with its edge values.
pub fn table() -> Vec<Column> {
    use DataType as T;
    let nines = |digits: usize, scale: usize| {
        let whole = "9".repeat(digits - scale);
        if scale == 0 {
            whole
        } else {
            format!("{}.{}", if whole.is_empty() { "0" } else { &whole }, "9".repeat(scale))
        }
    };
    let long = "long text, ".repeat(10_000);
    let (d38, d76) = (nines(38, 10), nines(76, 20));
    let decimals = |big: &str| vec![big.to_owned(), format!("-{big}")];
    let with = |mut column: Column, more: Vec<String>| {
        column.values.extend(more);
        column
    };
    let mut table = numbers();
    table.extend([
        with(
            column(
                "decimal38",
                T::Decimal128(38, 10),
                None,
                &["0.0000000000", "1000000000.5000000000", "-0.0000000001"],
            ),
            decimals(&d38),
        ),
        with(column("decimal76", T::Decimal256(76, 20), None, &["0.00000000000000000000"]), decimals(&d76)),
        with(
            column("decimal_whole", T::Decimal128(20, 0), None, &["0", "18446744073709551615", "-7"]),
            decimals(&nines(20, 0)),
        ),
        with(
            column("decimal_small", T::Decimal128(4, 4), None, &["0.0000", "0.0001", "-0.1234"]),
            decimals(&nines(4, 4)),
        ),
        column("decimal_money", T::Decimal128(10, 2), None, &["1.50", "100.00", "1000000.00", "-12.34", "99999999.99"]),
        with(column("text", T::Utf8, None, TEXTS), vec![long]),
        column("bytes", T::Binary, None, &["\\x", "\\x00", "\\xff00fe", "\\x6162", "\\x0a0d5c22"]),
        column(
            "uuid",
            T::FixedSizeBinary(16),
            Some(Logical::Uuid),
            &[
                "00000000-0000-0000-0000-000000000000",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "123e4567-e89b-12d3-a456-426614174000",
            ],
        ),
        column(
            "date",
            T::Date32,
            None,
            &["1970-01-01", "1969-12-31", "2024-02-29", "0001-01-01", "9999-12-31", "1582-10-10"],
        ),
        column(
            "time",
            T::Time64(TimeUnit::Microsecond),
            None,
            &["00:00:00", "23:59:59.999999", "12:34:56", "00:00:00.000001"],
        ),
        column(
            "duration",
            T::Duration(TimeUnit::Microsecond),
            None,
            &["00:00:00", "838:59:59", "-838:59:59", "-00:00:01.5", "24:00:00", "00:00:00.000001"],
        ),
        column(
            "timestamp",
            timestamp(),
            None,
            &[
                "1970-01-01T00:00:00",
                "1969-12-31T23:59:59.999999",
                "2024-03-10T02:30:00",
                "2024-11-03T01:30:00.1",
                "9999-12-31T23:59:59.999999",
                "0001-01-01T00:00:00",
            ],
        ),
        column(
            "timestamptz",
            timestamp_utc(),
            None,
            &[
                "1970-01-01T00:00:00Z",
                "1969-12-31T23:59:59.999999Z",
                "2024-03-10T07:30:00Z",
                "9999-12-31T23:59:59.999999Z",
                "0001-01-01T00:00:00Z",
            ],
        ),
        column(
            "timestamp_ns",
            T::Timestamp(TimeUnit::Nanosecond, None),
            None,
            &["1970-01-01T00:00:00", "2024-01-01T00:00:00.123456", "1969-12-31T23:59:59.999999"],
        ),
    ]);
    table.extend(meanings());
    table
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "  padded  ",
    "NULL",
    "null",
    "\\N",
    "NaN",
    "true",
    "007",
    "1e5",
    "1.50",
    "+49 30 1234",
    "=cmd()",
    "2024-13-01",
    "comma, \"quoted\"",
    "it's",
    "tab\there",
    "line\nfeed",
    "carriage\r\nreturn",
    "lone\rreturn",
    "\\.",
    "\\",
    "back\\slash\\n",
    "größe",
    "😀 four bytes",
    "e\u{301} combining",
    "\u{feff}bom",
    "a;drop table x",
    "%s {} $1 ?",
    "\u{1}\u{7f}",
    "'",
    "\"",
    ",",
    "-",
    "[]",
];

fn numbers() -> Vec<Column> {
    use DataType as T;
    vec![
        column("bool", T::Boolean, None, &["true", "false"]),
        column("int8", T::Int8, None, &["0", "-128", "127"]),
        column("int16", T::Int16, None, &["0", "-32768", "32767"]),
        column("int32", T::Int32, None, &["0", "-2147483648", "2147483647"]),
        column("int64", T::Int64, None, &["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"]),
        column("uint8", T::UInt8, None, &["0", "255"]),
        column("uint16", T::UInt16, None, &["0", "65535"]),
        column("uint32", T::UInt32, None, &["0", "4294967295"]),
        column("uint64", T::UInt64, None, &["0", "9223372036854775807", "9223372036854775808", "18446744073709551615"]),
        column(
            "float32",
            T::Float32,
            None,
            &["0", "-0", "0.1", "-1.5", "16777216", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity"],
        ),
        column(
            "float64",
            T::Float64,
            None,
            &[
                "0",
                "-0",
                "0.1",
                "-1.5",
                "100",
                "9007199254740992",
                "1.7976931348623157e308",
                "5e-324",
                "2.2250738585072014e-308",
                "0.30000000000000004",
                "NaN",
                "Infinity",
                "-Infinity",
            ],
        ),
    ]
}

fn meanings() -> Vec<Column> {
    let text = |name, logical, values: &[&str]| column(name, DataType::Utf8, Some(logical), values);
    vec![
        text(
            "json",
            Logical::Json,
            &[
                "{}",
                "[]",
                "null",
                "1",
                "1.10",
                "\"x\"",
                "{\"a\": 9007199254740993, \"b\": [1, null, \"ü\"]}",
                "{\"q\": \"it's \\\"x\\\" \\\\\"}",
            ],
        ),
        text(
            "number",
            Logical::Number,
            &["0", "1.50", "100.00", "-0.001", "NaN", "123456789012345678901234567890.123456789"],
        ),
        text("enum", Logical::Enum, &["small", "LARGE", "with space", "1"]),
        text("bits", Logical::Bits, &["00000001", "1", "0", "0101010101010101010101010101010101010101"]),
        text("interval", Logical::Interval, &["P1Y2M3DT4H5M6.789S", "PT0S", "P-1D"]),
        text("foreign", Logical::Foreign, &["anything", "(1,2)", "{x}", "12"]),
        column("wkb", DataType::Binary, Some(Logical::Wkb), &["\\x0101000000000000000000f03f0000000000000040"]),
    ]
}

/// Every value of the table is loaded, read back, cast to the type it had, and equal. JSON is compared by meaning,
/// a negative zero as it is.
pub async fn every_type_round_trips(harness: &dyn Harness) {
    let place = Place::new(harness);
    let mut failures = Vec::new();
    for column in table() {
        let job = place.job(column.name);
        let (schema, given) = (column.schema(), column.rows());
        // Through a canonical rendering of our own first: `9007199254740993` is no float64.
        let batch = rows::batch(&schema, &given);
        let expected = rows::sorted(&[levada_core::batch::Batch::arrow(batch.clone())], &schema);
        if let Err(error) = place.load(&job, &schema, &[batch]).await {
            failures.push(format!("{}: {error}", column.name));
            continue;
        }
        let found = place.batches(&place.target(&job), &job).await;
        for (given, found) in expected.iter().zip(differences(&found, &schema)) {
            let declared = given[1].as_deref().and_then(|value| harness.declared_outcome(column.name, value));
            let wanted = declared.map_or_else(|| given[1].clone(), |declared| Some(declared.to_owned()));
            if !equal(column.logical, &wanted, &found) {
                failures.push(format!("{}: gave {:?}, found {found:?}", column.name, given[1]));
            }
        }
        assert_eq!(rows_in(&found), expected.len(), "{}", column.name);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn rows_in(batches: &[levada_core::batch::Batch]) -> usize {
    batches.iter().map(|batch| batch.rows() as usize).sum()
}

/// The values of the second column, in the order of the rows.
fn differences(batches: &[levada_core::batch::Batch], schema: &Schema) -> Vec<Option<String>> {
    rows::sorted(batches, schema).into_iter().map(|mut row| row.swap_remove(1)).collect()
}

/// Whether two canonical texts mean the same under a logical type: JSON whatever its spacing and key order, numbers
/// whatever their trailing zeros.
pub fn equal(logical: Option<Logical>, a: &Option<String>, b: &Option<String>) -> bool {
    let (Some(left), Some(right)) = (a, b) else { return a == b };
    match logical {
        Some(Logical::Json) => {
            let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            left == right || (parse(left).is_some() && parse(left) == parse(right))
        }
        Some(Logical::Number) => left == right || (canonical(left).is_some() && canonical(left) == canonical(right)),
        _ => left == right,
    }
}

fn canonical(number: &str) -> Option<(bool, String, i32)> {
    let (negative, digits, scale) = levada_core::text::parse_decimal(number)?;
    let trimmed = digits.trim_end_matches('0');
    let cut = i32::try_from(digits.len() - trimmed.len()).ok()?;
    Some((negative, trimmed.to_owned(), scale - cut))
}
