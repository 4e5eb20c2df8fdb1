//! Tests of datasets over real systems: every rule with what passes and what breaks it, values at the edges of types, the same
//! results in every system, and memory that does not grow with the table.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Database, LEVADA, Ran, System, peak_mb};

/// A project of one check.
struct Project {
    folder: TempDir,
    connections: String,
}

impl Project {
    fn new(connections: &[(&str, &str)]) -> Self {
        let connections = connections.iter().map(|(name, connection)| format!("  {name}: {connection}\n")).collect();
        Self { folder: TempDir::new().unwrap(), connections }
    }

    fn check(&self, dataset: &str, more: &str, tests: &[&str]) -> &Self {
        let tests: String = tests.iter().map(|test| format!("        - {test}\n")).collect();
        let connections = &self.connections;
        let text = format!(
            "version: 1\nname: p\nconnections:\n{connections}tasks:\n  c:\n    check:\n      dataset: {dataset}\n{more}      \
             tests:\n{tests}"
        );
        std::fs::write(self.folder.path().join("p.yaml"), text).unwrap();
        self
    }

    fn levada(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LEVADA);
        command.args(arguments).current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("TMPDIR", self.folder.path());
        command
    }

    fn run(&self) -> Ran {
        Ran::of(self.levada(&["run", "p.yaml", "--output", "json"]).spawn().unwrap())
    }

    fn tells(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.levada(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap(), text.concat())
    }

    /// How many rows break each rule, in order; `None` where that is no failure.
    fn broken(&self, dataset: &str, tests: &[&str]) -> Vec<u64> {
        let ran = self.check(dataset, "", tests).run();
        let results = ran.report["tasks"][0]["tests"].as_array().cloned().unwrap_or_default();
        assert_eq!(results.len(), tests.len(), "{:?}\n{}", ran.failures(), ran.err);
        results.iter().map(|result| result["failed"].as_u64().unwrap()).collect()
    }
}

/// A table of people in the words of a system, and the dataset's name.
fn people(system: System, database: &Database) -> &'static str {
    let (at, local, text, double) = match system {
        System::Postgres => ("timestamptz", "timestamp", "text", "double precision"),
        System::MariaDb => ("timestamp NULL", "datetime", "varchar(40)", "double"),
        System::Sqlite => ("TIMESTAMPTZ", "TIMESTAMP", "TEXT", "DOUBLE"),
    };
    let key = if system == System::Sqlite { "INTEGER" } else { "int" };
    database.sql(&format!(
        "CREATE TABLE people (id {key} PRIMARY KEY, name {text}, amount decimal(10,2), rate {double}, day date, at {at}, local {local}, \
         town int);
         CREATE TABLE towns (id {key} PRIMARY KEY, name {text});
         INSERT INTO towns VALUES (1, 'Funchal'), (2, 'Monte');
         INSERT INTO people VALUES
           (1, 'ann', 1.50, 0.5, '2024-01-01', NULL, '2024-01-01 00:00:00', 1),
           (2, 'Ann', -1.00, 0, '2024-01-02', NULL, '2024-01-02 12:00:00', 2),
           (3, 'ann', 99.99, -1.25, NULL, NULL, NULL, 3),
           (4, NULL, 1.50, NULL, '9999-12-31', NULL, '9999-12-31 23:59:59', NULL)"
    ));
    match system {
        System::Postgres => "s.public.people",
        System::MariaDb | System::Sqlite => "s.people",
    }
}

