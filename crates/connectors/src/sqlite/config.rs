//! The settings of a SQLite connection, and how a URL becomes settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::kit::url::decoded;

/// Settings of a `sqlite` connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `sqlite:./shop.db` or `sqlite:///var/lib/shop.db`, in place of the path.
    #[serde(default)]
    #[allow(dead_code, reason = "for the schema: it is taken apart before the settings are read")]
    pub url: Option<String>,
    /// The database file. The first load makes it if it is missing; its folder must exist.
    #[serde(default)]
    pub path: String,
    /// What a load does about the journal: `wal` switches the file to write-ahead logging, so that readers and the load
    /// do not wait for each other; `keep` leaves the file's journal mode as it is.
    #[serde(default)]
    pub journal: Journal,
    /// How many seconds to wait for another process that is writing to the file.
    #[serde(default = "busy_timeout_s")]
    pub busy_timeout_s: u32,
}

/// What a load does about the journal mode of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Journal {
    /// Switch to write-ahead logging.
    #[default]
    Wal,
    /// Leave it as it is.
    Keep,
}

fn busy_timeout_s() -> u32 {
    20
}

const KNOWN: [&str; 4] = ["path", "journal", "busy_timeout_s", "url"];

impl Settings {
    /// Checks the settings of a document, in which `url` may stand in place of `path`.
    pub fn parse(settings: Value) -> Result<Self> {
        let Value::Object(mut map) = settings else {
            return Err(Error::new(ErrorKind::Config, "the settings of a sqlite connection are a mapping"));
        };
        if let Some(unknown) = map.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(Error::new(ErrorKind::Config, format!("`{unknown}` is not a setting of sqlite"))
                .advise(format!("{}Settings: {}.", did_you_mean(nearest(unknown, &KNOWN)), KNOWN.join(", "))));
        }
        if let Some(url) = map.remove("url") {
            let url = url.as_str().and_then(|text| Url::parse(text).ok()).ok_or_else(|| bad_url("it is not a URL"))?;
            for (key, value) in from_url(&url)? {
                map.entry(key).or_insert(value);
            }
        }
        if map.get("path").is_none_or(|path| path.as_str().is_none_or(str::is_empty)) {
            return Err(Error::new(ErrorKind::Config, "a sqlite connection needs the `path` of its file")
                .advise("Give `path: ./shop.db`, or `url: \"sqlite:./shop.db\"`."));
        }
        let settings: Self = serde_json::from_value(Value::Object(map)).map_err(|error| {
            Error::new(ErrorKind::Config, format!("the settings of the sqlite connection are not valid: {error}"))
        })?;
        if settings.path.starts_with(":memory:") {
            return Err(Error::new(ErrorKind::Config, "a SQLite database in memory is gone before it can be read")
                .advise("Give the `path` of a file."));
        }
        Ok(settings)
    }

    /// The file as an absolute path, with symbolic links resolved where it exists.
    pub fn file(&self) -> PathBuf {
        let path = Path::new(&self.path);
        path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
    }

    /// How long to wait for another writer.
    pub fn busy_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.busy_timeout_s))
    }
}

/// Settings from `sqlite:relative.db`, `sqlite:///absolute.db`, with `?journal=keep&busy_timeout_s=5`.
pub fn from_url(url: &Url) -> Result<Map<String, Value>> {
    let encoded = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    let path = decoded(&encoded).ok_or_else(|| bad_url("its path is not UTF-8"))?;
    let mut map = Map::new();
    for (key, value) in url.query_pairs() {
        let value = match key.as_ref() {
            "journal" => Value::from(value.into_owned()),
            "busy_timeout_s" => {
                Value::from(value.parse::<u32>().map_err(|_| bad_url("`busy_timeout_s` is not a whole number"))?)
            }
            other => return Err(bad_url(&format!("`{other}` is not one of journal, busy_timeout_s"))),
        };
        map.insert(key.into_owned(), value);
    }
    map.insert("path".to_owned(), Value::from(path));
    Ok(map)
}

fn bad_url(reason: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the URL of the sqlite connection can not be used: {reason}"))
        .advise("Write `sqlite:./shop.db` or `sqlite:///var/lib/shop.db`.")
}
