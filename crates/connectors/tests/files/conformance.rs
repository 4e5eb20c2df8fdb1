//! The suites of the testkit on a local folder in every format, and on S3.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use futures_util::future::BoxFuture;
use levada_core::connector::Connection;
use levada_testkit::conformance::{Capabilities, Harness};
use serde_json::{Value, json};

use super::connect;

/// A place for files, in one format.
pub struct Place {
    folder: Option<tempfile::TempDir>,
    settings: Value,
    format: &'static str,
}

impl Harness for Place {
    fn connection(&self) -> Arc<dyn Connection> {
        connect(self.settings.clone()).unwrap()
    }

    fn capabilities(&self) -> Capabilities {
        let text = !matches!(self.format, "parquet" | "avro");
        Capabilities {
            sql: false,
            merge: false,
            cursor: false,
            replays: false,
            widens: text,
            ..Capabilities::default()
        }
    }

    fn remains(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async {
            let mut found = Vec::new();
            if let Some(folder) = &self.folder {
                walk(folder.path(), &mut found);
            }
            found
        })
    }
}

/// Temporary files; parts that do not count are seen by their rows.
fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "tmp") {
            found.push(path.display().to_string());
        }
    }
}

async fn local(format: &'static str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "root": folder.path(), "format": format, "settle_ms": 0 });
    Place { folder: Some(folder), settings, format }
}

async fn bucket(format: &'static str) -> Place {
    let url = url::Url::parse(&levada_testkit::services::s3_bucket()).unwrap();
    let connector = levada_connectors::registry().get("files").unwrap().clone();
    let mut settings = connector.settings_from_url(&url).unwrap();
    let root = settings["root"].as_str().unwrap().trim_end_matches('/').to_owned();
    settings["root"] = format!("{root}/conformance").into();
    settings["format"] = format.into();
    Place { folder: None, settings, format }
}

macro_rules! suites {
    ($($name:ident: $harness:expr;)*) => {
        $(mod $name {
            use super::*;
            levada_testkit::source_suite!($harness);
            levada_testkit::destination_suite!($harness);
            levada_testkit::values_suite!($harness);
        })*
    };
}

suites! {
    csv: local("csv");
    jsonl: local("jsonl");
    json_array: local("json");
    parquet: local("parquet");
    avro: local("avro");
    s3_csv: bucket("csv");
    s3_parquet: bucket("parquet");
}