#[test]
fn every_rule_finds_the_same_in_every_system() {
    for system in [System::Postgres, System::MariaDb, System::Sqlite] {
        let database = Database::of(system, "levada_checks_rules");
        let dataset = people(system, &database);
        let towns = dataset.replace("people", "towns");
        let project = Project::new(&[("s", &database.connection())]);
        let related = format!("relationships: {{ column: town, to: {towns}, field: id }}");
        let equals = format!("row_count: {{ equals: {towns} }}\n          name: as_towns");
        let wrong = format!("sql: SELECT id FROM {dataset} WHERE amount < 0");
        let right = format!(
            "sql: {{ query: SELECT id FROM {dataset} WHERE amount > $most, params: {{ most: 100 }} }}\n          name: right"
        );
        let tests: [(&str, u64); 24] = [
            ("not_null: id", 0),
            ("not_null: [name, day]", 2),
            ("unique: id", 0),
            // neither by a collation that ignores case nor one that does not
            ("unique: name", 1),
            ("unique: amount", 1),
            ("unique: [name, amount]", 0),
            ("accepted_values: { column: name, values: [ann, Ann] }", 0),
            ("accepted_values: { column: name, values: [ann] }\n          name: lower", 1),
            ("accepted_values: { column: amount, values: [1.5, -1, \"99.990\"] }", 0),
            ("range: { column: amount, min: -1, max: 99.99 }", 0),
            ("range: { column: amount, min: -0.995, max: 99.985 }\n          name: amounts", 2),
            ("range: { column: rate, min: 0 }", 1),
            ("range: { column: day, max: 2024-01-01 }", 2),
            ("range: { column: local, min: 2024-01-01T00:00:01 }", 1),
            ("regex: { column: name, pattern: \"[a-z]+\" }", 1),
            (&related, 1),
            ("row_count: { min: 4, max: 4 }", 0),
            ("row_count: { max: 1 }\n          name: one", 3),
            (&equals, 2),
            ("freshness: { column: local, within: 1h }", 0),
            ("freshness: { column: at, within: 1h }", 1),
            ("volume: { drop: 10%, rise: 10% }", 0),
            (&wrong, 1),
            (&right, 0),
        ];
        let (documents, wanted): (Vec<&str>, Vec<u64>) = tests.into_iter().unzip();
        assert_eq!(project.broken(dataset, &documents), wanted, "{system:?}");
    }
}

#[test]
fn values_at_the_edges_of_types_are_what_they_are() {
    let database = Database::postgres("levada_checks_edges");
    database.sql(
        "SET timezone = 'America/Bogota';
         CREATE TABLE t (id int PRIMARY KEY, exact numeric, money numeric(10,2), rate float8, at timestamptz, big bigint, c char(4));
         INSERT INTO t VALUES
           (1, 1.0, 'NaN', 'NaN', '2024-01-01 00:00:00', 9223372036854775807, 'a'),
           (2, 1.00, 2, 'NaN', '2024-01-01 05:00:00+00', -9223372036854775808, 'b'),
           (3, 123456789012345678901234567890.5, 2, '-0', '2024-01-01 05:00:00.000001+00', 0, 'a'),
           (4, 'NaN', NULL, 0, NULL, NULL, NULL),
           (5, 'Infinity', 3, 'Infinity', 'infinity', 1, NULL)",
    );
    database.sql("DELETE FROM t WHERE id = 5");
    let project = Project::new(&[("s", &database.connection())]);
    let tests = [
        ("unique: exact", 1),
        ("unique: rate", 2),
        ("unique: at", 1),
        ("unique: money", 1),
        ("range: { column: exact, max: \"123456789012345678901234567890.4\" }", 2),
        ("range: { column: money, min: 0 }", 1),
        ("range: { column: rate, min: 0, max: 0 }", 2),
        ("range: { column: at, max: 2024-01-01T00:00:00-05:00 }", 1),
        ("range: { column: big, min: \"-9223372036854775808\", max: 9223372036854775807 }", 0),
        ("accepted_values: { column: rate, values: [0, \"NaN\"] }", 0),
        ("accepted_values: { column: exact, values: [1, \"NaN\"] }", 1),
    ];
    let (documents, wanted): (Vec<&str>, Vec<u64>) = tests.into_iter().unzip();
    assert_eq!(project.broken("s.public.t", &documents), wanted);
    // what cannot be read cannot be tested
    let database = Database::sqlite();
    database.sql("CREATE TABLE t (id INTEGER, n INTEGER); INSERT INTO t VALUES (1, 1), (2, 'many')");
    let project = Project::new(&[("s", &database.connection())]);
    assert_eq!(project.broken("s.t", &["unique: id"]), [0], "columns that nobody asks for are not read");
    let error = project.check("s.t", "", &["not_null: n"]).run().failed(1);
    assert!(error.contains("a row cannot be read") && error.contains('n'), "{error}");
}

