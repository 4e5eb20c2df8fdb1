//! REST APIs as sources, told by the settings alone: endpoints are streams, answers are pages of records. And as
//! destinations that take records in batches.

mod auth;
mod client;
mod columns;
mod config;
mod cursor;
mod destination;
mod discover;
mod endpoint;
mod network;
mod pace;
mod page;
mod pagination;
mod path;
mod raw;
mod records;
mod replay;
mod source;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use levada_core::connector::{CheckStep, Connection, Connector, Descriptor};
use levada_core::destination::{Destination, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::network::Guard;
use levada_core::source::Source;
use serde_json::Value;
use url::Url;

use client::Client;
use config::Settings;
use endpoint::Endpoint;

use crate::kit::off_limits::OffLimits;

/// The connector `http`.
pub struct Http {
    guard: Arc<Guard>,
    off_limits: OffLimits,
}

impl Http {
    /// A connector whose requests go where the guard lets them, and whose stored answers are none of what is off limits.
    pub fn new(guard: Arc<Guard>, off_limits: OffLimits) -> Self {
        Self { guard, off_limits }
    }
}

impl Connector for Http {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "http",
            title: "REST API",
            summary: "Endpoints of a JSON API over HTTP, page by page.",
            schemes: &["http", "https"],
            settings: config::schema(),
            namespaces: false,
            writes: &[WriteMode::Append],
            own_order: false,
            files: false,
        }
    }

    fn settings_from_url(&self, url: &Url) -> Result<Value> {
        config::from_url(url).map(Value::Object)
    }

    fn connect(&self, settings: Value) -> Result<Arc<dyn Connection>> {
        let settings = Settings::parse(settings)?;
        let client = Client::new(&settings, self.guard.clone())?;
        let off_limits = self.off_limits.clone();
        Ok(Arc::new(Remote { api: Arc::new(Api { settings, client, off_limits }) }))
    }
}

/// A configured API: what is known of it, and the way to it.
pub struct Api {
    settings: Settings,
    client: Client,
    off_limits: OffLimits,
}

impl Api {
    /// An endpoint by its name. Where none is declared, the name is the path.
    ///
    /// # Errors
    /// `NotFound`.
    fn endpoint(&self, name: &str) -> Result<Cow<'_, Endpoint>> {
        match self.settings.endpoints.get(name) {
            Some(endpoint) => Ok(Cow::Borrowed(endpoint)),
            None if self.settings.endpoints.is_empty() => Ok(Cow::Owned(Endpoint::default())),
            None => Err(Error::new(ErrorKind::NotFound, format!("there is no endpoint `{name}`"))),
        }
    }

    /// The URL of a path below the connection's own.
    ///
    /// # Errors
    /// `Config` for what is no path.
    fn url(&self, path: &str) -> Result<Url> {
        // never a URL by itself, whatever it holds
        let url = self.client.base().join(&format!("./{path}"));
        url.map_err(|_| config::wrong(format!("`{path}` is not a path")))
    }

    fn place(&self) -> String {
        self.client.shown(self.client.base())
    }
}

/// A connection to an API.
struct Remote {
    api: Arc<Api>,
}

impl Connection for Remote {
    fn address(&self) -> String {
        match &self.api.settings.replay {
            Some(stored) => format!("answers in {}", stored.root),
            None => self.api.place().trim_end_matches('/').to_owned(),
        }
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(self)
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async move {
            let started = Instant::now();
            let outcome = discover::check(&self.api).await;
            vec![CheckStep { step: "read", took: started.elapsed(), outcome }]
        })
    }
}
