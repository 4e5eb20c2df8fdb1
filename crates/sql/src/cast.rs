//! CAST and TRY_CAST: the one place of the whole platform that converts values, `levada_core::cast`, in place of
//! DataFusion's, which rounds, cuts and guesses.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_schema::{DataType, Field, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use levada_core::error::{Error, ErrorKind};
use levada_core::schema::{parse_type, type_name};

use crate::{fault, output};

const CAST: &str = "CAST AS ";
const TRY: &str = "TRY_CAST AS ";

/// The function that stands for a cast to a type of the closed set; users cannot write its name.
pub(crate) fn name(to: &DataType, or_null: bool) -> String {
    let word = type_name(&Field::new("", to.clone(), true));
    format!("{}{word}", if or_null { TRY } else { CAST })
}

/// The function of a [`name`].
pub(crate) fn named(name: &str) -> Option<Arc<ScalarUDF>> {
    let (word, or_null) = match name.strip_prefix(CAST) {
        Some(word) => (word, false),
        None => (name.strip_prefix(TRY)?, true),
    };
    let to = match word {
        // casts of documents know no nanoseconds
        "timestamp_ns" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        "timestamptz_ns" => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        _ => parse_type(word).ok()?.0,
    };
    Some(Arc::new(function(to, or_null)))
}

/// A cast as a function.
pub(crate) fn function(to: DataType, or_null: bool) -> ScalarUDF {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(Cast { name: name(&to, or_null), to, or_null, signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Cast {
    name: String,
    to: DataType,
    or_null: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Cast {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Null] => Ok(self.to.clone()),
            [from] if output::canonical(from).is_some() => Ok(self.to.clone()),
            _ => exec_err!("{types:?} cannot be cast"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &args.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.cast(array)?)),
            ColumnarValue::Scalar(scalar) => {
                let cast = self.cast(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&cast, 0)?))
            }
        }
    }
}

impl Cast {
    fn cast(&self, array: &ArrayRef) -> Result<ArrayRef> {
        if *array.data_type() == DataType::Null {
            return Ok(new_null_array(&self.to, array.len()));
        }
        let array = output::to_canonical(array)?;
        let array = if self.to == DataType::Date32 { days(&array)? } else { array };
        let (cast, bad) = levada_core::cast::cast(&array, &self.to).map_err(fault::wrap)?;
        match bad.first() {
            Some(bad) if !self.or_null => {
                let word = self.name.trim_start_matches(CAST);
                Err(fault::wrap(
                    Error::new(ErrorKind::Data, format!("CAST to {word}: {}", bad.reason))
                        .advise("Round or trim the value before the CAST, or write TRY_CAST, which gives NULL."),
                ))
            }
            _ => Ok(cast),
        }
    }
}

/// The date of a timestamp is its day, of an instant the day in UTC: the one cast that standard SQL has cut.
fn days(array: &ArrayRef) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = array.data_type() else { return Ok(array.clone()) };
    let per_day: i64 = if *unit == TimeUnit::Microsecond { 86_400_000_000 } else { 86_400_000_000_000 };
    let values = arrow_cast::cast(array, &DataType::Int64)?;
    let values = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Int64Type>(values.as_ref());
    let days: arrow_array::Int64Array = values.unary(|value| value.div_euclid(per_day) * per_day);
    Ok(arrow_cast::cast(&days, &DataType::Timestamp(*unit, zone.clone()))?)
}
