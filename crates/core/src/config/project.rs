//! The project document: named connections. Their settings stay as written until a connection is used, so that a
//! missing variable of one never stops work with another.

use serde_json::Value as Json;

use super::interpolate::{self, Variables};
use super::yaml::{Key, Mark, Node, Value};
use crate::error::{Error, ErrorKind, Result};

/// One named connection, as written.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its name.
    pub name: String,
    file: String,
    mark: Mark,
    node: Node,
}

/// What a connection says, its references resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Settings {
    /// The connector's `type`, and its settings.
    Typed {
        /// The name of the connector.
        connector: String,
        /// Its settings, a JSON object.
        settings: Json,
    },
    /// A URL or a path, which tells the connector by itself.
    Url(String),
}

impl Connection {
    pub(super) fn new(file: &str, key: &Key, node: &Node) -> Self {
        Self { name: key.text.clone(), file: file.to_owned(), mark: key.mark, node: node.clone() }
    }

    /// Resolves the references.
    ///
    /// # Errors
    /// `Config`, with file, line and column; one for each reference that cannot be resolved.
    pub fn settings(&self, variables: &Variables<'_>) -> Result<Settings, Vec<Error>> {
        let filled = interpolate::fill(&self.file, &self.node, variables)?;
        self.typed(&filled).map_err(|error| vec![error])
    }

    /// Says what can be said without resolving anything.
    pub(super) fn check_shape(&self) -> Result<()> {
        self.typed(&self.node).map(|_| ())
    }

    fn typed(&self, node: &Node) -> Result<Settings> {
        let wrong = |mark: Mark, message: &str| {
            Error::new(ErrorKind::Config, message)
                .at(mark.in_file(&self.file))
                .advise("Write `{ type: .., ..settings }`, or a URL.")
        };
        let entries = match &node.value {
            Value::Text(url) | Value::Filled(url) => return Ok(Settings::Url(url.clone())),
            Value::Map(entries) => entries,
            _ => return Err(wrong(self.mark, &format!("the connection `{}` has no settings", self.name))),
        };
        let connector = match node.get("type") {
            Some(Node { value: Value::Text(text) | Value::Filled(text), .. }) => text.clone(),
            Some(other) => return Err(wrong(other.mark, "the `type` of a connection is the name of a connector")),
            None => return Err(wrong(self.mark, &format!("the connection `{}` has no `type`", self.name))),
        };
        let others = entries.iter().filter(|(key, _)| key.text != "type").cloned().collect();
        let settings = Node { mark: node.mark, value: Value::Map(others) }.to_json();
        Ok(Settings::Typed { connector, settings })
    }

    /// Where an error about this connection belongs: at the first setting its message names, else at the connection.
    pub fn place(&self, error: &Error) -> String {
        let named = error.message().split('`').skip(1).step_by(2);
        let entry = named.filter_map(|word| self.node.entry(word)).next();
        entry.map_or(self.mark, |(key, _)| key.mark).in_file(&self.file)
    }
}
