//! The systems Levada can talk to: one folder per connector, and the list of them.

mod files;
mod http;
mod kit;
mod mysql;
mod postgres;
mod sqlite;

use std::sync::Arc;

use levada_core::connector::Registry;
use levada_core::network::Guard;

/// Every connector of this build, with the network rules that hold where nobody says anything.
pub fn registry() -> Registry {
    registry_within(Arc::default())
}

/// Every connector of this build; those whose addresses come from documents or from answers go where the guard lets them.
pub fn registry_within(guard: Arc<Guard>) -> Registry {
    Registry::default()
        .with(files::FilesConnector)
        .with(http::Http::new(guard))
        .with(mysql::Mysql)
        .with(postgres::Postgres)
        .with(sqlite::Sqlite)
}
