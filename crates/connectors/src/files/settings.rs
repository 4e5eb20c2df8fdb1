//! The settings of a `files` connection, and how a URL becomes settings.

use std::path::PathBuf;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::secret::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::format::{Compression, Format};
use crate::kit::off_limits::OffLimits;
use crate::kit::url::decoded;

/// Settings of a `files` connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `file:///folder?format=csv` or `s3://bucket/prefix?region=..`, in place of the root and other settings.
    #[serde(default)]
    #[allow(dead_code, reason = "for the schema: it is taken apart before the settings are read")]
    pub url: Option<Secret>,
    /// A local folder or file, or `s3://bucket/prefix`.
    #[serde(default)]
    pub root: String,
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
    /// The format of every file; by the file's ending if absent, and Parquet for new folders.
    #[serde(default)]
    pub format: Option<Format>,
    /// The compression of every file; by the file's ending if absent, and none for new CSV and JSON files.
    #[serde(default)]
    pub compression: Option<Compression>,
    /// The dialect of CSV and TSV files.
    #[serde(default)]
    pub csv: CsvSettings,
    /// Files are closed when they have about this size: a number of bytes, or text such as `128MB`.
    #[serde(default)]
    pub target_size: Size<{ 128 << 20 }>,
    /// How much of a stream without types is looked at to tell its types.
    #[serde(default)]
    pub sample: Size<{ 16 << 20 }>,
    /// A record longer than this is rejected.
    #[serde(default)]
    pub record_max: Size<{ 64 << 20 }>,
    /// A local file is read once it has stayed unchanged for this many milliseconds.
    #[serde(default = "settle_default")]
    pub settle_ms: u64,
    /// Where no local file is touched; no setting.
    #[serde(skip)]
    pub off_limits: OffLimits,
}

fn settle_default() -> u64 {
    1000
}

/// The dialect of CSV and TSV files.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvSettings {
    /// One ASCII character between fields; `,` for CSV and tab for TSV if absent.
    pub delimiter: Option<char>,
    /// One ASCII character around fields.
    pub quote: char,
    /// Whether the first row holds the column names.
    pub header: bool,
    /// The names of the columns by their position, for reading files without a header, or with one to be ignored.
    pub columns: Vec<String>,
    /// The text that means NULL where it stands without quotes.
    pub null: String,
    /// The character encoding of the files.
    pub encoding: Encoding,
}

impl Default for CsvSettings {
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: '"',
            header: true,
            columns: Vec::new(),
            null: String::new(),
            encoding: Encoding::Utf8,
        }
    }
}

/// A character encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// UTF-8; a row with other bytes is rejected.
    Utf8,
    /// ISO 8859-1; for reading only.
    Latin1,
}

/// A number of bytes, with its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "SizeText")]
#[schemars(with = "SizeText")]
pub struct Size<const DEFAULT: usize>(pub usize);

impl<const DEFAULT: usize> Default for Size<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

/// How a number of bytes is written.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum SizeText {
    /// Bytes.
    Bytes(u64),
    /// A number with `KB`, `MB` or `GB`.
    Text(String),
}

impl<const DEFAULT: usize> TryFrom<SizeText> for Size<DEFAULT> {
    type Error = String;

    fn try_from(text: SizeText) -> std::result::Result<Self, String> {
        let text = match text {
            SizeText::Bytes(bytes) => bytes.to_string(),
            SizeText::Text(text) => text,
        };
        let word = text.trim().to_ascii_uppercase();
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let factor = match word[digits.len()..].trim().trim_end_matches('B').trim_end_matches('I') {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            _ => 0,
        };
        let bytes = digits.parse::<usize>().ok().and_then(|n| n.checked_mul(factor)).filter(|n| *n > 0);
        bytes.map(Self).ok_or_else(|| format!("`{text}` is not a size such as 64MB"))
    }
}

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// A local folder or file.
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
            return Err(Error::new(ErrorKind::Config, "the settings of a `files` connection are not a set of keys"));
        };
        if let Some(url) = object.remove("url") {
            let text = url.as_str().unwrap_or_default();
            // A relative path behind `file:` starts at the current folder.
            let here = std::env::current_dir().ok().and_then(|folder| Url::from_directory_path(folder).ok());
            let url = Url::options().base_url(here.as_ref()).parse(text);
            let url = url.map_err(|e| Error::new(ErrorKind::Config, format!("`url` is not a URL: {e}")))?;
            if let Value::Object(parts) = from_url(&url)? {
                for (key, value) in parts {
                    object.entry(key).or_insert(value);
                }
            }
        }
        known_keys(&object, "", &schema())?;
        let settings: Self = serde_json::from_value(Value::Object(object)).map_err(|error| {
            Error::new(ErrorKind::Config, format!("the settings of a `files` connection are not valid: {error}"))
                .advise("Correct the setting; `levada schema` shows what is allowed.")
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, what.to_owned()));
        if self.root.is_empty() {
            return wrong("`root` is empty; it is a folder, a file, or `s3://bucket/prefix`");
        }
        let (delimiter, quote) = (self.csv.delimiter.unwrap_or(','), self.csv.quote);
        if !delimiter.is_ascii() || !quote.is_ascii() || delimiter == quote || "\r\n".contains([delimiter, quote]) {
            return wrong("`csv.delimiter` and `csv.quote` must be two different ASCII characters, not line ends");
        }
        if self.csv.null.contains([delimiter, quote, '\r', '\n']) {
            return wrong("`csv.null` contains a delimiter, a quote or a line end");
        }
        let names = &self.csv.columns;
        if let Some((at, _)) =
            names.iter().enumerate().find(|(at, name)| name.is_empty() || names[..*at].contains(name))
        {
            return wrong(&format!("name {} of `csv.columns` is empty or there twice", at + 1));
        }
        if self.access_key.is_some() != self.secret_key.is_some() {
            return wrong("`access_key` and `secret_key` belong together; one of them is missing");
        }
        if self.compression.is_some()
            && let Some(format) = self.format.or_else(|| Format::of(&self.root)).filter(|format| !format.is_text())
        {
            return Err(own_compression(format));
        }
        if let Root::S3 { bucket, .. } = self.place()?
            && bucket.is_empty()
        {
            return wrong("`root` names no bucket; write `s3://bucket/prefix`");
        }
        Ok(())
    }

    /// Where the files are.
    ///
    /// # Errors
    /// `Config` for a scheme that is not known.
    pub fn place(&self) -> Result<Root> {
        if let Some(rest) = self.root.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return Ok(Root::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() });
        }
        match self.root.split_once("://") {
            Some(("file", path)) => Ok(Root::Local(PathBuf::from(path))),
            Some((scheme, _)) if scheme.chars().all(char::is_alphanumeric) => {
                Err(Error::new(ErrorKind::Config, format!("`root` starts with `{scheme}://`"))
                    .advise("A root is a local folder or file, or `s3://bucket/prefix`."))
            }
            _ => Ok(Root::Local(PathBuf::from(&self.root))),
        }
    }
}

