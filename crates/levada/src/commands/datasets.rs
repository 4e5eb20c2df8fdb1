//! `levada datasets` and `levada lineage`: what runs loaded and read, and what came from what.

use std::collections::BTreeSet;

use levada_core::dataset::Derivation;
use levada_core::time::Timestamp;
use levada_server::routes::datasets::{Dataset, DatasetItem};
use levada_server::routes::lineage::{Edge, Graph};
use levada_server::routes::quality::Test;
use serde_json::json;

use super::{Context, Outcome, block_on, quality};
use crate::cli::{DatasetsArgs, LineageArgs};
use crate::output::{Cell, Table, bytes, grouped, instant, printable, seconds};
use crate::service;

/// Lists datasets, or shows one.
pub fn execute(context: &Context, args: &DatasetsArgs) -> Outcome {
    if let Some(name) = &args.dataset {
        return show(context, name);
    }
    let input = json!({
        "search": args.search,
        "connection": args.connection,
        "tag": args.tag,
        "owner": args.owner,
    });
    let datasets: Vec<DatasetItem> = block_on(async { context.client().await?.all("listDatasets", input).await })?;
    if context.output.is_json() {
        context.output.json(&json!({ "datasets": datasets }));
        return Ok(0);
    }
    let mut table = Table::new(&["dataset", "columns", "rows", "loaded", "age", "pipeline", "owner", "tags"]);
    for dataset in &datasets {
        let last = dataset.last.as_ref();
        table.row([
            Cell::text(&dataset.name),
            Cell::count(dataset.columns),
            Cell::right(rows(dataset)),
            Cell::text(instant(dataset.updated_at)),
            Cell::right(age(dataset.updated_at)),
            Cell::text(last.map_or("-", |last| &last.pipeline)),
            Cell::text(dataset.owner.as_deref().unwrap_or("-")),
            Cell::text(listed(&dataset.tags)),
        ]);
    }
    context.output.table(&table);
    Ok(0)
}

fn show(context: &Context, name: &str) -> Outcome {
    let latest = json!({ "dataset": name, "latest": true });
    let (dataset, tests): (Dataset, Vec<Test>) = block_on(async {
        let client = context.client().await?;
        let dataset = client.call("getDataset", json!({ "dataset": name })).await?;
        Ok((dataset, client.all("listDatasetTests", latest).await?))
    })?;
    if context.output.is_json() {
        let mut told = json!(dataset);
        told["tests"] = json!(tests);
        context.output.json(&told);
        return Ok(0);
    }
    let item = &dataset.item;
    for (what, text) in [
        ("owner", item.owner.clone()),
        ("about", item.description.clone()),
        ("tags", (!item.tags.is_empty()).then(|| listed(&item.tags))),
        ("rows", item.rows_estimate.map(|_| rows(item))),
        ("bytes", item.bytes_estimate.map(|size| format!("about {}", bytes(size as f64)))),
        ("loaded", item.updated_at.map(|at| format!("{}, {} ago", instant(at), age(Some(at))))),
        ("by", item.last.as_ref().map(|last| format!("{}/{} in run {}", last.pipeline, last.task, last.run))),
        ("made from", names(dataset.upstream.iter().map(|other| other.dataset.as_str()))),
        ("read for", names(dataset.downstream.iter().map(|other| other.dataset.as_str()))),
    ] {
        if let Some(text) = text {
            context.output.line(&format!("{what:<9}  {}", printable(&text)));
        }
    }
    let mut table = Table::new(&["column", "type", "null", "key", "tags", "about"]);
    for column in &dataset.schema {
        table.row([
            Cell::text(&column.name),
            Cell::text(column.type_.as_deref().unwrap_or("(gone)")),
            Cell::text(if column.nullable { "yes" } else { "no" }),
            Cell::text(if column.key { "yes" } else { "" }),
            Cell::text(listed(&column.tags)),
            Cell::text(column.description.as_deref().unwrap_or("")),
        ]);
    }
    context.output.table(&table);
    quality::show_kept(context.output, &tests, true);
    Ok(0)
}

/// Shows what a dataset is made from, and what from it.
pub fn lineage(context: &Context, args: &LineageArgs) -> Outcome {
    let input = json!({
        "dataset": args.dataset,
        "upstream": args.upstream,
        "downstream": args.downstream,
        "column": args.column,
        "columns": args.columns,
    });
    let graph: Graph = block_on(async { context.client().await?.call("getLineage", input).await })?;
    if context.output.is_json() {
        context.output.json(&json!(graph));
        return Ok(0);
    }
    for (title, is_up) in [("made from", true), ("read for", false)] {
        let mut lines = Vec::new();
        tree(&graph, &graph.dataset, is_up, 1, &mut BTreeSet::from([graph.dataset.as_str()]), &mut lines);
        let end = if lines.is_empty() { " nothing that is known" } else { "" };
        context.output.line(&format!("{} is {title}{end}", printable(&graph.dataset)));
        lines.iter().for_each(|line| context.output.line(&printable(line)));
    }
    if graph.cut {
        context.output.line("There is more than is shown; ask for fewer steps, or for one column.");
    }
    Ok(0)
}

/// The datasets one way from one of them, each under the one that it is beside.
fn tree<'a>(
    graph: &'a Graph,
    from: &str,
    is_up: bool,
    depth: usize,
    met: &mut BTreeSet<&'a str>,
    lines: &mut Vec<String>,
) {
    let beside = |edge: &&Edge| if is_up { edge.to == from } else { edge.from == from };
    for edge in graph.edges.iter().filter(beside) {
        let other = if is_up { &edge.from } else { &edge.to };
        let indent = "  ".repeat(depth);
        let is_new = met.insert(other);
        let seen = if is_new { "" } else { " (see above)" };
        let whose = if edge.is_external { ", a job of others" } else { "" };
        lines.push(format!("{indent}{other}  by {}/{}{whose}, {}{seen}", edge.pipeline, edge.task, instant(edge.at)));
        for column in edge.columns.iter().flatten() {
            let how = match column.how {
                Derivation::Copied => "",
                Derivation::Cast => " (cast)",
                Derivation::Hashed => " (hashed)",
                Derivation::Computed => " (computed)",
            };
            lines.push(format!("{indent}  . {} -> {}{how}", column.from, column.to));
        }
        if is_new {
            tree(graph, other, is_up, depth + 1, met, lines);
        }
    }
}

fn rows(dataset: &DatasetItem) -> String {
    dataset.rows_estimate.map_or("-".to_owned(), grouped)
}

fn age(at: Option<Timestamp>) -> String {
    at.map_or("-".to_owned(), |at| seconds(service::now().since(at).as_secs_f64()))
}

fn listed(tags: &[String]) -> String {
    if tags.is_empty() { "-".to_owned() } else { tags.join(", ") }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: BTreeSet<&str> = names.collect();
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(", "))
}
