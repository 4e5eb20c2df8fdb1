//! What a connection remembers of the streams loaded into it, whichever pipeline loads them.

use std::time::Duration;

use levada_core::position::StreamKey;
use levada_engine::positions::{self, Held};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::browse::in_time;
use super::{limit, matches};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Rank, Sort, orders};

/// How long looking at positions may take.
const TIME_MAX: Duration = Duration::from_secs(25);

orders! {
    /// What positions in a connection are in order of.
    HeldOrder(false) { Stream = "stream", CommittedAt = "committed_at" }
}

/// Which positions to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PositionsIn {
    /// The connection.
    pub connection: String,
    /// With this text in the pipeline or the stream.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<HeldOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// The streams whose positions are to be forgotten.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetIn {
    /// The connection.
    pub connection: String,
    /// The streams, by their names at their source.
    #[serde(default)]
    pub streams: Vec<String>,
    /// Only what this one loaded, as `pipeline/task`.
    pub pipeline: Option<String>,
    /// Every stream, in place of `streams`.
    #[serde(default)]
    pub all: bool,
}

/// The positions that were forgotten.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Forgotten {
    /// Each of them.
    pub reset: Vec<StreamKey>,
}

/// What a connection remembers of the streams loaded into it.
pub async fn list(call: Call<PositionsIn>) -> Result<Answer<Page<Held>>, Problem> {
    let PositionsIn { connection, search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let (opened, redactor) = call.app.open_connection(&connection).await?;
    let commits = async { opened.connection.destination()?.commits().await };
    let commits = in_time(TIME_MAX, &connection, commits).await.map_err(|error| redactor.error(error))?;
    let all = commits.into_iter().map(Held::from);
    let wanted = all.filter(|held| matches(search.as_deref(), [held.pipeline.as_str(), &held.stream]));
    let place = |order, held: &Held| {
        let rank = match order {
            HeldOrder::Stream => None,
            HeldOrder::CommittedAt => Some(Rank::from(held.committed_at.as_str())),
        };
        (rank, format!("{}\n{}", held.pipeline, held.stream))
    };
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
}

/// Forgets the positions of streams: their next load starts from the beginning. The rows stay.
pub async fn reset(call: Call<ResetIn>) -> Result<Answer<Forgotten>, Problem> {
    let ResetIn { connection, streams, pipeline, all } = call.input;
    if streams.is_empty() != all {
        return Err(Problem::Malformed("Give `streams`, or `all`.".to_owned()));
    }
    let (opened, redactor) = call.app.open_connection(&connection).await?;
    let clean = |error| redactor.error(error);
    let destination = opened.connection.destination().map_err(clean)?;
    let commits = in_time(TIME_MAX, &connection, destination.commits()).await.map_err(clean)?;
    let chosen = positions::choose(&commits, &streams, pipeline.as_deref(), all)?;
    let reset = in_time(TIME_MAX, &connection, positions::forget(&destination, chosen)).await.map_err(clean)?;
    Ok(Forgotten { reset }.into())
}
