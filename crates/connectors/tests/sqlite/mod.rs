//! SQLite: the conformance suites on files, and what only SQLite does.

mod cases;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use levada_core::connector::Connection;
use levada_testkit::conformance::Harness;
use serde_json::json;

/// A file in a folder of its own.
pub struct OneFile {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

impl OneFile {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's a file.db");
        Self { _folder: folder, path }
    }

    pub fn sql(&self, statements: &str) {
        rusqlite::Connection::open(&self.path).unwrap().execute_batch(statements).unwrap();
    }

    pub fn one<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
        rusqlite::Connection::open(&self.path).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
    }
}

impl Harness for OneFile {
    fn connection(&self) -> Arc<dyn Connection> {
        let settings = json!({ "path": self.path.to_str().unwrap(), "busy_timeout_s": 5 });
        levada_connectors::registry().get("sqlite").unwrap().connect(settings).unwrap()
    }

    fn declared_outcome(&self, column: &str, value: &str) -> Option<&'static str> {
        // A column of REAL affinity keeps whole numbers as integers, and those have no negative zero.
        (column.starts_with("float") && value == "-0").then_some("0")
    }

    fn execute<'a>(&'a self, statement: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.sql(statement) })
    }

    fn remains(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async {
            let all: Option<String> =
                self.one("SELECT group_concat(name) FROM sqlite_schema WHERE name LIKE '%stage%'");
            all.into_iter().collect()
        })
    }

    fn quoted(&self, target: &str) -> String {
        format!("\"{}\"", target.replace('"', "\"\""))
    }
}

async fn harness() -> OneFile {
    OneFile::new()
}

mod destination {
    use super::harness;
    levada_testkit::destination_suite!(harness());
}

mod source {
    use super::harness;
    levada_testkit::source_suite!(harness());
    levada_testkit::conditions_suite!(harness());
}

mod values {
    use super::harness;
    levada_testkit::values_suite!(harness());
}

mod rows {
    use super::harness;
    levada_testkit::rows_suite!(harness());
}
