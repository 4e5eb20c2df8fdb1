//! The settings of an `http` connection, how a URL becomes settings, and what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::redact::Redactor;
use levada_core::secret::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::auth::{Auth, AuthType};
use super::endpoint::{Endpoint, Nested, Pagination};
use super::replay::Stored;
use crate::kit::url::decoded;

/// Settings of an `http` connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `https://api.example.com/v1`: what the paths of all endpoints start with.
    #[serde(default)]
    pub url: String,
    /// Who asks.
    #[serde(default)]
    pub auth: Auth,
    /// Headers of every request, besides those of `auth`.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub headers: BTreeMap<String, Secret>,
    /// Query parameters of every request.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The streams, by name. Without any, the name of a stream is its path.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// How lists come in pages, for endpoints that say nothing of it.
    #[serde(default)]
    pub pagination: Pagination,
    /// What becomes of objects within records, for endpoints that say nothing of it.
    #[serde(default)]
    pub nested: Nested,
    /// How often to ask at most: `10/s`, `600/min`, `5000/h`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^\s*\d+\s*/\s*(s|min|h)\s*$"))]
    pub rate: Option<String>,
    /// Other hosts that answers may lead to, by a redirect or by the URL of the next page: `cdn.example.com`. They get neither
    /// credentials nor headers.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether addresses of this machine and of private networks may be asked.
    #[serde(default)]
    pub private: bool,
    /// How often a request is sent again that failed for a passing reason.
    #[serde(default = "retries_default")]
    pub retries: u32,
    /// The pause before a request is sent again, in milliseconds; it doubles each time, up to 30 seconds.
    #[serde(default = "pause_default")]
    pub pause_ms: u64,
    /// The longest pause that a server may ask for (`Retry-After`), in seconds.
    #[serde(default = "wait_max_default")]
    pub wait_max_s: u64,
    /// How long an answer may stand still, in seconds.
    #[serde(default = "timeout_default")]
    #[schemars(range(min = 1))]
    pub timeout_s: u64,
    /// The most megabytes of one answer, unpacked.
    #[serde(default = "body_max_default")]
    #[schemars(range(min = 1, max = 1024))]
    pub body_max_mb: usize,
    /// The most pages of one list.
    #[serde(default = "pages_max_default")]
    #[schemars(range(min = 1))]
    pub pages_max: u64,
    /// How many records are looked at to tell the columns of an endpoint that declares none.
    #[serde(default = "sample_default")]
    #[schemars(range(min = 1))]
    pub sample: usize,
    /// Where stored answers are, to read them in place of asking: what a load of a `raw:` stream wrote.
    #[serde(default)]
    pub replay: Option<Stored>,
}

fn retries_default() -> u32 {
    5
}

fn pause_default() -> u64 {
    500
}

fn wait_max_default() -> u64 {
    300
}

fn timeout_default() -> u64 {
    60
}

fn body_max_default() -> usize {
    32
}

fn pages_max_default() -> u64 {
    100_000
}

fn sample_default() -> usize {
    500
}

/// An error of the settings.
pub fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

