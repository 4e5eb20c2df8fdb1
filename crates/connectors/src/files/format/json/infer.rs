//! Tells the columns of JSON objects from a sample. Whole numbers within 64 bits are `int64`; any other mix of numbers
//! keeps its digits (`number`); strings are text whatever they look like; nested values and mixed kinds stay JSON. A key
//! that first appears after the sample makes the row a reject, as dropping it would lose data.

use std::collections::HashMap;

use arrow_schema::{DataType, Field};
use levada_core::schema::{Logical, field};

use super::entries;
use crate::files::format::csv::Guess;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Null,
    Boolean,
    Integer,
    Number,
    Text,
    Object,
    Mixed,
}

/// The keys seen so far, in order of their first appearance.
#[derive(Debug, Default)]
pub struct Keys {
    names: Vec<String>,
    kinds: Vec<Kind>,
    places: HashMap<String, usize>,
}

impl Keys {
    /// Takes one object into account. Answers whether it is one; what is not is left to the reader to reject.
    pub fn see(&mut self, object: &str) -> bool {
        entries(object, |key, raw| self.see_value(key, raw)).is_ok()
    }

    /// Takes one value into account.
    pub fn see_value(&mut self, key: &str, raw: &str) {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None => {
                self.names.push(key.to_owned());
                self.kinds.push(Kind::Null);
                self.places.insert(key.to_owned(), self.names.len() - 1);
                self.names.len() - 1
            }
        };
        let kind = &mut self.kinds[place];
        *kind = match (*kind, Kind::of(raw)) {
            (mine, Kind::Null) => mine,
            (Kind::Null, other) => other,
            (mine, other) if mine == other => mine,
            (Kind::Integer | Kind::Number, Kind::Integer | Kind::Number) => Kind::Number,
            _ => Kind::Mixed,
        };
    }

    /// Whether every value of a key was an object, or null.
    pub fn only_objects(&self, key: &str) -> bool {
        self.places.get(key).is_some_and(|place| matches!(self.kinds[*place], Kind::Object | Kind::Null))
    }

    /// Whether no key was seen.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The columns.
    pub fn fields(&self) -> Vec<Field> {
        self.names.iter().zip(&self.kinds).map(|(name, kind)| kind.field(name)).collect()
    }
}

impl Kind {
    fn of(raw: &str) -> Self {
        match raw.as_bytes()[0] {
            b'n' => Self::Null,
            b't' | b'f' => Self::Boolean,
            b'"' => Self::Text,
            b'{' => Self::Object,
            b'[' => Self::Mixed,
            _ if raw.parse::<i64>().is_ok() && raw != "-0" => Self::Integer,
            _ => Self::Number,
        }
    }

    fn field(self, name: &str) -> Field {
        match self {
            Self::Null => Guess::Nothing.field(name),
            Self::Boolean => field(name, DataType::Boolean, true, "json:boolean", None),
            Self::Integer => field(name, DataType::Int64, true, "json:number", None),
            Self::Number => field(name, DataType::Utf8, true, "json:number", Some(Logical::Number)),
            Self::Text => field(name, DataType::Utf8, true, "json:string", None),
            Self::Object | Self::Mixed => field(name, DataType::Utf8, true, "json:value", Some(Logical::Json)),
        }
    }
}