/// The error for a `compression` of files that hold their own.
pub fn own_compression(format: Format) -> Error {
    let name = format.ending().trim_start_matches('.');
    Error::new(ErrorKind::Config, format!("`compression` does not apply to {name} files, which compress by themselves"))
        .advise("Remove `compression`, or set `format` to csv, tsv, json or jsonl.")
}

/// The JSON schema of the settings.
pub fn schema() -> Value {
    schemars::schema_for!(Settings).to_value()
}

fn known_keys(object: &Map<String, Value>, place: &str, schema: &Value) -> Result<()> {
    let csv = schemars::schema_for!(CsvSettings).to_value();
    let known: Vec<&str> =
        schema["properties"].as_object().map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
    for (key, value) in object {
        if !known.contains(&key.as_str()) {
            return Err(Error::new(ErrorKind::Config, format!("`files` has no setting `{place}{key}`"))
                .advise(format!("{}Settings: {}.", did_you_mean(nearest(key, &known)), known.join(", "))));
        }
        if let (true, "csv", Value::Object(inner)) = (place.is_empty(), key.as_str(), value) {
            known_keys(inner, "csv.", &csv)?;
        }
    }
    Ok(())
}

/// Turns `file:` and `s3:` URLs into settings: `file:///folder?format=csv`, `s3://bucket/prefix?endpoint=..`. The CSV
/// dialect is given by `delimiter`, `quote`, `header`, `columns` (with commas between them), `null` and `encoding`.
///
/// # Errors
/// `Config`, naming the part of the URL at fault.
pub fn from_url(url: &Url) -> Result<Value> {
    let mut settings = Map::new();
    let path = decoded(url.path())
        .ok_or_else(|| Error::new(ErrorKind::Config, "the path in the URL is not UTF-8 once decoded"))?;
    let root = match url.scheme() {
        "s3" => format!("s3://{}{path}", url.host_str().unwrap_or_default()),
        "file" if url.host_str().is_none_or(str::is_empty) => path,
        "file" => {
            return Err(Error::new(ErrorKind::Config, "a `file:` URL names a host")
                .advise("Write `file:///absolute/path` or the path alone."));
        }
        other => return Err(Error::new(ErrorKind::Config, format!("`{other}:` is not a place for files"))),
    };
    settings.insert("root".to_owned(), root.into());
    let mut csv = Map::new();
    for (key, value) in url.query_pairs() {
        let switch = || match value.as_ref() {
            "" | "true" | "1" | "yes" => Ok(Value::Bool(true)),
            "false" | "0" | "no" => Ok(Value::Bool(false)),
            _ => Err(Error::new(ErrorKind::Config, format!("`{key}` in the URL is neither true nor false"))),
        };
        let text = Value::from(value.as_ref());
        match key.as_ref() {
            "url" => return Err(Error::new(ErrorKind::Config, "a URL has no parameter `url`")),
            "columns" => csv.insert(key.to_string(), value.split(',').map(str::trim).collect()),
            "delimiter" if value == "\\t" => csv.insert(key.to_string(), "\t".into()),
            "delimiter" | "quote" | "null" | "encoding" => csv.insert(key.to_string(), text),
            "header" => csv.insert(key.to_string(), switch()?),
            "allow_http" => settings.insert(key.to_string(), switch()?),
            "settle_ms" => settings.insert(key.to_string(), value.parse::<u64>().map_or(text, Value::from)),
            _ => settings.insert(key.to_string(), text),
        };
    }
    if !csv.is_empty() {
        settings.insert("csv".to_owned(), Value::Object(csv));
    }
    known_keys(&settings, "", &schema())?;
    Ok(Value::Object(settings))
}
