//! `AT TIME ZONE`, as the standard has it: an instant becomes the time of day in a zone, and a time of day in a zone becomes
//! an instant. DataFusion's own changes only how a value is shown.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowTimestampType, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, LocalResult, Offset, TimeZone};
use chrono_tz::Tz;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use levada_core::error::{Error, ErrorKind};
use levada_core::schema::UTC;

use crate::fault;

const PREFIX: &str = "AT TIME ZONE ";

/// The name of the function for a zone; users cannot write it. `None` for a zone that does not exist.
pub(crate) fn name(zone: &str) -> Option<String> {
    zone.parse::<Tz>().ok().map(|zone| format!("{PREFIX}{}", zone.name()))
}

/// The function of a [`name`].
pub(crate) fn named(name: &str) -> Option<Arc<ScalarUDF>> {
    let zone = name.strip_prefix(PREFIX)?.parse().ok()?;
    let signature = Signature::any(1, Volatility::Immutable);
    Some(Arc::new(ScalarUDF::from(AtTimeZone { name: name.to_owned(), zone, signature })))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone {
    name: String,
    zone: Tz,
    signature: Signature,
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Timestamp(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond), None)] => {
                Ok(DataType::Timestamp(*unit, Some(UTC.into())))
            }
            [DataType::Timestamp(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond), Some(_))] => {
                Ok(DataType::Timestamp(*unit, None))
            }
            _ => exec_err!("AT TIME ZONE takes a TIMESTAMP or TIMESTAMPTZ; write CAST(.. AS TIMESTAMP) before it"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &args.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.apply(array)?)),
            ColumnarValue::Scalar(scalar) => {
                let moved = self.apply(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&moved, 0)?))
            }
        }
    }
}

impl AtTimeZone {
    fn apply(&self, array: &ArrayRef) -> Result<ArrayRef> {
        match array.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                self.column::<TimestampMicrosecondType>(array, zone.is_some(), 1_000_000)
            }
            DataType::Timestamp(_, zone) => {
                self.column::<TimestampNanosecondType>(array, zone.is_some(), 1_000_000_000)
            }
            other => exec_err!("AT TIME ZONE cannot take {other}"),
        }
    }

    fn column<T: ArrowTimestampType>(&self, array: &ArrayRef, instant: bool, per_second: i64) -> Result<ArrayRef> {
        let mut builder = PrimitiveBuilder::<T>::with_capacity(array.len());
        for value in array.as_primitive::<T>() {
            let Some(value) = value else {
                builder.append_null();
                continue;
            };
            let offset = self.offset(value.div_euclid(per_second), instant).map_err(fault::wrap)?;
            let offset = if instant { offset } else { -offset } * per_second;
            builder.append_value(value.checked_add(offset).ok_or_else(|| fault::wrap(out_of_range()))?);
        }
        let zone = (!instant).then(|| UTC.into());
        Ok(Arc::new(builder.finish().with_timezone_opt::<Arc<str>>(zone)))
    }

    /// Seconds that the zone is ahead of UTC at an instant, or at a time of day in the zone.
    fn offset(&self, seconds: i64, instant: bool) -> levada_core::error::Result<i64> {
        let naive = DateTime::from_timestamp(seconds, 0).ok_or_else(out_of_range)?.naive_utc();
        if instant {
            return Ok(self.zone.offset_from_utc_datetime(&naive).fix().local_minus_utc().into());
        }
        let what = match self.zone.offset_from_local_datetime(&naive) {
            LocalResult::Single(offset) => return Ok(offset.fix().local_minus_utc().into()),
            LocalResult::Ambiguous(..) => "is there twice",
            LocalResult::None => "does not exist",
        };
        Err(Error::new(ErrorKind::Data, format!("the time {naive} {what} in the zone {}", self.zone))
            .advise("The clocks were changed then. Store instants as TIMESTAMPTZ, or leave such rows out."))
    }
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::Data, "a timestamp is out of the range of time zones").advise("Leave such rows out.")
}
