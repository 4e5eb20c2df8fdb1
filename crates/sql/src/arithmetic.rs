//! Arithmetic that never gives another number than the right one: DataFusion's `+`, `-` and `*` wrap around, and its quotient
//! of decimals is cut off. They are replaced, with the types that DataFusion gave them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, DecimalType, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, Datum, Decimal128Array, Decimal256Array};
use arrow_schema::DataType;
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::i256;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Operator;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use levada_core::error::{Error, ErrorKind};

use crate::fault;

/// The function for an operator over numbers of one kind, if it has to be replaced. The types are those after coercion.
pub(crate) fn checked(op: Operator, left: &DataType, right: &DataType, result: &DataType) -> Option<ScalarUDF> {
    let decimals = left.is_decimal() && right.is_decimal();
    let integers = left.is_integer() && right.is_integer();
    let op = match op {
        Operator::Plus if decimals || integers => Op::Add,
        Operator::Minus if decimals || integers => Op::Subtract,
        Operator::Multiply if decimals || integers => Op::Multiply,
        Operator::Divide if decimals => Op::Divide,
        _ => return None,
    };
    let signature = Signature::any(2, Volatility::Immutable);
    Some(ScalarUDF::from(Checked { op, result: result.clone(), signature }))
}

/// The function for a minus sign before an integer or decimal.
pub(crate) fn negated(of: &DataType) -> Option<ScalarUDF> {
    if !of.is_signed_integer() && !of.is_decimal() {
        return None;
    }
    let signature = Signature::any(1, Volatility::Immutable);
    Some(ScalarUDF::from(Checked { op: Op::Negate, result: of.clone(), signature }))
}

/// What `sum` adds up: numbers with room for ten thousand million of them. Users cannot write the name.
pub(crate) const WIDE: &str = "WIDE";

/// What DISTINCT looks at within an aggregate: there, zero has no sign. Users cannot write the name.
pub(crate) const UNSIGNED_ZERO: &str = "UNSIGNED ZERO";

