//! Where a project tells of its lineage, and what datasets are called there. Settings stay as written until they are used.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::decode::{self, Misfit};
use super::interpolate::{self, Late, Variables};
use super::yaml::{Node, Value};
use crate::error::Error;
use crate::secret::Secret;

/// Who is told of runs and of what they read and wrote, as OpenLineage events.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a lineage with the keys `namespace`, `http`, `file` and `datasets`")]
#[schemars(rename = "Lineage")]
pub struct LineageDocument {
    /// The namespace of jobs; the name of the project by default, else `levada`.
    pub namespace: Option<String>,
    /// A server that takes OpenLineage events.
    pub http: Option<LineageHttp>,
    /// The name of a file to which events are added, one JSON object a line; it lies in `lineage` in the data folder.
    pub file: Option<String>,
    /// What the datasets of connections are called elsewhere, by the connection's name.
    #[serde(default)]
    pub datasets: BTreeMap<String, DatasetNames>,
}

/// A server that takes OpenLineage events.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a server with the keys `url`, `token` and `private`")]
pub struct LineageHttp {
    /// Where events are posted: `https://lineage.example.com/api/v1/lineage`.
    pub url: String,
    /// What proves who tells; sent as `Authorization: Bearer ..`.
    pub token: Option<Secret>,
    /// Whether the server may be in a private network.
    #[serde(default)]
    pub private: bool,
}

/// What the datasets of a connection are called elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "names with the keys `namespace` and `prefix`")]
pub struct DatasetNames {
    /// Their namespace: `postgres://db.example.com:5432`.
    pub namespace: String,
    /// What stands before the name of a stream: `shop.` makes `shop.public.orders` of `public.orders`.
    #[serde(default)]
    pub prefix: String,
}

/// What a project says of its lineage, as written.
#[derive(Debug, Clone)]
pub struct Lineage {
    file: String,
    node: Node,
}

/// What jobs and datasets are called in events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageNames {
    /// The namespace of jobs.
    pub namespace: String,
    datasets: BTreeMap<String, DatasetNames>,
}

impl Lineage {
    pub(super) fn new(file: &str, node: &Node) -> Self {
        Self { file: file.to_owned(), node: node.clone() }
    }

    /// Resolves the references.
    ///
    /// # Errors
    /// `Config`, with file, line and column; one for each reference that cannot be resolved.
    pub fn settings(&self, variables: &Variables<'_>) -> Result<LineageDocument, Vec<Error>> {
        let filled = interpolate::fill(&self.file, &self.node, variables, Late::Refused)?;
        decode::decode(&filled).map_err(|misfit| vec![misfit.in_file(&self.file)])
    }

    /// The ways in which others are told, by the keys that say so: `http` and `file`.
    pub fn receivers(&self) -> Vec<&'static str> {
        ["http", "file"].into_iter().filter(|key| self.node.get(key).is_some()).collect()
    }

    /// Whether it asks for a secret.
    pub fn mentions(&self, secret: &str) -> bool {
        fn mentions(node: &Node, secret: &str) -> bool {
            match &node.value {
                Value::Text(text) => interpolate::secret_names(text).any(|name| name == secret),
                _ => node.children().any(|node| mentions(node, secret)),
            }
        }
        mentions(&self.node, secret)
    }

    /// What jobs and datasets are called, without a look at who is told.
    ///
    /// # Errors
    /// As of [`Lineage::settings`].
    pub fn names(&self, project: Option<&str>, variables: &Variables<'_>) -> Result<LineageNames, Vec<Error>> {
        let Value::Map(entries) = &self.node.value else { return Ok(LineageNames::new(None, project)) };
        let entries = entries.iter().filter(|(key, _)| key.text == "namespace" || key.text == "datasets");
        let names = Node { mark: self.node.mark, value: Value::Map(entries.cloned().collect()) };
        let names = Self { file: self.file.clone(), node: names }.settings(variables)?;
        Ok(LineageNames::new(Some(names), project))
    }

    /// Says what can be said without resolving anything: the document, where none of it is given by reference.
    pub(super) fn check_shape(&self) -> Result<LineageDocument, Misfit> {
        match decode::decode(&self.node) {
            // what is given by reference is no mistake yet
            Err(misfit) if misfit.mark.is_some_and(|mark| self.node.has_reference_at(mark)) => Ok(Default::default()),
            result => result,
        }
    }
}

