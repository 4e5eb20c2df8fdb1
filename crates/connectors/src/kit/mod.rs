//! What connectors share.

pub mod ahead;
pub mod off_limits;
pub mod query;
pub mod rows;
pub mod state;
pub mod tls;
pub mod url;
