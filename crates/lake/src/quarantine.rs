//! Rows that loads put into the quarantine: one file of JSON lines for each load.

use levada_core::batch::Reject;
use levada_core::destination::LoadSpec;
use levada_core::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::place::Place;

/// Where the rows of a load are, below the place.
pub fn path(load_id: &str) -> String {
    let plain: String = load_id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("_levada/rejects/{plain}.jsonl")
}

/// Writes the rows of a load, if it has any.
///
/// # Errors
/// Those of the store.
pub async fn write(place: &Place, spec: &LoadSpec, rejects: &[Reject]) -> Result<()> {
    if rejects.is_empty() {
        return Ok(());
    }
    let line = |reject: &Reject| {
        let Reject { row, column, reason } = reject;
        json!({ "target": spec.target, "stream": spec.key.stream, "column": column, "reason": reason, "row": row })
    };
    let lines: String = rejects.iter().map(|reject| format!("{}\n", line(reject))).collect();
    place.put_new(&path(&spec.load_id), lines.into_bytes()).await.map(|_| ())
}

/// Removes the rows of a load that was not committed.
pub async fn remove(place: &Place, load_id: &str) {
    place.remove(&path(load_id)).await;
}

/// Some rows of a load.
///
/// # Errors
/// Those of the store; `Data` for a file that somebody damaged.
pub async fn read(place: &Place, load_id: &str, skip: usize, limit: usize) -> Result<Vec<Reject>> {
    let Some(bytes) = place.read(&path(load_id)).await? else { return Ok(Vec::new()) };
    let broken = || Error::new(ErrorKind::Data, "the file of the quarantine is damaged").at(path(load_id));
    let text = std::str::from_utf8(&bytes).map_err(|_| broken())?;
    let parse = |line: &str| {
        let value: Value = serde_json::from_str(line).map_err(|_| broken())?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let (row, reason) = text("row").zip(text("reason")).ok_or_else(broken)?;
        Ok(Reject { row, column: text("column"), reason })
    };
    text.lines().skip(skip).take(limit).map(parse).collect()
}
