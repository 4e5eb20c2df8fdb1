//! Whether the server is well, its figures, and the description of the API.

use serde_json::Value;

use super::Nothing;
use crate::figures;
use crate::problem::Problem;
use crate::route::{Answer, Call, Text};

/// Whether the process answers.
pub async fn alive(_: Call<Nothing>) -> Result<Text, Problem> {
    Ok(Text { content_type: "text/plain", body: "ok\n".to_owned() })
}

/// Whether the metadata store answers.
pub async fn ready(call: Call<Nothing>) -> Result<Text, Problem> {
    call.app.store.ping().await.map_err(|error| {
        tracing::warn!("the metadata store does not answer: {error}");
        levada_core::error::Error::new(levada_core::error::ErrorKind::Busy, "the metadata store does not answer")
    })?;
    Ok(Text { content_type: "text/plain", body: "ok\n".to_owned() })
}

/// The figures of this process and of the store, in the text format of Prometheus.
pub async fn metrics(call: Call<Nothing>) -> Result<Text, Problem> {
    let body = figures::text(&call.app).await?;
    Ok(Text { content_type: "text/plain; version=0.0.4; charset=utf-8", body })
}

/// The description of the API.
pub async fn openapi(call: Call<Nothing>) -> Result<Answer<Value>, Problem> {
    let mut document = call.app.description.clone();
    call.app.data.describe(&call.app, &mut document).await?;
    Ok(document.into())
}
