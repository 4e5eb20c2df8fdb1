//! The conditions of a read in the server's words, where it compares as they mean.

use levada_core::condition::{Comparison, Condition, Test};
use levada_core::text;

use super::cursor::Kind;
use super::discover::Table;
use super::session::{quoted, text_literal};

/// What the server can leave out rows by.
pub fn conditions(table: &Table, only: &[Condition]) -> Vec<String> {
    only.iter().filter_map(|condition| sql(table, condition)).collect()
}

fn sql(table: &Table, condition: &Condition) -> Option<String> {
    let column = table.column(&condition.column)?;
    let native = &column.native;
    let kind = match native.base.as_str() {
        "inet4" | "inet6" => return None,
        _ => Kind::of(column.field.name(), native).ok()?,
    };
    // zero dates are NULL elsewhere
    if condition.test == Test::IsNull && matches!(kind, Kind::Date | Kind::Timestamp) {
        return None;
    }
    condition.test.sql(&quoted(column.field.name()), |comparison, value| match kind {
        Kind::Integer | Kind::Decimal => {
            // constants of more digits are no exact numbers
            let (_, digits, scale) = text::parse_decimal(value)?;
            let is_exact = digits.len() <= DIGITS_MAX && (0..=SCALE_MAX).contains(&scale);
            (is_exact && !value.contains(['e', 'E', '+'])).then(|| value.to_owned())
        }
        Kind::Date | Kind::Timestamp => Some(format!("CAST({} AS DATETIME(6))", text_literal(time(value)?))),
        // texts have the order of a collation; what is equal in one is at least what is the same. Those of other signs may not
        // meet columns of every character set.
        Kind::Text => {
            (comparison == Comparison::Eq && value.is_ascii() && !value.contains('\0')).then(|| text_literal(value))
        }
        Kind::Float => None,
    })
}

/// Digits of a constant that is compared exactly, and those behind its point.
const DIGITS_MAX: usize = 65;
const SCALE_MAX: i32 = 30;

/// A day or point in time; all are of UTC.
fn time(value: &str) -> Option<&str> {
    let value = value.strip_suffix('Z').unwrap_or(value);
    let fraction = value.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    (fraction <= 6).then_some(value)
}
