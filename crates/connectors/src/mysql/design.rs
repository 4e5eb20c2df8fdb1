//! What a load is going to do: the columns and their types, the statements that create or change the target, and the
//! strategy by which the rows become visible. Pure: it looks at what the catalogue said and decides.

use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use levada_core::destination::{LoadPlan, LoadSpec, PlannedColumn, Promise, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{Change, Fit, Logical, NATIVE, OnSchemaChange, evolve};

use super::create::{self, NewColumn};
use super::discover::{Attachments, Column, Storage, Table};
use super::encode::{Encoding, Form};
use super::fit::{fit, form, stored_form};
use super::native::Native;
use super::note::{Note, without_comment};
use super::session::{Flavor, quoted, quoted_list};

/// How the rows become visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// A staging table is renamed to the target.
    Create,
    /// Rows are staged, the winners of each key go into a second staging table, and that is renamed to the target.
    CreateMerged,
    /// A staging table like the target takes its name in one RENAME; the old one is dropped.
    Swap,
    /// The target's rows are deleted and the staged ones inserted, in one transaction.
    Refill,
    /// Rows that are not staged are deleted, the others updated and inserted by key, in one transaction.
    Align,
    /// Rows go straight into the target, in one transaction.
    Append,
    /// Rows are updated and inserted by key, in one transaction.
    Merge,
}

/// A column of the load.
#[derive(Debug, Clone)]
pub struct DesignedColumn {
    /// The field the writer wants.
    pub wanted: Field,
    /// The type as in DDL.
    pub ddl: String,
    /// How well incoming values fit.
    pub fit: Fit,
    /// How its values are sent.
    pub encoding: Encoding,
    /// What it was elsewhere, where this load makes the column.
    note: Option<Note>,
}

impl DesignedColumn {
    /// The column as it is read back: geometries as WKB.
    pub fn read_sql(&self) -> String {
        let name = quoted(&self.encoding.name);
        if matches!(self.encoding.form, Form::Geometry) { format!("ST_AsBinary({name})") } else { name }
    }

    /// Its definition when it is made.
    fn definition(&self) -> String {
        let note = self.note.as_ref().map(Note::clause).unwrap_or_default();
        format!("{} {}{note}", quoted(&self.encoding.name), self.ddl)
    }
}

/// What a load is going to do.
#[derive(Debug, Clone)]
pub struct Design {
    /// How the rows become visible.
    pub strategy: Strategy,
    /// The columns, in the order of the incoming ones.
    pub columns: Vec<DesignedColumn>,
    /// The key: of the new table, or by which rows are matched.
    pub key: Vec<String>,
    /// What is added to `ALTER TABLE` of the target.
    pub changes: Vec<String>,
    /// What is added to `ALTER TABLE` of a staging table made like the target.
    pub stage_changes: Vec<String>,
    /// Why the promise is not kept, if so.
    pub caveat: Option<String>,
    /// Whether the stage has no transactions: its rows are then counted before anybody sees them.
    pub plain_stage: bool,
    /// Whether staged rows that the target refuses are found by halving, for the quarantine.
    pub halves: bool,
    /// How many writers.
    pub writers: usize,
    /// The collation of a new table's texts.
    pub collation: &'static str,
}

/// What the catalogue says of an existing target.
pub struct Existing {
    /// The table.
    pub table: Table,
    /// What else stands on it.
    pub attachments: Attachments,
    /// `SHOW CREATE TABLE`, from which a changed column takes all that does not change.
    pub create: String,
}

