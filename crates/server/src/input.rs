//! From a request to the input of an operation: fields of the path, the query and the body become one object, and are
//! checked by the types of the operation.

use axum::body::Body;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::App;
use crate::problem::Problem;
use crate::route::{LARGE, Large};

/// A field of the input of an operation.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where it travels.
    pub place: Place,
    /// Its JSON schema.
    pub schema: Schema,
    /// Whether it must be given.
    pub is_required: bool,
}

/// Where a field travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// Behind the question mark.
    Query,
    /// As a key of the body's object.
    Body,
}

/// The fields of an input type, by the path and the method of its operation.
pub(crate) fn fields<I: JsonSchema>(schemas: &mut SchemaGenerator, method: &Method, path: &str) -> Vec<Field> {
    let schema = I::json_schema(schemas);
    let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let place = |name: &str| match method {
        _ if path.contains(&format!("{{{name}}}")) => Place::Path,
        &Method::POST | &Method::PUT | &Method::PATCH => Place::Body,
        _ => Place::Query,
    };
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let field = |(name, schema): (String, Value)| Field {
        place: place(&name),
        is_required: required.contains(&name.as_str()),
        schema: Schema::try_from(schema).unwrap_or_default(),
        name,
    };
    properties.into_iter().map(field).collect()
}

/// Reads the input of an operation. The body is handed on where the operation has no field in it.
///
/// # Errors
/// `Malformed`, `MediaType` and `TooLarge`.
pub(crate) async fn read<I: DeserializeOwned>(
    app: &App,
    fields: &[Field],
    head: &Parts,
    path: Vec<(String, String)>,
    body: Body,
) -> Result<(I, Body), Problem> {
    let mut object = Map::new();
    let (mut rest, mut is_read) = (Body::empty(), false);
    if fields.iter().any(|field| field.place == Place::Body) {
        object = read_body(app, fields, head, body).await?;
        is_read = true;
    } else {
        rest = body;
    }
    for name in object.keys() {
        if fields.iter().any(|field| field.name == *name && field.place != Place::Body) {
            return Err(Problem::Malformed(format!("`{name}` belongs into the path, not into the body.")));
        }
    }
    let query = head.uri.query().unwrap_or_default();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let known = fields.iter().find(|field| field.name == name && field.place == Place::Query);
        let Some(field) = known else {
            let known: Vec<&str> = fields.iter().filter(|f| f.place == Place::Query).map(|f| f.name.as_str()).collect();
            return Err(Problem::Malformed(unknown(&name, &known)));
        };
        add(&mut object, field, &text)?;
    }
    for (name, text) in path {
        if let Some(field) = fields.iter().find(|field| field.name == name) {
            add(&mut object, field, &text)?;
        }
    }
    let input = serde_json::from_value(Value::Object(object)).map_err(|error| malformed(&error, is_read))?;
    Ok((input, rest))
}

fn unknown(name: &str, known: &[&str]) -> String {
    let near = levada_core::naming::did_you_mean(levada_core::naming::nearest(name, known));
    match known.is_empty() {
        true => format!("This operation takes no parameters, and so no `{name}`."),
        false => format!("There is no parameter `{name}`. {near}Parameters: {}.", known.join(", ")),
    }
}

fn malformed(error: &serde_json::Error, is_body: bool) -> Problem {
    let message = error.to_string();
    // the place in a value that was read long before means nothing to anybody
    let message = message.split(" at line ").next().unwrap_or_default();
    Problem::Malformed(format!("The {} not valid: {message}.", if is_body { "input is" } else { "parameters are" }))
}

async fn read_body(app: &App, fields: &[Field], head: &Parts, body: Body) -> Result<Map<String, Value>, Problem> {
    let max = match head.extensions.get::<Large>() {
        Some(Large) => app.limits.body_bytes_max.saturating_mul(LARGE),
        None => app.limits.body_bytes_max,
    };
    let bytes = axum::body::to_bytes(body, max).await.map_err(|error| {
        // the only other cause is a connection that broke, whose answer nobody reads
        tracing::debug!("a body was not read: {error}");
        Problem::TooLarge(max)
    })?;
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let takes_text = fields.iter().any(|field| field.place == Place::Body && field.name == "text");
    match media_type.as_str() {
        "application/yaml" | "application/x-yaml" | "text/yaml" if takes_text => {
            let text = String::from_utf8(bytes.into());
            let text = text.map_err(|_| Problem::Malformed("The body is not text in UTF-8.".to_owned()))?;
            Ok(Map::from_iter([("text".to_owned(), Value::String(text))]))
        }
        "" if bytes.is_empty() => Ok(Map::new()),
        "application/json" => match serde_json::from_slice(&bytes) {
            _ if bytes.is_empty() => Ok(Map::new()),
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Problem::Malformed("The body is not a JSON object.".to_owned())),
            Err(error) => Err(Problem::Malformed(format!("The body is not JSON: {error}."))),
        },
        _ if takes_text => Err(Problem::MediaType("application/json or application/yaml".to_owned())),
        _ => Err(Problem::MediaType("application/json".to_owned())),
    }
}

/// Adds a field given as text; several of one name make a list.
fn add(object: &mut Map<String, Value>, field: &Field, text: &str) -> Result<(), Problem> {
    let types = types(&field.schema);
    if types.contains(&"array") {
        let list = object.entry(field.name.clone()).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().into_iter().for_each(|list| list.push(Value::from(text)));
        return Ok(());
    }
    let value = if types.contains(&"integer") {
        text.parse().map(|number: i64| Value::from(number)).map_err(|_| "a whole number")
    } else if types.contains(&"boolean") {
        text.parse().map(|flag: bool| Value::from(flag)).map_err(|_| "`true` or `false`")
    } else {
        Ok(Value::from(text))
    };
    let value = value.map_err(|what| Problem::Malformed(format!("`{}` is {what}.", field.name)))?;
    match object.insert(field.name.clone(), value) {
        None => Ok(()),
        Some(_) => Err(Problem::Malformed(format!("`{}` is given twice.", field.name))),
    }
}

/// The JSON types that a schema allows.
fn types(schema: &Schema) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
