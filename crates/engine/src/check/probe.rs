//! What tells values of some columns apart: a hash of their canonical texts, each with its length, so that borders count.

use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use levada_core::config::Rule;
use levada_core::error::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::Xxh3;

use super::canonical;

/// Hashes what rows have in some columns.
pub struct Hasher {
    /// The places of the columns, and whether they are of numbers.
    columns: Vec<(usize, bool)>,
}

impl Hasher {
    /// Of the columns of a rule.
    ///
    /// # Errors
    /// As [`Hasher::of`].
    pub fn new(schema: &Schema, rule: &Rule) -> Result<Self> {
        Self::of(schema, &rule.columns())
    }

    /// Of these columns.
    ///
    /// # Errors
    /// `Config` for a column that is not there.
    pub fn of(schema: &Schema, columns: &[&str]) -> Result<Self> {
        let place = |column: &&str| match schema.index_of(column) {
            Ok(at) => Ok((at, canonical::is_number(schema.field(at)))),
            Err(_) => Err(Error::new(ErrorKind::Config, format!("there is no column `{column}`"))),
        };
        Ok(Self { columns: columns.iter().map(place).collect::<Result<_>>()? })
    }

    /// The hash of each row that has a value in all of the columns.
    pub fn hashes<'a>(&'a self, rows: &'a RecordBatch) -> impl Iterator<Item = (usize, u128)> + 'a {
        let mut text = String::new();
        (0..rows.num_rows()).filter_map(move |row| {
            let mut hash = Xxh3::new();
            for (column, is_number) in &self.columns {
                let values = rows.column(*column);
                if values.is_null(row) {
                    return None;
                }
                text.clear();
                canonical::write(&mut text, values.as_ref(), row, *is_number);
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
            Some((row, hash.digest128()))
        })
    }
}