impl LineageDocument {
    /// What is wrong with it, each with the keys that lead there and what helps.
    pub(super) fn problems(&self) -> Vec<(Vec<&str>, String, &'static str)> {
        let mut found = Vec::new();
        let late = interpolate::is_late;
        if self.namespace.as_deref() == Some("") {
            found.push((vec!["namespace"], "the namespace is empty".to_owned(), "Leave it out, or give it a name."));
        }
        if let Some(http) = &self.http
            && !late(&http.url)
            && !["http://", "https://"]
                .iter()
                .any(|scheme| http.url.len() > scheme.len() && http.url.starts_with(scheme))
        {
            // the text is not repeated: it may hold a key
            let advice = "Write it in full, for instance `https://lineage.example.com/api/v1/lineage`.";
            found.push((vec!["http", "url"], "the URL is not a web address".to_owned(), advice));
        }
        if let Some(file) = &self.file
            && !late(file)
            && !is_file_name(file)
        {
            let advice = "Write a name such as `events.jsonl`; the file lies in `lineage` in the data folder.";
            found.push((vec!["file"], "the file is to be a name without folders".to_owned(), advice));
        }
        let empty = self.datasets.iter().filter(|(_, names)| names.namespace.is_empty());
        for (connection, _) in empty {
            let path = vec!["datasets", connection.as_str(), "namespace"];
            found.push((path, "the namespace is empty".to_owned(), "Write one such as `postgres://host:5432`."));
        }
        found
    }
}

/// Whether a text names a file in a folder, and nothing outside it.
pub fn is_file_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text != "." && text != ".." && !text.contains(['/', '\\', '\0'])
}

impl LineageNames {
    /// The names of a project that says this, or nothing.
    pub fn new(document: Option<LineageDocument>, project: Option<&str>) -> Self {
        let document = document.unwrap_or_default();
        let project = project.filter(|name| !name.is_empty());
        let namespace = document.namespace.unwrap_or_else(|| project.unwrap_or("levada").to_owned());
        Self { namespace, datasets: document.datasets }
    }

    /// The namespace and the name, for others, of the dataset `connection.stream`.
    pub fn outside(&self, dataset: &str) -> (String, String) {
        let (connection, stream) = dataset.split_once('.').unwrap_or(("", dataset));
        match self.datasets.get(connection) {
            Some(names) => (names.namespace.clone(), format!("{}{stream}", names.prefix)),
            None => (format!("{}{connection}", self.scheme()), stream.to_owned()),
        }
    }

    /// The dataset `connection.stream` that others call so; none if it is none of this project's.
    pub fn inside(&self, namespace: &str, name: &str) -> Option<String> {
        let named = self.datasets.iter().filter(|(_, names)| names.namespace == namespace);
        let streams = named.filter_map(|(connection, names)| {
            let stream = name.strip_prefix(&names.prefix).filter(|stream| !stream.is_empty())?;
            Some((names.prefix.len(), connection, stream))
        });
        // of two prefixes the longer one says more
        if let Some((_, connection, stream)) = streams.max_by_key(|(length, ..)| *length) {
            return Some(format!("{connection}.{stream}"));
        }
        let connection = namespace.strip_prefix(&self.scheme())?;
        let fits = !connection.is_empty() && !connection.contains(['.', '/']) && !name.is_empty();
        fits.then(|| format!("{connection}.{name}"))
    }

    fn scheme(&self) -> String {
        format!("levada://{}/", self.namespace)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names() -> LineageNames {
        let named = |namespace: &str, prefix: &str| DatasetNames { namespace: namespace.into(), prefix: prefix.into() };
        let datasets = BTreeMap::from([
            ("shop".to_owned(), named("postgres://db:5432", "shop.")),
            ("audit".to_owned(), named("postgres://db:5432", "shop.audit.")),
            ("raw".to_owned(), named("s3://bucket", "")),
        ]);
        LineageNames::new(Some(LineageDocument { datasets, ..LineageDocument::default() }), Some("acme"))
    }

    #[test]
    fn names_lead_out_and_back() {
        let names = names();
        for (inside, namespace, name) in [
            ("shop.public.orders", "postgres://db:5432", "shop.public.orders"),
            ("audit.log", "postgres://db:5432", "shop.audit.log"),
            ("raw.2026/orders.csv", "s3://bucket", "2026/orders.csv"),
            ("dw.orders", "levada://acme/dw", "orders"),
        ] {
            assert_eq!(names.outside(inside), (namespace.to_owned(), name.to_owned()));
            assert_eq!(names.inside(namespace, name).as_deref(), Some(inside));
        }
        for (namespace, name) in [
            ("postgres://db:5432", "other.public.orders"),
            ("postgres://db:5432", "shop."),
            ("levada://b/dw", "orders"),
        ] {
            assert_eq!(names.inside(namespace, name), None, "{namespace} {name}");
        }
        assert_eq!(LineageNames::new(None, None).namespace, "levada");
    }

    #[test]
    fn a_file_is_a_name() {
        assert!(is_file_name("events.jsonl"));
        for name in ["", ".", "..", "a/b", "../a", "a\\b", "a\0b"] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }
}
