//! Answers the network: connections in bounded number, TLS or plain, headers in bounded time and size.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::guard::{self, Peer};
use crate::problem::Problem;

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 20_000;
/// How long the head of a request may take to come, also the first byte of the next one on a kept connection.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The longest head of a request, its names and values counted.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// How much longer, and fuller, a head may be so that it is read and refused in words.
const READ_FOR_REFUSAL: usize = 2;
/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long requests that are being answered have when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// How the server is reached.
#[derive(Clone, Default)]
pub struct Door {
    /// TLS; plain connections without it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Proxies whose word on who asks is taken.
    pub proxies: Vec<IpAddr>,
}

/// TLS with a certificate chain and its key, both PEM.
///
/// # Errors
/// `Config` for files that hold something else; as of reading them.
pub fn tls(chain: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>> {
    let read = |path: &Path| std::fs::read(path).at(path.display().to_string());
    let wrong = |path: &Path, what: &str| {
        Error::new(ErrorKind::Config, format!("there is no {what} in the file"))
            .at(path.display().to_string())
            .advise("Give it as PEM.")
    };
    let certificates = CertificateDer::pem_slice_iter(&read(chain)?).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.ok().filter(|found| !found.is_empty());
    let certificates = certificates.ok_or_else(|| wrong(chain, "certificate"))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| wrong(key, "private key"))?;
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, private);
    let config = config.map_err(|error| {
        Error::new(ErrorKind::Config, format!("the key does not fit the certificate: {error}"))
            .at(key.display().to_string())
            .advise("Give the key that the certificate was made for.")
    });
    config.map(Arc::new)
}

/// Answers connections until told to stop, then lets requests end.
pub async fn serve(listener: TcpListener, router: axum::Router, door: Door, stop: CancellationToken) {
    let (room, tracker) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), TaskTracker::new());
    let door = Arc::new(door);
    loop {
        let accepted = async {
            // closes never
            let permit = room.clone().acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of file descriptors: those who are served must end first
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, door, stop) = (router.clone(), door.clone(), stop.clone());
        tracker.spawn(async move {
            greet(stream, address, router, door, stop).await;
            drop(permit);
        });
    }
    tracker.close();
    let _ = tokio::time::timeout(DRAIN_TIME, tracker.wait()).await;
}

async fn greet(stream: TcpStream, address: SocketAddr, router: axum::Router, door: Arc<Door>, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = door.tls.clone() else { return talk(stream, address, false, router, door, stop).await };
    match tokio::time::timeout(HANDSHAKE_TIME, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => talk(stream, address, true, router, door, stop).await,
        Ok(Err(error)) => tracing::debug!("{address}: no TLS: {error}"),
        Err(_) => tracing::debug!("{address}: the TLS handshake took too long"),
    }
}

/// Answers the requests of one connection.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    is_tls: bool,
    router: axum::Router,
    door: Arc<Door>,
    stop: CancellationToken,
) {
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (mut request, router): (Request, _) = (request.map(Body::new), router.clone());
        let peer = peer(address.ip(), is_tls, request.headers(), &door.proxies);
        request.extensions_mut().insert(peer);
        async move {
            if !is_head_in_limits(&request) {
                let mut response = Problem::HeadTooLarge(HEAD_BYTES_MAX, HEADERS_MAX).into_response();
                guard::secure(response.headers_mut(), peer.is_tls);
                return Ok(response);
            }
            router.oneshot(request).await
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    http.max_buf_size(READ_FOR_REFUSAL * HEAD_BYTES_MAX).max_headers(READ_FOR_REFUSAL * HEADERS_MAX);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn is_head_in_limits(request: &Request) -> bool {
    let place = request.uri().path_and_query().map_or(0, |place| place.as_str().len());
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    place + lines.sum::<usize>() <= HEAD_BYTES_MAX && request.headers().len() <= HEADERS_MAX
}

/// Where a request came from. A proxy that is trusted says it; of several addresses the last one that is no proxy counts,
/// because whatever stands before it was said by the client.
fn peer(address: IpAddr, is_tls: bool, headers: &HeaderMap, proxies: &[IpAddr]) -> Peer {
    if !proxies.contains(&address) {
        return Peer { address, is_tls };
    }
    let text = |name: &str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let said = text("x-forwarded-for").flat_map(|line| line.split(',')).filter_map(|part| part.trim().parse().ok());
    let said: Vec<IpAddr> = said.collect();
    let client = said.iter().rev().find(|said| !proxies.contains(said)).copied();
    let is_tls =
        is_tls || text("x-forwarded-proto").next_back().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    Peer { address: client.unwrap_or(address), is_tls }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(from: &str, forwarded: &str) -> IpAddr {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        peer(from.parse().unwrap(), false, &headers, &proxies).address
    }

    #[test]
    fn only_proxies_are_believed() {
        assert_eq!(asked("192.0.2.7", "127.0.0.1").to_string(), "192.0.2.7");
        assert_eq!(asked("10.0.0.1", "127.0.0.1, 192.0.2.7").to_string(), "192.0.2.7");
        assert_eq!(asked("10.0.0.1", "127.0.0.1, 192.0.2.7, 10.0.0.2").to_string(), "192.0.2.7");
        assert_eq!(asked("10.0.0.1", "nonsense").to_string(), "10.0.0.1");
    }
}
