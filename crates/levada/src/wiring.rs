//! Where the parts meet: the connectors of this build, what executes SQL, the TLS provider, and the runtime.

use std::sync::Arc;

use levada_connectors::OffLimits;
use levada_core::connector::Registry;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::network::Guard;
use levada_server::ui::Ui;
use tokio::runtime::{Builder, Runtime};

/// Every connector of this build, and what executes SQL over them, within the network rules of this process, and outside of what is off limits. Where those
/// rules are wrong, which is told to whoever starts work, no connector gets anywhere by them.
pub fn registry(off_limits: &OffLimits) -> Registry {
    let guard = crate::service::network().map_or_else(|_| Arc::new(Guard::closed()), |network| network.guard());
    let rule = off_limits.clone();
    levada_connectors::registry_within(guard, off_limits)
        .with(levada_lake::Delta::new(Arc::new(move |path| rule.check(path))))
        .with_queries(Arc::new(levada_sql::Sql::new()))
}

/// The runtime that connections need.
pub fn runtime() -> Result<Runtime> {
    quiet_tasks();
    // fails only where a provider is there already
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Error::new(ErrorKind::Internal, format!("the runtime does not start: {error}")))
}

/// Lets what the house has to say go to standard error.
pub fn log() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
}

/// A panic in a task ends that task, which is reported as an error; printed as well, it would be told twice and in words
/// for nobody.
fn quiet_tasks() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some("main") {
            print(panic);
        }
    }));
}

/// The pages for browsers: those of this build, and where it is none for use, those in the folder of the repository.
pub fn ui() -> Ui {
    #[cfg(has_ui)]
    let ui = Ui::Built(include!(concat!(env!("OUT_DIR"), "/ui.rs")));
    #[cfg(not(has_ui))]
    let ui = match cfg!(debug_assertions) {
        true => Ui::Folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/dist").into()),
        false => Ui::Missing,
    };
    ui
}
