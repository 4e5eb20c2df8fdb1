//! The systems Levada can talk to: one folder per connector, and the list of them.

mod files;
mod kit;
mod mysql;
mod postgres;
mod sqlite;

use levada_core::connector::Registry;

/// Every connector of this build.
pub fn registry() -> Registry {
    Registry::default().with(files::FilesConnector).with(mysql::Mysql).with(postgres::Postgres).with(sqlite::Sqlite)
}
