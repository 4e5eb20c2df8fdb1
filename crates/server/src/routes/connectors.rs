//! The kinds of systems that this build can talk to, with the schemas that forms are made of.

use levada_core::connector::Descriptor;
use levada_core::destination::WriteMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{limit, matches};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Sort, orders};

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

orders! {
    /// What connectors are in order of.
    ConnectorOrder(false) { Name = "name" }
}

/// Which connectors to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this text in the name.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<ConnectorOrder>,
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
    let List { search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let all = call.app.registry.iter().map(|connector| shown(connector.as_ref()));
    let wanted = all.filter(|connector| matches(search.as_deref(), [connector.name.as_str()]));
    let place = |_, connector: &Connector| (None, connector.name.clone());
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
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
