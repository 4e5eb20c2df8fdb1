//! Loads into the lake: appends of a whole table, and merges of changed rows.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::driver::Driver;
use super::{Lake, Row};
use crate::Result;
use crate::measure::{Cost, Invocation, median};
use crate::places::{Places, SOURCE};

/// Sums that tell whether two copies of `lineitem` are equal.
const SUMS: &str = "l_orderkey,l_quantity,l_extendedprice,l_linenumber";
/// The rows of the table that few rows are merged into, and how many they are.
const MANY: u64 = 20_000_000;
const FEW: u64 = 1_000;

fn seconds(costs: &[Cost]) -> f64 {
    median(costs.iter().map(|cost| cost.wall.as_secs_f64()))
}

/// PostgreSQL's `lineitem` into a table of the lake that is there already, against reading it alone.
pub fn append(places: &Places, lake: &Lake, runs: usize) -> Result<Row> {
    let from = places.postgres_url(SOURCE);
    let words = ["copy", &from, &lake.url(), "--stream", "lake.lineitem", "--write", "append", "--rename", "appended"];
    let read = format!("{} -c 'COPY lake.lineitem TO STDOUT (FORMAT binary)' > /dev/null", places.psql_words(SOURCE));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=runs {
        crate::say(&format!("append {round}/{runs}"));
        let table = lake.table("appended");
        if table.exists() {
            fs::remove_dir_all(&table)?;
        }
        ours.push(Invocation::levada(places, words).run(places)?);
        theirs.push(Invocation::shell(&read).run(places)?);
    }
    fs::remove_dir_all(lake.table("appended"))?;
    Ok(Row {
        name: "PostgreSQL -> lake, append of `lineitem`",
        against: "`psql` COPY binary to /dev/null".to_owned(),
        levada_s: seconds(&ours),
        other_s: seconds(&theirs),
        target: Some(1.3),
        costs: ours,
    })
}

/// One row in a hundred of `lineitem`, from a Parquet file.
pub fn merge(places: &Places, lake: &Lake, driver: &Driver, runs: usize) -> Result<Row> {
    let (ours, theirs) = (lake.table("lineitem"), lake.table("by_hand"));
    copy_folder(&ours, &theirs)?;
    let file = lake.folder.join("changes.parquet");
    let (file, by_hand) = (file.display().to_string(), theirs.display().to_string());
    let folder = lake.folder.join("tables").display().to_string();
    let url = lake.url();
    let words = ["copy", &file, &url, "--rename", "lineitem", "--write", "merge", "--key", "l_orderkey,l_linenumber"];
    let (mut costs, mut other, mut version) = (Vec::new(), Vec::new(), String::new());
    for round in 1..=runs {
        crate::say(&format!("merge {round}/{runs}"));
        driver.call(&["changes", &folder, &file, &round.to_string()])?;
        costs.push(Invocation::levada(places, words).run(places)?);
        let told = driver.call(&["merge", &by_hand, &file])?;
        other.push(told["seconds"].as_f64().ok_or("no seconds were told")?);
        version = told["version"].as_str().unwrap_or_default().to_owned();
        let (a, b) = (driver.fingerprint(&ours, SUMS)?, driver.fingerprint(&theirs, SUMS)?);
        if a != b {
            return Err(format!("after the merge: {a} is not {b}").into());
        }
    }
    fs::remove_dir_all(&theirs)?;
    Ok(Row {
        name: "merge of 1 % changed rows into the lake",
        against: format!("deltalake {version}, `merge`"),
        levada_s: seconds(&costs),
        other_s: median(other),
        target: Some(0.7),
        costs,
    })
}

/// 1,000 rows into 20 million, for the memory that it takes; the other side is deltalake's reading of the table.
pub fn small_merge(places: &Places, lake: &Lake, driver: &Driver, runs: usize) -> Result<Row> {
    let (many, few) = (lake.folder.join("many.parquet"), lake.folder.join("few.parquet"));
    let (many, few) = (many.display().to_string(), few.display().to_string());
    let (rows, count) = (MANY.to_string(), FEW.to_string());
    crate::say("making 20 million rows");
    driver.call(&["many", &many, &rows])?;
    driver.call(&["few", &few, &rows, &count])?;
    let url = lake.url();
    Invocation::levada(places, ["copy", &many, &url, "--rename", "many", "--write", "replace"]).run(places)?;
    fs::remove_file(&many)?;
    let words = ["copy", &few, &url, "--rename", "many", "--write", "merge", "--key", "id"];
    let table = lake.table("many");
    let sums = |table: &Path| driver.fingerprint(table, "id,kind");
    let before = sums(&table)?;
    let (mut costs, mut other) = (Vec::new(), Vec::new());
    for round in 1..=runs {
        crate::say(&format!("merge of few rows {round}/{runs}"));
        costs.push(Invocation::levada(places, words).run(places)?);
        let start = std::time::Instant::now();
        let after = sums(&table)?;
        other.push(start.elapsed().as_secs_f64());
        let is_known = |found: &Json, at: usize| found[at] == before[at];
        // all keys are known: no row more, and other kinds
        if !is_known(&after, 0) || !is_known(&after, 1) || is_known(&after, 2) {
            return Err(format!("after the merge: {after}, before: {before}").into());
        }
    }
    fs::remove_dir_all(&table)?;
    Ok(Row {
        name: "merge of 1,000 rows into 20 million (limit 512 MB)",
        against: "reading the table once with DuckDB".to_owned(),
        levada_s: seconds(&costs),
        other_s: median(other),
        target: None,
        costs,
    })
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, place) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy_folder(&path, &place)?;
        } else {
            fs::copy(&path, &place)?;
        }
    }
    Ok(())
}
