//! Collections and reports in the OpenAPI document, each with its own schema.

use levada_core::access::Role;
use levada_core::config::{Collection, Report};
use levada_core::rows::{Column, Operator, Table};
use serde_json::{Map, Value, json};

use super::{bulk, csv, reports};
use crate::openapi;

/// Adds what is served.
pub(super) fn add(document: &mut Value, collections: &[Collection], all: &[Report]) {
    for collection in collections {
        let name = schema_name(&collection.table);
        document["components"]["schemas"][&name] = row(&collection.table, false);
        document["components"]["schemas"][format!("{name}New")] = row(&collection.table, true);
        document["components"]["schemas"][format!("{name}Change")] = part(&collection.table);
        let base = format!("/v1/{}", collection.path);
        document["paths"][&base] = rows(collection);
        document["paths"][format!("{base}/bulk")] = many(collection);
        document["paths"][format!("{base}/{{key}}")] = one(collection);
        if collection.table.soft_delete {
            document["paths"][format!("{base}/{{key}}/restore")] = restore(collection);
        }
    }
    for report in all {
        document["paths"][format!("/v1/{}", report.path)] = of_report(report);
    }
}

/// `collection.department`: no name of the API's own has a point.
fn schema_name(table: &Table) -> String {
    format!("collection.{}", plain(&table.name))
}

/// A name as the document allows it.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}

fn operation(name: &str, what: &str, table: &str, summary: &str, role: Role, rest: Value) -> Value {
    let mut operation = json!({
        "operationId": format!("{what}.{}", plain(name)),
        "summary": summary,
        "tags": [table],
        "description": format!("Takes the role {}.", role.name()),
        "x-levada-rule": format!("role:{}", role.name()),
        "security": [{ "token": [] }, { "session": [] }],
    });
    if let (Some(operation), Value::Object(rest)) = (operation.as_object_mut(), rest) {
        operation.extend(rest);
    }
    operation
}

fn schema(column: &Column, is_answer: bool) -> Value {
    let mut schema = column.kind.json_schema();
    let check = &column.check;
    let Some(object) = schema.as_object_mut() else { return schema };
    let mut set = |key: &str, value: Option<Value>| {
        object.extend(value.map(|value| (key.to_owned(), value)));
    };
    set("description", column.description.clone().map(Value::from));
    if !is_answer {
        let number =
            |cell: &Option<levada_core::rows::Cell>| cell.as_ref().map(|cell| cell.to_json()).filter(Value::is_number);
        set("minimum", number(&check.min));
        set("maximum", number(&check.max));
        set("minLength", check.min_length.map(Value::from));
        set("maxLength", check.max_length.map(Value::from));
        set("pattern", check.pattern.as_ref().map(|pattern| Value::from(pattern.as_str())));
        let one_of: Vec<Value> = check.one_of.iter().map(|cell| cell.to_json()).collect();
        set("enum", (!one_of.is_empty()).then_some(Value::Array(one_of)));
        set("default", column.default.as_ref().map(|cell| cell.to_json()));
    }
    if column.required { schema } else { json!({ "anyOf": [schema, { "type": "null" }] }) }
}

/// A row as it is answered, or as it is sent whole.
fn row(table: &Table, is_new: bool) -> Value {
    let properties: Map<String, Value> =
        table.columns.iter().map(|column| (column.name.clone(), schema(column, !is_new))).collect();
    let is_wanted = |column: &&Column| match is_new {
        true if column.name == table.key => !table.is_key_given,
        true => column.required && column.default.is_none(),
        false => true,
    };
    let required: Vec<&str> = table.columns.iter().filter(is_wanted).map(|column| column.name.as_str()).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": !is_new })
}

