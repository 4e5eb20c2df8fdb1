//! What the API takes, against the least that the same work can cost on this machine, measured in the same run.

mod bare;
mod client;
mod crowd;
mod listeners;
mod lists;
mod requests;
mod server;

pub use bare::{ARGUMENT, serve};

use std::fmt::Write as _;

use futures_util::future::LocalBoxFuture;

use crate::places::Places;
use crate::runs::stores::{Durable, Kind};
use crate::runs::{Figure, table};
use crate::{Result, lineitem, say};

type Run = for<'a> fn(&'a Places, Kind, usize) -> LocalBoxFuture<'a, Result<Vec<Figure>>>;

/// Every workload, by the name that the report has for it.
const ALL: &[(&str, Run)] = &[
    ("GET of one pipeline", |places, kind, runs| Box::pin(requests::rate(places, kind, runs))),
    ("page of 50 of 100,000 runs", |places, kind, _| Box::pin(requests::page(places, kind))),
    ("lists over 1,000 pipelines and 100,000 runs", |places, kind, _| Box::pin(lists::lists(places, kind))),
    ("bulk insert of 1,000 rows", |places, kind, runs| Box::pin(requests::bulk(places, kind, runs))),
    ("1,000 WebSocket clients", |places, kind, _| Box::pin(listeners::listeners(places, kind))),
    ("10,000 keep-alive clients", |places, kind, _| Box::pin(crowd::crowd(places, kind))),
];

/// Runs the workloads whose names contain a text, and gives the part of the report, and whether all of them could be run.
pub fn run(places: &Places, runs: usize, scale: f64, only: &str) -> Result<(String, bool)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    lineitem::prepare(places, scale)?;
    let mut text = format!(
        "# API\n\nOne `levada serve` and the clients on one machine, every request with a token. Medians of {runs}. The crowd's loads \
         are TPC-H\nlineitem at scale {scale}.\n"
    );
    let mut complete = true;
    for kind in [Kind::Sqlite, Kind::Postgres] {
        say(&format!("API over {}", kind.name()));
        let durable = Durable::on(places, kind)?;
        let mut figures = Vec::new();
        for (name, workload) in ALL.iter().filter(|(name, _)| name.contains(only)) {
            say(&format!("  {name}"));
            figures.push(((*name).to_owned(), runtime.block_on(workload(places, kind, runs))));
        }
        drop(durable);
        complete &= figures.iter().all(|(_, figures)| figures.is_ok());
        let _ = write!(text, "\n## Metadata in {}\n\n{}", kind.name(), table(&figures));
    }
    Ok((text, complete))
}
