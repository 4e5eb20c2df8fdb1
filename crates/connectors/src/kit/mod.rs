//! What connectors share.

pub mod state;
pub mod tls;
pub mod url;
