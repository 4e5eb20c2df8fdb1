//! Requests one by one: how many a second, and how long, against the least that the same answer can cost.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use levada_store::{Location, Store};
use serde_json::{Value, json};
use url::Url;

use super::bare::Bare;
use super::client::Client;
use super::server::Server;
use crate::Result;
use crate::measure::median;
use crate::places::{LEVADA, Places};
use crate::runs::stores::{self, Kind};
use crate::runs::{Figure, ms};

/// How long they ask.
const TIME: Duration = Duration::from_secs(3);
/// How often a single request is timed.
const TIMES: usize = 200;
/// Runs that lie behind.
pub const PAST: u32 = 100_000;

/// A pipeline that waits for its night.
pub const PIPELINE: &str = "version: 1\nname: nightly\ndescription: Does nothing, every night\ntags: [bench]\n\
                        schedule: { cron: '0 3 * * *' }\ntasks:\n  rest: { wait: { for: 1s } }\n";

/// Authenticated requests for one pipeline by as many clients as there are tokens, beside a server with nothing behind it.
pub async fn rate(places: &Places, kind: Kind, runs: usize) -> Result<Vec<Figure>> {
    let server = Server::start(places, &stores::location(places, kind)?).await?;
    server.apply(&[("levada.yaml", "version: 1\n"), ("pipelines/nightly.yaml", PIPELINE)]).await?;
    let path = "/api/v1/pipelines/nightly";
    let answer = Client::connect(server.address).await?.ask(&server.request("GET", path, b"")).await?.body.to_vec();
    let bare = Bare::start(&places.scratch, &answer)?;
    let (mut own, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        own.push(asked(server.address, server.requests("GET", path), answer.len()).await?);
        // the same headers come in, though nobody looks at them
        floor.push(asked(bare.address, server.requests("GET", "/"), answer.len()).await?);
    }
    let (own, floor) = (median(own), median(floor));
    Ok(vec![
        Figure::at_least("against a bare axum handler with the same bytes", own / floor, 0.5, "x"),
        Figure::at_least("requests a second", own, 5_000.0, "/s"),
    ])
}

/// Requests a second of clients that each send one of them again and again, and all have to get an answer of this length.
async fn asked(address: SocketAddr, requests: Vec<Vec<u8>>, bytes: usize) -> Result<f64> {
    let start = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for request in requests {
        clients.spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut count = 0_u64;
            while start.elapsed() < TIME {
                let answer = client.ask(&request).await?;
                if answer.status != 200 || answer.body.len() != bytes {
                    return Err(format!("status {}", answer.status).into());
                }
                count += 1;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(count)
        });
    }
    let mut total = 0;
    while let Some(count) = clients.join_next().await {
        total += count??;
    }
    Ok(total as f64 / start.elapsed().as_secs_f64())
}

/// Pages of 50 of 100,000 runs, each of which the server has to look up, beside the same statement asked of the database
/// itself; and one page again and again.
pub async fn page(places: &Places, kind: Kind) -> Result<Vec<Figure>> {
    let location = stores::location(places, kind)?;
    let server = Server::start(places, &location).await?;
    server.apply(&[("levada.yaml", "version: 1\n"), ("pipelines/nightly.yaml", PIPELINE)]).await?;
    let store = Store::open(&location).await.map_err(|error| error.to_string())?;
    let pipelines = store.pipelines().await.map_err(|error| error.to_string())?;
    let document = pipelines.first().ok_or("no pipeline")?.document;
    stores::fill(&location, "'nightly'", document, PAST).await?;
    let mut client = Client::connect(server.address).await?;
    let (mut path, mut each, mut again) = ("/api/v1/runs?limit=50".to_owned(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let request = server.request("GET", &path, b"");
        let (page, time) = timed(&mut client, &request).await?;
        each.push(time);
        again.push(timed(&mut client, &request).await?.1);
        let next = page["next"].as_str().ok_or("no next page")?;
        path = format!("/api/v1/runs?limit=50&after={next}");
    }
    let (own, floor) = (median(each), select(&location).await?);
    Ok(vec![
        Figure::at_most("against the same SELECT", own / floor, 2.0, "x"),
        Figure::plain("page", own, "ms"),
        Figure::plain("the same page again", median(again), "ms"),
    ])
}

/// A page of 50 runs, and the milliseconds until it was here.
async fn timed(client: &mut Client, request: &[u8]) -> Result<(Value, f64)> {
    let start = Instant::now();
    let answer = client.ask(request).await?;
    let time = ms(start.elapsed());
    let page: Value = serde_json::from_slice(answer.body)?;
    match page["items"].as_array() {
        Some(items) if items.len() == 50 => Ok((page, time)),
        _ => Err(format!("no page: {page}").into()),
    }
}

/// Milliseconds of the statement behind a page of runs, in the driver of the database; every value is taken.
async fn select(location: &Location) -> Result<f64> {
    let sql = "SELECT r.id, r.pipeline, r.document, d.version, r.cause, r.schedule, r.fire_time, r.params, r.backfill, r.retry_of, \
               r.parent, r.state, r.admitted, r.created_at, r.started_at, r.ended_at FROM runs r JOIN documents d ON d.id = r.document \
               ORDER BY r.id DESC LIMIT 50";
    let mut times = Vec::new();
    match location {
        Location::File(path) => {
            let connection = rusqlite::Connection::open(path)?;
            let mut statement = connection.prepare(sql)?;
            let columns = statement.column_count();
            for _ in 0..TIMES {
                let start = Instant::now();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for column in 0..columns {
                        row.get::<_, rusqlite::types::Value>(column)?;
                    }
                }
                times.push(ms(start.elapsed()));
            }
        }
        Location::Url(url) => {
            let (client, driver) = stores::client(url.expose()).await?;
            let statement = client.prepare(sql).await?;
            for _ in 0..TIMES {
                let start = Instant::now();
                if client.query(&statement, &[]).await?.len() != 50 {
                    return Err("no page".into());
                }
                times.push(ms(start.elapsed()));
            }
            driver.abort();
        }
    }
    Ok(median(times))
}

