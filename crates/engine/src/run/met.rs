//! What the catalogue is told of a stream that was loaded: both datasets with their columns, and which column came from which.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{Field, Schema};
use levada_core::dataset::{ColumnEdge, DatasetColumn, Derivation, Listed, Load, LoadFigures, SeenDataset};
use levada_core::destination::WriteMode;
use levada_core::schema::{NATIVE, computed, type_name};
use levada_core::source::{Origin, StreamInfo};

use super::plan::{Ends, Planned};
use super::transform::ColumnRule;
use crate::report::{Proof, StreamReport};

/// How long the look at a target may take that a load has changed: nobody waits longer for the catalogue's sake.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// What a load met; datasets that were written, and those that were read by their connection, without its name.
#[derive(Debug)]
pub struct Met {
    sources: Vec<(SeenDataset, Listed)>,
    target: SeenDataset,
}

impl Met {
    /// What the load of a stream met, which has been committed.
    pub(super) async fn of(ends: &Ends, planned: &Planned, proof: Proof) -> Self {
        let target = &planned.spec.target;
        let found = target_after(ends, planned).await;
        // after a replace there is nothing but what was written
        let rows = (planned.spec.write == WriteMode::Replace).then_some(proof.written);
        let edges = edges(planned);
        let sources = match origins(ends, planned).await {
            None => vec![(seen(&planned.info.name, &planned.info), Listed::edges(&edges))],
            Some(made) => made
                .into_iter()
                .map(|origin| (seen(&origin.dataset, &origin.info), Listed::edges(&through(&origin.columns, &edges))))
                .collect(),
        };
        Self {
            sources,
            target: SeenDataset {
                columns: found.as_ref().map(|info| columns(&info.schema, &info.key)),
                rows_estimate: rows.or(found.as_ref().and_then(|info| info.rows_estimate)),
                bytes_estimate: found.and_then(|info| info.bytes_estimate),
                ..SeenDataset::named(target)
            },
        }
    }
}

/// The load that a report tells of, into a connection, and from one unless what was read was made of datasets of several.
pub fn load(from: Option<&str>, to: &str, report: &mut StreamReport) -> Load {
    let named =
        |connection: &str, seen: SeenDataset| SeenDataset { name: format!("{connection}.{}", seen.name), ..seen };
    let figures = LoadFigures {
        read: report.proof.read,
        written: report.proof.written,
        rejected: report.proof.rejected,
        bytes: report.bytes,
    };
    let (target, sources) = match report.met.take() {
        Some(met) => {
            let whole = |(source, columns)| {
                (
                    match from {
                        Some(from) => named(from, source),
                        None => source,
                    },
                    columns,
                )
            };
            (named(to, met.target), met.sources.into_iter().map(whole).collect())
        }
        None => (SeenDataset::named(format!("{to}.{}", report.target)), Vec::new()),
    };
    Load { target, sources, figures: Some(figures) }
}

fn seen(name: &str, info: &StreamInfo) -> SeenDataset {
    SeenDataset {
        columns: Some(columns(&info.schema, &info.key)),
        rows_estimate: info.rows_estimate,
        bytes_estimate: info.bytes_estimate,
        ..SeenDataset::named(name)
    }
}

/// What the stream was made from, if it does not lie in a system as it is.
async fn origins(ends: &Ends, planned: &Planned) -> Option<Vec<Origin>> {
    match tokio::time::timeout(LOOK_MAX, ends.source.origins(&planned.info)).await {
        Ok(Ok(origins)) => origins,
        Ok(Err(error)) => {
            tracing::debug!("what `{}` was made from is not known to the catalogue: {error}", planned.info.name);
            Some(Vec::new())
        }
        Err(_) => Some(Vec::new()),
    }
}

/// Columns made from others that were made from others.
fn through(first: &[ColumnEdge], second: &[ColumnEdge]) -> Vec<ColumnEdge> {
    let onward = |edge: &ColumnEdge| {
        let (from, how) = (edge.from.clone(), edge.how);
        let next = second.iter().filter(|next| next.from == edge.to).cloned().collect::<Vec<_>>();
        next.into_iter().map(move |next| ColumnEdge { from: from.clone(), to: next.to, how: how.max(next.how) })
    };
    first.iter().flat_map(onward).collect()
}

/// The target as a reader finds it. It is looked at again only if the load may have changed its columns.
async fn target_after(ends: &Ends, planned: &Planned) -> Option<StreamInfo> {
    if let Some(info) = planned.spec.existing.as_ref().filter(|info| stays(planned, &info.schema)) {
        return Some(info.clone());
    }
    let target = &planned.spec.target;
    let found = tokio::time::timeout(LOOK_MAX, ends.target.discover(Some(target))).await;
    match found {
        Ok(Ok(found)) => found.into_iter().find(|info| info.name == *target),
        Ok(Err(error)) => {
            tracing::debug!("the columns of `{target}` are not known to the catalogue: {error}");
            None
        }
        Err(_) => None,
    }
}

/// Whether a target has the columns after a load that it had before: none came, none became another, and none is computed, which
/// writers are not told of. What replaces a target that nothing else is told of may leave columns out.
fn stays(planned: &Planned, before: &Schema) -> bool {
    let known = |field: &Arc<Field>| {
        before.field_with_name(field.name()).is_ok_and(|known| known.data_type() == field.data_type())
    };
    let written = planned.plan.schema.fields();
    planned.plan.ddl.is_empty()
        && computed(before).is_empty()
        && written.iter().all(known)
        && (planned.spec.write != WriteMode::Replace || written.len() == before.fields().len())
}

fn columns(schema: &Schema, key: &[String]) -> Listed {
    let column = |field: &Arc<Field>| DatasetColumn {
        name: field.name().clone(),
        type_: type_name(field),
        native: field.metadata().get(NATIVE).cloned(),
        nullable: field.is_nullable(),
        key: key.contains(field.name()),
    };
    Listed::columns(&schema.fields().iter().map(column).collect::<Vec<_>>())
}

fn edges(planned: &Planned) -> Vec<ColumnEdge> {
    let edge = |(rule, to): (&ColumnRule, &Arc<Field>)| {
        let from = planned.info.schema.field_with_name(&rule.source).ok();
        let is_cast = rule.cast.is_some() || from.is_some_and(|from| from.data_type() != to.data_type());
        let how = match () {
            () if rule.hash => Derivation::Hashed,
            () if is_cast => Derivation::Cast,
            () => Derivation::Copied,
        };
        ColumnEdge { from: rule.source.clone(), to: to.name().clone(), how }
    };
    planned.rules.iter().zip(planned.plan.schema.fields()).map(edge).collect()
}
