//! What a load would do: the native type of each column, the changes to the target, the strategy, and whether raw rows
//! can be taken. Reads catalogues only.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema};
use levada_core::destination::{LoadPlan, LoadSpec, PlannedColumn, Promise, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{Change, Fit, LOGICAL, Logical, NATIVE, evolve, native_of};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::fit::{fit, wanted};
use super::labels;
use super::target::Target;
use crate::postgres::catalog::RAW;
use crate::postgres::config::Settings;
use crate::postgres::session::Session;
use crate::postgres::sql::{ident, idents, is_type_name};
use crate::postgres::types::{Kind, SYSTEM, native_for};

/// How rows become visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// A stage is renamed into place.
    New,
    /// Straight into the table, in the transaction of the commit.
    Append,
    /// Stage, then inserted.
    AppendStaged,
    /// Stage, then the table is emptied and filled.
    Replace,
    /// Stage, then rows are updated or inserted by key, and the others deleted.
    ReplaceByKey,
    /// Stage, then rows are updated or inserted by key.
    Merge,
}

/// A plan with what `begin` needs besides.
pub struct Plan {
    /// What the engine sees.
    pub load: LoadPlan,
    /// How rows become visible.
    pub strategy: Strategy,
    /// What happens to the columns of an existing target.
    pub changes: Vec<Change>,
    /// What adds missing labels to enumerated types, before the load.
    pub labels: Vec<String>,
    /// The key rows are matched by, where they are.
    pub key: Vec<String>,
}

/// Plans a load on its own connection.
pub async fn plan(settings: &Settings, spec: &LoadSpec) -> Result<LoadPlan> {
    let session = Session::open(settings).await?;
    let plan = plan_on(&session.client, settings, spec).await?;
    session.close().await;
    Ok(plan.load)
}

/// Plans a load.
pub async fn plan_on(client: &Client, settings: &Settings, spec: &LoadSpec) -> Result<Plan> {
    let target = Target::parse(settings, &spec.target)?;
    let columns = match &spec.existing {
        None => new_columns(client, spec.incoming.fields()).await?,
        Some(existing) => existing_columns(client, &existing.schema, spec).await?,
    };
    let changes = match &spec.existing {
        None => Vec::new(),
        Some(existing) => {
            let mut changes = evolve(&existing.schema, &spec.incoming, spec.on_schema_change, &fit)?;
            // A key stays one: rows without its values are refused, not let in.
            changes.retain(|change| !matches!(change, Change::DropNotNull { column } if existing.key.contains(column)));
            changes
        }
    };
    let referenced = spec.existing.is_some() && target.is_referenced(client).await?;
    let has_money = columns.iter().any(|(field, _)| Kind::of_field(field) == Kind::Money);
    let quarantined = spec.quarantine && spec.existing.is_some();
    let judged_late = quarantined && spec.write == WriteMode::Append && target.has_late_constraints(client).await?;
    let (strategy, key) = strategy(spec, !changes.is_empty() || has_money || judged_late, referenced)?;
    let labels = labels::missing(client, spec).await?;
    let raw = takes_raw(spec, &columns).then_some(RAW);
    let by_key = !key.is_empty();
    let writers = match strategy {
        Strategy::Append | Strategy::Merge | Strategy::ReplaceByKey => 1,
        Strategy::New if spec.write == WriteMode::Merge => 1,
        _ => spec.writers.max(1),
    };
    let schema = Arc::new(Schema::new(columns.iter().map(|(field, _)| field.clone()).collect::<Vec<_>>()));
    let ddl = match &spec.existing {
        None => {
            let schema_first = Target::missing_schema(client, &target.schema).await?;
            schema_first.into_iter().chain([create(&target, &schema, spec)]).collect()
        }
        Some(_) => labels.iter().cloned().chain(changes.iter().map(|change| alter(&target, change, &schema))).collect(),
    };
    let planned = columns
        .iter()
        .map(|(field, fit)| PlannedColumn {
            name: field.name().clone(),
            native: native_of(field, SYSTEM).unwrap_or_default().to_owned(),
            fit: fit.clone(),
        })
        .collect();
    let load = LoadPlan {
        schema,
        columns: planned,
        ddl,
        strategy: describe(strategy, &key, by_key),
        raw,
        writers,
        promise: Promise::ExactlyOnce,
    };
    Ok(Plan { load, strategy, changes, labels, key })
}

