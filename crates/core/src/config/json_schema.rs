//! JSON schemas of the documents, for editors, forms and checks elsewhere.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::pipeline::PipelineDocument;
use crate::connector::Registry;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of the pipeline document; connections have the settings of their connectors.
pub fn pipeline_schema(registry: &Registry) -> Value {
    let schema =
        SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<PipelineDocument>();
    let mut schema = schema.to_value();
    schema["properties"]["connections"] = connections(registry);
    schema["anyOf"] = json!([{ "required": ["sync"] }, { "required": ["tasks"] }]);
    schema
}

/// The schema of the project document.
pub fn project_schema(registry: &Registry) -> Value {
    json!({
        "$schema": DIALECT,
        "title": "Levada project",
        "description": "Named connections to other systems.",
        "type": "object",
        "properties": {
            "version": { "description": "The version of the format: 1.", "type": "integer", "const": 1 },
            "connections": connections(registry),
        },
        "required": ["version", "connections"],
        "additionalProperties": false,
    })
}

fn connections(registry: &Registry) -> Value {
    let mut kinds =
        vec![json!({ "type": "string", "description": "A URL, for instance postgres://user@host/database." })];
    for connector in registry.iter() {
        let descriptor = connector.descriptor();
        let mut settings = descriptor.settings;
        settings["title"] = descriptor.title.into();
        settings["description"] = descriptor.summary.into();
        settings["properties"]["type"] = json!({ "const": descriptor.name });
        let mut required = vec![json!("type")];
        required.extend(settings["required"].as_array().into_iter().flatten().cloned());
        settings["required"] = required.into();
        if let Some(settings) = settings.as_object_mut() {
            settings.remove("$schema");
        }
        kinds.push(settings);
    }
    json!({
        "description": "Connections by name.",
        "type": "object",
        "additionalProperties": { "anyOf": kinds },
    })
}
