//! What starts pipelines by itself: schedules and triggers, and when they fire next.

use levada_core::error::Result;

use crate::db::Tx;

/// The parameters that a schedule gives its runs, a JSON object.
pub(crate) async fn params(tx: &mut Tx, pipeline: &str, schedule: &str) -> Result<String> {
    let sql = "SELECT spec FROM schedules WHERE pipeline = $1 AND name = $2";
    let Some(mut row) = tx.row(sql, &[pipeline.into(), schedule.into()]).await? else { return Ok("{}".to_owned()) };
    let spec: serde_json::Value = serde_json::from_str(&row.text()?).unwrap_or_default();
    Ok(match &spec["params"] {
        serde_json::Value::Object(params) => serde_json::Value::Object(params.clone()).to_string(),
        _ => "{}".to_owned(),
    })
}