impl Design {
    /// Decides.
    ///
    /// # Errors
    /// `Schema` for a change that is not possible or allowed; `Unsupported` for a target that is no table.
    pub fn new(spec: &LoadSpec, existing: Option<&Existing>, flavor: Flavor) -> Result<Self> {
        let design = match existing {
            None => Self::for_new(spec, flavor),
            Some(existing) => Self::for_existing(spec, existing, flavor)?,
        };
        if design.columns.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "a table without columns cannot be made here")
                .advise("Select at least one column."));
        }
        Ok(design)
    }

    fn for_new(spec: &LoadSpec, flavor: Flavor) -> Self {
        let merges = spec.write == WriteMode::Merge;
        let key: Vec<String> = if spec.write == WriteMode::Append { Vec::new() } else { spec.key_columns.clone() };
        let is_key = |field: &Field| key.contains(field.name());
        let is_wide = |field: &Field| field.data_type().primitive_width().is_none();
        let fields = spec.incoming.fields();
        let key_texts = fields.iter().filter(|f| is_key(f) && is_wide(f)).count() as u32;
        let mut chosen: Vec<NewColumn> =
            fields.iter().map(|field| create::column(field, is_key(field).then_some(key_texts), flavor)).collect();
        create::shrink_row(&mut chosen, |index| is_key(&fields[index]));
        let columns = fields.iter().zip(chosen).map(|(field, new)| {
            let in_primary = is_key(field) && (merges || !field.is_nullable());
            let implicit = new.native.base == "timestamp" && !flavor.explicit_timestamp;
            let not_null = in_primary || (!field.is_nullable() && !implicit);
            let json = new.native.base == "json";
            let form = form(&new.native, &new.wanted, new.charset.map(|(charset, _)| charset), json, flavor);
            DesignedColumn {
                wanted: wanted_field(field, &new.wanted, !not_null, &new.native),
                ddl: format!("{} {}", new.ddl(), if not_null { "NOT NULL" } else { "NULL" }),
                fit: new.fit,
                encoding: Encoding { name: field.name().clone(), not_null, form },
                note: Note::of(field, &new.wanted),
            }
        });
        Self {
            strategy: if merges { Strategy::CreateMerged } else { Strategy::Create },
            columns: columns.collect(),
            key,
            changes: Vec::new(),
            stage_changes: Vec::new(),
            caveat: None,
            plain_stage: false,
            halves: false,
            writers: if merges { 1 } else { spec.writers.clamp(1, 8) },
            collation: flavor.exact_collation(),
        }
    }

    fn for_existing(spec: &LoadSpec, existing: &Existing, flavor: Flavor) -> Result<Self> {
        let table = &existing.table;
        if table.is_view {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("`{}` is a view, which cannot be loaded", table.name),
            )
            .advise("Name a table, or another target."));
        }
        let described = table.target_stream().schema;
        let lookup = |name: &str| {
            table.column(name).ok_or_else(|| {
                Error::new(ErrorKind::Internal, format!("column `{name}` was described but is not known"))
            })
        };
        let judge = |old: &Field, new: &Field| match table.column(old.name()) {
            Some(column) => fit(column, new).1,
            None => Fit::Impossible("the column is gone".to_owned()),
        };
        let primary: Vec<String> = table.key();
        let mut changes = evolve(&described, &spec.incoming, spec.on_schema_change, &judge)?;
        changes.retain(|change| !matches!(change, Change::DropNotNull { column } if primary.contains(column)));
        let mut columns = Vec::new();
        for field in spec.incoming.fields() {
            columns.push(match table.column(field.name()) {
                Some(column) if !column.is_generated => Self::kept(column, field, &changes, flavor),
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::Schema,
                        format!("column `{}` is computed by the target", field.name()),
                    )
                    .advise("Exclude the column."));
                }
                None => Self::added(field, flavor),
            });
        }
        let mut statements = Vec::new();
        for change in &changes {
            statements.push(match change {
                Change::Add(field) => {
                    let new = Self::added(field, flavor);
                    format!("ADD COLUMN {}", new.definition())
                }
                Change::Widen { column, native } => {
                    let drop = changes.contains(&Change::DropNotNull { column: column.clone() });
                    modified(&existing.create, lookup(column)?, Some(native), drop)?
                }
                Change::DropNotNull { column }
                    if changes.iter().any(|c| matches!(c, Change::Widen { column: other, .. } if other == column)) =>
                {
                    continue;
                }
                Change::DropNotNull { column } => modified(&existing.create, lookup(column)?, None, true)?,
            });
        }
        if spec.on_schema_change == OnSchemaChange::Evolve {
            statements.extend(outdated_notes(spec, existing, &changes)?);
        }
        let key = if spec.key_columns.is_empty() { primary } else { spec.key_columns.clone() };
        let strategy = strategy(spec, existing, &key)?;
        let caveat = (!table.is_transactional() && strategy != Strategy::Swap).then(|| {
            format!(
                "the engine {} of `{}` has no transactions",
                table.engine.as_deref().unwrap_or("unknown"),
                table.name
            )
        });
        // A table that keeps versions takes no column of Levada's into its stage, and one without transactions cannot
        // take a half back.
        let halves = spec.quarantine
            && table.is_transactional()
            && match strategy {
                Strategy::Align | Strategy::Merge => true,
                Strategy::Refill => !table.is_versioned,
                Strategy::Create | Strategy::CreateMerged | Strategy::Swap | Strategy::Append => false,
            };
        let parallel = matches!(strategy, Strategy::Swap | Strategy::Refill) && !halves;
        Ok(Self {
            strategy,
            columns,
            key,
            changes: statements,
            stage_changes: stage_changes(strategy, existing, halves),
            caveat,
            plain_stage: strategy == Strategy::Swap && !table.is_transactional(),
            halves,
            writers: if parallel { spec.writers.clamp(1, 8) } else { 1 },
            collation: flavor.exact_collation(),
        })
    }

    fn kept(column: &Column, field: &Field, changes: &[Change], flavor: Flavor) -> DesignedColumn {
        let mut column = column.clone();
        for change in changes {
            if let Change::Widen { column: name, native } = change
                && name == field.name()
                && let Some(native) = Native::parse(native)
            {
                let (data_type, logical) = native.canonical(Logical::of(&column.field) == Some(Logical::Json));
                column.field = levada_core::schema::field(
                    name,
                    data_type,
                    column.field.is_nullable(),
                    &format!("mysql:{}", native.sql()),
                    logical,
                );
                column.native = native;
            }
        }
        let dropped = changes.iter().any(|c| matches!(c, Change::DropNotNull { column } if column == field.name()));
        let not_null = !column.field.is_nullable() && !dropped;
        let (wanted, fit) = fit(&column, field);
        let json = Logical::of(&column.field) == Some(Logical::Json);
        let form = stored_form(&column.native, field)
            .unwrap_or_else(|| form(&column.native, &wanted, column.charset.as_deref(), json, flavor));
        DesignedColumn {
            wanted: wanted_field(field, &wanted, !not_null, &column.native),
            ddl: column.native.sql(),
            fit,
            encoding: Encoding { name: field.name().clone(), not_null, form },
            note: None,
        }
    }

    fn added(field: &Field, flavor: Flavor) -> DesignedColumn {
        let mut new = create::column(field, None, flavor);
        if new.charset.is_none() && new.native.is_text() {
            new.charset = Some(("utf8mb4", flavor.exact_collation()));
        }
        let form = form(&new.native, &new.wanted, new.charset.map(|(c, _)| c), new.native.base == "json", flavor);
        DesignedColumn {
            wanted: wanted_field(field, &new.wanted, true, &new.native),
            ddl: format!("{} NULL", new.ddl()),
            fit: new.fit,
            encoding: Encoding { name: field.name().clone(), not_null: false, form },
            note: Note::of(field, &new.wanted),
        }
    }

    /// `CREATE TABLE` of a new target under a name; with `sequence`, a staging table that numbers its rows and has no
    /// other key.
    pub fn create_sql(&self, name: &str, sequence: bool) -> String {
        let mut lines: Vec<String> = self.columns.iter().map(DesignedColumn::definition).collect();
        if sequence {
            lines.push(format!("{} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY", quoted(SEQUENCE)));
        } else if !self.key.is_empty() {
            let is_primary =
                self.columns.iter().filter(|c| self.key.contains(&c.encoding.name)).all(|c| c.encoding.not_null);
            let kind = if is_primary { "PRIMARY KEY" } else { "UNIQUE KEY" };
            lines.push(format!("{kind} ({})", quoted_list(&self.key)));
        }
        format!(
            "CREATE TABLE {} ({}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={}",
            quoted(name),
            lines.join(", "),
            self.collation
        )
    }

    /// `ALTER TABLE` of a table, if anything changes.
    pub fn alter_sql(&self, name: &str) -> Option<String> {
        (!self.changes.is_empty()).then(|| format!("ALTER TABLE {} {}", quoted(name), self.changes.join(", ")))
    }

    /// Whether dates come as the server printed them, also those that are none.
    pub fn has_any_dates(&self) -> bool {
        self.columns.iter().any(|c| matches!(&c.encoding.form, Form::Text(limits) if limits.any_date))
    }

    /// The names of the load's columns as a list.
    pub fn column_list(&self) -> String {
        quoted_list(self.columns.iter().map(|c| &c.encoding.name))
    }

    /// The columns as the writers want them.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(|c| c.wanted.clone()).collect::<Vec<_>>()))
    }

    /// The plan as the engine sees it.
    pub fn plan(&self, spec: &LoadSpec) -> LoadPlan {
        let is_new = matches!(self.strategy, Strategy::Create | Strategy::CreateMerged);
        let ddl = if is_new { Some(self.create_sql(&spec.target, false)) } else { self.alter_sql(&spec.target) };
        let columns = self.columns.iter().map(|c| PlannedColumn {
            name: c.encoding.name.clone(),
            native: c.ddl.clone(),
            fit: c.fit.clone(),
        });
        LoadPlan {
            schema: self.schema(),
            columns: columns.collect(),
            ddl: ddl.into_iter().collect(),
            strategy: self.strategy.sentence().to_owned(),
            raw: None,
            writers: self.writers,
            promise: self.caveat.clone().map_or(Promise::ExactlyOnce, Promise::AtLeastOnce),
        }
    }
}

