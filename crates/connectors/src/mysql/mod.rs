//! MySQL and MariaDB: tables as streams. Reads one consistent view with several readers over ranges of the key; writes
//! with LOAD DATA LOCAL from memory, data and position in one act.

mod apply;
mod backup;
mod check;
mod config;
mod create;
mod cursor;
mod decode;
mod design;
mod destination;
mod discover;
mod encode;
mod error;
mod fit;
mod load;
mod native;
mod note;
mod only;
mod query;
mod rows;
mod session;
mod source;
mod state;
mod wire;
mod writer;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use levada_core::backup::Database;
use levada_core::connector::{CheckStep, Connection, Connector, Descriptor};
use levada_core::destination::{Destination, WriteMode};
use levada_core::error::Result;
use levada_core::rows::Rows;
use levada_core::source::Source;
use serde_json::{Map, Value};
use url::Url;

use config::{Config, Settings};

/// The connector for MySQL and MariaDB.
pub struct Mysql;

impl Connector for Mysql {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "mysql",
            title: "MySQL / MariaDB",
            summary: "Tables of a MySQL (8) or MariaDB (10.5 and later) database.",
            schemes: &["mysql", "mariadb"],
            settings: schemars::schema_for!(Settings).into(),
            namespaces: false,
            writes: &[WriteMode::Replace, WriteMode::Append, WriteMode::Merge],
            own_order: false,
            files: false,
        }
    }

    fn settings_from_url(&self, url: &Url) -> Result<Value> {
        config::from_url(url)
    }

    fn connect(&self, settings: Value) -> Result<Arc<dyn Connection>> {
        Ok(Arc::new(MysqlConnection { config: Arc::new(Config::parse(settings)?), view: None }))
    }
}

struct MysqlConnection {
    config: Arc<Config>,
    /// The view that is read, where it is not the present.
    view: Option<Arc<backup::View>>,
}

impl Connection for MysqlConnection {
    fn address(&self) -> String {
        self.config.address()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(source::MysqlSource { config: self.config.clone(), view: self.view.clone() }))
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(destination::MysqlDestination { config: self.config.clone() }))
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        check::steps(&self.config).boxed()
    }

    fn query<'a>(&'a self, sql: &'a str, rows_max: usize) -> BoxFuture<'a, Result<Vec<Map<String, Value>>>> {
        query::run(&self.config, sql, rows_max).boxed()
    }

    fn database(self: Arc<Self>) -> Result<Arc<dyn Database>> {
        Ok(self)
    }

    fn rows(self: Arc<Self>) -> Result<Arc<dyn Rows>> {
        Ok(Arc::new(crate::kit::rows::Served::new(rows::Served::new(self.config.clone()))))
    }
}
