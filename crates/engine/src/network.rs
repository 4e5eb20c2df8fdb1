//! Requests of tasks, within the rules of [`levada_core::network`]. A name is looked up once, and the addresses that were
//! checked are those that are connected to: a name that changes its mind in between gains nothing. Whoever asks checks every
//! place that a redirect leads to.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use levada_core::error::{Context as _, Error, ErrorKind, Result};
pub use levada_core::network::{Guard, Range, Reach, Refusal, Rules};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use url::Url;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long an answer may stand still.
const READ_WITHIN: Duration = Duration::from_secs(300);

/// The network as requests see it.
#[derive(Default)]
pub struct Network {
    guard: Arc<Guard>,
    /// Clients keep connections open and hold the system's certificates, which takes a while to read: one for all requests
    /// of a kind. `None` if the certificates cannot be read.
    clients: [OnceLock<Option<Client>>; 3],
}

/// Looks names up, and gives only addresses that may be asked.
pub struct Resolver {
    guard: Arc<Guard>,
    reach: Reach,
    is_own_port: bool,
}

impl Network {
    /// With the rules of whoever runs this process.
    pub fn new(rules: Rules) -> Self {
        Self { guard: Arc::new(Guard::new(rules)), ..Self::default() }
    }

    /// The rules, for whoever sends requests by other means.
    pub fn guard(&self) -> Arc<Guard> {
        self.guard.clone()
    }

    /// Says at which port of this machine Levada answers, where no request of a document is to go.
    pub fn answers_at(&self, port: u16) {
        self.guard.answers_at(port);
    }

    /// Says at which ports of this machine other processes of Levada answer now.
    pub fn others_answer_at(&self, ports: Vec<u16>) {
        self.guard.others_answer_at(ports);
    }

    /// What sends a request to this URL. It follows no redirect.
    ///
    /// # Errors
    /// `Refused` for an address that may not be asked; `Tls` if the certificates of this system cannot be read.
    pub fn client(&self, url: &Url, reach: Reach) -> Result<&Client> {
        self.check(url, reach)?;
        let is_own_port = self.guard.is_own_port(url.port_or_known_default());
        let kind = match (reach, is_own_port) {
            (Reach::Public, _) => &self.clients[0],
            (Reach::Private, false) => &self.clients[1],
            (Reach::Private, true) => &self.clients[2],
        };
        let client = kind.get_or_init(|| {
            let builder = Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_WITHIN)
                .read_timeout(READ_WITHIN)
                .no_proxy()
                .user_agent(concat!("levada/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(self.resolver(reach, is_own_port));
            builder.build().ok()
        });
        client.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Tls, "the certificates of this system cannot be read")
                .advise("Install the package `ca-certificates`, or set SSL_CERT_FILE.")
        })
    }

    /// What looks names up for somebody else's client, whose URLs [`Network::check`] has seen.
    pub fn resolver(&self, reach: Reach, is_own_port: bool) -> Arc<Resolver> {
        Arc::new(Resolver { guard: self.guard.clone(), reach, is_own_port })
    }

    /// Refuses a URL with an address in place of a name, where that may not be asked. A name is checked where it is looked
    /// up.
    ///
    /// # Errors
    /// `Refused`.
    pub fn check(&self, url: &Url, reach: Reach) -> Result<()> {
        self.guard.check(url, reach)
    }

    /// The addresses of a host that may be connected to.
    ///
    /// # Errors
    /// `Refused` if there is none; `Connect` where the name is not known.
    pub async fn lookup(&self, host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((host, port))
                .await
                .map_err(|error| Error::new(ErrorKind::Connect, error.to_string()))
                .at(host)?
                .collect(),
        };
        self.guard.only(found, reach, self.guard.is_own_port(Some(port))).map_err(|refusal| refusal.told().at(host))
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

/// What it means that a request was not sent, if that is because of where it was to go.
pub fn refused(error: &reqwest::Error) -> Option<Error> {
    let mut chain = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |&error| error.source());
    chain.find_map(|error| error.downcast_ref::<Refusal>().copied()).map(Refusal::told)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_name_is_checked_by_what_it_leads_to() {
        let network = Network::default();
        let found = network.lookup("localhost", 80, Reach::Public).await.unwrap_err();
        assert!(found.advice().contains("private: true"), "{found}");
        assert!(network.lookup("localhost", 80, Reach::Private).await.is_ok());
        network.answers_at(80);
        assert_eq!(network.lookup("localhost", 80, Reach::Private).await.unwrap_err().kind(), ErrorKind::Refused);
        assert!(network.lookup("localhost", 81, Reach::Private).await.is_ok());
        network.others_answer_at(vec![81]);
        assert_eq!(network.lookup("localhost", 81, Reach::Private).await.unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(network.lookup("localhost", 80, Reach::Private).await.unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(network.lookup("[fe80::1]", 81, Reach::Private).await.unwrap_err().kind(), ErrorKind::Refused);
    }
}
