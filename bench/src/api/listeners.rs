//! Many listeners of live events: how late they hear, and what they cost.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;

use super::server::Server;
use crate::Result;
use crate::places::Places;
use crate::runs::Figure;
use crate::runs::stores::{self, Kind};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LISTENERS: usize = 1_000;
/// How long events are made.
const TIME: Duration = Duration::from_secs(20);
/// The pause between starts of runs, each of which makes two events of its own; a start that came late is made up for.
const PAUSE: Duration = Duration::from_millis(20);
/// What a listener reads at once.
const READ_BYTES: usize = 4 << 10;
/// How long the last events may be on their way.
const QUIET: Duration = Duration::from_secs(2);

const PIPELINE: &str = "version: 1\nname: tick\ntasks:\n  rest: { wait: { for: 0s } }\n";

/// 1,000 clients hear of every run.
pub async fn listeners(places: &Places, kind: Kind) -> Result<Vec<Figure>> {
    let server = Server::start(places, &stores::location(places, kind)?).await?;
    server.apply(&[("levada.yaml", "version: 1\n"), ("pipelines/tick.yaml", PIPELINE)]).await?;
    let mut sockets = Vec::new();
    for _ in 0..LISTENERS {
        sockets.push(subscribed(&server).await?);
    }
    let stop = CancellationToken::new();
    let told = tokio::spawn(times_of(subscribed(&server).await?, stop.clone()));
    let heard: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(heard(socket, stop.clone()))).collect();
    let start = Instant::now();
    let mut beat = interval(PAUSE);
    while start.elapsed() < TIME {
        beat.tick().await;
        server.send("POST", "/api/v1/pipelines/tick/runs", &json!({})).await?;
    }
    let took = start.elapsed();
    tokio::time::sleep(QUIET).await;
    let memory = server.process.resident_mb();
    stop.cancel();
    let told = told.await??;
    let mut delays = Vec::new();
    for listener in heard {
        let heard = listener.await??;
        if heard.len() != told.len() {
            return Err(format!("one heard {} events, another {}", heard.len(), told.len()).into());
        }
        delays.extend(heard.iter().filter_map(|(id, at)| Some((at - told.get(id)?) as f64 / 1e3)));
    }
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays.get((delays.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Ok(vec![
        Figure::at_least("events a second to each", told.len() as f64 / took.as_secs_f64(), 95.0, "/s"),
        Figure::plain("delay, median", at(0.5), "ms"),
        Figure::at_most("delay, p99", at(0.99), 100.0, "ms"),
        Figure::at_most("memory of the server", memory, 300.0, "MB"),
    ])
}

/// A socket that hears of all runs.
async fn subscribed(server: &Server) -> Result<Socket> {
    let mut request = format!("ws://{}/api/v1/events", server.address).into_client_request()?;
    request.headers_mut().insert("authorization", server.authorization().parse()?);
    // all of it is cleared before each look
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
    let (mut socket, _) = connect_async_with_config(request, Some(config), true).await?;
    socket.send(Message::text(r#"{"subscribe": ["runs"]}"#)).await?;
    Ok(socket)
}

/// The instants at which events happened, in microseconds, by their number.
async fn times_of(mut socket: Socket, stop: CancellationToken) -> Result<HashMap<u64, i64>> {
    let mut times = HashMap::new();
    loop {
        let message = tokio::select! {
            message = socket.next() => message.ok_or("the server closed a socket")??,
            () = stop.cancelled() => return Ok(times),
        };
        let Message::Text(text) = message else { continue };
        let told: Value = serde_json::from_str(&text)?;
        let at = told["event"]["at"].as_str().map(levada_core::time::Timestamp::parse);
        if let (Some(id), Some(Some(at))) = (told["id"].as_u64(), at) {
            times.insert(id, at.as_micros());
        }
    }
}

/// The numbers of the events that one listener heard, each with the microsecond at which it did.
async fn heard(mut socket: Socket, stop: CancellationToken) -> Result<Vec<(u64, i64)>> {
    let mut heard = Vec::new();
    loop {
        let message = tokio::select! {
            message = socket.next() => message.ok_or("the server closed a socket")??,
            () = stop.cancelled() => return Ok(heard),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as i64;
        let Message::Text(text) = message else { continue };
        // as little as can be: there are many of them
        let digits = text.split_once("\"id\":").map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
        if let Some(Ok(id)) = digits.flatten().map(str::parse) {
            heard.push((id, now));
        }
    }
}
