//! Small answers to queries, as JSON: limits that hold for every database, and which values are numbers there.

use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;
use serde_json::{Map, Number, Value};

/// How long a query may take.
pub const TIME_MAX: Duration = Duration::from_secs(30);
/// What the database is left to notice that by itself.
const TIME_MORE: Duration = Duration::from_secs(5);
/// Most bytes of names and values in an answer.
const BYTES_MAX: usize = 64 << 20;
/// The integers that every reader of JSON holds: up to 2^53 either way.
const INTEGER_MAX: i64 = 1 << 53;
/// Decimals of so many digits come back from a double as they were.
const DIGITS_MAX: usize = 15;

/// Rows of an answer, up to the limits.
pub struct Answer {
    rows: Vec<Map<String, Value>>,
    rows_max: usize,
    bytes: usize,
}

impl Answer {
    /// An answer of at most so many rows.
    pub fn new(rows_max: usize) -> Self {
        Self { rows: Vec::new(), rows_max, bytes: 0 }
    }

    /// Whether no further row is wanted.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= self.rows_max
    }

    /// Takes a row: its columns in their order. Of columns with one name the last counts.
    ///
    /// # Errors
    /// `Refused` where the answer becomes too large.
    pub fn push<'a>(&mut self, row: impl IntoIterator<Item = (&'a str, Value)>) -> Result<()> {
        let mut object = Map::new();
        for (name, value) in row {
            self.bytes += name.len() + value.as_str().map_or(8, str::len);
            object.insert(name.to_owned(), value);
        }
        if self.bytes > BYTES_MAX {
            let message = format!("the answer is larger than {} MB", BYTES_MAX >> 20);
            return Err(Error::new(ErrorKind::Refused, message).advise("Select fewer columns or rows."));
        }
        self.rows.push(object);
        Ok(())
    }

    /// The rows.
    pub fn rows(self) -> Vec<Map<String, Value>> {
        self.rows
    }
}

/// A number by its canonical text: a JSON number where that is exactly it, else the text.
pub fn number(canonical: &str) -> Value {
    let as_text = || Value::from(canonical);
    let Some((negative, digits, scale)) = text::parse_decimal(canonical) else { return as_text() };
    if scale == 0 {
        let whole = digits.parse::<i64>().ok().filter(|whole| *whole <= INTEGER_MAX);
        return whole.map_or_else(as_text, |whole| Value::from(if negative { -whole } else { whole }));
    }
    if digits.len() > DIGITS_MAX {
        return as_text();
    }
    canonical.parse().map_or_else(|_| as_text(), float)
}

/// A double; what is none in JSON is its canonical text.
pub fn float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(
        || {
            let mut shown = String::new();
            text::write_f64(&mut shown, value);
            Value::from(shown)
        },
        Value::Number,
    )
}

/// Bytes as their canonical text.
pub fn bytes(value: &[u8]) -> Value {
    let mut hex = String::new();
    text::write_hex(&mut hex, value);
    Value::from(hex)
}

/// A query without the semicolon that people end it with.
pub fn statement(sql: &str) -> &str {
    sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace())
}

/// Lets a query take no longer than it may.
///
/// # Errors
/// Those of the query, as [`error`] has them, at the place.
pub async fn in_time<T>(place: String, query: impl Future<Output = Result<T>>) -> Result<T> {
    within(TIME_MAX, place, query).await
}

/// Lets a query take no longer than a time.
///
/// # Errors
/// As of [`in_time`].
pub async fn within<T>(time_max: Duration, place: String, query: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(time_max + TIME_MORE, query).await;
    answer.unwrap_or_else(|_| Err(too_slow())).map_err(|failed| error(failed).at(place))
}

/// The error of a query that takes too long.
pub fn too_slow() -> Error {
    Error::new(ErrorKind::Busy, "the query took longer than it may")
        .advise("Make the query cheaper, or let a sync fill a small table that it asks.")
}

/// The error of a statement that is no query.
pub fn no_query() -> Error {
    Error::new(ErrorKind::Refused, "this is not a query, or it would change something")
        .advise("Write one statement that only reads: `SELECT ..`, `VALUES ..` or `WITH .. SELECT ..`.")
}

/// What is wrong with the words of a query is wrong with its data, for those who wrote it.
fn error(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Schema | ErrorKind::NotFound | ErrorKind::Internal | ErrorKind::Io => {
            Error::new(ErrorKind::Data, error.message())
                .advise("Correct the query; try it in the database's own client.")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_numbers_only_where_they_are_exact() {
        for (text, expected) in [
            ("0", json!(0)),
            ("-7", json!(-7)),
            ("9007199254740992", json!(9_007_199_254_740_992_i64)),
            ("9007199254740993", json!("9007199254740993")),
            ("18446744073709551615", json!("18446744073709551615")),
            ("12.50", json!(12.5)),
            ("-0.1", json!(-0.1)),
            ("123456789012.345", json!(123_456_789_012.345)),
            ("1234567890123.4567", json!("1234567890123.4567")),
            ("NaN", json!("NaN")),
            ("-Infinity", json!("-Infinity")),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert_eq!(float(f64::NAN), json!("NaN"));
        assert_eq!(float(1.5), json!(1.5));
    }

    #[test]
    fn only_the_last_semicolon_is_taken_away() {
        assert_eq!(statement("SELECT 1; \n;"), "SELECT 1");
        assert_eq!(statement("SELECT 1; DELETE FROM t"), "SELECT 1; DELETE FROM t");
    }
}
