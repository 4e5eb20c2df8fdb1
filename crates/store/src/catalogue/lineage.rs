//! What datasets were made from, and what was made from them: the graph around one of them, as far as was asked for.

use std::collections::{BTreeMap, BTreeSet};

use levada_core::dataset::ColumnEdge;
use levada_core::error::Result;
use levada_core::id::RunId;
use levada_core::time::Timestamp;

use super::Dataset;
use super::external::JOB_PREFIX;
use super::read::{datasets, listed, of_here};
use crate::Store;
use crate::db::{Row, Tx, Value};

/// Most datasets of an answer.
const NODES_MAX: usize = 500;
/// Most edges of an answer.
const EDGES_MAX: usize = 2_000;
/// Most bytes that the columns of an answer take, as they are kept.
const COLUMNS_MAX: usize = 8 << 20;
/// Edges whose columns are asked for at once.
const CHUNK: usize = 50;

/// Which part of the graph to look at.
#[derive(Debug, Clone, Default)]
pub struct LineageFilter {
    /// The dataset in the middle.
    pub dataset: String,
    /// How many steps to go to what it was made from.
    pub upstream: u32,
    /// How many steps to go to what was made from it.
    pub downstream: u32,
    /// Whether to tell the columns as well.
    pub with_columns: bool,
}

/// A part of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lineage {
    /// The datasets, in the order of their names.
    pub datasets: Vec<Dataset>,
    /// What was made from what, in the order of targets and sources.
    pub edges: Vec<LineageEdge>,
    /// Whether there is more of it than an answer holds.
    pub is_cut: bool,
}

/// That a task makes one dataset from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageEdge {
    /// What is read.
    pub source: String,
    /// What is written.
    pub target: String,
    /// The pipeline; the namespace of a job of others.
    pub pipeline: String,
    /// The task; the name of a job of others.
    pub task: String,
    /// The run that did it last; none of a job of others.
    pub run: Option<RunId>,
    /// Whether it is a job of others, and the run of theirs that did it last, if they told of one.
    pub external: Option<Option<String>>,
    /// When.
    pub at: Timestamp,
    /// The columns that come from columns; none if that was not asked for.
    pub columns: Option<Vec<ColumnEdge>>,
    /// How many more columns there are, which are not kept.
    pub left_out: u64,
}

impl Store {
    /// The graph around a dataset; none if nobody met it.
    pub async fn lineage(&self, filter: LineageFilter) -> Result<Option<Lineage>> {
        self.db.read(async move |tx: &mut Tx| lineage(tx, &filter).await).await
    }

    /// From what a task made these datasets, with the columns.
    pub async fn edges_of_task(
        &self,
        pipeline: String,
        task: String,
        targets: Vec<String>,
    ) -> Result<Vec<LineageEdge>> {
        let look = async move |tx: &mut Tx| {
            let mut values: Vec<Value> = vec![pipeline.as_str().into(), task.as_str().into()];
            let those = tx.among("target", &mut values, targets.iter().map(String::as_str));
            let sql = format!(
                "SELECT {EDGE}, columns FROM lineage WHERE pipeline = $1 AND task = $2 AND {those} ORDER BY target, source"
            );
            super::read::all(tx.rows(&sql, &values).await?, |row| {
                let edge = edge(row)?;
                Ok(LineageEdge { columns: Some(listed(&row.text()?)), ..edge })
            })
        };
        self.db.read(look).await
    }
}

/// What tells an edge.
type Key = (String, String, String, String);

#[derive(Default)]
struct Found {
    names: BTreeSet<String>,
    edges: BTreeMap<Key, LineageEdge>,
    is_cut: bool,
}

