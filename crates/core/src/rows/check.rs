//! Rows as they are sent against the columns of their table: the same rules and words for every database.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::table::{Column, DELETED_AT, Kind, Table};
use super::value::Cell;
use super::{Reason, RowError};
use crate::naming::{did_you_mean, nearest};

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is new: what it leaves out has its default.
    New,
    /// It takes the place of another one: what it leaves out has its default; its key is given.
    Whole,
    /// It says only what changes; its key is given.
    Part,
}

/// A row whose values are checked, in the order of the columns; `None` where the row says nothing.
pub type CheckedRow = Vec<Option<Cell>>;

/// Checks a row.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(table: &Table, row: &Map<String, Value>, purpose: Purpose) -> Result<CheckedRow, Vec<RowError>> {
    let mut errors: Vec<RowError> = row.keys().filter_map(|name| unknown(table, name)).collect();
    let mut checked = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let is_key = column.name == table.key;
        let given = row.get(&column.name);
        let cell = match given {
            Some(value) => match Cell::from_json(column.kind, value) {
                Ok(cell) => Some(cell),
                Err(misfit) => {
                    errors.push(error(column, Reason::Type, &misfit));
                    checked.push(None);
                    continue;
                }
            },
            // the key of a row that is there is never a default
            None if purpose == Purpose::Part || is_key => None,
            None => Some(column.default.clone().unwrap_or(Cell::Null)),
        };
        let is_wanted = if is_key { purpose != Purpose::New || !table.is_key_given } else { column.required };
        match &cell {
            None if is_key && is_wanted => errors.push(error(column, Reason::Required, "must be given")),
            Some(Cell::Null) if is_wanted => errors.push(error(column, Reason::Required, "must be given")),
            Some(cell) => errors.extend(broken(column, cell).map(|what| error(column, Reason::Check, &what))),
            None => {}
        }
        // a generated key may be left out by writing null
        checked.push(cell.filter(|cell| !(is_key && cell.is_null())));
    }
    if errors.is_empty() { Ok(checked) } else { Err(errors) }
}

/// The key that a row names.
///
/// # Errors
/// Why there is none.
pub fn key(table: &Table, row: &Map<String, Value>) -> Result<Cell, Vec<RowError>> {
    let Some(column) = table.column(&table.key) else { return Err(Vec::new()) };
    match row.get(&table.key).map(|value| Cell::from_json(column.kind, value)) {
        None | Some(Ok(Cell::Null)) => Err(vec![error(column, Reason::Required, "must be given")]),
        Some(Ok(cell)) => Ok(cell),
        Some(Err(misfit)) => Err(vec![error(column, Reason::Type, &misfit)]),
    }
}

/// An error of a column's value; `what` is the end of a sentence that starts with its name.
pub fn error(column: &Column, reason: Reason, what: &str) -> RowError {
    RowError { column: Some(column.name.clone()), reason, message: format!("`{}` {what}", column.name) }
}

fn unknown(table: &Table, name: &str) -> Option<RowError> {
    if table.column(name).is_some() {
        return None;
    }
    let message = if name == DELETED_AT && table.soft_delete {
        format!("`{DELETED_AT}` is set by deleting and restoring a row")
    } else {
        let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let near = did_you_mean(nearest(name, &known));
        format!("there is no column `{name}`. {near}Columns: {}", known.join(", "))
    };
    Some(RowError { column: Some(name.to_owned()), reason: Reason::Unknown, message })
}

