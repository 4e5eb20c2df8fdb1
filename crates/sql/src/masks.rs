//! Functions that hide what values say and keep what is needed of them: which are the same, how long they are, how far days lie
//! apart. All of them give the same for the same, and NULL for NULL.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hmac::{Hmac, KeyInit, Mac};
use levada_core::error::{Error, ErrorKind};
use levada_core::text::write_value;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::keys::Keys;
use crate::text::plain;
use crate::{fakes, fault, output};

/// Functions whose results tell nothing of the values but which are the same.
pub(crate) const DIGESTS: [&str; 6] = ["md5", "sha224", "sha256", "sha384", "sha512", Mask::Hmac.name()];

/// The furthest that a day is moved.
const DAYS_MAX: i64 = 36_500;

/// The functions of this file, with keys that the statement itself gives.
pub(crate) fn functions() -> Vec<Arc<ScalarUDF>> {
    let digests = ["sha224", "sha256", "sha384", "sha512"];
    let digests = digests.into_iter().map(|name| ScalarUDF::from(Sha { name, signature: exactly(1) }));
    let masks = Mask::ALL.into_iter().map(|mask| mask.function(None));
    digests.chain(masks).map(Arc::new).collect()
}

fn exactly(args: usize) -> Signature {
    Signature::any(args, Volatility::Immutable)
}

/// Ways of hiding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mask {
    /// `hmac_sha256(value, key)`: RFC 2104 with SHA-256, as 64 hexadecimal digits.
    Hmac,
    /// `mask(value, first, last)`: `*` in place of all signs but some at both ends; of all, where no others would be left.
    Partial,
    /// `date_shift(day, key, days)`: at most so many days earlier or later, the same number for the same key, and never none.
    DateShift,
    /// `fake(kind, value, seed)`: a made-up value of a kind.
    Fake,
}

impl Mask {
    pub(crate) const ALL: [Self; 4] = [Self::Hmac, Self::Partial, Self::DateShift, Self::Fake];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "hmac_sha256",
            Self::Partial => "mask",
            Self::DateShift => "date_shift",
            Self::Fake => "fake",
        }
    }

    /// Which of its arguments is a key.
    pub(crate) fn key_at(self) -> Option<usize> {
        match self {
            Self::Hmac | Self::DateShift => Some(1),
            Self::Fake => Some(2),
            Self::Partial => None,
        }
    }

    /// The function; with `keys` its key is the name of one of them.
    pub(crate) fn function(self, keys: Option<Arc<Keys>>) -> ScalarUDF {
        let args = if self == Self::Hmac { 2 } else { 3 };
        ScalarUDF::from(Masking { mask: self, keys, signature: exactly(args) })
    }
}

