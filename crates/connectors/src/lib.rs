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

pub use kit::off_limits::OffLimits;

/// Every connector of this build, with the network rules that hold where nobody says anything.
pub fn registry() -> Registry {
    registry_within(Arc::default(), &OffLimits::default())
}

/// Every connector of this build; those whose addresses come from documents or from answers go where the guard lets them,
/// and those that open files stay out of what is off limits.
pub fn registry_within(guard: Arc<Guard>, off_limits: &OffLimits) -> Registry {
    Registry::default()
        .with(files::FilesConnector::new(off_limits.clone()))
        .with(http::Http::new(guard, off_limits.clone()))
        .with(mysql::Mysql)
        .with(postgres::Postgres)
        .with(sqlite::Sqlite::new(off_limits.clone()))
}
