//! Where pages come from: the API, or answers that a raw stream left behind, which are read without asking anybody.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{Field, Schema};
use levada_core::batch::Data;
use levada_core::connector::Connector as _;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::source::{Extract, ReadMode, ReadRequest};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Api;
use super::config::wrong;
use super::page::Page;
use super::path::Path;
use super::raw;
use super::walk::Walk;
use crate::files::FilesConnector;
use crate::files::json::entries;

const BATCH_BYTES: usize = 1 << 20;

/// Where stored answers are. The settings are those of a `files` connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// A local folder, or `s3://bucket/prefix`: the root of the connection that the raw streams were loaded into.
    pub root: String,
    /// The address of an S3-compatible service.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The S3 region.
    #[serde(default)]
    pub region: Option<String>,
    /// The S3 access key.
    #[serde(default)]
    pub access_key: Option<String>,
    /// The S3 secret key.
    #[serde(default)]
    pub secret_key: Option<Secret>,
    /// Whether S3 may be spoken to without TLS.
    #[serde(default)]
    pub allow_http: bool,
}

/// Pages of an endpoint, wherever they come from.
pub enum Feed {
    /// From the API.
    Live(Box<Walk>),
    /// From stored answers.
    Stored(Box<Replay>),
}

/// Stored answers that are being read.
pub struct Replay {
    extract: Extract,
    records: Path,
    pages: VecDeque<Page>,
}

impl Feed {
    /// The pages of an endpoint; `parameters` go into the requests, where there are any.
    ///
    /// # Errors
    /// `NotFound` for an endpoint, or for stored answers, that do not exist.
    pub async fn open(api: &Arc<Api>, name: &str, parameters: Vec<(String, String)>) -> Result<Self> {
        match &api.settings.replay {
            None => Ok(Self::Live(Box::new(Walk::new(api, name, parameters)?))),
            Some(stored) => {
                let records = api.endpoint(name)?.records.clone();
                Ok(Self::Stored(Box::new(Replay::open(api, stored, name, records).await?)))
            }
        }
    }

    /// The next page, or `None` at the end.
    ///
    /// # Errors
    /// As of the client, or of files.
    pub async fn next(&mut self) -> Result<Option<Page>> {
        match self {
            Self::Live(walk) => walk.next().await,
            Self::Stored(replay) => replay.next().await,
        }
    }
}

impl Replay {
    async fn open(api: &Api, stored: &Stored, name: &str, records: Path) -> Result<Self> {
        let connection = FilesConnector::new(api.off_limits.clone()).connect(stored.settings()).at("`replay`")?;
        let source = connection.source()?;
        let table = raw::table(name);
        let stream = source.discover(Some(&table)).await.at("`replay`")?.into_iter().next().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there are no stored answers in `{table}`"))
                .at("`replay`")
                .advise(format!("Load the stream `raw:{name}` into that place first."))
        })?;
        let columns: Vec<Field> = [raw::URL, raw::PAGE, raw::ABOVE, raw::BODY]
            .into_iter()
            .map(|name| {
                let told = raw::columns().into_iter().find(|field| field.name() == name);
                let there = stream.schema.field_with_name(name).ok().zip(told).map(|(there, told)| {
                    let can_be = stream.typed_by_request || there.data_type() == told.data_type();
                    can_be.then(|| there.clone().with_data_type(told.data_type().clone()))
                });
                there.flatten().ok_or_else(|| {
                    wrong(format!("`{table}` has no such column `{name}`: it does not hold stored answers"))
                        .at("`replay`")
                })
            })
            .collect::<Result<_>>()?;
        let request = ReadRequest {
            stream,
            columns: Arc::new(Schema::new(columns)),
            mode: ReadMode::Full,
            raw: None,
            only: Vec::new(),
            limit: None,
            readers: 1,
            batch_bytes: BATCH_BYTES,
        };
        let extract = source.read(request).await.at("`replay`")?;
        Ok(Self { extract, records, pages: VecDeque::new() })
    }

    async fn next(&mut self) -> Result<Option<Page>> {
        loop {
            if let Some(page) = self.pages.pop_front() {
                return Ok(Some(page));
            }
            let Some(reader) = self.extract.readers.last_mut() else { return Ok(None) };
            match reader.next().await.at("`replay`")? {
                None => drop(self.extract.readers.pop()),
                Some(batch) => {
                    if let Some(reject) = batch.rejects.first() {
                        let message = format!("a stored answer cannot be read: {}", reject.reason);
                        return Err(Error::new(ErrorKind::Data, message).at("`replay`"));
                    }
                    if let Data::Arrow(rows) = &batch.data {
                        self.pages = self.pages_of(rows)?;
                    }
                }
            }
        }
    }

    fn pages_of(&self, rows: &RecordBatch) -> Result<VecDeque<Page>> {
        let (urls, above, bodies) =
            (rows.column(0).as_string::<i32>(), rows.column(2), rows.column(3).as_string::<i32>());
        let numbers = rows.column(1).as_primitive::<Int64Type>();
        let above = above.as_string::<i32>();
        (0..rows.num_rows())
            .map(|row| {
                let mut page = Page::new(bodies.value(row).to_owned(), &self.records).at(urls.value(row))?;
                page.url = urls.value(row).to_owned();
                page.number = numbers.value(row).unsigned_abs();
                if above.is_valid(row) {
                    let kept =
                        entries(above.value(row), |name, raw| page.inherited.push((name.to_owned(), raw.to_owned())));
                    kept.map_err(|reason| Error::new(ErrorKind::Data, reason))?;
                }
                Ok(page)
            })
            .collect()
    }
}

impl Stored {
    /// As settings of a `files` connection.
    fn settings(&self) -> Value {
        let mut map = Map::new();
        map.insert("root".to_owned(), self.root.clone().into());
        let secret = self.secret_key.as_ref().map(|secret| secret.expose().to_owned());
        for (key, value) in [
            ("endpoint", self.endpoint.clone()),
            ("region", self.region.clone()),
            ("access_key", self.access_key.clone()),
            ("secret_key", secret),
        ] {
            if let Some(value) = value {
                map.insert(key.to_owned(), value.into());
            }
        }
        map.insert("allow_http".to_owned(), self.allow_http.into());
        Value::Object(map)
    }
}