async fn lineage(tx: &mut Tx, filter: &LineageFilter) -> Result<Option<Lineage>> {
    if datasets(tx, std::slice::from_ref(&filter.dataset)).await?.is_empty() {
        return Ok(None);
    }
    let mut found = Found { names: [filter.dataset.clone()].into(), ..Found::default() };
    walk(tx, &filter.dataset, Way::Up, filter.upstream, &mut found).await?;
    walk(tx, &filter.dataset, Way::Down, filter.downstream, &mut found).await?;
    let Found { names, mut edges, mut is_cut } = found;
    if filter.with_columns {
        is_cut |= add_columns(tx, &mut edges).await?;
    }
    let datasets = datasets(tx, &names.into_iter().collect::<Vec<_>>()).await?;
    let shown = |mut edge: LineageEdge| {
        if let Some(namespace) = edge.pipeline.strip_prefix(JOB_PREFIX).filter(|_| edge.external.is_some()) {
            edge.pipeline = namespace.to_owned();
        }
        edge
    };
    Ok(Some(Lineage { datasets, edges: edges.into_values().map(shown).collect(), is_cut }))
}

/// Which way to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Goes so many steps one way, and meets each dataset once: a circle comes to its end.
async fn walk(tx: &mut Tx, from: &str, way: Way, steps: u32, found: &mut Found) -> Result<()> {
    let mut met = BTreeSet::from([from.to_owned()]);
    let mut front: Vec<String> = met.iter().cloned().collect();
    for _ in 0..steps {
        if front.is_empty() {
            break;
        }
        let mut next = BTreeSet::new();
        for edge in step(tx, &front, way).await? {
            let other = if way == Way::Up { &edge.source } else { &edge.target };
            let is_new = !found.names.contains(other);
            let key = (edge.target.clone(), edge.source.clone(), edge.pipeline.clone(), edge.task.clone());
            let is_full = found.edges.len() >= EDGES_MAX && !found.edges.contains_key(&key);
            if is_full || (is_new && found.names.len() >= NODES_MAX) {
                found.is_cut = true;
                continue;
            }
            found.names.insert(other.clone());
            if met.insert(other.clone()) {
                next.insert(other.clone());
            }
            found.edges.insert(key, edge);
        }
        front = next.into_iter().collect();
    }
    Ok(())
}

async fn step(tx: &mut Tx, front: &[String], way: Way) -> Result<Vec<LineageEdge>> {
    let mut values: Vec<Value> = vec![(EDGES_MAX + 1).into()];
    let column = if way == Way::Up { "target" } else { "source" };
    let those = tx.among(column, &mut values, front.iter().map(String::as_str));
    let sql = format!("SELECT {EDGE} FROM lineage WHERE {those} ORDER BY target, source, pipeline, task LIMIT $1");
    super::read::all(tx.rows(&sql, &values).await?, edge)
}

const EDGE: &str = "target, source, pipeline, task, run, at, left_out, external_run";

/// An edge without its columns.
fn edge(row: &mut Row) -> Result<LineageEdge> {
    Ok(LineageEdge {
        target: row.text()?,
        source: row.text()?,
        pipeline: row.text()?,
        task: row.text()?,
        run: of_here(row.int()?),
        at: row.time()?,
        left_out: row.count()?,
        external: row.text_or_null()?.map(|run| (!run.is_empty()).then_some(run)),
        columns: None,
    })
}

/// Adds the columns of edges, as long as they are not too many. Answers whether they were.
async fn add_columns(tx: &mut Tx, edges: &mut BTreeMap<Key, LineageEdge>) -> Result<bool> {
    let targets: Vec<String> =
        edges.keys().map(|(target, ..)| target.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut bytes = 0;
    for some in targets.chunks(CHUNK) {
        let mut values = Vec::new();
        let those = tx.among("target", &mut values, some.iter().map(String::as_str));
        let sql = format!("SELECT target, source, pipeline, task, columns FROM lineage WHERE {those}");
        for mut row in tx.rows(&sql, &values).await? {
            let key = (row.text()?, row.text()?, row.text()?, row.text()?);
            let Some(edge) = edges.get_mut(&key) else { continue };
            let text = row.text()?;
            bytes += text.len();
            if bytes > COLUMNS_MAX {
                return Ok(true);
            }
            edge.columns = Some(listed(&text));
        }
    }
    Ok(false)
}
