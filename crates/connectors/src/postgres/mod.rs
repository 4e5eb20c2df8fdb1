//! PostgreSQL 12 to 18, as source and destination: binary COPY both ways, parallel readers under one snapshot, and loads
//! that commit data and position in one transaction.

mod backup;
mod catalog;
mod check;
mod config;
mod destination;
mod discover;
mod error;
mod query;
mod rows;
mod session;
mod source;
mod sql;
mod types;

use std::sync::Arc;

use arrow_schema::Field;
use futures_util::future::BoxFuture;
use levada_core::backup::{self as core_backup, Found, Snapshot, Structure};
use levada_core::batch::Reject;
use levada_core::connector::{CheckStep, Connection, Connector, Descriptor};
use levada_core::destination::{Destination, Load, LoadPlan, LoadSpec, WriteMode};
use levada_core::error::Result;
use levada_core::naming::{LengthUnit, NameRules};
use levada_core::position::{Commit, StreamKey};
use levada_core::rows::Rows;
use levada_core::source::{Extract, ReadRequest, Source, StreamInfo};
use serde_json::{Map, Value};
use url::Url;

use self::backup::Pinned;
use self::config::Settings;
use crate::kit::state::REJECTS;

/// The PostgreSQL connector.
pub struct Postgres;

impl Connector for Postgres {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "postgres",
            title: "PostgreSQL",
            summary: "Tables and views of PostgreSQL 12 to 18, read and written through binary COPY.",
            schemes: &["postgres", "postgresql"],
            settings: schemars::schema_for!(Settings).to_value(),
            namespaces: true,
            writes: &[WriteMode::Replace, WriteMode::Append, WriteMode::Merge],
            own_order: false,
            files: false,
        }
    }

    fn settings_from_url(&self, url: &Url) -> Result<Value> {
        config::from_url(url)
    }

    fn connect(&self, settings: Value) -> Result<Arc<dyn Connection>> {
        Ok(Arc::new(Database { settings: Settings::parse(settings)?, pinned: None }))
    }
}

/// One configured database.
struct Database {
    settings: Settings,
    /// The one view that everything is read of, if it is bound to one.
    pinned: Option<Arc<Pinned>>,
}

impl Connection for Database {
    fn address(&self) -> String {
        self.settings.address()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(self)
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(check::check(&self.settings))
    }

    fn query<'a>(&'a self, sql: &'a str, rows_max: usize) -> BoxFuture<'a, Result<Vec<Map<String, Value>>>> {
        Box::pin(query::run(&self.settings, sql, rows_max))
    }

    fn database(self: Arc<Self>) -> Result<Arc<dyn core_backup::Database>> {
        Ok(self)
    }

    fn rows(self: Arc<Self>) -> Result<Arc<dyn Rows>> {
        Ok(Arc::new(crate::kit::rows::Served::new(rows::Served::new(self.settings.clone()))))
    }
}

impl core_backup::Database for Database {
    fn system(&self) -> &'static str {
        types::SYSTEM
    }

    fn snapshot<'a>(&'a self, tables: &'a [String]) -> BoxFuture<'a, Result<Snapshot>> {
        Box::pin(backup::snapshot(&self.settings, tables))
    }

    fn prepare<'a>(&'a self, structure: &'a Structure, replace: bool) -> BoxFuture<'a, Result<Vec<Found>>> {
        Box::pin(backup::prepare(&self.settings, structure, replace))
    }

    fn finish<'a>(&'a self, structure: &'a Structure) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(backup::finish(&self.settings, structure))
    }
}

impl Source for Database {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let mut streams = discover::discover(&self.settings, selector).await?;
            if let Some(pinned) = &self.pinned {
                streams.iter_mut().for_each(|stream| pinned.retype(stream));
            }
            Ok(streams)
        })
    }

    fn check_cursor(&self, column: &Field, lag: Option<&str>) -> Result<()> {
        source::check_cursor(column, lag)
    }

    fn reads_as_text(&self, column: &Field) -> bool {
        source::reads_as_text(column)
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(source::read(&self.settings, self.pinned.as_deref(), request))
    }
}

impl Destination for Database {
    fn name_rules(&self) -> NameRules {
        NameRules { length_max: 63, unit: LengthUnit::Bytes, ignores_case: false, forbidden: &['\0'] }
    }

    fn columns_max(&self) -> usize {
        1_600
    }

    fn target(&self, namespace: Option<&str>, table: &str) -> String {
        sql::stream_name(namespace.unwrap_or(&self.settings.schema), table)
    }

    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        Box::pin(destination::describe(&self.settings, target))
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        Box::pin(destination::plan(&self.settings, spec))
    }

    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        Box::pin(destination::committed(&self.settings, key))
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        Box::pin(destination::commits(&self.settings))
    }

    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        Box::pin(destination::forget(&self.settings, key))
    }

    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        Box::pin(destination::rejects(&self.settings, load_id, skip, limit))
    }

    fn quarantine(&self, _target: &str, _load_id: &str) -> Option<String> {
        Some(sql::stream_name(&self.settings.schema, REJECTS))
    }

    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        Box::pin(destination::begin(&self.settings, spec, plan))
    }
}
