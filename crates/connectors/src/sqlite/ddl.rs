//! The target's table: made for the first load, and changed where `on_schema_change` allows it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::destination::{LoadSpec, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{Change, Fit, Logical, OnSchemaChange, evolve, native_of, type_name};
use rusqlite::{Connection, OptionalExtension as _};

use super::backup::stored::is_stored;
use super::{error, quote, types};

/// What a load does to the target before its first row.
pub enum Step {
    /// A statement.
    Sql(String),
    /// Another declared type, or no NOT NULL any more, by an edit of the table's definition.
    Redefine {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its declared type now.
        from: String,
        /// Its declared type afterwards.
        to: String,
        /// Whether NOT NULL goes.
        drop_not_null: bool,
    },
}

impl Step {
    /// The step for people.
    pub fn shown(&self) -> String {
        match self {
            Self::Sql(sql) => sql.clone(),
            Self::Redefine { table, column, from, to, drop_not_null } => {
                let change =
                    if *drop_not_null { "without NOT NULL".to_owned() } else { format!("{from} becomes {to}") };
                format!("-- definition of {}: column {} {change}", quote(table), quote(column))
            }
        }
    }
}

/// Refuses a table with a constraint that deletes other rows for a new one: SQLite counts those rows nowhere.
///
/// # Errors
/// `Schema` for such a table.
pub fn refuse_replacing(connection: &Connection, table: &str) -> Result<()> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?1)";
    let definition: Option<Option<String>> =
        connection.query_row(sql, [table], |row| row.get(0)).optional().map_err(error::of)?;
    if !replaces_on_conflict(&definition.flatten().unwrap_or_default()) {
        return Ok(());
    }
    let message = format!("a constraint of `{table}` says ON CONFLICT REPLACE: rows would be deleted in silence");
    Err(Error::new(ErrorKind::Schema, message)
        .advise("Make the table without ON CONFLICT REPLACE; a load with `write: merge` updates rows by key."))
}