/// The column that numbers the rows of a staging table in the order they arrive.
pub const SEQUENCE: &str = "_levada_seq";

impl Strategy {
    fn sentence(self) -> &'static str {
        match self {
            Self::Create => "load a staging table and rename it to the target",
            Self::CreateMerged => {
                "load a staging table, keep the last row of each key, and rename the result to the target"
            }
            Self::Swap => "load a staging table like the target and swap their names in one step",
            Self::Refill => "load a staging table, then delete and insert all rows in one transaction",
            Self::Align => "load a staging table, then delete, update and insert by key in one transaction",
            Self::Append => "load the target directly in one transaction",
            Self::Merge => "load a staging table, then update and insert by key in one transaction",
        }
    }
}

fn strategy(spec: &LoadSpec, existing: &Existing, key: &[String]) -> Result<Strategy> {
    let Existing { table, attachments, .. } = existing;
    Ok(match spec.write {
        WriteMode::Append => Strategy::Append,
        WriteMode::Merge => Strategy::Merge,
        WriteMode::Replace if attachments.is_referenced && key.is_empty() => {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "other tables refer to `{}`, and without a key its rows cannot be replaced one by one",
                    table.name
                ),
            )
            .advise("Give the stream a key, or load another table."));
        }
        WriteMode::Replace if table.storage() == Storage::Elsewhere => {
            let message = format!("the rows of `{}` are those of other tables", table.name);
            return Err(Error::new(ErrorKind::Refused, message).advise("Load the tables themselves."));
        }
        WriteMode::Replace if attachments.is_referenced => Strategy::Align,
        WriteMode::Replace if attachments.has_triggers || attachments.refers || table.is_versioned => Strategy::Refill,
        // rows that are refused are taken back from a stage only where it has transactions, and rows of other engines may be
        // elsewhere, where a table of another name leads to as well
        WriteMode::Replace if !table.is_transactional() && (spec.quarantine || table.storage() != Storage::Plain) => {
            Strategy::Refill
        }
        WriteMode::Replace => Strategy::Swap,
    })
}

