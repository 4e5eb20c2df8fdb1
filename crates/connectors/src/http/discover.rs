//! Which streams an API has: its endpoints, and their raw answers where those are asked for.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::naming::{is_wildcard, matches};
use levada_core::source::StreamInfo;

use super::Api;
use super::columns::{self, Sample};
use super::endpoint::{Endpoint, RAW};
use super::raw;
use super::replay::Feed;

/// The streams that a selector means, ordered by name. Where no endpoints are declared, any name is a path, and there is a
/// stream if the server answers there.
///
/// # Errors
/// As of the client, for endpoints whose columns have to be told from their records.
pub async fn streams(api: &Arc<Api>, selector: Option<&str>) -> Result<Vec<StreamInfo>> {
    let mut names: Vec<String> = api.settings.endpoints.keys().cloned().collect();
    let raw =
        api.settings.endpoints.iter().filter(|(_, endpoint)| endpoint.raw).map(|(name, _)| format!("{RAW}{name}"));
    if api.settings.replay.is_none() {
        names.extend(raw);
    }
    names.sort();
    let is_declared = !names.is_empty();
    match selector {
        None => {}
        Some(selector) if is_wildcard(selector) && !names.iter().any(|name| name == selector) => {
            names.retain(|name| matches(selector, name));
        }
        Some(selector) if is_declared => names.retain(|name| name == selector),
        Some(selector) => names = vec![selector.to_owned()],
    }
    let mut streams = Vec::new();
    for name in names {
        match stream(api, &name).await.at(format!("stream `{name}`")) {
            Ok(stream) => streams.push(stream),
            Err(error) if error.kind() == ErrorKind::NotFound && !is_declared => {}
            Err(error) => return Err(error),
        }
    }
    Ok(streams)
}

async fn stream(api: &Arc<Api>, name: &str) -> Result<StreamInfo> {
    let info = |table: String, columns: Vec<Field>, key: Vec<String>| StreamInfo {
        name: name.to_owned(),
        namespace: None,
        table,
        schema: Arc::new(Schema::new(columns)),
        key,
        rows_estimate: None,
        bytes_estimate: None,
        raw: None,
        typed_by_request: true,
    };
    if let Some(of) = name.strip_prefix(RAW) {
        let info = info(raw::table(of), raw::columns(), Vec::new());
        return Ok(StreamInfo { typed_by_request: false, ..info });
    }
    let endpoint = api.endpoint(name)?;
    let table = name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(name).to_owned();
    Ok(info(table, fields(api, name, &endpoint).await?, endpoint.key.clone()))
}

/// The columns of an endpoint.
///
/// # Errors
/// As of the client; `Data` where no record is an object.
pub async fn fields(api: &Arc<Api>, name: &str, endpoint: &Endpoint) -> Result<Vec<Field>> {
    let declared = columns::declared(endpoint)?;
    if !declared.is_empty() {
        return Ok(declared);
    }
    let mut sample = Sample::new(endpoint, api.settings.nested);
    let mut feed = Feed::open(api, name, Vec::new()).await?;
    let mut seen = 0;
    while seen < api.settings.sample {
        let Some(page) = feed.next().await? else { break };
        for record in page.records().take(api.settings.sample - seen) {
            sample.see(record, &page.inherited);
            seen += 1;
        }
    }
    let fields = sample.fields(endpoint);
    if fields.is_empty() && seen > 0 {
        return Err(Error::new(ErrorKind::Data, "its records are no objects")
            .advise("Declare `columns`; the `path` \"\" is the whole record."));
    }
    if let Some(missing) = endpoint.key.iter().find(|key| seen > 0 && fields.iter().all(|field| field.name() != *key)) {
        return Err(Error::new(ErrorKind::Config, format!("`key` names the column `{missing}`, which no record has"))
            .advise(format!("The first records have: {}.", columns::shown(&fields))));
    }
    Ok(fields)
}

/// Asks the first endpoint that can be asked by itself for its first page.
///
/// # Errors
/// As of the client.
pub async fn check(api: &Arc<Api>) -> Result<String> {
    let first = api.settings.endpoints.iter().find(|(_, endpoint)| endpoint.parent.is_none());
    let name = first.map_or("", |(name, _)| name.as_str());
    let mut feed = Feed::open(api, name, Vec::new()).await?;
    let records = feed.next().await?.map_or(0, |page| page.len());
    let of = if name.is_empty() { String::new() } else { format!(" of `{name}`") };
    Ok(format!("the first page{of} has {records} records"))
}
