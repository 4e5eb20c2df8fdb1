//! The lake: TPC-H queries, appends and merges on Delta tables, beside the Python packages that people use for it.

mod driver;
mod loads;
mod queries;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tpchgen::csv::{CustomerCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv};
use tpchgen::generators::{
    CustomerGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator, RegionGenerator,
    SupplierGenerator,
};

use crate::Result;
use crate::lineitem::COLUMNS;
use crate::measure::{Cost, Invocation};
use crate::places::{Places, SOURCE};
use crate::report::{self, verdict};
use driver::Driver;

/// The tables of TPC-H with their columns (specification revision 3, section 1.4.1). Texts are not padded.
const TABLES: [(&str, &str); 8] = [
    (
        "customer",
        "c_custkey bigint, c_name varchar(25), c_address varchar(40), c_nationkey bigint, c_phone varchar(15), \
         c_acctbal numeric(15,2), c_mktsegment varchar(10), c_comment varchar(117)",
    ),
    ("lineitem", COLUMNS),
    ("nation", "n_nationkey bigint, n_name varchar(25), n_regionkey bigint, n_comment varchar(152)"),
    (
        "orders",
        "o_orderkey bigint, o_custkey bigint, o_orderstatus varchar(1), o_totalprice numeric(15,2), o_orderdate date, \
         o_orderpriority varchar(15), o_clerk varchar(15), o_shippriority integer, o_comment varchar(79)",
    ),
    (
        "part",
        "p_partkey bigint, p_name varchar(55), p_mfgr varchar(25), p_brand varchar(10), p_type varchar(25), \
         p_size integer, p_container varchar(10), p_retailprice numeric(15,2), p_comment varchar(23)",
    ),
    (
        "partsupp",
        "ps_partkey bigint, ps_suppkey bigint, ps_availqty integer, ps_supplycost numeric(15,2), ps_comment varchar(199)",
    ),
    ("region", "r_regionkey bigint, r_name varchar(25), r_comment varchar(152)"),
    (
        "supplier",
        "s_suppkey bigint, s_name varchar(25), s_address varchar(40), s_nationkey bigint, s_phone varchar(15), \
         s_acctbal numeric(15,2), s_comment varchar(101)",
    ),
];

/// A row of the report.
struct Row {
    name: &'static str,
    against: String,
    levada_s: f64,
    other_s: f64,
    /// Levada may take at most this many times the time of the other; none where nothing is promised.
    target: Option<f64>,
    costs: Vec<Cost>,
}

/// Where the lake of the bench is.
struct Lake {
    folder: PathBuf,
}

impl Lake {
    fn url(&self) -> String {
        format!("delta:{}", self.folder.join("tables").display())
    }

    fn table(&self, name: &str) -> PathBuf {
        self.folder.join("tables").join(name)
    }
}

/// Runs all of it, and gives the part of the report.
pub fn run(places: &Places, runs: usize, scale: f64, only: &str, python: &Path) -> Result<(String, bool)> {
    let driver = Driver::new(python)?;
    crate::say(&format!("preparing TPC-H at scale {scale}"));
    crate::lineitem::prepare(places, scale)?;
    for (name, columns) in TABLES {
        prepare(places, scale, name, columns)?;
    }
    let lake = Lake { folder: places.scratch.join("lake") };
    if lake.folder.exists() {
        fs::remove_dir_all(&lake.folder)?;
    }
    fs::create_dir_all(&lake.folder)?;
    fs::write(lake.folder.join("levada.yaml"), "connections:\n  lake: { type: delta, location: ./tables }\n")?;
    let mut rows = Vec::new();
    if "append".contains(only) {
        rows.push(loads::append(places, &lake, runs)?);
    }
    fill(places, &lake)?;
    let mut table = String::new();
    if "queries".contains(only) {
        let (told, totals) = queries::run(places, &lake, &driver, runs)?;
        table = told;
        rows.extend(totals);
    }
    if "merge".contains(only) {
        rows.push(loads::merge(places, &lake, &driver, runs)?);
        rows.push(loads::small_merge(places, &lake, &driver, runs)?);
    }
    fs::remove_dir_all(&lake.folder)?;
    let text = markdown(places, runs, scale, &rows, &table);
    Ok((text, true))
}

