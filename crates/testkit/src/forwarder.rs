//! A TCP forwarder before a server. It can lose one answer: the request reaches the server, which acts on it, and the
//! connection breaks before the client hears of it. And it can let requests of a kind pass one at a time, for a server that
//! looks first and acts then.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Whether the bytes that a client sent in one piece are the request meant.
type Request = Box<dyn Fn(&[u8]) -> bool + Send>;

/// The address to connect to in place of the server's. Connections end with the forwarder.
pub struct Forwarder {
    address: SocketAddr,
    loss: Arc<Loss>,
    listening: JoinHandle<()>,
}

/// Whether a request is of a kind, by its first bytes.
type IsMeant = dyn Fn(&[u8]) -> bool + Send + Sync;

/// Requests of which the next one waits for the answer to the one before.
struct Gate {
    is_meant: Box<IsMeant>,
    way: Arc<tokio::sync::Mutex<()>>,
}

/// The answer to lose, and whether it got lost.
#[derive(Default)]
struct Loss {
    to: Mutex<Option<Request>>,
    has_happened: AtomicBool,
}

impl Forwarder {
    /// Listens, and connects each client to `server` (`host:port`).
    pub async fn to(server: &str) -> Self {
        Self::open(server, None).await
    }

    /// The same; requests whose first bytes are of this kind reach the server one at a time.
    pub async fn one_at_a_time(server: &str, is_meant: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self::open(server, Some(Arc::new(Gate { is_meant: Box::new(is_meant), way: Arc::default() }))).await
    }

    async fn open(server: &str, gate: Option<Arc<Gate>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let loss = Arc::new(Loss::default());
        let listening = tokio::spawn(listen(listener, server.to_owned(), loss.clone(), gate));
        Self { address, loss, listening }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, the answer to the first request of this kind is lost, and its connection with it.
    pub fn lose_answer_to(&self, is_meant: impl Fn(&[u8]) -> bool + Send + 'static) {
        *self.loss.to.lock().unwrap() = Some(Box::new(is_meant));
    }

    /// Whether the server had answered and the answer was not passed on.
    pub fn has_lost(&self) -> bool {
        self.loss.has_happened.load(Ordering::SeqCst)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Loss {
    /// Whether this is the request whose answer is to be lost; no other is after it.
    fn is_of(&self, piece: &[u8]) -> bool {
        self.to.lock().unwrap().take_if(|is_meant| is_meant(piece)).is_some()
    }
}

async fn listen(listener: TcpListener, server: String, loss: Arc<Loss>, gate: Option<Arc<Gate>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(forward(client, server.clone(), loss.clone(), gate.clone()));
    }
}

/// Carries bytes there and back until either side ends.
async fn forward(mut client: TcpStream, server: String, loss: Arc<Loss>, gate: Option<Arc<Gate>>) {
    let Ok(mut server) = TcpStream::connect(&server).await else { return };
    let (mut asked, mut answer) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut is_meant = false;
    let mut passing = None;
    loop {
        let sent = tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(bytes @ 1..) = read else { return };
                is_meant |= loss.is_of(&asked[..bytes]);
                if let Some(gate) = gate.as_ref().filter(|gate| (gate.is_meant)(&asked[..bytes])) {
                    passing = Some(gate.way.clone().lock_owned().await);
                }
                server.write_all(&asked[..bytes]).await
            }
            read = server.read(&mut answer) => {
                let Ok(bytes @ 1..) = read else { return };
                if is_meant {
                    loss.has_happened.store(true, Ordering::SeqCst);
                    // A reset, as from a machine that is gone, and not an orderly end.
                    client.set_zero_linger().unwrap();
                    return;
                }
                drop(passing.take());
                client.write_all(&answer[..bytes]).await
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
