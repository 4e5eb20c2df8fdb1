//! The settings of a lake, and how a URL becomes settings.

use std::path::PathBuf;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::secret::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

/// Settings of a `delta` connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `delta:./lake` or `delta+s3://bucket/prefix?region=..`, in place of the location and other settings.
    #[serde(default)]
    #[allow(dead_code, reason = "for the schema: it is taken apart before the settings are read")]
    pub url: Option<Secret>,
    /// The folder that holds the tables, one folder each: a local path, or `s3://bucket/prefix`.
    #[serde(default)]
    pub location: String,
    /// The address of an S3-compatible service; Amazon's own if absent.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The S3 region.
    #[serde(default)]
    pub region: Option<String>,
    /// The S3 access key; from the environment (`AWS_ACCESS_KEY_ID`) or the machine's role if absent.
    #[serde(default)]
    pub access_key: Option<String>,
    /// The S3 secret key.
    #[serde(default)]
    pub secret_key: Option<Secret>,
    /// Whether S3 may be spoken to without TLS.
    #[serde(default)]
    pub allow_http: bool,
    /// Reads the tables as they were: at a version (a whole number), or at an instant such as `2026-01-31T12:00:00Z`.
    /// Such a connection is not written to.
    #[serde(default)]
    pub as_of: Option<AsOf>,
    /// New files are closed when they have about this many megabytes.
    #[serde(default = "target_mb")]
    pub target_mb: u32,
    /// How many megabytes a read or a merge may keep in memory before it goes to disk.
    #[serde(default = "memory_mb")]
    pub memory_mb: u32,
    /// Whether commits are followed by upkeep of the table: many small files become few large ones, and files that no
    /// version of the last `retention_hours` names are removed.
    #[serde(default = "yes")]
    pub maintain: bool,
    /// How many hours files stay that newer versions of a table no longer name: who reads an older version finds them for
    /// so long. A week at least.
    #[serde(default = "retention_hours")]
    pub retention_hours: u32,
}

/// A version of a table or an instant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AsOf {
    /// The version of this number.
    Version(u64),
    /// The newest version at this instant.
    Instant(String),
}

/// The least retention: readers and loads that are under way for less keep their files.
const RETENTION_HOURS_MIN: u32 = 168;

fn target_mb() -> u32 {
    128
}

fn memory_mb() -> u32 {
    256
}

fn retention_hours() -> u32 {
    RETENTION_HOURS_MIN
}

fn yes() -> bool {
    true
}

/// Where the tables are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// A local folder.
    Local(PathBuf),
    /// A bucket and what all names in it start with, without slashes around.
    S3 {
        /// The bucket.
        bucket: String,
        /// The folder in it; may be empty.
        prefix: String,
    },
}

impl Settings {
    /// Reads settings from a document.
    ///
    /// # Errors
    /// `Config`, naming the setting at fault.
    pub fn parse(value: Value) -> Result<Self> {
        let Value::Object(mut object) = value else {
            return Err(config("the settings of a `delta` connection are not a set of keys"));
        };
        if let Some(url) = object.remove("url") {
            let url = Url::parse(url.as_str().unwrap_or_default());
            let url = url.map_err(|error| config(&format!("`url` is not a URL: {error}")))?;
            for (key, value) in from_url(&url)? {
                object.entry(key).or_insert(value);
            }
        }
        known_keys(&object)?;
        let settings: Self = serde_json::from_value(Value::Object(object)).map_err(|error| {
            config(&format!("the settings of a `delta` connection are not valid: {error}"))
                .advise("Correct the setting; `levada schema` shows what is allowed.")
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        if self.location.is_empty() {
            return Err(config("a delta connection needs the `location` of its tables")
                .advise("Give `location: ./lake`, or `location: s3://bucket/prefix`."));
        }
        if self.access_key.is_some() != self.secret_key.is_some() {
            return Err(config("`access_key` and `secret_key` belong together; one of them is missing"));
        }
        if self.target_mb == 0 || self.memory_mb < 64 {
            return Err(config("`target_mb` is at least 1, and `memory_mb` at least 64"));
        }
        if self.retention_hours < RETENTION_HOURS_MIN {
            return Err(config(&format!("`retention_hours` is less than {RETENTION_HOURS_MIN}"))
                .advise("Files that go sooner can be missed by a load or a reader that is still under way."));
        }
        if let Some(AsOf::Instant(instant)) = &self.as_of {
            instant_of(instant)?;
        }
        if let Some(endpoint) = &self.endpoint
            && endpoint.starts_with("http://")
            && !self.allow_http
        {
            return Err(config("`endpoint` is not encrypted, and `allow_http` is not set")
                .advise("Use an `https://` endpoint, or set `allow_http: true`."));
        }
        if let Root::S3 { bucket, .. } = self.root()?
            && bucket.is_empty()
        {
            return Err(config("`location` names no bucket; write `s3://bucket/prefix`"));
        }
        Ok(())
    }

    /// Where the tables are.
    ///
    /// # Errors
    /// `Config` for a scheme that is not known.
    pub fn root(&self) -> Result<Root> {
        if let Some(rest) = self.location.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return Ok(Root::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() });
        }
        match self.location.split_once("://") {
            Some(("file", path)) => Ok(Root::Local(PathBuf::from(path))),
            Some((scheme, _)) if scheme.chars().all(char::is_alphanumeric) => {
                Err(config(&format!("`location` starts with `{scheme}://`"))
                    .advise("A location is a local folder, or `s3://bucket/prefix`."))
            }
            _ => Ok(Root::Local(PathBuf::from(&self.location))),
        }
    }
}

