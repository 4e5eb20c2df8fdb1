//! The OpenAPI 3.1 document, made from the route table: whatever is served is in it, with the types that the handlers use.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::input::{Field, Place};
use crate::route::{Route, Rule};
use crate::router::Table;

/// The document, keys in the order that people read them.
pub fn document(table: &Table) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in &table.routes {
        let method = route.method.as_str().to_ascii_lowercase();
        paths.entry(route.path).or_default().insert(method, operation(route));
    }
    let mut schemas = table.schemas.clone();
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Levada",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Connect, load, transform, stream, schedule, catalogue and watch data.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "It was not done. `kind` says why, `detail` what to do about it.",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
                },
            },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "An API token." },
                "session": { "type": "apiKey", "in": "cookie", "name": "levada_session", "description": "A browser's session." },
            },
        },
    })
}

/// How types become schemas.
pub(crate) fn settings() -> schemars::generate::SchemaSettings {
    schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}

fn operation(route: &Route) -> Value {
    let noun = route.path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [noun],
        "description": rule(route.rule),
        "x-levada-rule": rule_name(route.rule),
    });
    let Some(operation_map) = operation.as_object_mut() else { return operation };
    let mut parameters: Vec<Value> = route.fields.iter().filter_map(parameter).collect();
    if route.takes.condition {
        parameters.push(header("If-Match", "The `ETag` of what is to be changed, several, or `*` for any."));
    }
    if route.takes.key {
        parameters.push(header("Idempotency-Key", "The same key of the same caller starts the same thing once."));
    }
    if !parameters.is_empty() {
        operation_map.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(body) = body(route) {
        operation_map.insert("requestBody".to_owned(), body);
    }
    operation_map.insert("responses".to_owned(), responses(route));
    let security = match route.rule {
        Rule::Public => json!([]),
        // to this machine without one
        Rule::Metrics => json!([{}, { "token": [] }, { "session": [] }]),
        _ => json!([{ "token": [] }, { "session": [] }]),
    };
    operation_map.insert("security".to_owned(), security);
    operation
}

fn parameter(field: &Field) -> Option<Value> {
    let place = match field.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Body => return None,
    };
    let mut schema = field.schema.clone().to_value();
    let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    // what is not given is left out: there is no way to write null into a URL
    not_null(&mut schema);
    Some(json!({
        "name": field.name,
        "in": place,
        "required": field.is_required || field.place == Place::Path,
        "description": description,
        "schema": schema,
    }))
}

/// Takes `null` out of the types of a schema.
fn not_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("default");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(any)) = object.get("anyOf") {
        let others: Vec<Value> = any.iter().filter(|schema| schema["type"] != "null").cloned().collect();
        if let [one] = others.as_slice() {
            *schema = one.clone();
        }
    }
}

fn header(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "required": false, "description": description, "schema": { "type": "string" } })
}

fn body(route: &Route) -> Option<Value> {
    let mut content = Map::new();
    for media_type in route.takes.stream {
        content.insert((*media_type).to_owned(), json!({ "schema": { "type": "string" } }));
    }
    let fields: Vec<&Field> = route.fields.iter().filter(|field| field.place == Place::Body).collect();
    if !fields.is_empty() {
        let properties: Map<String, Value> =
            fields.iter().map(|field| (field.name.clone(), field.schema.clone().to_value())).collect();
        let required: Vec<&str> = fields.iter().filter(|field| field.is_required).map(|f| f.name.as_str()).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if let (false, Some(schema)) = (required.is_empty(), schema.as_object_mut()) {
            schema.insert("required".to_owned(), json!(required));
        }
        content.insert("application/json".to_owned(), json!({ "schema": schema }));
        if route.takes.yaml {
            content.insert("application/yaml".to_owned(), json!({ "schema": { "type": "string" } }));
        }
    }
    let required = fields.iter().any(|field| field.is_required) || !route.takes.stream.is_empty();
    (!content.is_empty()).then(|| json!({ "required": required, "content": content }))
}

fn responses(route: &Route) -> Value {
    let mut content = Map::new();
    for (media_type, schema) in &route.answer.content {
        let schema = schema.clone().map_or_else(|| json!({ "type": "string" }), schemars::Schema::to_value);
        content.insert((*media_type).to_owned(), json!({ "schema": schema }));
    }
    let mut done = json!({ "description": route.summary });
    if let (false, Some(done)) = (content.is_empty(), done.as_object_mut()) {
        done.insert("content".to_owned(), Value::Object(content));
    }
    let header = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    if route.answer.etag {
        done["headers"]["ETag"] = header("The version, for `If-Match`.");
    }
    if route.answer.status == StatusCode::CREATED {
        done["headers"]["Location"] = header("Where it is.");
    }
    let mut responses = Map::from_iter([(route.answer.status.as_u16().to_string(), done)]);
    let has = |place: Place| route.fields.iter().any(|field| field.place == place);
    let is_known = route.rule != Rule::Public;
    let needs_more = matches!(route.rule, Rule::Role(_) | Rule::Pipeline(_)) || route.is_unsafe();
    responses.extend(problems(&[
        (400, !route.fields.is_empty()),
        (401, is_known || route.is_unsafe()),
        (403, needs_more),
        (404, has(Place::Path)),
        (409, route.is_unsafe() && is_known),
        (412, route.takes.condition),
        (413, has(Place::Body)),
        (415, has(Place::Body)),
        (422, has(Place::Body)),
        (428, route.takes.condition),
        (429, true),
        (503, true),
    ]));
    Value::Object(responses)
}

/// Refusals: those of these statuses that can be, and all others, which are of the same form.
pub(crate) fn problems(statuses: &[(u16, bool)]) -> Map<String, Value> {
    let known = statuses.iter().filter(|(_, can_be)| *can_be).map(|(status, _)| status.to_string());
    let problem = || json!({ "$ref": "#/components/responses/Problem" });
    known.chain(["default".to_owned()]).map(|status| (status, problem())).collect()
}

fn rule(rule: Rule) -> String {
    match rule {
        Rule::Public => "For anybody.".to_owned(),
        Rule::Signed => "For anybody with a credential.".to_owned(),
        Rule::Role(role) => format!("Takes the role {}.", role.name()),
        Rule::Pipeline(role) => {
            format!("Takes the role {}, everywhere or on the pipeline by one of its tags.", role.name())
        }
        Rule::Metrics => "For anybody on the same machine, and with a credential elsewhere.".to_owned(),
    }
}

fn rule_name(rule: Rule) -> String {
    match rule {
        Rule::Public => "public".to_owned(),
        Rule::Signed => "signed".to_owned(),
        Rule::Role(role) => format!("role:{}", role.name()),
        Rule::Pipeline(role) => format!("pipeline:{}", role.name()),
        Rule::Metrics => "metrics".to_owned(),
    }
}