impl Settings {
    /// Reads settings from a document. A user and password in `url` are those of `auth`.
    ///
    /// # Errors
    /// `Config`, naming the setting at fault and never a secret.
    pub fn parse(settings: Value) -> Result<Self> {
        let Value::Object(mut map) = settings else {
            return Err(wrong("the settings of an `http` connection are a mapping"));
        };
        if let Some(text) = map.get("url").and_then(Value::as_str).map(str::to_owned) {
            let url = Url::parse(&text).map_err(|error| wrong(format!("`url` is not a URL: {error}")))?;
            for (key, value) in from_url(&url)? {
                match key.as_str() {
                    "url" => map.insert(key, value),
                    _ => Some(map.entry(key).or_insert(value).clone()),
                };
            }
        }
        let known: Vec<String> = match schema()["properties"].as_object() {
            Some(properties) => properties.keys().cloned().collect(),
            None => Vec::new(),
        };
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(wrong(format!("`{unknown}` is not a setting of http")).advise(format!(
                "{}Settings: {}.",
                did_you_mean(nearest(unknown, &known)),
                known.join(", ")
            )));
        }
        let hide = Redactor::new(scalars(&map).iter().map(String::as_str))?;
        // one by one, so that an error tells the endpoint
        if let Some(Value::Object(endpoints)) = map.get("endpoints") {
            for (name, endpoint) in endpoints {
                Endpoint::deserialize(endpoint)
                    .map_err(|error| wrong(format!("the endpoint `{name}` is not valid: {error}")))?;
            }
        }
        let settings: Self = serde_json::from_value(Value::Object(map)).map_err(|error| {
            wrong(format!("the settings of the http connection are not valid: {}", hide.text(&error.to_string())))
                .advise("`levada schema` shows what is allowed; texts that look like numbers stand in quotes.")
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        if self.url.is_empty() && self.replay.is_none() {
            return Err(wrong("an http connection needs the `url` that all paths start with")
                .advise("Give `url: \"https://api.example.com/v1\"`."));
        }
        if !self.url.is_empty() {
            self.base()?;
        }
        self.interval()?;
        self.auth.check()?;
        self.pagination.check().map_err(|error| error.at("`pagination`"))?;
        for (name, endpoint) in &self.endpoints {
            endpoint.check(name, &self.endpoints).map_err(|error| error.at(format!("endpoint `{name}`")))?;
        }
        Ok(())
    }

    /// What all paths start with, ending in `/`.
    ///
    /// # Errors
    /// `Config` for what is no web address.
    pub fn base(&self) -> Result<Url> {
        let text = if self.url.is_empty() { "http://replay.invalid" } else { &self.url };
        let mut url = Url::parse(text).map_err(|error| wrong(format!("`url` is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("`url` is not a web address").advise("Write it in full: `https://api.example.com/v1`."));
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(url)
    }

    /// The least time between two requests.
    ///
    /// # Errors
    /// `Config` for a rate that is none.
    pub fn interval(&self) -> Result<Option<Duration>> {
        let Some(rate) = &self.rate else { return Ok(None) };
        let told = rate.split_once('/').and_then(|(count, unit)| {
            let per = match unit.trim() {
                "s" => 1,
                "min" => 60,
                "h" => 3600,
                _ => return None,
            };
            let count: u32 = count.trim().parse().ok().filter(|count| *count > 0)?;
            Some(Duration::from_secs(per) / count)
        });
        told.map(Some).ok_or_else(|| {
            wrong(format!("`rate: {rate}` is not a rate")).advise("Write `10/s`, `600/min` or `5000/h`.")
        })
    }

    /// The most bytes of one answer, unpacked.
    pub fn body_max(&self) -> usize {
        self.body_max_mb.saturating_mul(1_000_000)
    }

    /// Every secret in the settings, for what is told of answers.
    pub fn secrets(&self) -> Vec<&str> {
        let mut secrets: Vec<&str> = self.headers.values().map(Secret::expose).collect();
        secrets.extend(self.auth.secrets());
        secrets
    }
}

/// The JSON schema of the settings.
pub fn schema() -> Value {
    schemars::schema_for!(Settings).to_value()
}

/// The plain values of the parts that hold secrets, which an error about their types would repeat.
fn scalars(map: &Map<String, Value>) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.values().for_each(|value| collect(value, found)),
            Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            Value::String(text) => found.push(text.clone()),
            Value::Number(number) => found.push(number.to_string()),
            Value::Bool(_) | Value::Null => {}
        }
    }
    let mut found = Vec::new();
    ["auth", "headers", "replay"].iter().filter_map(|key| map.get(*key)).for_each(|value| collect(value, &mut found));
    found
}

/// Settings from `https://user:password@host/path?fixed=parameter`.
///
/// # Errors
/// `Config`, naming the part of the URL at fault.
pub fn from_url(url: &Url) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    let user = decoded(url.username()).ok_or_else(|| wrong("the user in the URL is not UTF-8 once decoded"))?;
    if !user.is_empty() {
        let password = decoded(url.password().unwrap_or_default())
            .ok_or_else(|| wrong("the password in the URL is not UTF-8 once decoded"))?;
        let auth = serde_json::json!({ "type": AuthType::Basic, "user": user, "password": password });
        map.insert("auth".to_owned(), auth);
    }
    let query: Map<String, Value> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into())).collect();
    if !query.is_empty() {
        map.insert("query".to_owned(), Value::Object(query));
    }
    let mut plain = url.clone();
    let _ = plain.set_username("");
    let _ = plain.set_password(None);
    plain.set_query(None);
    plain.set_fragment(None);
    map.insert("url".to_owned(), plain.to_string().into());
    Ok(map)
}
