//! Writing: what a load would do, and the commits stored with the tables. The load itself is in `load`.

use deltalake::DeltaTable;
use deltalake::kernel::transaction::{PROTOCOL, TransactionError};
use deltalake::protocol::SaveMode;
use deltalake::table::config::TablePropertiesExt as _;
use futures_util::future::BoxFuture;
use levada_core::batch::Reject;
use levada_core::destination::{Destination, Load, LoadPlan, LoadSpec, Promise, WriteMode};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{LengthUnit, NameRules};
use levada_core::position::{Commit, StreamKey};
use levada_core::source::StreamInfo;

use crate::columns::{self, Columns};
use crate::commit::{Mark, Tried, attempt};
use crate::place::folder_name;
use crate::{Lake, error, load, positions, quarantine, source};

/// Below as many rows one writer makes one file.
const ROWS_PER_WRITER: u64 = 200_000;
/// How often forgetting is tried again that another commit of the table came before.
const FORGET_ATTEMPTS: usize = 20;

impl Destination for Lake {
    fn name_rules(&self) -> NameRules {
        // those that Parquet files of a table without column mapping can not have in names, by the Delta protocol
        let forbidden = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=', '\0'];
        NameRules { length_max: 200, unit: LengthUnit::Bytes, ignores_case: true, forbidden }
    }

    fn target(&self, _namespace: Option<&str>, table: &str) -> String {
        folder_name(table)
    }

    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        Box::pin(async move {
            match self.place()?.newest(target).await? {
                Some(table) => Ok(Some(source::described(target, &table).await?)),
                None => Ok(None),
            }
        })
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        Box::pin(async move {
            let place = self.place()?;
            let table = place.newest(&spec.target).await?;
            if table.is_none()
                && let Some(other) = place.stranger(&spec.target).await?
            {
                let message = format!("there is no table, and its folder holds something else: {other}");
                return Err(Error::new(ErrorKind::Refused, message)
                    .at(format!("target `{}`", spec.target))
                    .advise("Give the table another name, or empty the folder."));
            }
            plan(spec, table.as_ref()).at(format!("target `{}`", spec.target))
        })
    }

    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        Box::pin(async move { positions::committed(&self.place()?, key).await })
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        Box::pin(async move { positions::commits(&self.place()?).await })
    }

    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let place = self.place()?;
            let Some(commit) = positions::committed(&place, key).await? else { return Ok(false) };
            let number = positions::prepare(&place, &commit, true).await?;
            for _ in 0..FORGET_ATTEMPTS {
                let base = place.newest(&commit.target).await?;
                let known = positions::committed(&place, key).await?;
                if base.is_none() || known.is_none_or(|known| known.load_id != commit.load_id) {
                    break;
                }
                let mark = Mark { key, number, load_id: "" };
                match attempt(&place, &commit.target, base.as_ref(), Vec::new(), SaveMode::Append, &mark).await? {
                    Tried::Done => {
                        positions::prune(&place, key, number).await;
                        return Ok(true);
                    }
                    Tried::Lost => {}
                    Tried::Passed => break,
                }
            }
            positions::withdraw(&place, key, number).await;
            Err(Error::new(ErrorKind::Busy, "other loads of the stream or the table came first").advise("Try again."))
        })
    }

    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        Box::pin(async move { quarantine::read(&self.place()?, load_id, skip, limit).await })
    }

    fn quarantine(&self, _target: &str, load_id: &str) -> Option<String> {
        Some(format!("{}/{}", self.settings.location.trim_end_matches('/'), quarantine::path(load_id)))
    }

    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        Box::pin(async move {
            let address = levada_core::connector::Connection::address(self);
            Ok(Box::new(load::begin(self, address, spec, plan).await?) as Box<dyn Load>)
        })
    }
}

fn plan(spec: &LoadSpec, table: Option<&DeltaTable>) -> Result<LoadPlan> {
    if spec.incoming.fields().is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, "it would have no columns, and Delta has no such tables")
            .advise("Leave the stream out."));
    }
    let columns = planned(spec, table)?;
    let floats = columns.written.fields().iter().filter(|field| field.data_type().is_floating());
    if let Some(key) = floats.into_iter().find(|field| spec.key_columns.contains(field.name())) {
        let message = format!("column `{}` is no key: NaN, 0 and -0 have no one answer to what is equal", key.name());
        return Err(Error::new(ErrorKind::Unsupported, message).advise("Merge by another column."));
    }
    let strategy = match (spec.write, table.is_some()) {
        (WriteMode::Merge, true) => {
            "One commit puts files with the new and the updated rows in place of those that held them"
        }
        (WriteMode::Replace, true) => "One commit adds the new files and removes the old ones",
        (_, true) => "One commit adds the new files",
        (_, false) => "One commit makes the table with its files",
    };
    let wanted = spec.rows_estimate.map_or(spec.writers, |rows| (rows / ROWS_PER_WRITER + 1) as usize);
    // a merge follows the order in which rows come
    let writers = if spec.write == WriteMode::Merge { 1 } else { wanted.clamp(1, spec.writers.max(1)) };
    Ok(LoadPlan {
        schema: columns.written,
        columns: columns.planned,
        ddl: columns.ddl,
        strategy: strategy.to_owned(),
        raw: None,
        writers,
        promise: Promise::ExactlyOnce,
    })
}

/// The columns of a load, into a table that can be written to.
///
/// # Errors
/// `Schema`; `Unsupported` for tables with features that a load would have to honour and does not.
pub fn planned(spec: &LoadSpec, table: Option<&DeltaTable>) -> Result<Columns> {
    let Some(table) = table else { return columns::plan(spec, None) };
    let state = table.snapshot().map_err(error::delta)?;
    let stored = state.snapshot().arrow_schema();
    let columns = columns::plan(spec, Some(&stored))?;
    let metadata = state.metadata();
    PROTOCOL.can_write_to(state).map_err(error::delta)?;
    if spec.write != WriteMode::Append && state.table_config().append_only() {
        return Err(error::delta(TransactionError::DeltaTableAppendOnly));
    }
    let unsupported = |what: &str| {
        Err(Error::new(ErrorKind::Unsupported, format!("the table has {what}, which loads do not keep up"))
            .advise("Load into another table."))
    };
    let configured = metadata.configuration();
    if configured.get("delta.columnMapping.mode").is_some_and(|mode| mode != "none") {
        return unsupported("column mapping");
    }
    if configured.keys().any(|key| key.starts_with("delta.constraints.")) {
        return unsupported("check constraints");
    }
    if configured.contains_key("delta.setTransactionRetentionDuration") {
        return unsupported("an end of its transactions' life (`delta.setTransactionRetentionDuration`)");
    }
    if state.table_config().enable_change_data_feed() && spec.write != WriteMode::Append {
        return unsupported("a change feed");
    }
    let special = ["delta.generationExpression", "delta.invariants", "delta.identity.start"];
    if stored.fields().iter().any(|field| special.iter().any(|key| field.metadata().contains_key(*key))) {
        return unsupported("columns with expressions, invariants or identities");
    }
    let missing = metadata.partition_columns().iter().find(|name| columns.written.field_with_name(name).is_err());
    match missing {
        None => Ok(columns),
        Some(name) => {
            Err(Error::new(ErrorKind::Schema, format!("column `{name}`, which partitions the table, is missing"))
                .advise("Bring it, or load into another table."))
        }
    }
}