/// SHA-2 of the text of a value, of bytes themselves, as hexadecimal digits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sha {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Sha {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.iter().try_for_each(|data_type| has_text(self.name, data_type)).map(|()| DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let values = plain(&args.args[0], rows)?;
        let mut text = String::new();
        of_rows(rows, |row, out| {
            let is_there = is_there(&values, row);
            if is_there {
                let bytes = bytes_of(&values, row, &mut text);
                match self.name {
                    "sha224" => hex(out, &Sha224::digest(bytes)),
                    "sha256" => hex(out, &Sha256::digest(bytes)),
                    "sha384" => hex(out, &Sha384::digest(bytes)),
                    _ => hex(out, &Sha512::digest(bytes)),
                }
            }
            Ok(is_there)
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Masking {
    mask: Mask,
    keys: Option<Arc<Keys>>,
    signature: Signature,
}

impl ScalarUDFImpl for Masking {
    fn name(&self) -> &str {
        self.mask.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{} tells its type by its arguments", self.name())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let name = self.name();
        let type_at = |at: usize| args.arg_fields[at].data_type();
        let constant = |at: usize| args.scalar_arguments.get(at).copied().flatten();
        if let Some(at) = self.mask.key_at() {
            if !matches!(type_at(at), DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8) {
                return plan_err!("the key of {name} is a text");
            }
            if let Some(key) = constant(at).filter(|key| key.is_null() || *key == &ScalarValue::from("")) {
                return plan_err!("the key of {name} is {}", if key.is_null() { "NULL" } else { "empty" });
            }
        }
        let number = |at: usize, least: i64, most: i64| match constant(at).map(whole) {
            Some(Some(number)) if (least..=most).contains(&number) => Ok(()),
            _ => plan_err!("argument {} of {name} is a whole number from {least} to {most}, written out", at + 1),
        };
        let data_type = match self.mask {
            Mask::Hmac => has_text(name, type_at(0)).map(|()| DataType::Utf8)?,
            Mask::Partial => {
                has_text(name, type_at(0))?;
                number(1, 0, i64::from(u16::MAX))?;
                number(2, 0, i64::from(u16::MAX))?;
                DataType::Utf8
            }
            Mask::DateShift => {
                number(2, 1, DAYS_MAX)?;
                match output::canonical(type_at(0)) {
                    Some(known @ (DataType::Date32 | DataType::Timestamp(..))) => known,
                    _ => return plan_err!("{name} takes a DATE or a TIMESTAMP; write CAST(.. AS DATE) before it"),
                }
            }
            Mask::Fake => {
                has_text(name, type_at(1))?;
                match constant(0) {
                    Some(kind) if fakes::KINDS.contains(&kind.try_as_str().flatten().unwrap_or_default()) => {}
                    _ => {
                        let kinds = fakes::KINDS.map(|kind| format!("'{kind}'")).join(", ");
                        return plan_err!("the kind of {name} is one of {kinds}, written out");
                    }
                }
                DataType::Utf8
            }
        };
        Ok(Arc::new(Field::new(name, data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let key = self.mask.key_at().map(|at| Key::of(self, &args.args[at], rows)).transpose()?;
        let key = |row: usize| match &key {
            Some(key) => key.at(row),
            None => internal_err!("{} has no key", self.name()),
        };
        let values = plain(&args.args[usize::from(self.mask == Mask::Fake)], rows)?;
        let mut text = String::new();
        match self.mask {
            Mask::Hmac => of_rows(rows, |row, out| {
                let is_there = is_there(&values, row);
                if is_there {
                    hex(out, &digest(key(row)?, &[], &values, row, &mut text));
                }
                Ok(is_there)
            }),
            Mask::Partial => {
                let (first, last) = (count(&args.args[1])?, count(&args.args[2])?);
                of_rows(rows, |row, out| {
                    let is_there = is_there(&values, row);
                    if is_there {
                        text.clear();
                        write_value(&mut text, &values, row);
                        hide_middle(out, &text, first, last);
                    }
                    Ok(is_there)
                })
            }
            Mask::DateShift => {
                let days = count(&args.args[2])?;
                shifted(&values, days as u64, key).map(ColumnarValue::Array)
            }
            Mask::Fake => {
                let ColumnarValue::Scalar(kind) = &args.args[0] else {
                    return internal_err!("the kind of a made-up value differs from row to row");
                };
                let kind = kind.try_as_str().flatten().unwrap_or_default();
                of_rows(rows, |row, out| {
                    let is_there = is_there(&values, row);
                    if is_there {
                        fakes::write(out, kind, &digest(key(row)?, kind.as_bytes(), &values, row, &mut text));
                    }
                    Ok(is_there)
                })
            }
        }
    }
}

/// The key of each row, ready for use.
enum Key {
    Same(Hmac<Sha256>),
    Column(ArrayRef),
}

impl Key {
    fn of(call: &Masking, arg: &ColumnarValue, rows: usize) -> Result<Self> {
        match (&call.keys, arg) {
            (Some(keys), ColumnarValue::Scalar(name)) => {
                let key = name.try_as_str().flatten().and_then(|name| keys.get(name));
                key.map_or_else(|| internal_err!("there is no such key"), |key| keyed(key.expose()).map(Self::Same))
            }
            (Some(_), ColumnarValue::Array(_)) => internal_err!("the name of a key differs from row to row"),
            (None, ColumnarValue::Scalar(key)) => keyed(key.try_as_str().flatten().unwrap_or_default()).map(Self::Same),
            (None, ColumnarValue::Array(_)) => Ok(Self::Column(cast(&arg.to_array(rows)?, &DataType::Utf8)?)),
        }
    }

    fn at(&self, row: usize) -> Result<Hmac<Sha256>> {
        match self {
            Self::Same(key) => Ok(key.clone()),
            Self::Column(keys) if keys.is_valid(row) => keyed(keys.as_string::<i32>().value(row)),
            Self::Column(_) => keyed(""),
        }
    }
}

fn keyed(key: &str) -> Result<Hmac<Sha256>> {
    if key.is_empty() {
        let error = Error::new(ErrorKind::Data, "a key is NULL or empty, and would hide nothing");
        return Err(fault::wrap(error.advise("Give every row a key.")));
    }
    match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mac) => Ok(mac),
        Err(_) => internal_err!("the key is too long"),
    }
}

/// The keyed digest of what is told and a value.
fn digest(mut mac: Hmac<Sha256>, told: &[u8], values: &ArrayRef, row: usize, text: &mut String) -> [u8; 32] {
    mac.update(told);
    mac.update(bytes_of(values, row, text));
    mac.finalize().into_bytes().into()
}

/// What is hashed of a value: bytes themselves, of all others the text.
fn bytes_of<'a>(values: &'a ArrayRef, row: usize, text: &'a mut String) -> &'a [u8] {
    match values.as_binary_opt::<i32>() {
        Some(bytes) => bytes.value(row),
        None => {
            text.clear();
            write_value(text, values, row);
            text.as_bytes()
        }
    }
}

fn hide_middle(out: &mut String, text: &str, first: usize, last: usize) {
    let signs = text.chars().count();
    let is_short = signs <= first.saturating_add(last);
    for (at, sign) in text.chars().enumerate() {
        let is_kept = !is_short && (at < first || at >= signs - last);
        out.push(if is_kept { sign } else { '*' });
    }
}

fn shifted(values: &ArrayRef, days: u64, key: impl Fn(usize) -> Result<Hmac<Sha256>>) -> Result<ArrayRef> {
    let by = |row: usize| -> Result<i64> {
        let digest: [u8; 32] = key(row)?.chain_update(Mask::DateShift.name()).finalize().into_bytes().into();
        let (first, _) = digest.split_at(8);
        let number = first.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) % (2 * days);
        let far = i64::try_from(number % days).unwrap_or_default() + 1;
        Ok(if number < days { far } else { -far })
    };
    const DAY_MICROS: i64 = 86_400_000_000;
    let add = |value: i64, row: usize, day: i64| -> Result<i64> {
        let moved = by(row)?.checked_mul(day).and_then(|by| value.checked_add(by));
        moved.ok_or_else(out_of_range)
    };
    match values.data_type() {
        DataType::Date32 => moved::<Date32Type>(values, |value, row| {
            i32::try_from(add(value.into(), row, 1)?).map_err(|_| out_of_range())
        }),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            moved::<TimestampMicrosecondType>(values, |value, row| add(value, row, DAY_MICROS))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            moved::<TimestampNanosecondType>(values, |value, row| add(value, row, DAY_MICROS * 1_000))
        }
        other => internal_err!("a value of type {other} is moved by days"),
    }
}

fn moved<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    add: impl Fn(T::Native, usize) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let values = values.as_primitive::<T>();
    let moved = values.iter().enumerate().map(|(row, value)| value.map(|value| add(value, row)).transpose());
    let moved = moved.collect::<Result<PrimitiveArray<T>>>()?;
    Ok(Arc::new(moved.with_data_type(values.data_type().clone())))
}

