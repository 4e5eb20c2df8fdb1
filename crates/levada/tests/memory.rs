//! Huge values in bounded memory: every copy of the binary stays under one limit, however many rows there are.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Database, LEVADA, Ran, System, peak_mb};

/// The most memory that a process may ever have, in MB.
const LIMIT_MB: u64 = 256;
/// Bytes of one value.
const VALUE_BYTES: usize = 50_000_000;

/// Rows of a table of huge values; `make torture` has more.
fn rows() -> u64 {
    std::env::var("LEVADA_HUGE_ROWS").map_or(5, |rows| rows.parse().unwrap())
}

/// Copies, under the limit; tells the report.
fn copy(what: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(LEVADA);
    command.arg("copy").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = std::time::Instant::now();
    let (peak, ran) = peak_mb(command.spawn().unwrap());
    println!("{what}: {peak} MB, {:.1} s", started.elapsed().as_secs_f32());
    assert_eq!(ran.code, 0, "{what}: {}", ran.err);
    assert!(peak < LIMIT_MB, "{what}: {peak} MB");
    ran
}

fn lengths(database: &Database) -> String {
    database.sql("SELECT count(*), min(length(v)), max(length(v)), count(DISTINCT substr(v, 1, 32)) FROM big")
}

#[test]
fn huge_values_stay_under_the_limit() {
    let source = Database::postgres("levada_huge_a");
    let rows = rows();
    // A view: the values exist only on their way.
    source.sql(&format!(
        "CREATE VIEW big AS SELECT i AS id, repeat(md5(i::text), {}) AS v FROM generate_series(1, {rows}) i",
        VALUE_BYTES / 32
    ));
    let wanted = format!("{rows}\t{VALUE_BYTES}\t{VALUE_BYTES}\t{rows}");
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let from_source = |what: &str, to: &str| copy(what, &[&source.url(), to, "--stream", "public.big"]);

    let sqlite = Database::sqlite();
    for target in [Database::postgres("levada_huge_b"), Database::mariadb("levada_huge_b")] {
        from_source(&format!("PostgreSQL to {:?}", target.system()), &target.url());
        assert_eq!(lengths(&target), wanted, "{:?}", target.system());
        if target.system() == System::MariaDb {
            copy("MariaDB to SQLite", &[&target.url(), &sqlite.url(), "--stream", "big"]);
            assert_eq!(lengths(&sqlite), wanted);
            target.sql("DROP TABLE big");
        }
    }
    drop(sqlite);
    let sqlite = Database::sqlite();
    from_source("PostgreSQL to SQLite", &sqlite.url());
    assert_eq!(lengths(&sqlite), wanted);
    drop(sqlite);
    let back = Database::postgres("levada_huge_c");
    for name in ["big.parquet", "big.jsonl", "big.avro", "big.csv"] {
        from_source(&format!("PostgreSQL to {name}"), &file(name));
        copy(&format!("{name} to PostgreSQL"), &[&file(name), &back.url()]);
        assert_eq!(lengths(&back), wanted, "{name}");
        back.sql("DROP TABLE big; DROP TABLE _levada_positions");
        std::fs::remove_file(file(name)).unwrap();
    }
}

/// Three records, the second of which has a text of so many bytes.
fn records(path: &Path, bytes: usize) {
    let mut out = BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(out, "{{\"id\":1,\"v\":\"first\"}}").unwrap();
    write!(out, "{{\"id\":2,\"v\":\"").unwrap();
    for _ in 0..bytes / 1000 {
        out.write_all(&[b'x'; 1000]).unwrap();
    }
    writeln!(out, "\"}}\n{{\"id\":3,\"v\":\"last\"}}").unwrap();
    out.flush().unwrap();
}

#[test]
fn a_record_over_the_limit_is_rejected_and_the_run_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("records.jsonl");
    records(&path, 200_000_000);
    let target = Database::sqlite();
    let ran = copy("a record of 200 MB", &[path.to_str().unwrap(), &target.url(), "--on-bad-row", "quarantine"]);
    assert_eq!(target.sql("SELECT group_concat(id) FROM records"), "1,3", "{}", ran.err);
    let reason = target.sql("SELECT reason FROM _levada_rejects");
    assert!(reason.contains("line 2") && reason.contains("record_max"), "{reason}");
}