fn stage_changes(strategy: Strategy, existing: &Existing, halves: bool) -> Vec<String> {
    let table = &existing.table;
    let by_key = matches!(strategy, Strategy::Merge | Strategy::Align);
    let mut changes = Vec::new();
    if by_key || halves {
        if let Some(column) = table.columns.iter().find(|c| c.is_auto_increment)
            && let Some(line) = column_line(&existing.create, column)
        {
            changes.push(format!(
                "MODIFY COLUMN {} {}",
                quoted(column.field.name()),
                line.replacen(" AUTO_INCREMENT", "", 1)
            ));
        }
        let numbered = format!("ADD COLUMN {0} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT", quoted(SEQUENCE));
        if by_key {
            changes.extend(table.unique.iter().map(|key| match key.name.as_str() {
                "PRIMARY" => "DROP PRIMARY KEY".to_owned(),
                name => format!("DROP INDEX {}", quoted(name)),
            }));
            changes.push(format!("{numbered} PRIMARY KEY"));
        } else {
            changes.extend([numbered, format!("ADD INDEX ({})", quoted(SEQUENCE))]);
        }
    }
    if !table.is_transactional() && !matches!(strategy, Strategy::Append | Strategy::Swap) {
        changes.push("ENGINE=InnoDB".to_owned());
    }
    changes
}