#[test]
fn the_terminal_tells_what_was_found() {
    let database = Database::postgres("levada_checks_told");
    let dataset = people(System::Postgres, &database);
    let project = Project::new(&[("s", &database.connection())]);
    project.check(dataset, "", &["not_null: id", "not_null: day\n          severity: warn"]);
    let (code, told) = project.tells(&["run", "p.yaml"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("not_null_id") && told.contains("passed") && told.contains("warned"), "{told}");
    project.check(dataset, "", &["not_null: day", "unique: name"]);
    let ran = project.run();
    let error = ran.failed(1);
    let wanted = "2 of 2 tests of s.public.people failed: `not_null_day` (1 of 4 rows), `unique_name` (1 of 4 rows)";
    assert!(error.contains(wanted), "{error}");
    let result = &ran.report["tasks"][0]["tests"][0];
    let row: Value = serde_json::from_str(result["failing"][0].as_str().unwrap()).unwrap();
    assert_eq!(row, json!({ "id": "3", "day": null, "name": "ann" }));
    let (code, told) = project.tells(&["run", "p.yaml"]);
    assert!(code == 1 && told.contains("FAILED") && told.contains("1 of 4 rows"), "{told}");
    let (code, told) = project.tells(&["datasets", dataset]);
    assert!(code == 0 && told.contains("unique_name") && told.contains("FAILED") && told.contains("p/c"), "{told}");
    let (code, told) = project.tells(&["datasets", dataset, "--output", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["tests"][0]["verdict"]), (0, &json!("failed")), "{told}");
    let (code, told) = project.tells(&["show", "3"]);
    assert!(code == 0 && told.contains("not_null_day") && told.contains("s.public.people"), "{told}");
    // mistakes are told before anything is read
    project.check("t.public.people", "", &["sql: DROP TABLE x", "notnull: id"]);
    let (code, told) = project.tells(&["validate", "p.yaml"]);
    assert!(code == 2 && told.contains("`notnull`"), "{told}");
    project.check("t.public.people", "", &["not_null: id"]);
    let (code, told) = project.tells(&["validate", "p.yaml"]);
    assert!(code == 2 && told.contains("there is no connection `t`"), "{told}");
    project.check(dataset, "", &["sql: DROP TABLE x"]);
    let (code, told) = project.tells(&["validate", "p.yaml"]);
    assert!(code == 2 && told.contains("p.yaml:10:16") && told.contains("a query can only read"), "{told}");
}

#[test]
fn a_unique_test_of_a_large_table_takes_little_memory() {
    let database = Database::postgres("levada_checks_large");
    // 48 MB of hashes, where 14 MB may be kept
    database.sql(
        "CREATE TABLE t AS SELECT i AS id, i % 2999999 AS n FROM generate_series(1, 3000000) i;
         CREATE TABLE k AS SELECT i AS id FROM generate_series(0, 2999990) i",
    );
    let project = Project::new(&[("s", &database.connection())]);
    let tests = [
        "unique: id",
        "unique: n\n          allow: 1",
        "relationships: { column: n, to: s.public.k, field: id }\n          allow: 8",
    ];
    project.check("s.public.t", "      memory: 16MiB\n", &tests);
    let (peak, ran) = peak_mb(project.levada(&["run", "p.yaml", "--output", "json"]).spawn().unwrap());
    assert_eq!(ran.code, 0, "{:?}\n{}", ran.failures(), ran.err);
    let results = ran.report["tasks"][0]["tests"].as_array().unwrap().clone();
    let failed: Vec<u64> = results.iter().map(|result| result["failed"].as_u64().unwrap()).collect();
    assert_eq!(failed, [0, 1, 8]);
    let rows: Vec<&str> = results[1]["failing"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(rows.len(), 2, "both rows of one value: {rows:?}");
    // all that a process of this size has anyhow, and the memory that it was given
    assert!(peak < 130, "{peak} MB");
    let mut open = vec![project.folder.path().to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(!path.to_string_lossy().contains("spill") && !path.to_string_lossy().contains("keys-"), "{path:?}");
            open.extend(path.is_dir().then_some(path));
        }
    }
}