fn strategy(spec: &LoadSpec, staged: bool, referenced: bool) -> Result<(Strategy, Vec<String>)> {
    let Some(existing) = &spec.existing else {
        // Rows that are only ever added may come again with the same key.
        let key = if spec.write == WriteMode::Append { Vec::new() } else { spec.key_columns.clone() };
        return Ok((Strategy::New, key));
    };
    match spec.write {
        WriteMode::Append if staged => Ok((Strategy::AppendStaged, Vec::new())),
        WriteMode::Append => Ok((Strategy::Append, Vec::new())),
        WriteMode::Merge => Ok((Strategy::Merge, spec.key_columns.clone())),
        WriteMode::Replace if !referenced => Ok((Strategy::Replace, Vec::new())),
        WriteMode::Replace => {
            let key = if spec.key_columns.is_empty() { &existing.key } else { &spec.key_columns };
            if key.is_empty() || key.iter().any(|name| spec.incoming.field_with_name(name).is_err()) {
                return Err(Error::new(
                    ErrorKind::Refused,
                    format!("{} cannot be emptied: other tables refer to it by foreign key", spec.target),
                )
                .advise("Set `key`, so that rows are updated in place and only missing ones are deleted."));
            }
            Ok((Strategy::ReplaceByKey, key.clone()))
        }
    }
}

fn describe(strategy: Strategy, key: &[String], keyed: bool) -> String {
    let by = if keyed { format!(" by ({})", key.join(", ")) } else { String::new() };
    match strategy {
        Strategy::New if keyed => {
            format!("loads a new table beside, builds its primary key{by}, and renames it into place")
        }
        Strategy::New => "loads a new table beside and renames it into place".to_owned(),
        Strategy::Append => "copies into the table in one transaction".to_owned(),
        Strategy::AppendStaged => {
            "stages the rows, then changes the table and inserts them in one transaction".to_owned()
        }
        Strategy::Replace => "stages the rows, then empties and fills the table in one transaction".to_owned(),
        Strategy::ReplaceByKey => {
            format!("stages the rows, then updates, inserts and deletes{by} in one transaction")
        }
        Strategy::Merge => format!("stages the rows, then updates and inserts{by} in one transaction"),
    }
}

/// Raw rows fit if every column has just the type that it has at the source.
fn takes_raw(spec: &LoadSpec, columns: &[(Field, Fit)]) -> bool {
    spec.raw == Some(RAW)
        && (!spec.quarantine || spec.existing.is_none())
        && spec.incoming.fields().iter().zip(columns).all(|(incoming, (planned, fit))| {
            *fit == Fit::Exact
                && native_of(incoming, SYSTEM).is_some()
                && native_of(incoming, SYSTEM) == native_of(planned, SYSTEM)
                && incoming.data_type() == planned.data_type()
                && Kind::of_field(planned) != Kind::Money
        })
}

fn planned(incoming: &Field, native: &str, is_enum: bool) -> Field {
    // What came as the text of a server is told to a server in the same words.
    let as_told = Logical::of(incoming) == Some(Logical::Foreign) && native_of(incoming, SYSTEM) == Some(native);
    let kind = if as_told { Kind::Foreign } else { Kind::of(native, is_enum) };
    let mut field = Field::new(incoming.name(), wanted(kind, incoming), incoming.is_nullable());
    let metadata = field.metadata_mut();
    metadata.insert(NATIVE.to_owned(), format!("{SYSTEM}:{native}"));
    if let Some(logical) = kind.arrow().1 {
        metadata.insert(LOGICAL.to_owned(), logical.word().to_owned());
    }
    field
}

async fn existing_columns(client: &Client, existing: &Schema, spec: &LoadSpec) -> Result<Vec<(Field, Fit)>> {
    let mut columns = Vec::new();
    for incoming in spec.incoming.fields() {
        let Ok(old) = existing.field_with_name(incoming.name()) else {
            columns.extend(new_columns(client, std::slice::from_ref(incoming)).await?);
            continue;
        };
        let fit = fit(old, incoming);
        let native = match &fit {
            Fit::NeedsWidening(native) => native.clone(),
            _ => native_of(old, SYSTEM).unwrap_or("text").to_owned(),
        };
        columns.push((planned(incoming, &native, Logical::of(old) == Some(Logical::Enum)), fit));
    }
    Ok(columns)
}

