//! Connections of the project. What they say is shown without secrets; a change is an edit of the project's document.

use std::collections::{BTreeMap, BTreeSet};

use levada_core::config::{self, Settings};
use levada_core::error::Error;
use levada_core::redact::Redactor;
use levada_core::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::browse::Tested;
use super::{limit, matches};
use crate::App;
use crate::connections::{self, Written};
use crate::documents::Known;
use crate::problem::Problem;
use crate::route::{Answer, Call, Done, Page};
use crate::sort::{Rank, Sort, orders};

/// A connection.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// The connector, where that is known.
    pub connector: Option<String>,
    /// Its settings, with `***` in place of secrets; null if it is a URL.
    pub settings: Option<Map<String, Value>>,
    /// The URL or path that it is, with `***` in place of secrets; null if it has settings.
    pub url: Option<String>,
    /// Where it leads, without credentials; null if it cannot be used as it is.
    pub address: Option<String>,
    /// Why it cannot be used as it is.
    pub problem: Option<String>,
    /// The pipelines that use it.
    pub used_by: Vec<String>,
    /// What came of its last test since it was made or changed; null if there was none.
    pub tested: Option<LastTest>,
}

/// What came of the last test of a connection.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct LastTest {
    /// When it was made.
    pub at: Timestamp,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Tested,
}

orders! {
    /// What connections are in order of.
    ConnectionOrder(false) { Name = "name", Connector = "connector" }
}

/// Which connections to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this text in the name, the connector or the address.
    pub search: Option<String>,
    /// Of this connector.
    pub connector: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<ConnectionOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name.
    pub connection: String,
}

/// What a connection is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// Its name.
    pub connection: String,
    /// The connector, with `settings`.
    pub connector: Option<String>,
    /// Its settings. A secret that stands as `***` stays what it was; one in plain is stored as a secret.
    pub settings: Option<Map<String, Value>>,
    /// A URL or a path, in place of connector and settings.
    pub url: Option<String>,
}

/// What became of a connection.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// `created` or `changed`.
    pub change: String,
    /// The version that the project's document has now.
    pub version: u32,
    /// The secrets that were stored for it.
    pub secrets: Vec<String>,
}

/// The connections of the project's document, in the order of their names.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Connection>>, Problem> {
    let List { search, connector, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let (project, file) = call.app.project_with_file().await?;
    let (Some(file), Some(own)) = (file, &project.document) else {
        return Ok(Page { items: Vec::new(), next: None }.into());
    };
    let known = call.app.known_secrets([own.text.as_str()]).await;
    let used = call.app.used_by(&project);
    let mut tests = call.app.store.connection_tests().await?;
    let all = file.connections.iter().map(|connection| shown(&call.app, connection, &known, &used, &mut tests));
    let wanted = all.filter(|found| {
        let of_connector = connector.is_none() || connector == found.connector;
        let texts = [Some(&found.name), found.connector.as_ref(), found.address.as_ref()];
        of_connector && matches(search.as_deref(), texts.into_iter().flatten().map(String::as_str))
    });
    let place = |order, found: &Connection| {
        let rank = match order {
            ConnectionOrder::Name => None,
            ConnectionOrder::Connector => found.connector.as_deref().map(Rank::from),
        };
        (rank, found.name.clone())
    };
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
}

/// A connection, with the version of the project's document.
pub async fn get(call: Call<One>) -> Result<Answer<Connection>, Problem> {
    let (project, connection) = call.app.connection(&call.input.connection).await?;
    let text = project.document.as_ref().map(|own| own.text.clone()).unwrap_or_default();
    let known = call.app.known_secrets([text.as_str()]).await;
    let mut tests = call.app.store.connection_tests().await?;
    let shown = shown(&call.app, &connection, &known, &call.app.used_by(&project), &mut tests);
    let version = project.document.map(|own| own.version).unwrap_or_default();
    Ok(Answer::from(shown).version(version))
}

/// Makes or changes a connection: a new one without `If-Match`, one that is there with it.
pub async fn put(call: Call<Put>) -> Result<Answer<Changed>, Problem> {
    let (condition, now) = (call.condition_or_new(), call.now());
    let Put { connection, connector, settings, url } = call.input;
    let given = Written::new(&call.app.registry, given(connector, settings, url)?);
    let saved = connections::save(&call.app, &connection, given, condition.as_ref(), now).await?;
    call.app.store.set_connection_test(&connection, None, now).await?;
    let change = if saved.is_new { "created" } else { "changed" }.to_owned();
    Ok(Answer::from(Changed { change, version: saved.version, secrets: saved.secrets }).version(saved.version))
}

/// Takes a connection out that no pipeline uses.
pub async fn delete(call: Call<One>) -> Result<Done, Problem> {
    let (condition, now) = (call.condition()?, call.now());
    connections::delete(&call.app, &call.input.connection, &condition, now).await?;
    call.app.store.set_connection_test(&call.input.connection, None, now).await?;
    Ok(Done::default())
}

/// What somebody gives as a connection.
pub(super) fn given(
    connector: Option<String>,
    settings: Option<Map<String, Value>>,
    url: Option<String>,
) -> Result<Settings, Problem> {
    match (connector, settings, url) {
        (None, None, Some(url)) => Ok(Settings::Url(url)),
        (Some(connector), settings, None) => {
            let settings = settings.unwrap_or_default();
            match settings.contains_key("type") {
                false => Ok(Settings::Typed { connector, settings: Value::Object(settings) }),
                true => Err(Problem::Malformed("The `type` of a connection is its `connector`.".to_owned())),
            }
        }
        _ => Err(Problem::Malformed("Give `connector` and `settings`, or `url`.".to_owned())),
    }
}

/// Why a connection cannot be used, without the secrets of what it says.
fn unquoted(error: Error, written: &Written, known: &Known) -> String {
    let own = written.secrets();
    match Redactor::new(known.values().chain(own.values()).map(String::as_str)) {
        Ok(redactor) => redactor.error(error).to_string(),
        Err(error) => error.to_string(),
    }
}

fn shown(
    app: &App,
    connection: &config::Connection,
    known: &Known,
    used: &BTreeMap<String, BTreeSet<String>>,
    tests: &mut BTreeMap<String, (Timestamp, String)>,
) -> Connection {
    let name = connection.name.clone();
    // one that another version of the program wrote may not be understood
    let tested = tests
        .remove(&name)
        .and_then(|(at, outcome)| Some(LastTest { at, outcome: serde_json::from_str(&outcome).ok()? }));
    let used_by = used.get(&name).map(|users| users.iter().cloned().collect()).unwrap_or_default();
    let written = match connection.written() {
        Ok(settings) => Written::new(&app.registry, settings),
        Err(error) => {
            let problem = Some(error.to_string());
            let (connector, settings, url, address) = (None, None, None, None);
            return Connection { name, connector, settings, url, address, problem, used_by, tested };
        }
    };
    let opened = app.with_variables(known, BTreeMap::new(), |variables| {
        levada_engine::connections::open(&app.registry, connection, variables)
    });
    let (address, problem) = match opened {
        Ok(opened) => (Some(opened.connection.address()), None),
        Err(errors) => (None, errors.into_iter().next().map(|error| unquoted(error, &written, known))),
    };
    let masked = written.masked();
    let (settings, url) = match masked.settings {
        Settings::Typed { settings: Value::Object(settings), .. } => (Some(settings), None),
        Settings::Typed { .. } => (None, None),
        Settings::Url(url) => (None, Some(url)),
    };
    Connection { name, connector: masked.connector, settings, url, address, problem, used_by, tested }
}
