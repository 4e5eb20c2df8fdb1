//! Functions that make texts longer, bounded: a query must not be able to ask for more memory than there is by a short
//! text. Values that are no texts take part as their canonical text.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::functions::{regex, string, unicode};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use levada_core::text::write_value;

use crate::fault;
use crate::output;

/// What `||` becomes: NULL if one side is.
pub(crate) const JOIN: &str = "||";

/// Bytes that one function may make of one batch.
const BYTES_MAX: u64 = 256 << 20;

/// The functions of this file.
pub(crate) fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut all: Vec<Arc<ScalarUDF>> =
        [(JOIN, Kind::Strict), ("concat", Kind::Skipping), ("concat_ws", Kind::Separated)]
            .into_iter()
            .map(|(name, kind)| Arc::new(ScalarUDF::from(Joined { name, kind, signature: any() })))
            .collect();
    for inner in [unicode::lpad(), unicode::rpad(), string::replace(), regex::regexp_replace()] {
        all.push(Arc::new(ScalarUDF::from(Bounded { inner })));
    }
    all
}

fn any() -> Signature {
    Signature::variadic_any(Volatility::Immutable)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// NULL if any part is.
    Strict,
    /// NULL is nothing.
    Skipping,
    /// The first part stands between the others; NULL if it is, and other NULLs are left out.
    Separated,
}

/// Texts put one after the other.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.iter().find(|t| **t != DataType::Null && output::canonical(t).is_none()) {
            Some(other) => exec_err!("{} cannot take a value of type {other}; write CAST(.. AS TEXT)", self.name),
            None => Ok(DataType::Utf8),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args.args.iter().map(|arg| plain(arg, rows)).collect::<Result<Vec<_>>>()?;
        let bytes: u64 = columns.iter().map(|column| column.get_buffer_memory_size() as u64).sum();
        bound(self.name, bytes.saturating_mul(if self.kind == Kind::Separated { columns.len() as u64 } else { 1 }))?;
        let mut builder = StringBuilder::new();
        let mut value = String::new();
        for row in 0..rows {
            value.clear();
            if self.write(&mut value, &columns, row) {
                builder.append_value(&value);
            } else {
                builder.append_null();
            }
        }
        Ok(ColumnarValue::Array(Arc::new(builder.finish())))
    }
}

impl Joined {
    /// Appends the text of a row; false for NULL.
    fn write(&self, out: &mut String, columns: &[ArrayRef], row: usize) -> bool {
        let skip = usize::from(self.kind == Kind::Separated);
        if skip == 1 && columns[0].is_null(row) {
            return false;
        }
        let mut first = true;
        for column in &columns[skip..] {
            if column.is_null(row) || *column.data_type() == DataType::Null {
                if self.kind == Kind::Strict {
                    return false;
                }
                continue;
            }
            if skip == 1 && !first {
                write_value(out, &columns[0], row);
            }
            first = false;
            write_value(out, column, row);
        }
        true
    }
}

/// An argument as a column of the closed set.
pub(crate) fn plain(arg: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let array = arg.to_array(rows)?;
    match output::canonical(array.data_type()) {
        Some(to) if to != *array.data_type() => Ok(cast(&array, &to)?),
        _ => Ok(array),
    }
}

fn bound(name: &str, bytes: u64) -> Result<()> {
    if bytes <= BYTES_MAX {
        return Ok(());
    }
    Err(fault::full(
        format!("{name} would make texts of {bytes} bytes out of one batch of rows"),
        "Shorten the texts, or the number of times that they are repeated.",
    ))
}

/// A function of DataFusion whose result can be much longer than its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
}

impl Bounded {
    /// An upper bound of what it will make.
    fn bytes(&self, args: &ScalarFunctionArgs) -> Result<u64> {
        let rows = args.number_rows;
        if matches!(self.inner.name(), "lpad" | "rpad") {
            let width = cast(&args.args[1].to_array(rows)?, &DataType::Int64)?;
            let widths = width.as_primitive::<arrow_array::types::Int64Type>().iter().flatten();
            // a sign takes up to four bytes
            return Ok(widths
                .map(|width| u64::try_from(width).unwrap_or(0).saturating_mul(4))
                .fold(0, u64::saturating_add));
        }
        let texts = sum_and_most(&args.args[0], rows)?;
        let to = args.args.get(2).map_or(Ok((0, 0)), |to| sum_and_most(to, rows))?;
        Ok(texts.0.saturating_add(rows as u64).saturating_mul(to.1.saturating_add(1)))
    }
}

/// The bytes of all texts of an argument, and of the longest.
fn sum_and_most(arg: &ColumnarValue, rows: usize) -> Result<(u64, u64)> {
    let array = cast(&arg.to_array(rows)?, &DataType::Utf8)?;
    let lengths = array.as_string::<i32>().iter().flatten().map(|text| text.len() as u64);
    Ok(lengths.fold((0, 0), |(sum, most), length| (sum + length, most.max(length))))
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<arrow_schema::FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        bound(self.name(), self.bytes(&args)?)?;
        self.inner.invoke_with_args(args)
    }
}
