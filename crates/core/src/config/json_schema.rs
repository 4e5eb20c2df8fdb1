//! JSON schemas of the documents, for editors, forms and checks elsewhere.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::document::PipelineDocument;
use super::project::ProjectDocument;
use crate::connector::Registry;

/// The schema of the pipeline document; connections have the settings of their connectors.
pub fn pipeline_schema(registry: &Registry) -> Value {
    let mut schema = document_schema::<PipelineDocument>(registry);
    schema["anyOf"] = json!([{ "required": ["sync"] }, { "required": ["tasks"] }]);
    schema
}

/// The schema of the project document.
pub fn project_schema(registry: &Registry) -> Value {
    document_schema::<ProjectDocument>(registry)
}

fn document_schema<T: JsonSchema>(registry: &Registry) -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    let (connections, definitions) = connections(registry);
    schema["properties"]["connections"] = connections;
    match schema["$defs"].as_object_mut() {
        Some(own) => own.extend(definitions),
        None => schema["$defs"] = definitions.into(),
    }
    schema
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