/// The function of one of these names.
pub(crate) fn named(name: &str) -> Option<Arc<ScalarUDF>> {
    let signature = Signature::any(1, Volatility::Immutable);
    match name {
        WIDE => Some(Arc::new(ScalarUDF::from(Wide { signature }))),
        UNSIGNED_ZERO => Some(Arc::new(ScalarUDF::from(UnsignedZero { signature }))),
        _ => None,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct UnsignedZero {
    signature: Signature,
}

impl ScalarUDFImpl for UnsignedZero {
    fn name(&self) -> &str {
        UNSIGNED_ZERO
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = match &args.args[0] {
            ColumnarValue::Array(array) if array.data_type().is_floating() => array,
            other => return Ok(other.clone()),
        };
        // minus zero and zero are zero; whatever else stays
        let array: ArrayRef = match array.data_type() {
            DataType::Float32 => Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(|v| v + 0.0)),
            _ => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(|v| v + 0.0)),
        };
        Ok(ColumnarValue::Array(array))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Wide {
    signature: Signature,
}

impl ScalarUDFImpl for Wide {
    fn name(&self) -> &str {
        WIDE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        use DataType as T;
        match types {
            // DataFusion gives the sum ten more digits, up to those that its kind of decimal has
            [T::Int64] => Ok(T::Decimal128(19, 0)),
            [T::UInt64] => Ok(T::Decimal128(20, 0)),
            [T::Decimal128(p @ 29.., s)] => Ok(T::Decimal256(*p, *s)),
            [T::Decimal256(67.., _)] => Err(fault::config(
                "sum cannot add up decimals of more than 66 digits",
                "CAST them to fewer digits before.",
            )),
            [kind] if kind.is_numeric() || matches!(kind, T::Duration(_) | T::Null) => Ok(kind.clone()),
            _ => Err(fault::config(
                "sum adds up numbers",
                "CAST the text to a number before: sum(CAST(x AS DECIMAL(18,2))).",
            )),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.args[0].cast_to(args.return_field.data_type(), None)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Op,
    result: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Op::Add => "plus",
            Op::Subtract => "minus",
            Op::Multiply => "times",
            Op::Divide => "by",
            Op::Negate => "negative",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = match args.args.as_slice() {
            [one] => self.negate(&one.to_array(args.number_rows)?)?,
            [ColumnarValue::Array(left), ColumnarValue::Array(right)] => self.apply(left, right)?,
            [ColumnarValue::Array(left), ColumnarValue::Scalar(right)] if self.op != Op::Divide => {
                self.apply(left, &right.to_scalar()?)?
            }
            [ColumnarValue::Scalar(left), ColumnarValue::Array(right)] if self.op != Op::Divide => {
                self.apply(&left.to_scalar()?, right)?
            }
            [left, right] => self.apply(&left.to_array(args.number_rows)?, &right.to_array(args.number_rows)?)?,
            _ => return exec_err!("an operator has one or two sides"),
        };
        let scalars = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        if scalars && array.len() == 1 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

impl Checked {
    fn apply(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let array = match self.op {
            Op::Add => numeric::add(left, right)?,
            Op::Subtract => numeric::sub(left, right)?,
            Op::Multiply => numeric::mul(left, right)?,
            Op::Divide => return self.divide(left.get().0, right.get().0),
            Op::Negate => return exec_err!("a minus sign has one side"),
        };
        self.within(&array)?;
        if array.data_type() == &self.result {
            return Ok(array);
        }
        exec_err!("the type of a result changed from {} to {}", self.result, array.data_type())
    }

    fn negate(&self, array: &ArrayRef) -> Result<ArrayRef> {
        Ok(numeric::neg(array.as_ref())?)
    }

    /// A decimal that fits its integer can still have more digits than its type.
    fn within(&self, array: &ArrayRef) -> Result<()> {
        let fits = match array.data_type() {
            DataType::Decimal128(p, _) => array.as_primitive::<Decimal128Type>().validate_decimal_precision(*p),
            DataType::Decimal256(p, _) => array.as_primitive::<Decimal256Type>().validate_decimal_precision(*p),
            _ => Ok(()),
        };
        fits.map_err(|_| fault::wrap(too_large()))
    }

    /// The quotient of decimals at the scale of the result, rounded half away from zero.
    fn divide(&self, left: &dyn Array, right: &dyn Array) -> Result<ArrayRef> {
        let (from, to) = (scale(left.data_type())?, scale(right.data_type())?);
        let shift = i32::from(scale(&self.result)?) + i32::from(to) - i32::from(from);
        let (left, right) = (wide(left)?, wide(right)?);
        let mut out = Vec::with_capacity(left.len());
        for (numerator, denominator) in left.iter().zip(right.iter()) {
            out.push(match (numerator, denominator) {
                (Some(n), Some(d)) => Some(quotient(*n, *d, shift)?),
                _ => None,
            });
        }
        match &self.result {
            DataType::Decimal128(p, s) => {
                let narrow = |value: i256| value.to_i128().ok_or_else(|| fault::wrap(too_large()));
                let values = out.into_iter().map(|value| value.map(narrow).transpose()).collect::<Result<Vec<_>>>()?;
                let array = Decimal128Array::from(values).with_precision_and_scale(*p, *s)?;
                array.validate_decimal_precision(*p).map_err(|_| fault::wrap(too_large()))?;
                Ok(Arc::new(array))
            }
            DataType::Decimal256(p, s) => {
                let array = Decimal256Array::from(out).with_precision_and_scale(*p, *s)?;
                array.validate_decimal_precision(*p).map_err(|_| fault::wrap(too_large()))?;
                Ok(Arc::new(array))
            }
            other => exec_err!("a quotient of decimals is no {other}"),
        }
    }
}

fn scale(of: &DataType) -> Result<i8> {
    match of {
        DataType::Decimal128(_, s) | DataType::Decimal256(_, s) => Ok(*s),
        other => exec_err!("{other} is no decimal"),
    }
}

/// The unscaled integers of a column of decimals.
fn wide(array: &dyn Array) -> Result<Vec<Option<i256>>> {
    Ok(match array.data_type() {
        DataType::Decimal128(..) => {
            array.as_primitive::<Decimal128Type>().iter().map(|value| value.map(i256::from_i128)).collect()
        }
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().iter().collect(),
        other => return exec_err!("{other} is no decimal"),
    })
}

fn too_large() -> Error {
    Error::new(ErrorKind::Data, "a number is too large")
        .advise("CAST one side to a wider type before, for instance DECIMAL(76,10).")
}

fn quotient(n: i256, d: i256, shift: i32) -> Result<i256> {
    if d == i256::ZERO {
        return Err(datafusion::arrow::error::ArrowError::DivideByZero.into());
    }
    let large = || fault::wrap(too_large());
    let power = i256::from_i128(10).checked_pow(shift.unsigned_abs()).ok_or_else(large)?;
    let (n, d) = match shift {
        0.. => (n.checked_mul(power).ok_or_else(large)?, d),
        _ => (n, d.checked_mul(power).ok_or_else(large)?),
    };
    let (whole, rest) = (n.checked_div(d).ok_or_else(large)?, n.checked_rem(d).ok_or_else(large)?);
    let (rest, half) = (rest.wrapping_abs(), d.wrapping_abs());
    let up = rest >= half.wrapping_sub(rest);
    let one = if n.is_negative() == d.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    if up { whole.checked_add(one).ok_or_else(large) } else { Ok(whole) }
}

const _: () = assert!(Decimal128Type::MAX_PRECISION == 38);