/// The columns of a new table: the type a column had in PostgreSQL if it still has that meaning and the type exists
/// here, else one for its column type.
async fn new_columns(client: &Client, fields: &[FieldRef]) -> Result<Vec<(Field, Fit)>> {
    let foreign: Vec<&str> =
        fields.iter().filter_map(|field| native_of(field, SYSTEM)).filter(|n| is_type_name(n)).collect();
    let available = available(client, &foreign).await?;
    let column = |incoming: &Field| {
        let is_enum = Logical::of(incoming) == Some(Logical::Enum);
        let restored = native_of(incoming, SYSTEM).filter(|native| {
            let kind = Kind::of(native, is_enum);
            available.contains(*native) && kind != Kind::Money && kind.arrow().0 == *incoming.data_type()
        });
        if let Some(native) = restored {
            return (planned(incoming, native, is_enum), Fit::Exact);
        }
        let native = native_for(incoming);
        (planned(incoming, &native, false), new_fit(incoming, &native))
    };
    Ok(fields.iter().map(|incoming| column(incoming)).collect())
}

fn new_fit(incoming: &Field, native: &str) -> Fit {
    use arrow_schema::DataType as T;
    match (incoming.data_type(), Logical::of(incoming)) {
        (T::Timestamp(arrow_schema::TimeUnit::Nanosecond, _), _) => {
            Fit::Checked("must not be finer than a microsecond".to_owned())
        }
        (T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 | T::Int8, _) => {
            Fit::Widened(format!("every value fits {native}"))
        }
        (T::Duration(_), _) => Fit::Widened("a duration becomes an interval".to_owned()),
        (T::Utf8, Some(Logical::Foreign | Logical::Enum)) => Fit::Text("values are kept as text".to_owned()),
        (T::Utf8, Some(Logical::Bits | Logical::Interval | Logical::Json)) => {
            Fit::Checked(format!("must be the text of a value of type {native}"))
        }
        _ => Fit::Exact,
    }
}

/// Which of these types exist here. Only texts that can be nothing but a type's name are asked for.
async fn available(client: &Client, natives: &[&str]) -> Result<HashSet<String>> {
    let (known, ask): (Vec<&str>, Vec<&str>) = natives
        .iter()
        .copied()
        .partition(|native| !matches!(Kind::of(native, false), Kind::Foreign) && !native.contains('.'));
    let mut found: HashSet<String> = known.into_iter().map(str::to_owned).collect();
    if ask.is_empty() {
        return Ok(found);
    }
    let query = "SELECT t FROM unnest($1::text[]) t WHERE pg_catalog.to_regtype(t) IS NOT NULL";
    match client.query_typed(query, &[(&ask, Type::TEXT_ARRAY)]).await {
        Ok(rows) => found.extend(rows.iter().map(|row| row.get::<_, String>(0))),
        // One name that is no name at all spoils the question: each is asked for on its own.
        Err(_) => {
            for native in ask {
                if let Ok(rows) = client.query_typed(query, &[(&vec![native], Type::TEXT_ARRAY)]).await {
                    found.extend(rows.iter().map(|row| row.get::<_, String>(0)));
                }
            }
        }
    }
    Ok(found)
}

/// The definition of a column in DDL.
pub fn definition(field: &Field) -> String {
    let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
    format!("{} {}{not_null}", ident(field.name()), native_of(field, SYSTEM).unwrap_or("text"))
}

fn create(target: &Target, schema: &Schema, spec: &LoadSpec) -> String {
    let mut items: Vec<String> = schema.fields().iter().map(|field| definition(field)).collect();
    if !spec.key_columns.is_empty() && spec.write != WriteMode::Append {
        items.push(format!("PRIMARY KEY ({})", idents(&spec.key_columns)));
    }
    format!("CREATE TABLE {} ({})", target.quoted(), items.join(", "))
}

/// One change as it is sent; `schema` holds the columns as planned.
pub fn alter(target: &Target, change: &Change, schema: &Schema) -> String {
    let table = target.quoted();
    match change {
        Change::Add(field) => {
            let planned = schema.field_with_name(field.name()).unwrap_or(field);
            let native = native_of(planned, SYSTEM).unwrap_or("text");
            format!("ALTER TABLE {table} ADD COLUMN {} {native}", ident(field.name()))
        }
        Change::Widen { column, native } => {
            format!("ALTER TABLE {table} ALTER COLUMN {} TYPE {native}", ident(column))
        }
        Change::DropNotNull { column } => format!("ALTER TABLE {table} ALTER COLUMN {} DROP NOT NULL", ident(column)),
    }
}
