//! What connectors share.

pub mod state;
