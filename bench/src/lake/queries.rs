//! TPC-H queries with `levada sql`, DataFusion and DuckDB, on the same files.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::driver::Driver;
use super::{Lake, Row};
use crate::Result;
use crate::measure::{Cost, Invocation, median};
use crate::places::Places;

/// The queries, by their numbers in the specification.
const QUERIES: [u32; 7] = [1, 3, 5, 6, 9, 12, 18];
/// What Levada is compared with, and how much of the time of all queries it may take.
const ENGINES: [(&str, f64); 2] = [("datafusion", 1.1), ("duckdb", 1.5)];
const TEXTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lake");

/// Runs all of them; gives a table of the single ones, and the totals.
pub fn run(places: &Places, lake: &Lake, driver: &Driver, runs: usize) -> Result<(String, Vec<Row>)> {
    let texts: Vec<PathBuf> =
        QUERIES.iter().map(|number| PathBuf::from(TEXTS).join(format!("q{number:02}.sql"))).collect();
    let answer = lake.folder.join("answer.json");
    let (mut costs, mut versions): (Vec<Vec<Cost>>, Vec<String>) = (vec![Vec::new(); QUERIES.len()], Vec::new());
    let mut seconds: Vec<Vec<Vec<f64>>> = vec![Vec::new(); ENGINES.len()];
    for round in 1..=runs {
        crate::say(&format!("queries {round}/{runs}"));
        let mut ours = Vec::new();
        for (text, costs) in texts.iter().zip(&mut costs) {
            let line = format!(
                "cd '{}'; exec '{}' --output json sql --limit 1000 \"$(cat '{}')\" > '{}'",
                lake.folder.display(),
                places.levada.display(),
                text.display(),
                answer.display()
            );
            costs.push(Invocation::shell(&line).run(places)?);
            ours.push(serde_json::from_slice::<Json>(&fs::read(&answer)?)?["rows"].take());
        }
        versions.clear();
        for ((engine, _), seconds) in ENGINES.iter().zip(&mut seconds) {
            let (tables, texts) = (lake.folder.join("tables"), texts.iter().map(|text| text.display().to_string()));
            let mut arguments = vec!["queries".to_owned(), (*engine).to_owned(), tables.display().to_string()];
            arguments.extend(texts);
            let told = driver.call(&arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
            let list = told["seconds"].as_array().ok_or("no seconds were told")?;
            seconds.push(list.iter().map(|s| s.as_f64().unwrap_or(f64::NAN)).collect());
            for ((number, ours), theirs) in QUERIES.iter().zip(&ours).zip(told["rows"].as_array().into_iter().flatten())
            {
                same(ours, theirs).map_err(|problem| format!("query {number} against {engine}: {problem}"))?;
            }
            versions.push(format!("{engine} {}", told["version"].as_str().unwrap_or_default()));
        }
    }
    let levada = |query: usize| median(costs[query].iter().map(|cost: &Cost| cost.wall.as_secs_f64()));
    let other = |engine: usize, query: usize| median(seconds[engine].iter().map(|run| run[query]));
    let mut table = format!("| query | Levada s | {} s | {} s |\n|---|--:|--:|--:|\n", versions[0], versions[1]);
    for (query, number) in QUERIES.iter().enumerate() {
        let _ =
            writeln!(table, "| {number} | {:.2} | {:.2} | {:.2} |", levada(query), other(0, query), other(1, query));
    }
    let total = |of: &dyn Fn(usize) -> f64| (0..QUERIES.len()).map(of).sum::<f64>();
    let all: Vec<Cost> = costs.iter().flatten().copied().collect();
    let rows = ENGINES.iter().enumerate().map(|(engine, (_, target))| Row {
        name: "TPC-H queries 1, 3, 5, 6, 9, 12 and 18 on the lake",
        against: format!("{} on the same Parquet files", versions[engine]),
        levada_s: total(&levada),
        other_s: total(&|query| other(engine, query)),
        target: Some(*target),
        costs: all.clone(),
    });
    Ok((table, rows.collect()))
}

/// Whether two engines found the same rows. Numbers of different types may differ in their last digits.
fn same(ours: &Json, theirs: &Json) -> Result<()> {
    let (Some(ours), Some(theirs)) = (ours.as_array(), theirs.as_array()) else {
        return Err("there are no rows".into());
    };
    if ours.is_empty() || ours.len() != theirs.len() {
        return Err(format!("{} rows, and {}", ours.len(), theirs.len()).into());
    }
    for (ours, theirs) in ours.iter().zip(theirs) {
        let cells = |row: &Json| row.as_array().into_iter().flatten().map(number_or_text).collect::<Vec<_>>();
        let (a, b) = (cells(ours), cells(theirs));
        let is_same = a.len() == b.len()
            && a.iter().zip(&b).all(|(a, b)| match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => (a - b).abs() <= 1e-6 * a.abs().max(1.0),
                _ => a == b,
            });
        if !is_same {
            return Err(format!("{ours} is not {theirs}").into());
        }
    }
    Ok(())
}

fn number_or_text(cell: &Json) -> String {
    cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)
}
