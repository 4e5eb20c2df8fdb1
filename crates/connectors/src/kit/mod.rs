//! What connectors share.

pub mod ahead;
pub mod query;
pub mod state;
pub mod tls;
pub mod url;
