//! The floor: what the machine itself takes for the two things that nobody can do without.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use super::stores::Kind;
use crate::Result;
use crate::measure::median;
use crate::places::Places;

/// How often each is measured.
const TIMES: usize = 200;

/// The floor of a machine and a store.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// One durable commit of one small row.
    pub commit: Duration,
    /// One start and end of `/bin/true`.
    pub fork: Duration,
}

impl Floor {
    /// Measures it.
    pub async fn measure(places: &Places, kind: Kind) -> Result<Self> {
        let commit = match kind {
            Kind::Sqlite => sqlite(places)?,
            Kind::Postgres => postgres(places).await?,
        };
        let fork = middle((0..TIMES).map(|_| timed(|| Command::new("/bin/true").status().map(drop))))?;
        Ok(Self { commit, fork })
    }
}

fn timed(work: impl FnOnce() -> std::io::Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn middle(durations: impl Iterator<Item = Result<Duration>>) -> Result<Duration> {
    let seconds = durations.map(|duration| Ok(duration?.as_secs_f64())).collect::<Result<Vec<_>>>()?;
    Ok(Duration::from_secs_f64(median(seconds)))
}

fn sqlite(places: &Places) -> Result<Duration> {
    let path = places.scratch.join("probe.db");
    let _ = std::fs::remove_file(&path);
    let connection = rusqlite::Connection::open(&path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE probe (id INTEGER PRIMARY KEY, text TEXT)")?;
    let commit = || {
        let start = Instant::now();
        connection.execute("INSERT INTO probe (text) VALUES ('a small row')", [])?;
        Ok(start.elapsed())
    };
    middle((0..TIMES).map(|_| commit()))
}

async fn postgres(places: &Places) -> Result<Duration> {
    let base = places.postgres.as_str().split('?').next().unwrap_or_default();
    let (client, connection) = tokio_postgres::connect(base, NoTls).await?;
    let driver = tokio::spawn(connection);
    client
        .batch_execute(
            "DROP TABLE IF EXISTS levada_probe; CREATE TABLE levada_probe (id SERIAL PRIMARY KEY, text TEXT)",
        )
        .await?;
    let insert = client.prepare("INSERT INTO levada_probe (text) VALUES ('a small row')").await?;
    let mut durations = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        client.execute(&insert, &[]).await?;
        durations.push(Ok(start.elapsed()));
    }
    client.batch_execute("DROP TABLE levada_probe").await?;
    driver.abort();
    middle(durations.into_iter())
}