/// A row as it is sent to change another one.
fn part(table: &Table) -> Value {
    let mut part = row(table, true);
    if let Some(part) = part.as_object_mut() {
        part.remove("required");
        for property in part["properties"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            property.as_object_mut().map(|property| property.remove("default"));
        }
    }
    part
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(media_type: &str, schema: Value) -> Value {
    json!({ media_type: { "schema": schema } })
}

fn responses(status: &str, description: &str, content: Option<Value>) -> Value {
    let mut done = json!({ "description": description });
    if let Some(content) = content {
        done["content"] = content;
    }
    let mut responses = Map::from_iter([(status.to_owned(), done)]);
    let statuses = [400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503];
    responses.extend(openapi::problems(&statuses.map(|status| (status, true))));
    Value::Object(responses)
}

fn parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
}

fn rows(collection: &Collection) -> Value {
    let (table, access) = (&collection.table, collection.access);
    let name = schema_name(table);
    let mut parameters = vec![
        parameter("limit", "Most rows of the page.", json!({ "type": "integer", "minimum": 1, "maximum": 1000 })),
        parameter("after", "What the page before gave as `next`.", json!({ "type": "string" })),
        parameter("sort", "Columns, 100 at most; `-` before one turns it round.", json!({ "type": "string" })),
        parameter("expand", "Columns whose references become the rows they name.", json!({ "type": "string" })),
        parameter("deleted", "Whether deleted rows are there too.", json!({ "type": "boolean" })),
    ];
    for column in &table.columns {
        for (word, operator) in Operator::ALL.into_iter().filter(|(_, operator)| operator.takes(column.kind)) {
            let schema = match operator {
                Operator::IsNull => json!({ "type": "boolean" }),
                Operator::In => json!({ "type": "string", "description": "Values, parted by commas." }),
                _ => column.kind.json_schema(),
            };
            let description = format!("Rows of which `{}` is so; a list takes 100 filters at most.", column.name);
            parameters.push(parameter(&format!("{}[{word}]", column.name), &description, schema));
        }
    }
    let page = json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": reference(&name) },
            "next": { "type": ["string", "null"], "description": "What to give as `after` for the next page." },
        },
    });
    let list = json!({
        "parameters": parameters,
        "responses": responses("200", "Rows", Some(content("application/json", page))),
    });
    let add = json!({
        "requestBody": { "required": true, "content": content("application/json", reference(&format!("{name}New"))) },
        "responses": responses("201", "The row", Some(content("application/json", reference(&name)))),
    });
    let description = collection.description.clone().unwrap_or_else(|| format!("Rows of {}", table.name));
    json!({
        "get": operation(&table.name, "list", &table.name, &description, access.read, list),
        "post": operation(&table.name, "add", &table.name, "Add a row", access.write, add),
    })
}

fn key(table: &Table) -> Value {
    let schema = table.column(&table.key).map(|column| column.kind.json_schema());
    json!({ "name": "key", "in": "path", "required": true, "description": table.key, "schema": schema })
}

fn if_match() -> Value {
    let description = "The `ETag` that the row has to have.";
    json!({ "name": "If-Match", "in": "header", "required": false, "description": description, "schema": { "type": "string" } })
}

fn one(collection: &Collection) -> Value {
    let (table, access) = (&collection.table, collection.access);
    let name = schema_name(table);
    let shown = || responses("200", "The row", Some(content("application/json", reference(&name))));
    let get = json!({
        "parameters": [
            key(table),
            parameter("expand", "Columns whose references become the rows they name.", json!({ "type": "string" })),
            parameter("deleted", "Whether it may be deleted.", json!({ "type": "boolean" })),
        ],
        "responses": shown(),
    });
    let body = |schema: String| json!({ "required": true, "content": content("application/json", reference(&schema)) });
    let put = json!({
        "parameters": [key(table), if_match()],
        "requestBody": body(format!("{name}Change")),
        "responses": shown(),
    });
    let patch = put.clone();
    let hard = parameter("hard", "Removes it for good.", json!({ "type": "boolean", "default": false }));
    let delete = json!({
        "parameters": [key(table), if_match(), hard],
        "responses": responses("204", "It is deleted", None),
    });
    json!({
        "get": operation(&table.name, "get", &table.name, "A row", access.read, get),
        "put": operation(&table.name, "replace", &table.name, "Replace a row", access.write, put),
        "patch": operation(&table.name, "change", &table.name, "Change a row", access.write, patch),
        "delete": operation(&table.name, "delete", &table.name, "Delete a row", access.delete, delete),
    })
}

