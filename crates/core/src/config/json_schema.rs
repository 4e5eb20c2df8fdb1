//! JSON schemas of the documents, for editors, forms and checks elsewhere.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::pipeline::PipelineDocument;
use crate::connector::Registry;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of the pipeline document; connections have the settings of their connectors.
pub fn pipeline_schema(registry: &Registry) -> Value {
    let schema =
        SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<PipelineDocument>();
    let mut schema = schema.to_value();
    let (connections, definitions) = connections(registry);
    schema["properties"]["connections"] = connections;
    if let Some(own) = schema["$defs"].as_object_mut() {
        own.extend(definitions);
    }
    schema["anyOf"] = json!([{ "required": ["sync"] }, { "required": ["tasks"] }]);
    schema
}

/// The schema of the project document.
pub fn project_schema(registry: &Registry) -> Value {
    let (connections, definitions) = connections(registry);
    json!({
        "$schema": DIALECT,
        "title": "Levada project",
        "description": "Named connections to other systems.",
        "type": "object",
        "properties": {
            "version": { "description": "The version of the format: 1.", "type": "integer", "const": 1 },
            "connections": connections,
        },
        "required": ["version", "connections"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// The schema of the connections by name, and the definitions it refers to.
fn connections(registry: &Registry) -> (Value, Map<String, Value>) {
    let mut kinds =
        vec![json!({ "type": "string", "description": "A URL, for instance scheme://user@host/database, or a path." })];
    let mut definitions = Map::new();
    for connector in registry.iter() {
        let descriptor = connector.descriptor();
        let mut settings = descriptor.settings;
        settings["title"] = descriptor.title.into();
        settings["description"] = descriptor.summary.into();
        settings["properties"]["type"] = json!({ "const": descriptor.name });
        let mut required = vec![json!("type")];
        required.extend(settings["required"].as_array().into_iter().flatten().cloned());
        settings["required"] = required.into();
        qualify(&mut settings, descriptor.name);
        if let Some(settings) = settings.as_object_mut() {
            settings.remove("$schema");
            if let Some(Value::Object(own)) = settings.remove("$defs") {
                definitions
                    .extend(own.into_iter().map(|(name, schema)| (format!("{}.{name}", descriptor.name), schema)));
            }
        }
        kinds.push(settings);
    }
    let schema = json!({
        "description": "Connections by name.",
        "type": "object",
        "additionalProperties": { "anyOf": kinds },
    });
    (schema, definitions)
}

/// Puts the connector's name before the definitions that a schema refers to, as they share one list with others.
fn qualify(schema: &mut Value, connector: &str) {
    match schema {
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value.as_str().and_then(|text| text.strip_prefix("#/$defs/"))) {
                    ("$ref", Some(name)) => *value = format!("#/$defs/{connector}.{name}").into(),
                    _ => qualify(value, connector),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| qualify(item, connector)),
        _ => {}
    }
}