/// Whether a definition says ON CONFLICT REPLACE outside of names, texts and comments.
fn replaces_on_conflict(definition: &str) -> bool {
    let (mut words, mut rest) = (String::new(), definition);
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' | '`' => Some(first.to_string()),
            '[' => Some("]".to_owned()),
            '-' if rest.starts_with("--") => Some("\n".to_owned()),
            '/' if rest.starts_with("/*") => Some("*/".to_owned()),
            _ => None,
        };
        let Some(end) = end else {
            words.push(first.to_ascii_uppercase());
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let opened = if first == '/' { 2 } else { 1 };
        rest = rest[opened..].split_once(end.as_str()).map_or("", |(_, after)| after);
        // A name between the words parts them, a comment does not.
        words.push_str(if matches!(first, '-' | '/') { " " } else { " _ " });
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ").contains("ON CONFLICT REPLACE")
}

/// The steps from the target as it is to the target as the load needs it.
pub fn steps(spec: &LoadSpec) -> Result<Vec<Step>> {
    let Some(existing) = &spec.existing else { return Ok(vec![Step::Sql(create(spec))]) };
    let mut changes = evolve(&existing.schema, &spec.incoming, spec.on_schema_change, &fit)?;
    // A key stays as it was created: rows without one never get here.
    changes.retain(|change| !matches!(change, Change::DropNotNull { column } if spec.key_columns.contains(column)));
    let declared = |column: &str| {
        let field = existing.schema.field_with_name(column).ok();
        field.and_then(|field| field.metadata().get(levada_core::schema::NATIVE)).cloned()
    };
    let mut steps: Vec<Step> = Vec::new();
    for change in changes {
        let redefine = |column: &str, to: Option<String>, drop_not_null| {
            let native = declared(column).unwrap_or_default();
            let from = native.strip_prefix("sqlite:").map_or_else(
                // A foreign type is stored under the quoted name that `declare` makes of it.
                || existing.schema.field_with_name(column).map(types::declare).unwrap_or_default(),
                str::to_owned,
            );
            let to = to.unwrap_or_else(|| from.clone());
            Step::Redefine { table: existing.table.clone(), column: column.to_owned(), from, to, drop_not_null }
        };
        steps.push(match change {
            Change::Add(field) => Step::Sql(format!(
                "ALTER TABLE {} ADD COLUMN {} {}",
                quote(&existing.table),
                quote(field.name()),
                types::declare(&field)
            )),
            Change::Widen { column, native } => redefine(&column, Some(native), false),
            Change::DropNotNull { column } => redefine(&column, None, true),
        });
    }
    Ok(steps)
}

/// The columns that the load brings, with the types the target has (or gets) for them.
pub fn columns(spec: &LoadSpec) -> Vec<Field> {
    let existing = spec.existing.as_ref().map_or_else(|| Arc::new(Schema::empty()), |e| e.schema.clone());
    let ignores = spec.existing.is_some() && spec.on_schema_change == OnSchemaChange::IgnoreNew;
    let brought = spec.incoming.fields().iter().filter(|new| !ignores || existing.field_with_name(new.name()).is_ok());
    brought
        .map(|new| match existing.field_with_name(new.name()) {
            // what comes as it was stored is stored as it comes
            Ok(_) if is_stored(new) => new.as_ref().clone(),
            Ok(old) if !matches!(fit(old, new), Fit::NeedsWidening(_)) => {
                old.clone().with_nullable(old.is_nullable() || new.is_nullable())
            }
            _ => {
                let declared = types::declare(new);
                let meaning = (new.data_type().clone(), Logical::of(new));
                let nullable = new.is_nullable() && !spec.key_columns.contains(new.name());
                types::field_of(new.name(), nullable, &declared, meaning)
            }
        })
        .collect()
}

fn create(spec: &LoadSpec) -> String {
    let keyed = spec.write != WriteMode::Append && !spec.key_columns.is_empty();
    let mut lines: Vec<String> = columns(spec)
        .iter()
        .map(|field| {
            let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
            format!("  {} {}{not_null}", quote(field.name()), types::declare(field))
        })
        .collect();
    if keyed {
        let key: Vec<String> = spec.key_columns.iter().map(|column| quote(column)).collect();
        lines.push(format!("  PRIMARY KEY ({})", key.join(", ")));
    }
    format!("CREATE TABLE {} (\n{}\n)", quote(&spec.target), lines.join(",\n"))
}

/// How well an incoming column fits a column of the target.
pub fn fit(old: &Field, new: &Field) -> Fit {
    use DataType as T;
    let (from, to) = (new.data_type(), old.data_type());
    let name = type_name(old);
    let ours = |declared: &str| native_of(old, "sqlite").is_some_and(|native| native == declared);
    if from == to || is_stored(new) {
        return Fit::Exact;
    }
    match (from, to) {
        (_, T::Utf8) => Fit::Text(name),
        (a, b) if a.is_integer() && b.is_integer() => match (range(a), range(b)) {
            (a, b) if a.0 >= b.0 && a.1 <= b.1 => Fit::Widened(name),
            (a, _)
                if ours(&types::declare(old)) && !matches!(to, T::UInt64 | T::Int64) && a.1 <= i128::from(i64::MAX) =>
            {
                Fit::NeedsWidening("INTEGER".to_owned())
            }
            _ => Fit::Checked(name),
        },
        (T::Float32, T::Float64) => Fit::Widened(name),
        (T::Float64, T::Float32) if ours("FLOAT32") => Fit::NeedsWidening("DOUBLE".to_owned()),
        (a, T::Float64) if a.is_integer() && range(a).1 <= i128::from(u32::MAX) => Fit::Widened(name),
        (T::Decimal128(p, _), T::Float64) if *p <= 15 => Fit::Widened(name),
        (_, T::Float64 | T::Float32) => {
            Fit::Impossible(format!("{} has values that {name} does not hold exactly", type_name(new)))
        }
        (T::Decimal128(p, s) | T::Decimal256(p, s), T::Decimal128(to_p, to_s) | T::Decimal256(to_p, to_s)) => {
            let wide_enough = to_s >= s && i16::from(*to_p) - i16::from(*to_s) >= i16::from(*p) - i16::from(*s);
            let declared = types::declare(old);
            let wider = types::declare(&Field::new(old.name(), from.clone(), true));
            let alike = declared.split('(').next() == wider.split('(').next();
            if wide_enough {
                Fit::Widened(name)
            } else if s == to_s && ours(&declared) && alike {
                Fit::NeedsWidening(wider)
            } else {
                Fit::Checked(name)
            }
        }
        (T::Timestamp(_, a), T::Timestamp(_, b)) if a.is_some() != b.is_some() => {
            Fit::Impossible(format!("a {} is no {name}: one of them is an instant", type_name(new)))
        }
        _ => Fit::Checked(name),
    }
}

fn range(data_type: &DataType) -> (i128, i128) {
    use DataType as T;
    match data_type {
        T::Int8 => (i8::MIN.into(), i8::MAX.into()),
        T::Int16 => (i16::MIN.into(), i16::MAX.into()),
        T::Int32 => (i32::MIN.into(), i32::MAX.into()),
        T::UInt8 => (0, u8::MAX.into()),
        T::UInt16 => (0, u16::MAX.into()),
        T::UInt32 => (0, u32::MAX.into()),
        T::UInt64 => (0, u64::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

/// Carries out the steps inside the load's transaction.
pub fn apply(connection: &Connection, steps: &[Step]) -> Result<()> {
    for step in steps {
        match step {
            Step::Sql(sql) => connection.execute_batch(sql).map_err(error::of)?,
            Step::Redefine { table, column, from, to, drop_not_null } => {
                redefine(connection, table, column, (from, to), *drop_not_null)?;
            }
        }
    }
    Ok(())
}

/// Edits the text of a table's definition, the way SQLite's manual ("ALTER TABLE", section 7) describes for changes that
/// do not touch the stored rows; the affinity stays the same. The result is checked against what was meant.
fn redefine(
    connection: &Connection,
    table: &str,
    column: &str,
    types: (&str, &str),
    drop_not_null: bool,
) -> Result<()> {
    let by_hand = || {
        Error::new(ErrorKind::Schema, format!("the definition of column `{column}` can not be changed in place"))
            .advise("Rebuild the table by hand as SQLite's manual describes under ALTER TABLE, or load into a new one.")
    };
    let sql: String = connection
        .query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", [table], |row| row.get(0))
        .optional()
        .map_err(error::of)?
        .ok_or_else(by_hand)?;
    let expected = {
        let mut shape = shape(connection, table)?;
        let own = shape.iter_mut().find(|(name, ..)| name == column).ok_or_else(by_hand)?;
        own.1 = types.1.to_owned();
        own.2 &= !drop_not_null;
        shape
    };
    let edited = edit(&sql, column, types, drop_not_null).ok_or_else(by_hand)?;
    let version: i64 = connection.query_row("PRAGMA schema_version", [], |row| row.get(0)).map_err(error::of)?;
    connection.execute_batch("PRAGMA writable_schema = ON").map_err(error::of)?;
    let written = connection
        .execute("UPDATE sqlite_schema SET sql = ?1 WHERE type = 'table' AND name = ?2", [&edited, table])
        .and_then(|_| connection.execute_batch(&format!("PRAGMA schema_version = {}", version + 1)));
    connection.execute_batch("PRAGMA writable_schema = RESET").map_err(error::of)?;
    written.map_err(error::of)?;
    if shape(connection, table)? == expected { Ok(()) } else { Err(by_hand()) }
}

type Shape = Vec<(String, String, bool, i64)>;

fn shape(connection: &Connection, table: &str) -> Result<Shape> {
    let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) ORDER BY cid";
    let mut statement = connection.prepare(sql).map_err(error::of)?;
    let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.and_then(Iterator::collect).map_err(error::of)
}

/// The definition with one column changed; `None` unless the column is found exactly once.
fn edit(sql: &str, column: &str, (from, to): (&str, &str), drop_not_null: bool) -> Option<String> {
    let not_null = if drop_not_null { " NOT NULL" } else { "" };
    let spellings = [quote(column), column.to_owned(), format!("`{column}`"), format!("[{column}]")];
    let found: Vec<(String, String)> = spellings
        .iter()
        .map(|name| (format!("{name} {from}{not_null}"), format!("{name} {to}")))
        .filter(|(old, _)| sql.match_indices(old.as_str()).count() == 1)
        .collect();
    let (old, new) = found.first()?;
    let at = sql.find(old.as_str())?;
    let whole_word = sql[at + old.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_');
    let starts = sql[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"');
    (whole_word && starts).then(|| sql.replacen(old.as_str(), new, 1))
}
