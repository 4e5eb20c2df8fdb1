//! The data: TPC-H `lineitem`, generated once into a CSV file and loaded once into the source databases.

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use tpchgen::csv::LineItemCsv;
use tpchgen::generators::LineItemGenerator;

use crate::Result;
use crate::places::{Places, SOURCE};
use crate::say;

/// The columns with the types of the TPC-H specification (revision 3, section 1.4.1), in words that PostgreSQL and MariaDB
/// share.
pub const COLUMNS: &str = "l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, \
    l_linenumber integer NOT NULL, l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, \
    l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, \
    l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, \
    l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL";

/// Equal for equal tables, whatever the system: counts, keys, money and days take part.
pub const FINGERPRINT: &str = "SELECT count(*), sum(l_orderkey), sum(l_extendedprice), sum(l_quantity * l_linenumber), \
    min(l_shipdate), max(l_receiptdate), count(DISTINCT l_shipmode), sum(char_length(l_comment)) FROM lineitem";

/// Generates and loads what is missing; returns the number of rows.
pub fn prepare(places: &Places, scale: f64) -> Result<u64> {
    let csv = places.csv();
    if !csv.is_file() {
        say(&format!("generating {}", csv.display()));
        generate(places, scale)?;
    }
    let wanted = scale.to_string();
    let note = places.psql(SOURCE, "SELECT scale FROM prepared").unwrap_or_default();
    if note != wanted {
        say("loading the source tables");
        load(places, &wanted)?;
    }
    Ok(places.psql(SOURCE, "SELECT count(*) FROM lineitem")?.parse()?)
}

fn generate(places: &Places, scale: f64) -> Result<()> {
    let unfinished = places.cache.join("lineitem.unfinished");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    writeln!(out, "{}", LineItemCsv::header())?;
    for row in LineItemGenerator::new(scale, 1, 1) {
        writeln!(out, "{}", LineItemCsv::new(row))?;
    }
    out.flush()?;
    fs::rename(unfinished, places.csv())?;
    Ok(())
}

fn load(places: &Places, scale: &str) -> Result<()> {
    let csv = places.csv();
    places.fresh_postgres(SOURCE)?;
    places.psql(SOURCE, &format!("CREATE TABLE lineitem ({COLUMNS})"))?;
    places.psql(SOURCE, &format!("\\copy lineitem FROM '{}' WITH (FORMAT csv, HEADER)", csv.display()))?;
    places.psql(SOURCE, "CREATE TABLE one_row AS SELECT 1 AS id, 'one'::text AS name")?;
    places.psql(SOURCE, "VACUUM ANALYZE lineitem")?;
    places.fresh_mariadb(SOURCE)?;
    places.mariadb(SOURCE, &format!("CREATE TABLE lineitem ({COLUMNS}, PRIMARY KEY (l_orderkey, l_linenumber))"))?;
    places.mariadb(SOURCE, &load_data(places))?;
    places.psql(SOURCE, &format!("CREATE TABLE prepared AS SELECT '{scale}'::text AS scale")).map(|_| ())
}

/// MariaDB's own fastest way to read the CSV file.
pub fn load_data(places: &Places) -> String {
    format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE lineitem FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\\\"' ESCAPED BY '' IGNORE 1 LINES",
        places.csv().display()
    )
}
