//! The suites of the testkit on a local folder and on S3.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use levada_core::connector::{Connection, Connector as _};
use levada_lake::{Delta, PathRule};
use levada_testkit::conformance::{Capabilities, Harness};
use serde_json::{Value, json};

/// A connection with these settings.
pub fn connect(settings: Value) -> Arc<dyn Connection> {
    connect_within(settings, Arc::new(|_| Ok(())))
}

/// A connection that keeps to a rule.
pub fn connect_within(settings: Value, rule: PathRule) -> Arc<dyn Connection> {
    Delta::new(rule).connect(settings).unwrap()
}

/// Settings of a folder of a bucket that no other test uses.
pub fn bucket() -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = url::Url::parse(&levada_testkit::services::s3_bucket()).unwrap();
    let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let location = format!("s3://{}/lake", url.host_str().unwrap());
    json!({ "location": location, "endpoint": of("endpoint"), "region": of("region"), "access_key": of("access_key"),
        "secret_key": of("secret_key"), "allow_http": true })
}

/// A place for tables.
pub struct Place {
    folder: Option<tempfile::TempDir>,
    settings: Value,
}

impl Harness for Place {
    fn connection(&self) -> Arc<dyn Connection> {
        connect(self.settings.clone())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sql: false, replays: false, widens: false, ..Capabilities::default() }
    }

    fn remains(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { self.folder.as_ref().map(|folder| unnamed(folder.path())).unwrap_or_default() })
    }
}

/// Files of tables that no version ever named.
fn unnamed(lake: &std::path::Path) -> Vec<String> {
    let entries = |path: &std::path::Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    let mut found = Vec::new();
    for table in entries(lake).iter().filter(|path| !path.ends_with("_levada")) {
        let commits = entries(&table.join("_delta_log"));
        let log: String = commits.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        let names = entries(table).into_iter().filter(|path| path.is_file());
        let names = names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        found.extend(names.filter(|name| !log.contains(name.as_str())));
    }
    found
}

async fn local() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({ "location": folder.path() });
    Place { folder: Some(folder), settings }
}

async fn in_bucket() -> Place {
    Place { folder: None, settings: bucket() }
}

macro_rules! suites {
    ($($name:ident: $harness:expr;)*) => {
        $(mod $name {
            use super::*;
            levada_testkit::source_suite!($harness);
            levada_testkit::destination_suite!($harness);
            levada_testkit::values_suite!($harness);
            levada_testkit::conditions_suite!($harness);
        })*
    };
}

suites! {
    disk: local();
    s3: in_bucket();
}
