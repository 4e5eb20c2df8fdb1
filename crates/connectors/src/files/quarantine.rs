//! Rows that loads could not write: one file for each load beside the manifests, one JSON object per line.

use std::io::{BufRead as _, BufReader};

use levada_core::batch::Reject;
use levada_core::destination::LoadSpec;
use levada_core::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::place::{Place, join};

/// A row, as it stands in the file.
#[derive(Serialize, Deserialize)]
struct Line {
    load_id: String,
    pipeline: String,
    stream: String,
    target: String,
    column_name: Option<String>,
    reason: String,
    row_json: String,
    rejected_at: String,
}

fn name(load: &str) -> String {
    format!("rejects-{load}.jsonl")
}

/// The file for the rows of a load.
pub fn path(home: &str, load: &str) -> String {
    join(home, &name(load))
}

/// Keeps the rows of a load.
pub fn write(place: &dyn Place, home: &str, spec: &LoadSpec, rejects: &[Reject], rejected_at: &str) -> Result<()> {
    if rejects.is_empty() {
        return Ok(());
    }
    let mut lines = String::new();
    for reject in rejects {
        let line = Line {
            load_id: spec.load_id.clone(),
            pipeline: spec.key.pipeline.clone(),
            stream: spec.key.stream.clone(),
            target: spec.target.clone(),
            column_name: reject.column.clone(),
            reason: reject.reason.clone(),
            row_json: reject.row.clone(),
            rejected_at: rejected_at.to_owned(),
        };
        lines.push_str(
            &serde_json::to_string(&line).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?,
        );
        lines.push('\n');
    }
    place.put_new(&path(home, &spec.load_id), lines.as_bytes()).map(|_| ())
}

/// Rows of a load from the `skip`-th on; none if it kept none.
pub fn read(place: &dyn Place, load: &str, skip: usize, limit: usize) -> Result<Vec<Reject>> {
    let name = name(load);
    let is_meant = |path: &str| path.rsplit('/').next() == Some(name.as_str());
    let Some(file) = place.list("")?.into_iter().find(|file| is_meant(&file.path)) else { return Ok(Vec::new()) };
    let broken =
        |why: String| Error::new(ErrorKind::Data, format!("the quarantine cannot be read: {why}")).at(&file.path);
    let mut found = Vec::new();
    for line in BufReader::new(place.stream(&file)?).lines().skip(skip).take(limit) {
        let line = line.map_err(|error| broken(error.to_string()))?;
        let line: Line = serde_json::from_str(&line).map_err(|error| broken(error.to_string()))?;
        found.push(Reject { row: line.row_json, column: line.column_name, reason: line.reason });
    }
    Ok(found)
}
