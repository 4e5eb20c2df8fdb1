//! How long the web UI waits for its lists, with much behind them.

use std::time::Instant;

use levada_store::Store;

use super::client::Client;
use super::requests::{PAST, PIPELINE};
use super::server::Server;
use crate::measure::median;
use crate::places::Places;
use crate::runs::stores::{self, Kind};
use crate::runs::{Figure, ms};
use crate::{Result, say};

/// How often each list is asked for.
const TIMES: usize = 11;
/// Pipelines that the lists go over.
const PIPELINES: usize = 1_000;
/// What the pages ask for, also what hardly is there.
const LISTS: &[&str] = &[
    "overview",
    "pipelines?limit=1000",
    "pipelines?search=p77",
    "pipelines?last=failed&sort=-last_run",
    "recent-runs",
    "runs?limit=1000",
    "runs?pipeline=p7&limit=1000",
    "runs?state=failed&sort=created",
    "runs?cause=backfill",
    "runs?until=1970-01-01T00:00:00.001Z",
    "runs?search=p77",
    "runs?search=nothing%20is%20called%20so",
    "search?q=p77",
];

/// Every list over 1,000 pipelines and 100,000 runs; the slowest counts.
pub async fn lists(places: &Places, kind: Kind) -> Result<Vec<Figure>> {
    let location = stores::location(places, kind)?;
    let server = Server::start(places, &location).await?;
    let named = |n| (format!("pipelines/p{n}.yaml"), PIPELINE.replace("nightly", &format!("p{n}")));
    let pipelines: Vec<(String, String)> = (0..PIPELINES).map(named).collect();
    let project = ("levada.yaml", "version: 1\n");
    let documents = pipelines.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    server.apply(&std::iter::once(project).chain(documents).collect::<Vec<_>>()).await?;
    let store = Store::open(&location).await.map_err(|error| error.to_string())?;
    let document = store.pipelines().await.map_err(|error| error.to_string())?.first().ok_or("no pipeline")?.document;
    stores::fill(&location, &format!("'p' || (n % {PIPELINES})"), document, PAST).await?;
    let mut client = Client::connect(server.address).await?;
    let mut slowest = (0.0, "");
    for list in LISTS {
        let request = server.request("GET", &format!("/api/v1/{list}"), b"");
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let start = Instant::now();
            let answer = client.ask(&request).await?;
            times.push(ms(start.elapsed()));
            if answer.status != 200 {
                return Err(format!("{list}: {}", String::from_utf8_lossy(answer.body)).into());
            }
        }
        let time = median(times);
        say(&format!("    {time:.1} ms {list}"));
        if time > slowest.0 {
            slowest = (time, list);
        }
    }
    Ok(vec![Figure::at_most(&format!("slowest list, `{}`", slowest.1), slowest.0, 300.0, "ms")])
}
