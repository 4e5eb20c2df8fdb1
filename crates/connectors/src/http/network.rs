//! The way out: clients that connect only where the guard lets them, and what it means that a request did not get through.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::network::{Guard, Reach, Refusal};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use url::Url;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The network as one connection sees it.
pub struct Outgoing {
    guard: Arc<Guard>,
    reach: Reach,
    read_within: Duration,
    /// For other ports, and for the port where Levada itself answers. `None` if the system's certificates cannot be read.
    clients: [OnceLock<Option<Client>>; 2],
}

/// Looks names up, and gives only addresses that may be asked: those that are checked are those that are connected to.
struct Resolver {
    guard: Arc<Guard>,
    reach: Reach,
    is_own_port: bool,
}

impl Outgoing {
    /// As far as the settings say.
    pub fn new(guard: Arc<Guard>, private: bool, read_within: Duration) -> Self {
        let reach = if private { Reach::Private } else { Reach::Public };
        Self { guard, reach, read_within, clients: Default::default() }
    }

    /// What sends a request to this URL. It follows no redirect.
    ///
    /// # Errors
    /// `Refused` for an address that may not be asked; `Tls` if the certificates of this system cannot be read.
    pub fn client(&self, url: &Url) -> Result<&Client> {
        self.guard.check(url, self.reach)?;
        let is_own_port = self.guard.is_own_port(url.port_or_known_default());
        let client = self.clients[usize::from(is_own_port)].get_or_init(|| {
            let resolver = Resolver { guard: self.guard.clone(), reach: self.reach, is_own_port };
            Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_WITHIN)
                .read_timeout(self.read_within)
                // a proxy would look names up itself
                .no_proxy()
                .user_agent(concat!("levada/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Arc::new(resolver))
                .build()
                .ok()
        });
        client.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Tls, "the certificates of this system cannot be read")
                .advise("Install the package `ca-certificates`, or set SSL_CERT_FILE.")
        })
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, reach, is_own_port) = (self.guard.clone(), self.reach, self.is_own_port);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(guard.only(found, reach, is_own_port)?.into_iter());
            Ok(addresses)
        })
    }
}

/// What it means that a request did not get through. The URL is not told: it may hold a key.
pub fn failure(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let chain = || std::iter::successors(Some(&error as &(dyn StdError + 'static)), |&error| error.source());
    if let Some(refusal) = chain().find_map(|error| error.downcast_ref::<Refusal>().copied()) {
        return refusal.told();
    }
    let cause = chain().last().map(ToString::to_string).unwrap_or_default();
    if cause.contains("certificate") || cause.contains("HandshakeFailure") {
        return Error::new(ErrorKind::Tls, format!("the server's certificate was not accepted: {cause}"))
            .advise("Add its authority to those of this system, or set SSL_CERT_FILE.");
    }
    if error.is_builder() {
        return Error::new(ErrorKind::Config, format!("the request cannot be sent: {cause}"));
    }
    let what = if error.is_timeout() { "no answer in time".to_owned() } else { cause };
    Error::new(ErrorKind::Connect, what).advise("Check `url`, and the network of this worker.")
}