fn out_of_range() -> datafusion::common::DataFusionError {
    fault::wrap(Error::new(ErrorKind::Data, "a day is moved out of the range of days").advise("Leave such rows out."))
}

fn is_there(values: &ArrayRef, row: usize) -> bool {
    *values.data_type() != DataType::Null && values.is_valid(row)
}

fn has_text(name: &str, data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Null => Ok(()),
        known if output::canonical(known).is_some() => Ok(()),
        other => plan_err!("{name} cannot take a value of type {other}; write CAST(.. AS TEXT)"),
    }
}

fn whole(value: &ScalarValue) -> Option<i64> {
    let number = value.cast_to(&DataType::Int64).ok()?;
    match number {
        ScalarValue::Int64(number) if value.data_type().is_integer() => number,
        _ => None,
    }
}

fn count(arg: &ColumnarValue) -> Result<usize> {
    match arg {
        ColumnarValue::Scalar(value) => Ok(whole(value).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)),
        ColumnarValue::Array(_) => internal_err!("a number that is written out differs from row to row"),
    }
}

/// A column of texts, each written by `write`, which answers false for NULL.
fn of_rows(rows: usize, mut write: impl FnMut(usize, &mut String) -> Result<bool>) -> Result<ColumnarValue> {
    let mut builder = StringBuilder::with_capacity(rows, rows * 64);
    let mut out = String::new();
    for row in 0..rows {
        out.clear();
        if write(row, &mut out)? {
            builder.append_value(&out);
        } else {
            builder.append_null();
        }
    }
    Ok(ColumnarValue::Array(Arc::new(builder.finish())))
}

fn hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests;
