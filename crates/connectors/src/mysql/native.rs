//! The server's column types as words: parsed from `COLUMN_TYPE`, written into DDL, and mapped to the closed set.
//! What is written is always put together from parsed parts, so metadata of a file can smuggle no SQL in.

use arrow_schema::{DataType, TimeUnit};
use levada_core::schema::{Logical, timestamp, timestamp_utc};

use super::session::text_literal;

/// A column type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Native {
    /// The type's word: `varchar`.
    pub base: String,
    /// Length, or precision and scale.
    pub numbers: Vec<u32>,
    /// The labels of an ENUM or SET.
    pub labels: Vec<String>,
    /// Whether numbers are never negative.
    pub unsigned: bool,
}

impl Native {
    /// A type without arguments.
    pub fn plain(base: &str) -> Self {
        Self { base: base.to_owned(), numbers: Vec::new(), labels: Vec::new(), unsigned: false }
    }

    /// A type with numbers as arguments.
    pub fn with(base: &str, numbers: &[u32]) -> Self {
        Self { numbers: numbers.to_vec(), ..Self::plain(base) }
    }

    /// A never negative number type.
    pub fn unsigned(base: &str) -> Self {
        Self { unsigned: true, ..Self::plain(base) }
    }

    /// Reads `COLUMN_TYPE`: a word, arguments, `unsigned` and `zerofill`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
        let mut native = Self::plain(&text[..end].to_ascii_lowercase());
        if native.base.is_empty() {
            return None;
        }
        let mut rest = text[end..].trim_start();
        if let Some(inside) = rest.strip_prefix('(') {
            rest = if inside.starts_with('\'') { native.read_labels(inside)? } else { native.read_numbers(inside)? };
        }
        for word in rest.split_ascii_whitespace() {
            match word.to_ascii_lowercase().as_str() {
                "unsigned" => native.unsigned = true,
                "zerofill" | "signed" => {}
                "precision" if native.base == "double" => {}
                _ if word.starts_with("/*") => break,
                _ => return None,
            }
        }
        Some(native)
    }

    fn read_numbers<'a>(&mut self, inside: &'a str) -> Option<&'a str> {
        let (arguments, rest) = inside.split_once(')')?;
        for argument in arguments.split(',') {
            self.numbers.push(argument.trim().parse().ok()?);
        }
        Some(rest)
    }

    fn read_labels<'a>(&mut self, mut inside: &'a str) -> Option<&'a str> {
        loop {
            inside = inside.trim_start().strip_prefix('\'')?;
            let mut label = String::new();
            loop {
                let at = inside.find(['\'', '\\'])?;
                label.push_str(&inside[..at]);
                let escape = inside[at..].starts_with('\\');
                inside = &inside[at + 1..];
                if !escape && !inside.starts_with('\'') {
                    break;
                }
                let next = inside.chars().next()?;
                label.push(match next {
                    'n' if escape => '\n',
                    'r' if escape => '\r',
                    't' if escape => '\t',
                    '0' if escape => '\0',
                    'Z' if escape => '\u{1a}',
                    other => other,
                });
                inside = &inside[next.len_utf8()..];
            }
            self.labels.push(label);
            match inside.strip_prefix(',') {
                Some(rest) => inside = rest,
                None => return inside.strip_prefix(')'),
            }
        }
    }

    /// The type as in DDL.
    pub fn sql(&self) -> String {
        let mut sql = self.base.clone();
        if !self.labels.is_empty() {
            let labels: Vec<String> = self.labels.iter().map(|label| text_literal(label)).collect();
            sql.push_str(&format!("({})", labels.join(",")));
        } else if !self.numbers.is_empty() {
            let numbers: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
            sql.push_str(&format!("({})", numbers.join(",")));
        }
        if self.unsigned {
            sql.push_str(" unsigned");
        }
        sql
    }

    /// The first argument.
    pub fn length(&self) -> Option<u32> {
        self.numbers.first().copied()
    }

    /// Digits after the second's point of a time type.
    pub fn fraction_digits(&self) -> u32 {
        self.length().unwrap_or(0)
    }

    /// Whether it is a type whose values are characters.
    pub fn is_text(&self) -> bool {
        matches!(
            self.base.as_str(),
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        )
    }

    /// Whether it is a type whose values are bytes.
    pub fn is_bytes(&self) -> bool {
        matches!(self.base.as_str(), "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob")
    }

    /// Whether it is a type of geometries.
    pub fn is_spatial(&self) -> bool {
        matches!(
            self.base.as_str(),
            "geometry"
                | "point"
                | "linestring"
                | "polygon"
                | "multipoint"
                | "multilinestring"
                | "multipolygon"
                | "geometrycollection"
                | "geomcollection"
        )
    }

    /// Whether it is a whole number.
    pub fn is_integer(&self) -> bool {
        matches!(self.base.as_str(), "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint")
    }

    /// The most bytes a text or bytes type holds, where bytes are what limits it.
    pub fn bytes_max(&self) -> Option<usize> {
        match self.base.as_str() {
            "tinytext" | "tinyblob" => Some(255),
            "text" | "blob" => Some(65_535),
            "mediumtext" | "mediumblob" => Some(16_777_215),
            "binary" | "varbinary" => Some(self.length().unwrap_or(1) as usize),
            _ => None,
        }
    }

    /// The type of the closed set that holds every value, and what the values mean. `json` says that the column is
    /// known to hold JSON, which MariaDB does not say in the type.
    pub fn canonical(&self, json: bool) -> (DataType, Option<Logical>) {
        use DataType as T;
        let plain = |data_type| (data_type, None);
        match (self.base.as_str(), self.unsigned) {
            ("tinyint", false) => plain(T::Int8),
            ("tinyint", true) => plain(T::UInt8),
            ("smallint", false) | ("year", _) => plain(T::Int16),
            ("smallint", true) => plain(T::UInt16),
            ("mediumint" | "int" | "integer", false) => plain(T::Int32),
            ("mediumint" | "int" | "integer", true) => plain(T::UInt32),
            ("bigint", false) => plain(T::Int64),
            ("bigint", true) => plain(T::UInt64),
            ("decimal" | "numeric", _) => {
                let precision = self.length().unwrap_or(10) as u8;
                let scale = self.numbers.get(1).copied().unwrap_or(0) as i8;
                plain(if precision <= 38 { T::Decimal128(precision, scale) } else { T::Decimal256(precision, scale) })
            }
            ("float", _) => plain(T::Float32),
            ("double" | "real", _) => plain(T::Float64),
            ("date", _) => plain(T::Date32),
            ("datetime", _) => plain(timestamp()),
            ("timestamp", _) => plain(timestamp_utc()),
            ("time", _) => plain(T::Duration(TimeUnit::Microsecond)),
            ("bit", _) => (T::Utf8, Some(Logical::Bits)),
            ("enum", _) => (T::Utf8, Some(Logical::Enum)),
            ("json", _) => (T::Utf8, Some(Logical::Json)),
            ("uuid", _) => (T::FixedSizeBinary(16), Some(Logical::Uuid)),
            _ if json => (T::Utf8, Some(Logical::Json)),
            _ if self.is_bytes() => plain(T::Binary),
            _ if self.is_spatial() => (T::Binary, Some(Logical::Wkb)),
            ("set", _) => (T::Utf8, Some(Logical::Foreign)),
            _ if self.is_text() => plain(T::Utf8),
            _ => (T::Utf8, Some(Logical::Foreign)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_read_back_as_they_were_written() {
        for text in ["int", "int unsigned", "decimal(65,30)", "varchar(255)", "enum('a','b''c','d,e)')", "datetime(6)"]
        {
            assert_eq!(Native::parse(text).unwrap().sql(), text);
        }
        assert_eq!(Native::parse("INT(10) UNSIGNED ZEROFILL").unwrap().sql(), "int(10) unsigned");
        assert_eq!(Native::parse("timestamp /* mariadb-5.3 */").unwrap().sql(), "timestamp");
    }

    #[test]
    fn metadata_cannot_smuggle_statements() {
        for text in
            ["int); DROP TABLE t", "int not null", "varchar(1), x int", "enum('a'", r"enum('\')", "int -- x", ""]
        {
            assert_eq!(Native::parse(text), None, "{text}");
        }
        let native = Native::parse(r"enum('\\','a''b','x\ny')").unwrap();
        assert_eq!(native.labels, ["\\", "a'b", "x\ny"]);
        assert_eq!(native.sql(), "enum('\\\\','a''b','x\ny')");
    }
}
