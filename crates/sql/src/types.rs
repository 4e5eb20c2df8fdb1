//! The types that CAST knows by their SQL names, as types of the closed set.

use arrow_schema::{DataType, TimeUnit};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};
use levada_core::schema::{timestamp, timestamp_utc};

/// Digits of a DECIMAL without precision: as wide as 128 bits are, ten of them after the point.
const DECIMAL: (u8, i8) = (38, 10);

/// The type that a CAST means, or `None` for one that no column can have.
pub(crate) fn of(sql: &SqlType) -> Option<DataType> {
    use DataType as T;
    Some(match sql {
        SqlType::Boolean | SqlType::Bool => T::Boolean,
        SqlType::SmallInt(None) | SqlType::Int2(None) => T::Int16,
        SqlType::Int(None) | SqlType::Integer(None) | SqlType::Int4(None) => T::Int32,
        SqlType::BigInt(None) | SqlType::Int8(None) => T::Int64,
        SqlType::Real | SqlType::Float4 => T::Float32,
        SqlType::Double(ExactNumberInfo::None) | SqlType::DoublePrecision | SqlType::Float8 => T::Float64,
        SqlType::Float(ExactNumberInfo::None) => T::Float64,
        SqlType::Decimal(info) | SqlType::Numeric(info) | SqlType::Dec(info) => return decimal(info),
        SqlType::Text | SqlType::Varchar(None) | SqlType::String(None) | SqlType::CharacterVarying(None) => T::Utf8,
        SqlType::Bytea => T::Binary,
        SqlType::Uuid => T::FixedSizeBinary(16),
        SqlType::Date => T::Date32,
        SqlType::Time(None | Some(6), TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            T::Time64(TimeUnit::Microsecond)
        }
        SqlType::Timestamp(digits, zone) => {
            let unit = match digits {
                None | Some(6) => TimeUnit::Microsecond,
                Some(9) => TimeUnit::Nanosecond,
                Some(_) => return None,
            };
            let like = match zone {
                TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => timestamp(),
                TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => timestamp_utc(),
            };
            let T::Timestamp(_, zone) = like else { return None };
            T::Timestamp(unit, zone)
        }
        _ => return None,
    })
}

/// What to write for a type that [`of`] does not know.
pub(crate) const KNOWN: &str = "CAST knows BOOLEAN, SMALLINT, INT, BIGINT, REAL, DOUBLE PRECISION, DECIMAL(p,s) with p up to 76, TEXT, BYTEA, \
     UUID, DATE, TIME, TIMESTAMP and TIMESTAMPTZ.";

fn decimal(info: &ExactNumberInfo) -> Option<DataType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => DECIMAL,
        ExactNumberInfo::Precision(p) => (u8::try_from(*p).ok()?, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (u8::try_from(*p).ok()?, i8::try_from(*s).ok()?),
    };
    let fits = (1..=76).contains(&precision) && scale >= 0 && i16::from(scale) <= i16::from(precision);
    fits.then(|| match precision {
        ..=38 => DataType::Decimal128(precision, scale),
        _ => DataType::Decimal256(precision, scale),
    })
}