/// A table of the source database as a table of the lake, made by Levada.
fn fill(places: &Places, lake: &Lake) -> Result<()> {
    let from = places.postgres_url(SOURCE);
    for (name, _) in TABLES {
        crate::say(&format!("loading {name} into the lake"));
        let stream = format!("lake.{name}");
        Invocation::levada(places, ["copy", &from, &lake.url(), "--stream", &stream, "--write", "replace"])
            .run(places)?;
    }
    Ok(())
}

/// Generates a table and loads it into the source database, where it is not there yet.
fn prepare(places: &Places, scale: f64, name: &str, columns: &str) -> Result<()> {
    let wanted = scale.to_string();
    let note = format!("SELECT obj_description(to_regclass('lake.{name}'))");
    if places.psql(SOURCE, &note)? == wanted {
        return Ok(());
    }
    crate::say(&format!("loading {name}"));
    let file = if name == "lineitem" { places.csv() } else { places.cache.join(format!("{name}-{scale}.csv")) };
    match name {
        "customer" => {
            csv(&file, CustomerCsv::header(), CustomerGenerator::new(scale, 1, 1).iter().map(CustomerCsv::new))
        }
        "lineitem" => Ok(()),
        "nation" => csv(&file, NationCsv::header(), NationGenerator::default().iter().map(NationCsv::new)),
        "orders" => csv(&file, OrderCsv::header(), OrderGenerator::new(scale, 1, 1).iter().map(OrderCsv::new)),
        "part" => csv(&file, PartCsv::header(), PartGenerator::new(scale, 1, 1).iter().map(PartCsv::new)),
        "partsupp" => {
            csv(&file, PartSuppCsv::header(), PartSuppGenerator::new(scale, 1, 1).iter().map(PartSuppCsv::new))
        }
        "region" => csv(&file, RegionCsv::header(), RegionGenerator::default().iter().map(RegionCsv::new)),
        _ => csv(&file, SupplierCsv::header(), SupplierGenerator::new(scale, 1, 1).iter().map(SupplierCsv::new)),
    }?;
    let columns = columns.replace(" char(", " varchar(");
    places.psql(SOURCE, "CREATE SCHEMA IF NOT EXISTS lake")?;
    places.psql(SOURCE, &format!("DROP TABLE IF EXISTS lake.{name}; CREATE TABLE lake.{name} ({columns})"))?;
    places.psql(SOURCE, &format!("\\copy lake.{name} FROM '{}' WITH (FORMAT csv, HEADER)", file.display()))?;
    places.psql(SOURCE, &format!("COMMENT ON TABLE lake.{name} IS '{wanted}'"))?;
    if name != "lineitem" {
        fs::remove_file(&file)?;
    }
    Ok(())
}

fn csv<T: std::fmt::Display>(file: &Path, header: &str, rows: impl Iterator<Item = T>) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(file)?);
    writeln!(out, "{header}")?;
    for row in rows {
        writeln!(out, "{row}")?;
    }
    Ok(out.flush()?)
}

fn markdown(places: &Places, runs: usize, scale: f64, rows: &[Row], queries: &str) -> String {
    let mut text = format!(
        "# Lake\n\nWritten by `make bench-lake`: Delta tables that Levada wrote, TPC-H at scale {scale}. Both sides of a row ran in \
         turns, in one go, on one machine; times\nare medians of {runs}, in seconds. Levada's are those of a whole process, from its start to its \
         end; of the Python packages only the work\nitself counts. After each run the result was compared.\n\n\
         | work | alternative | Levada s | alternative s | ratio | target | peak MB | |\n|---|---|--:|--:|--:|--:|--:|---|\n"
    );
    for row in rows {
        let ratio = row.levada_s / row.other_s;
        let target = row.target.map_or("-".to_owned(), |target| target.to_string());
        let met = row.target.map_or("", |target| verdict(ratio <= target));
        let peak = row.costs.iter().map(Cost::peak_mb).max().unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {ratio:.2} | {target} | {peak} | {met} |",
            row.name, row.against, row.levada_s, row.other_s
        );
    }
    let _ = write!(text, "\n{queries}\n");
    for (name, value) in report::machine(places) {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}