const PROJECT: &str = "version: 1
connections:
  shop: { type: postgres, url: \"URL\" }
collections:
  item:
    connection: shop
    columns:
      name: { type: text, required: true, check: { max_length: 100 } }
      price: { type: \"decimal(10,2)\", check: { min: 0 } }
      stock: { type: bigint, required: true }
      added_at: { type: timestamp, required: true }
";
const ROWS: usize = 1_000;

/// 1,000 rows through the data API, beside `\copy` of the same rows into a table of the same shape.
pub async fn bulk(places: &Places, kind: Kind, runs: usize) -> Result<Vec<Figure>> {
    places.fresh_postgres(LEVADA)?;
    let url = places.postgres_url(LEVADA);
    let server = Server::start(places, &stores::location(places, kind)?).await?;
    server.apply(&[("levada.yaml", &PROJECT.replace("URL", &url))]).await?;
    server.send("GET", "/v1/item", &Value::Null).await?;
    places.psql(LEVADA, "CREATE TABLE copied (LIKE item INCLUDING ALL)")?;
    let row = |n: usize| {
        let (price, minute) = (n as f64 + 0.25, n % 60);
        (format!("Item {n}"), format!("{price:.2}"), n * 3, format!("2026-01-01T10:{minute:02}:00Z"))
    };
    let rows: Vec<Value> = (0..ROWS)
        .map(row)
        .map(|(name, price, stock, at)| json!({ "name": name, "price": price, "stock": stock, "added_at": at }))
        .collect();
    let body = json!({ "rows": rows, "mode": "all" }).to_string();
    let request = server.request("POST", "/v1/item/bulk", body.as_bytes());
    let file = places.scratch.join("items.csv");
    let lines = (0..ROWS).map(row).map(|(name, price, stock, at)| format!("{name},{price},{stock},{at}\n"));
    std::fs::write(&file, lines.collect::<String>())?;
    let copy = format!("\\copy copied (name, price, stock, added_at) FROM '{}' CSV", file.display());
    let mut client = Client::connect(server.address).await?;
    let (mut own, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(5) * 2 {
        let start = Instant::now();
        let answer = client.ask(&request).await?;
        own.push(ms(start.elapsed()));
        if answer.status >= 300 {
            return Err(String::from_utf8_lossy(answer.body).into_owned().into());
        }
        floor.push(copied(&Url::parse(&url)?, &copy)?);
    }
    let sent = own.len() * ROWS;
    for table in ["item", "copied"] {
        let count = places.psql(LEVADA, &format!("SELECT count(*) FROM {table}"))?;
        if count != sent.to_string() {
            return Err(format!("{table} has {count} rows, not {sent}").into());
        }
    }
    let (own, floor) = (median(own), median(floor));
    Ok(vec![Figure::at_most("against `psql \\copy`", own / floor, 3.0, "x"), Figure::plain("1,000 rows", own, "ms")])
}

/// Milliseconds that psql tells of a `\copy`, without its own start.
fn copied(url: &Url, copy: &str) -> Result<f64> {
    let mut plain = url.clone();
    plain.set_query(None);
    let mut command = Command::new("psql");
    command.args(["-X", "-v", "ON_ERROR_STOP=1", "-c", "\\timing on", "-c", copy, plain.as_str()]).stdin(Stdio::null());
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let time = told.lines().find_map(|line| line.strip_prefix("Time: ")).and_then(|rest| rest.split(' ').next());
    Ok(time.ok_or_else(|| format!("psql told no time: {told}{}", String::from_utf8_lossy(&output.stderr)))?.parse()?)
}