/// What rule a value breaks.
fn broken(column: &Column, cell: &Cell) -> Option<String> {
    if cell.is_null() {
        return None;
    }
    let rules = &column.check;
    let shown = |cell: &Cell| cell.to_text().unwrap_or_default().into_owned();
    if let Some(min) = rules.min.as_ref().filter(|min| cell.compare(min) == Some(Ordering::Less)) {
        return Some(format!("must be at least {}", shown(min)));
    }
    if let Some(max) = rules.max.as_ref().filter(|max| cell.compare(max) == Some(Ordering::Greater)) {
        return Some(format!("must be at most {}", shown(max)));
    }
    if !rules.one_of.is_empty() && !rules.one_of.iter().any(|one| cell.compare(one) == Some(Ordering::Equal)) {
        let all: Vec<String> = rules.one_of.iter().map(shown).collect();
        return Some(format!("must be one of: {}", all.join(", ")));
    }
    let Cell::Text(text) = cell else { return None };
    let length = text.chars().count();
    if let Some(min) = rules.min_length.filter(|min| length < *min as usize) {
        return Some(format!("must have at least {min} characters"));
    }
    if let Some(max) = rules.max_length.filter(|max| length > *max as usize) {
        return Some(format!("must have at most {max} characters"));
    }
    let pattern = rules.pattern.as_ref().filter(|pattern| !pattern.matches(text))?;
    Some(format!("must match the pattern {}", pattern.as_str()))
}

/// Whether a rule can stand at a column of a type.
pub(crate) fn takes_rule(kind: Kind, rule: &str) -> bool {
    match rule {
        "min" | "max" => matches!(
            kind,
            Kind::Integer | Kind::Bigint | Kind::Decimal { .. } | Kind::Float | Kind::Date | Kind::Timestamp
        ),
        "one_of" => kind.is_ordered(),
        _ => kind == Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::table::{Check, Pattern};
    use super::*;

    fn table() -> Table {
        let columns = vec![
            Column { required: true, ..Column::new("id", Kind::Bigint) },
            Column {
                required: true,
                check: Check {
                    max_length: Some(3),
                    pattern: Some(Pattern::parse("^[A-Z]+$").unwrap()),
                    ..Check::default()
                },
                ..Column::new("code", Kind::Text)
            },
            Column {
                default: Some(Cell::Integer(1)),
                check: Check {
                    min: Some(Cell::Integer(1)),
                    one_of: vec![Cell::Integer(1), Cell::Integer(5)],
                    ..Check::default()
                },
                ..Column::new("level", Kind::Integer)
            },
        ];
        Table {
            name: "grade".to_owned(),
            namespace: None,
            table: "grade".to_owned(),
            columns,
            key: "id".to_owned(),
            is_key_given: true,
            soft_delete: true,
        }
    }

    fn messages(row: Value, purpose: Purpose) -> Vec<String> {
        let errors = check(&table(), row.as_object().unwrap(), purpose).unwrap_err();
        errors.into_iter().map(|error| error.message).collect()
    }

    #[test]
    fn what_is_left_out_has_its_default_only_in_whole_rows() {
        let row = |value: Value, purpose| check(&table(), value.as_object().unwrap(), purpose).unwrap();
        let new = row(json!({"code": "A"}), Purpose::New);
        assert_eq!(new, [None, Some(Cell::Text("A".into())), Some(Cell::Integer(1))]);
        let part = row(json!({"id": "7", "level": null}), Purpose::Part);
        assert_eq!(part, [Some(Cell::Integer(7)), None, Some(Cell::Null)]);
        let null_key = row(json!({"id": null, "code": "A", "level": 5}), Purpose::New);
        assert_eq!(null_key[0], None);
    }

    #[test]
    fn everything_wrong_with_a_row_is_told_at_once() {
        assert_eq!(
            messages(json!({"cod": "A", "level": 0}), Purpose::New),
            [
                "there is no column `cod`. Did you mean `code`? Columns: id, code, level",
                "`code` must be given",
                "`level` must be at least 1"
            ]
        );
        assert_eq!(
            messages(json!({"code": "abcd", "level": "x", "deleted_at": null}), Purpose::Whole),
            [
                "`deleted_at` is set by deleting and restoring a row",
                "`id` must be given",
                "`code` must have at most 3 characters",
                "`level` must be a whole number"
            ]
        );
        assert_eq!(messages(json!({"id": 1, "code": "a"}), Purpose::Part), ["`code` must match the pattern ^[A-Z]+$"]);
        assert_eq!(messages(json!({"code": "A", "level": 2}), Purpose::New), ["`level` must be one of: 1, 5"]);
        assert_eq!(messages(json!({"id": 1, "code": null}), Purpose::Part), ["`code` must be given"]);
    }
}