fn restore(collection: &Collection) -> Value {
    let (table, access) = (&collection.table, collection.access);
    let shown = responses("200", "The row", Some(content("application/json", reference(&schema_name(table)))));
    let restore = json!({ "parameters": [key(table)], "responses": shown });
    json!({ "post": operation(&table.name, "restore", &table.name, "Take back a deletion", access.write, restore) })
}

fn many(collection: &Collection) -> Value {
    let (table, access) = (&collection.table, collection.access);
    let rows = json!({
        "type": "object",
        "required": ["rows"],
        "additionalProperties": false,
        "properties": {
            "rows": { "type": "array", "minItems": 1, "maxItems": 1000, "items": reference(&format!("{}New", schema_name(table))) },
            "mode": { "enum": ["all", "each"], "default": "all", "description": "Whether all rows are kept or none, or each that can be." },
            "upsert": { "type": ["string", "null"], "description": "The column, unique or the key, by which rows that are there are changed." },
        },
    });
    let count = || json!({ "type": "integer" });
    let told = json!({
        "type": "object",
        "required": ["rows", "inserted", "changed", "failed"],
        "properties": {
            "rows": count(), "inserted": count(), "changed": count(), "failed": count(),
            "items": { "type": "array", "items": { "type": "object" } },
            "failures": { "type": "array", "items": { "type": "object" } },
        },
    });
    let mut responses = responses("200", "What became of the rows", Some(content("application/json", told)));
    responses["201"] = responses["200"].clone();
    let add = json!({
        "parameters": [
            parameter("mode", "For a stream: as in a body of JSON.", json!({ "enum": ["all", "each"] })),
            parameter("upsert", "For a stream: as in a body of JSON.", json!({ "type": "string" })),
        ],
        "requestBody": { "required": true, "content": {
            "application/json": { "schema": rows },
            csv::MEDIA_TYPE: { "schema": { "type": "string" } },
            bulk::LINES: { "schema": { "type": "string" } },
        } },
        "responses": responses,
    });
    json!({ "post": operation(&table.name, "addMany", &table.name, "Add many rows", access.write, add) })
}

fn of_report(report: &Report) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for param in &report.params {
        let mut schema = param.kind.json_schema();
        if let Some(default) = &param.default {
            schema["default"] = default.to_json();
        }
        let description = param.description.clone().unwrap_or_default();
        let mut parameter = parameter(&param.name, &description, schema);
        parameter["required"] = param.default.is_none().into();
        parameters.push(parameter);
    }
    let formats: Vec<&str> = report.formats.iter().map(|format| format.name()).collect();
    parameters.push(parameter("format", "The form of the file.", json!({ "enum": formats })));
    let content: Map<String, Value> = report
        .formats
        .iter()
        .map(|format| {
            let media_type = reports::media_type(*format).split(';').next().unwrap_or_default().to_owned();
            let schema = match format {
                levada_core::config::ReportFormat::Json => json!({ "type": "array", "items": { "type": "object" } }),
                _ => json!({ "type": "string" }),
            };
            (media_type, json!({ "schema": schema }))
        })
        .collect();
    let get =
        json!({ "parameters": parameters, "responses": responses("200", "The report", Some(Value::Object(content))) });
    let summary = report.description.clone().unwrap_or_else(|| report.name.clone());
    json!({ "get": operation(&report.name, "report", "reports", &summary, report.access, get) })
}
