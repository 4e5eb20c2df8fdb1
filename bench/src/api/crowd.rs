//! A crowd that keeps its connections open, while the same process moves rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::{Client, header};
use super::server::Server;
use crate::Result;
use crate::measure::median;
use crate::places::{LEVADA, Places, SOURCE};
use crate::runs::Figure;
use crate::runs::stores::{self, Kind};

const CLIENTS: usize = 10_000;
/// How long they stay.
const TIME: Duration = Duration::from_secs(300);
/// The pause of each between two requests.
const PAUSE: Duration = Duration::from_secs(10);
/// How often rows are moved without a crowd.
const ALONE: usize = 3;

/// What came of the crowd's requests.
#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    /// Told to come again later, and when.
    later: AtomicU64,
    wrong: AtomicU64,
}

/// 10,000 clients for five minutes, beside loads from PostgreSQL to PostgreSQL.
pub async fn crowd(places: &Places, kind: Kind) -> Result<Vec<Figure>> {
    let server = Server::start(places, &stores::location(places, kind)?).await?;
    places.fresh_postgres(LEVADA)?;
    let project = format!(
        "version: 1\nconnections:\n  source: {{ type: postgres, url: \"{}\" }}\n  target: {{ type: postgres, url: \"{}\" }}\n",
        places.postgres_url(SOURCE),
        places.postgres_url(LEVADA)
    );
    let load = "version: 1\nname: load\nsync: { from: source, to: target, streams: [lineitem] }\n";
    server.apply(&[("levada.yaml", &project), ("pipelines/load.yaml", load)]).await?;
    loaded(&server).await?;
    let mut alone = Vec::new();
    for _ in 0..ALONE {
        alone.push(loaded(&server).await?);
    }
    let (counts, is_over) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
    let request: Arc<[u8]> = server.request("GET", "/api/v1/pipelines/load", b"").into();
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client::connect(server.address).await?;
        // spread over the pause, as people are
        let first = PAUSE * number as u32 / CLIENTS as u32;
        clients.spawn(stay(client, request.clone(), first, counts.clone(), is_over.clone()));
    }
    let (start, mut among) = (Instant::now(), Vec::new());
    while start.elapsed() < TIME {
        among.push(loaded(&server).await?);
    }
    is_over.store(true, Relaxed);
    while clients.join_next().await.is_some() {}
    let memory = server.process.resident_mb();
    let (answered, later, wrong) =
        (counts.answered.load(Relaxed), counts.later.load(Relaxed), counts.wrong.load(Relaxed));
    Ok(vec![
        Figure::at_least("requests answered", answered as f64, (CLIENTS * 10) as f64, ""),
        Figure::plain("told to come again later", later as f64, ""),
        Figure::at_most("errors", wrong as f64, 0.0, ""),
        Figure::at_least("rows a second, against without them", median(alone) / median(among), 0.8, "x"),
        Figure::plain("memory of the server", memory, "MB"),
    ])
}

/// One of the crowd.
async fn stay(mut client: Client, request: Arc<[u8]>, first: Duration, counts: Arc<Counts>, is_over: Arc<AtomicBool>) {
    tokio::time::sleep(first).await;
    while !is_over.load(Relaxed) {
        let counter = match client.ask(&request).await {
            Ok(answer) if answer.status == 200 => &counts.answered,
            Ok(answer) if matches!(answer.status, 429 | 503) && header(answer.head, "retry-after").is_some() => {
                &counts.later
            }
            Ok(_) => &counts.wrong,
            Err(_) => {
                counts.wrong.fetch_add(1, Relaxed);
                return;
            }
        };
        counter.fetch_add(1, Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Seconds of one load of all rows.
async fn loaded(server: &Server) -> Result<f64> {
    let started = server.send("POST", "/api/v1/pipelines/load/runs", &json!({})).await?;
    let path = format!("/api/v1/runs/{}", started["id"]);
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let run = server.send("GET", &path, &Value::Null).await?;
        match run["state"].as_str() {
            Some("succeeded") => return seconds(&run),
            Some("failed" | "cancelled") => return Err(format!("a load came to nothing: {run}").into()),
            _ => {}
        }
    }
}

/// From the start of a run to its end, as the server tells them.
fn seconds(run: &Value) -> Result<f64> {
    let at = |name: &str| {
        let at = run[name].as_str().and_then(levada_core::time::Timestamp::parse);
        at.map(|at| at.as_micros()).ok_or_else(|| format!("no {name} in {run}"))
    };
    Ok((at("ended_at")? - at("started_at")?) as f64 / 1e6)
}
