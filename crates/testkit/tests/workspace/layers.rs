//! The direction of dependencies between the crates of the workspace, and what the inner ones must never know.

use serde_json::Value;

use crate::{metadata, text};

/// Which crates of the workspace each crate may use. Dependencies of tests are free. A new crate needs its row here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("levada-core", &[]),
    ("levada-connectors", &["levada-core"]),
    ("levada-lake", &["levada-core"]),
    ("levada-sql", &["levada-core"]),
    ("levada-store", &["levada-core"]),
    ("levada-engine", &["levada-core", "levada-store"]),
    ("levada-server", &["levada-core", "levada-store", "levada-engine"]),
    (
        "levada",
        &[
            "levada-core",
            "levada-connectors",
            "levada-lake",
            "levada-sql",
            "levada-store",
            "levada-engine",
            "levada-server",
        ],
    ),
    ("levada-testkit", &["levada-core"]),
    ("levada-bench", &["levada-core", "levada-store", "levada-engine"]),
];

/// What must not be pulled in: the vocabulary does no I/O, the engine names no system, connectors plan no queries.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("levada-core", &["tokio", "object_store", "tokio-postgres", "mysql_async", "rusqlite", "datafusion"]),
    ("levada-server", &["object_store", "tokio-postgres", "mysql_async", "rusqlite", "datafusion"]),
    ("levada-engine", &["object_store", "tokio-postgres", "mysql_async", "rusqlite", "datafusion"]),
    ("levada-connectors", &["datafusion"]),
    ("levada-store", &["datafusion"]),
    ("levada", &["datafusion"]),
    ("levada-sql", &["object_store", "tokio-postgres", "mysql_async", "rusqlite"]),
];

/// Names of what a package needs to be built and to run, tests apart.
fn needs(package: &Value) -> Vec<&str> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies.filter(|dependency| dependency["kind"] != "dev").map(|dependency| text(dependency, "name")).collect()
}

#[test]
fn crates_only_use_the_layers_below_them() {
    let metadata = metadata(&["--no-deps"]);
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(package, "name");
        let (_, allowed) = ALLOWED.iter().find(|(known, _)| *known == name).unwrap_or_else(|| {
            panic!("{name} is not in the table of layers: add a row that says which crates it may use")
        });
        for used in needs(package).iter().filter(|used| used.starts_with("levada")) {
            assert!(allowed.contains(used), "{name} must not depend on {used}: allowed are {allowed:?}");
        }
    }
}

#[test]
fn inner_crates_stay_free_of_drivers_and_runtimes() {
    let metadata = metadata(&["--no-deps"]);
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(package, "name");
        for (_, forbidden) in FORBIDDEN.iter().filter(|(known, _)| *known == name) {
            for used in needs(package) {
                assert!(!forbidden.contains(&used), "{name} must not depend on {used}");
            }
        }
    }
}