/// An instant as in `as_of`.
///
/// # Errors
/// `Config`.
pub fn instant_of(text: &str) -> Result<chrono::DateTime<chrono::Utc>> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc());
    parsed.map_err(|_| {
        config(&format!("`as_of` is neither a version nor an instant: `{text}`"))
            .advise("Write a whole number, or an instant with its zone such as `2026-01-31T12:00:00Z`.")
    })
}

/// The JSON schema of the settings.
pub fn schema() -> Value {
    schemars::schema_for!(Settings).to_value()
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, message.to_owned())
}

fn known_keys(object: &Map<String, Value>) -> Result<()> {
    let schema = schema();
    let known: Vec<&str> =
        schema["properties"].as_object().map(|known| known.keys().map(String::as_str).collect()).unwrap_or_default();
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(config(&format!("`delta` has no setting `{key}`")).advise(format!(
            "{}Settings: {}.",
            did_you_mean(nearest(key, &known)),
            known.join(", ")
        ))),
    }
}

/// Settings from `delta:./lake`, `delta:///var/lib/lake` and `delta+s3://bucket/prefix?region=..`.
///
/// # Errors
/// `Config`, naming the part of the URL at fault.
pub fn from_url(url: &Url) -> Result<Map<String, Value>> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(config("a `delta:` URL takes no user and no password")
            .advise("Give `access_key` and `secret_key`, beside the URL or in the document."));
    }
    let path = percent_decoded(url.path())?;
    let location = match url.scheme() {
        "delta+s3" => format!("s3://{}{path}", url.host_str().unwrap_or_default()),
        "delta" if url.host_str().is_none_or(str::is_empty) => path,
        "delta" => {
            return Err(config("a `delta:` URL names a host")
                .advise("Write `delta:./lake`, `delta:///absolute/path` or `delta+s3://bucket/prefix`."));
        }
        other => return Err(config(&format!("`{other}:` is not a place for tables"))),
    };
    let mut settings = Map::from_iter([("location".to_owned(), Value::from(location))]);
    for (key, value) in url.query_pairs() {
        let value = match (key.as_ref(), value.as_ref()) {
            ("url", _) => return Err(config("a URL has no parameter `url`")),
            ("allow_http" | "maintain", "true" | "1" | "yes" | "") => Value::Bool(true),
            ("allow_http" | "maintain", "false" | "0" | "no") => Value::Bool(false),
            ("as_of" | "target_mb" | "memory_mb" | "retention_hours", text) => {
                text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
            }
            (_, text) => Value::from(text),
        };
        settings.insert(key.into_owned(), value);
    }
    known_keys(&settings)?;
    Ok(settings)
}

fn percent_decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| (byte as char).to_digit(16));
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return Err(config("the path in the URL is not encoded well")),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| config("the path in the URL is not UTF-8 once decoded"))
}
