//! Writing: plans a load, stages or copies its rows, and commits them together with the stream's position.

mod commit;
mod encode;
mod fit;
mod insert;
mod labels;
mod load;
mod plan;
mod sift;
mod state;
mod target;
mod writer;

use levada_core::error::{Context, Result};
use levada_core::source::StreamInfo;

pub use self::load::begin;
pub use self::plan::plan;
pub use self::state::{commits, committed, forget, rejects};
use self::target::Target;
use super::config::Settings;
use super::session::Session;

/// The target as it is now, without columns that the server computes.
pub async fn describe(settings: &Settings, target: &str) -> Result<Option<StreamInfo>> {
    let session = Session::open(settings).await?;
    let found = Target::parse(settings, target)?.describe(&session.client).await.at(format!("table {target}"))?;
    session.close().await;
    Ok(found)
}