/// A column's line of `SHOW CREATE TABLE`, from its type on.
fn column_line<'a>(create: &'a str, column: &Column) -> Option<&'a str> {
    let name = quoted(column.field.name());
    let line = create.lines().map(str::trim).find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '))?;
    Some(line.trim_end_matches(','))
}

fn wanted_field(incoming: &Field, wanted: &arrow_schema::DataType, nullable: bool, native: &Native) -> Field {
    let mut metadata = incoming.metadata().clone();
    metadata.insert(NATIVE.to_owned(), format!("mysql:{}", native.sql()));
    Field::new(incoming.name(), wanted.clone(), nullable).with_metadata(metadata)
}

/// `MODIFY COLUMN` for columns that get something else now than their notes say.
fn outdated_notes(spec: &LoadSpec, existing: &Existing, changes: &[Change]) -> Result<Vec<String>> {
    let is_changed = |name: &str| {
        changes.iter().any(|change| match change {
            Change::Widen { column, .. } | Change::DropNotNull { column } => column == name,
            Change::Add(_) => false,
        })
    };
    let mut statements = Vec::new();
    for field in spec.incoming.fields() {
        let Some(column) = existing.table.column(field.name()) else { continue };
        let is_outdated = column.note.is_some() && column.note != Note::of(field, column.field.data_type());
        // two changes of one column in a statement are not allowed; the next load does it
        if is_outdated && !is_changed(field.name()) {
            statements.push(without_comment(&modified(&existing.create, column, None, false)?));
        }
    }
    Ok(statements)
}

/// `MODIFY COLUMN` that changes the type or the nullability only: the rest of the column's line is kept as the server
/// prints it.
fn modified(create: &str, column: &Column, native: Option<&str>, drop_not_null: bool) -> Result<String> {
    let name = quoted(column.field.name());
    let unknown = || {
        Error::new(ErrorKind::Schema, format!("the definition of column {name} cannot be read"))
            .advise("Change the target by hand.")
    };
    let line = column_line(create, column).ok_or_else(unknown)?;
    let end = type_end(line).ok_or_else(unknown)?;
    let (own, mut rest) = (&line[..end], line[end..].to_owned());
    if drop_not_null {
        rest = rest.replacen(" NOT NULL", " NULL", 1);
    }
    Ok(format!("MODIFY COLUMN {name} {}{rest}", native.unwrap_or(own)))
}

/// Where the type of a column's line ends: after the word, its arguments and the words that belong to it.
fn type_end(line: &str) -> Option<usize> {
    let mut end = line.find([' ', '(']).unwrap_or(line.len());
    if line[end..].starts_with('(') {
        let mut in_label = false;
        let close = line[end..].char_indices().find(|(_, c)| {
            in_label ^= *c == '\'';
            *c == ')' && !in_label
        })?;
        end += close.0 + 1;
    }
    for word in [" unsigned", " zerofill"] {
        if line[end..].starts_with(word) {
            end += word.len();
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_type_of_a_line_ends_before_its_attributes() {
        for (line, own) in [
            ("int(11) NOT NULL DEFAULT 5", "int(11)"),
            ("decimal(10,2) unsigned zerofill DEFAULT NULL", "decimal(10,2) unsigned zerofill"),
            ("enum('a)','it''s') NOT NULL", "enum('a)','it''s')"),
            ("longtext", "longtext"),
        ] {
            assert_eq!(&line[..type_end(line).unwrap()], own);
        }
    }
}
