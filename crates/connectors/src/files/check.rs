//! Tries a root step by step: for a service in a network its name, port and encryption, then whether the root lists, whether
//! the first file reads, and whether files may be written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use levada_core::connector::CheckStep;
use levada_core::error::{Error, ErrorKind, Result};
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use super::blocking;
use super::listing::is_data;
use super::place;
use super::settings::{Root, Settings};
use crate::kit::tls::{Tls, client_config};

/// As long does one step of the network take.
const STEP_MAX: Duration = Duration::from_secs(10);

/// Runs the steps; the last one is the first that failed.
pub fn check(settings: Arc<Settings>) -> BoxFuture<'static, Vec<CheckStep>> {
    Box::pin(async move {
        let mut steps = Vec::new();
        let opened = {
            let settings = settings.clone();
            timed(&mut steps, "open", move || {
                let root = place::open(&settings)?;
                let address = root.place.address();
                Ok((root, address))
            })
            .await
        };
        let Some(root) = opened else { return steps };
        if let Some(service) = service(&settings)
            && !reach(&mut steps, &service).await
        {
            return steps;
        }
        let lister = root.clone();
        let listed = timed(&mut steps, "list", move || {
            let files = match &lister.single {
                Some(name) => lister.place.look(name)?.into_iter().collect(),
                None => lister.place.list("")?,
            };
            let data: Vec<_> = files.into_iter().filter(is_data).collect();
            let note = match data.len() {
                0 => "no files yet".to_owned(),
                1 => "1 file".to_owned(),
                many => format!("{many} files"),
            };
            Ok((data, note))
        })
        .await;
        let Some(files) = listed else { return steps };
        let writer = root.place.clone();
        if let Some(file) = files.into_iter().next() {
            let read = timed(&mut steps, "read", move || {
                let mut byte = [0];
                std::io::Read::read(&mut root.place.stream(&file)?, &mut byte)?;
                Ok(((), format!("`{}` can be read", file.path)))
            });
            if read.await.is_none() {
                return steps;
            }
        }
        timed(&mut steps, "write", move || Ok(((), writer.try_writing()?))).await;
        steps
    })
}

/// The service, where it is in a network and is asked without anything in between.
fn service(settings: &Settings) -> Option<Url> {
    let endpoint = settings.endpoint.as_ref().filter(|_| matches!(settings.place(), Ok(Root::S3 { .. })))?;
    // A proxy knows names and reaches ports that this machine does not.
    let is_direct = ["https_proxy", "http_proxy", "all_proxy"]
        .iter()
        .all(|name| std::env::var_os(name).or_else(|| std::env::var_os(name.to_uppercase())).is_none());
    Url::parse(endpoint).ok().filter(|_| is_direct)
}

/// Name, port and encryption of a service; whether all of them are right.
async fn reach(steps: &mut Vec<CheckStep>, service: &Url) -> bool {
    let (host, port) = (service.host_str().unwrap_or_default(), service.port_or_known_default().unwrap_or(443));
    let start = Instant::now();
    let resolved = within(lookup_host((bare(host), port))).await.map(|found| {
        let addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
        format!("{host} is {}", addresses.join(", "))
    });
    let resolved = resolved.map_err(|why| {
        Error::new(ErrorKind::Connect, format!("the name `{host}` is not known: {why}")).advise("Check `endpoint`.")
    });
    if !noted(steps, "name", start, resolved) {
        return false;
    }
    let start = Instant::now();
    let connected = match within(TcpStream::connect((bare(host), port))).await {
        Ok(connected) => connected,
        Err(why) => {
            let error = Error::new(ErrorKind::Connect, format!("port {port} of `{host}` does not answer: {why}"));
            return noted(steps, "tcp", start, Err(error.advise("Check `endpoint`, the service and the firewall.")));
        }
    };
    noted(steps, "tcp", start, Ok(format!("port {port} answers")));
    noted(steps, "tls", Instant::now(), encrypt(service, connected).await)
}

/// An address of IPv6 without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

async fn within<T>(work: impl Future<Output = std::io::Result<T>>) -> std::result::Result<T, String> {
    match timeout(STEP_MAX, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer in {} seconds", STEP_MAX.as_secs())),
    }
}

async fn encrypt(service: &Url, connected: TcpStream) -> Result<String> {
    if service.scheme() != "https" {
        return Ok(Tls::Disable.in_words().to_owned());
    }
    let host = bare(service.host_str().unwrap_or_default()).to_owned();
    let name = ServerName::try_from(host)
        .map_err(|_| Error::new(ErrorKind::Config, "the host of `endpoint` can be on no certificate"))?;
    let connector = TlsConnector::from(Arc::new(client_config(Tls::VerifyFull, None)?));
    match within(connector.connect(name, connected)).await {
        Ok(_) => Ok(Tls::VerifyFull.in_words().to_owned()),
        Err(why) => Err(Error::new(ErrorKind::Tls, format!("the service's certificate was not accepted: {why}"))
            .advise("Add its authority to those of this system, or set SSL_CERT_FILE.")),
    }
}

fn noted(steps: &mut Vec<CheckStep>, step: &'static str, start: Instant, outcome: Result<String>) -> bool {
    let is_good = outcome.is_ok();
    steps.push(CheckStep { step, took: start.elapsed(), outcome });
    is_good
}

async fn timed<T: Send + 'static>(
    steps: &mut Vec<CheckStep>,
    step: &'static str,
    work: impl FnOnce() -> Result<(T, String)> + Send + 'static,
) -> Option<T> {
    let start = Instant::now();
    let (value, outcome) = match blocking(work).await {
        Ok((value, note)) => (Some(value), Ok(note)),
        Err(error) => (None, Err(error)),
    };
    noted(steps, step, start, outcome);
    value
}
