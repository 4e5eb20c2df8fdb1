//! Where the parts meet: the connectors of this build, the TLS provider, and the runtime.

use levada_core::connector::Registry;
use levada_core::error::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};

/// Every connector of this build.
pub fn registry() -> Registry {
    levada_connectors::registry()
}

/// The runtime that connections need.
pub fn runtime() -> Result<Runtime> {
    // fails only where a provider is there already
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Error::new(ErrorKind::Internal, format!("the runtime does not start: {error}")))
}
