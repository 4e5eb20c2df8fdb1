//! What datasets are made from, and what is made from them: the graph around one of them, or the way of one of its columns.

use std::collections::{BTreeMap, BTreeSet};

use levada_core::dataset::ColumnEdge;
use levada_core::id::RunId;
use levada_core::time::Timestamp;
use levada_store::LineageFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::datasets::{connection_of, missing, no_column};
use crate::problem::Problem;
use crate::route::{Answer, Call};

/// Steps each way, unless asked for otherwise.
const STEPS: u32 = 3;
/// Most steps one way.
const STEPS_MAX: u32 = 20;

/// Which part of the graph to look at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The dataset in the middle.
    pub dataset: String,
    /// How many steps to go to what it is made from; 3 unless given, 20 at most.
    pub upstream: Option<u32>,
    /// How many steps to go to what is made from it; 3 unless given, 20 at most.
    pub downstream: Option<u32>,
    /// Whether to tell which column comes from which.
    #[serde(default)]
    pub columns: bool,
    /// Only the way of this column of the dataset.
    pub column: Option<String>,
}

/// A part of the graph of datasets.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LineageGraph")]
pub struct Graph {
    /// The dataset in the middle.
    pub dataset: String,
    /// The datasets, in the order of their names; 500 at most.
    pub nodes: Vec<Node>,
    /// What is made from what; 2,000 at most.
    pub edges: Vec<Edge>,
    /// Whether there is more within these steps than is told.
    pub cut: bool,
}

/// A dataset in the graph.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LineageNode")]
pub struct Node {
    /// Its name, as `connection.stream`.
    pub name: String,
    /// The connection; of a dataset that only others tell of its namespace.
    pub connection: String,
    /// Whether only others tell of it.
    pub is_external: bool,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it was loaded last; null if it was only read.
    pub updated_at: Option<Timestamp>,
    /// How many rows it has, roughly.
    pub rows_estimate: Option<u64>,
}

/// That a task makes one dataset from another.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LineageEdge")]
pub struct Edge {
    /// What is read.
    pub from: String,
    /// What is written.
    pub to: String,
    /// The pipeline; the namespace of a job of others.
    pub pipeline: String,
    /// The task; the name of a job of others.
    pub task: String,
    /// The run that did it last, which may have been removed; null of a job of others.
    pub run: Option<RunId>,
    /// Whether it is a job of others, who told of it.
    pub is_external: bool,
    /// The run of others that did it last, a UUID, if they told of one.
    pub external_run: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Which column comes from which; null if that was not asked for, or is too much to tell.
    pub columns: Option<Vec<ColumnEdge>>,
}

/// The graph around a dataset.
pub async fn get(call: Call<Ask>) -> Result<Answer<Graph>, Problem> {
    let Ask { dataset, upstream, downstream, columns, column } = call.input;
    let (upstream, downstream) = (upstream.unwrap_or(STEPS), downstream.unwrap_or(STEPS));
    if upstream.max(downstream) > STEPS_MAX {
        return Err(Problem::Malformed(format!("`upstream` and `downstream` are {STEPS_MAX} at most.")));
    }
    let with_columns = columns || column.is_some();
    let filter = LineageFilter { dataset: dataset.clone(), upstream, downstream, with_columns };
    let Some(found) = call.app.store.lineage(filter).await? else { return Err(missing(&dataset)) };
    let node = |found: &levada_store::Dataset| Node {
        connection: connection_of(found),
        is_external: found.namespace.is_some(),
        name: found.name.clone(),
        tags: found.tags.clone(),
        updated_at: found.updated_at,
        rows_estimate: found.rows_estimate,
    };
    let edge = |found: levada_store::LineageEdge| Edge {
        from: found.source,
        to: found.target,
        pipeline: found.pipeline,
        task: found.task,
        run: found.run,
        is_external: found.external.is_some(),
        external_run: found.external.flatten(),
        at: found.at,
        columns: found.columns,
    };
    let nodes = found.datasets.iter().map(node).collect();
    let edges = found.edges.into_iter().map(edge).collect();
    let graph = Graph { dataset: dataset.clone(), nodes, edges, cut: found.is_cut };
    let Some(column) = column else { return Ok(graph.into()) };
    let known = found.datasets.iter().find(|known| known.name == dataset);
    let known: Vec<&str> = known.iter().flat_map(|known| &known.columns).map(String::as_str).collect();
    if !known.is_empty() && !known.contains(&column.as_str()) {
        return Err(no_column(&dataset, &column, &known));
    }
    Ok(way_of(graph, &column).into())
}

/// What is left of a graph if only the way of one column of its dataset is looked at.
fn way_of(graph: Graph, column: &str) -> Graph {
    let up = reached(&graph, column, |edge, one| ((&edge.to, &one.to), (&edge.from, &one.from)));
    let down = reached(&graph, column, |edge, one| ((&edge.from, &one.from), (&edge.to, &one.to)));
    let is_in = |edge: &Edge, one: &ColumnEdge| {
        let (from, to) = ((edge.from.clone(), one.from.clone()), (edge.to.clone(), one.to.clone()));
        (up.contains(&from) && up.contains(&to)) || (down.contains(&from) && down.contains(&to))
    };
    let mut edges = Vec::new();
    for mut edge in graph.edges {
        let columns = edge.columns.take().unwrap_or_default();
        let columns: Vec<ColumnEdge> = columns.into_iter().filter(|one| is_in(&edge, one)).collect();
        if !columns.is_empty() {
            edges.push(Edge { columns: Some(columns), ..edge });
        }
    }
    let touched: BTreeSet<&str> = edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
    let nodes = graph.nodes.into_iter();
    let nodes = nodes.filter(|node| node.name == graph.dataset || touched.contains(node.name.as_str())).collect();
    Graph { nodes, edges, ..graph }
}

/// A column of a dataset.
type Place<'a> = (&'a String, &'a String);

/// The columns that are reached from one of the dataset, going one way.
fn reached(
    graph: &Graph,
    column: &str,
    step: impl for<'a> Fn(&'a Edge, &'a ColumnEdge) -> (Place<'a>, Place<'a>),
) -> BTreeSet<(String, String)> {
    let mut next: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
    for edge in &graph.edges {
        for one in edge.columns.iter().flatten() {
            let (from, to) = step(edge, one);
            next.entry(from).or_default().push(to);
        }
    }
    let start = (graph.dataset.clone(), column.to_owned());
    let mut met = BTreeSet::from([start.clone()]);
    let mut front = vec![start];
    while let Some((dataset, column)) = front.pop() {
        for (dataset, column) in next.get(&(&dataset, &column)).into_iter().flatten() {
            let place = ((*dataset).clone(), (*column).clone());
            if met.insert(place.clone()) {
                front.push(place);
            }
        }
    }
    met
}
