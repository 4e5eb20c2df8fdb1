//! The conditions of a read as SQL, where SQLite compares as they mean: that hangs on how the values are stored, which the
//! declared type says only of whole numbers and texts.

use arrow_schema::{DataType, Field};
use levada_core::condition::{Comparison, Condition};
use levada_core::schema::native_of;
use levada_core::source::ReadRequest;

use super::{quote, types};

/// What SQLite can leave out rows by.
pub fn conditions(request: &ReadRequest) -> Vec<String> {
    request.only.iter().filter_map(|condition| sql(request, condition)).collect()
}

fn sql(request: &ReadRequest, condition: &Condition) -> Option<String> {
    let field = request.stream.schema.field_with_name(&condition.column).ok()?;
    let stored = Stored::of(field);
    condition.test.sql(&quote(field.name()), |comparison, value| match stored? {
        Stored::Integer => value.parse::<i64>().ok().map(|number| number.to_string()),
        // their order is that of the column's collation; what is equal in one is at least what is the same
        Stored::Text => {
            (comparison == Comparison::Eq && !value.contains('\0')).then(|| format!("'{}'", value.replace('\'', "''")))
        }
    })
}

/// How the values of a column are stored, whatever was given: its affinity ("Datatypes In SQLite", section 3.1).
#[derive(Debug, Clone, Copy)]
enum Stored {
    Integer,
    Text,
}

impl Stored {
    fn of(field: &Field) -> Option<Self> {
        let native = native_of(field, "sqlite")?;
        let declared = native.to_ascii_uppercase();
        match types::of_declared(native)? {
            (DataType::UInt64, _) => None,
            (number, None) if number.is_integer() => declared.contains("INT").then_some(Self::Integer),
            (DataType::Utf8, None) => {
                let is_text = ["CHAR", "CLOB", "TEXT"].iter().any(|word| declared.contains(word));
                (is_text && !declared.contains("INT")).then_some(Self::Text)
            }
            _ => None,
        }
    }
}
