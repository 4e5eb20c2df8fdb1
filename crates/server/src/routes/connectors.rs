//! The kinds of systems that this build can talk to, with the schemas that forms are made of.

use levada_core::connector::Descriptor;
use levada_core::destination::WriteMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{limit, page};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};

/// A kind of system.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Connector {
    /// The `type` in documents.
    pub name: String,
    /// The name people use.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// URL schemes that select it.
    pub schemes: Vec<String>,
    /// Endings of the names of files that it reads by themselves.
    pub path_endings: Vec<String>,
    /// Whether its streams live in namespaces.
    pub namespaces: bool,
    /// The ways it can be written to.
    pub writes: Vec<WriteMode>,
    /// Whether its streams bring an order of their own, so that an incremental read needs no cursor column.
    pub own_order: bool,
    /// Whether it holds files that can be listed and downloaded.
    pub files: bool,
    /// The JSON schema of its settings; those that are secrets are `writeOnly`.
    pub settings: Value,
}

/// Which connectors to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A connector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name.
    pub connector: String,
}

/// Connectors, in the order of their names.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Connector>>, Problem> {
    let limit = limit(call.input.limit)?;
    let all = call.app.registry.iter().map(|connector| shown(connector.as_ref()));
    Ok(page(all, |connector| connector.name.clone(), call.input.after.as_deref(), limit).into())
}

/// A connector.
pub async fn get(call: Call<One>) -> Result<Answer<Connector>, Problem> {
    let name = call.input.connector;
    let found = call.app.registry.get(&name).map_err(|_| Problem::no("connector", &name))?;
    Ok(shown(found.as_ref()).into())
}

fn shown(connector: &dyn levada_core::connector::Connector) -> Connector {
    let Descriptor { name, title, summary, schemes, settings, namespaces, writes, own_order, files } =
        connector.descriptor();
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Connector {
        name: name.to_owned(),
        title: title.to_owned(),
        summary: summary.to_owned(),
        schemes: texts(schemes),
        path_endings: texts(connector.path_endings()),
        namespaces,
        writes: writes.to_vec(),
        own_order,
        files,
        settings,
    }
}
