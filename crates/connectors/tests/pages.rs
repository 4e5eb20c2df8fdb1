//! Every connector has a page in `docs/connectors`, and the page's table of settings is that of the connector.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

fn page(connector: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/connectors/{connector}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the table whose first column is headed `setting`: the name, and the rest of the row.
fn documented(page: &str) -> Vec<(String, String)> {
    let table = page.lines().skip_while(|line| !line.starts_with("| setting |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let (name, rest) = row.trim_start_matches("| ").split_once(" |").expect("a row has columns");
        (name.trim_matches('`').to_owned(), rest.to_owned())
    })
    .collect()
}

/// The settings of a schema with their definitions; those of a group are named `group.setting`.
fn settings(schema: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, property) in schema["properties"].as_object().expect("the settings are an object") {
        let place = property["$ref"].as_str().or_else(|| property["allOf"][0]["$ref"].as_str());
        let group = place.and_then(|place| schema.pointer(place.trim_start_matches('#')));
        match group.and_then(|group| group["properties"].as_object()) {
            Some(inner) => found.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone()))),
            None => found.push((name.clone(), property.clone())),
        }
    }
    found
}

#[test]
fn every_setting_of_every_connector_stands_in_the_table_of_its_page_and_no_other() {
    for connector in levada_connectors::registry().iter() {
        let descriptor = connector.descriptor();
        let rows = documented(&page(descriptor.name));
        let settings = settings(&descriptor.settings);
        let names: BTreeSet<&String> = settings.iter().map(|(name, _)| name).collect();
        let told: BTreeSet<&String> = rows.iter().map(|(name, _)| name).collect();
        assert_eq!(told, names, "the table of settings in docs/connectors/{}.md", descriptor.name);
        assert_eq!(told.len(), rows.len(), "a setting stands twice in docs/connectors/{}.md", descriptor.name);
    }
}

#[test]
fn the_defaults_in_the_tables_are_those_of_the_settings() {
    for connector in levada_connectors::registry().iter() {
        let descriptor = connector.descriptor();
        let rows = documented(&page(descriptor.name));
        for (name, property) in settings(&descriptor.settings) {
            let default = match &property["default"] {
                Value::String(text) if !text.is_empty() => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(switch) => switch.to_string(),
                _ => continue,
            };
            let row = rows.iter().find(|(known, _)| *known == name).map(|(_, rest)| rest.clone()).unwrap_or_default();
            assert!(
                row.contains(&format!("`{default}`")),
                "{}: the default of `{name}` is `{default}`",
                descriptor.name
            );
        }
    }
}

#[test]
fn the_settings_of_every_connector_tell_of_the_url_that_can_stand_for_them() {
    for connector in levada_connectors::registry().iter() {
        let descriptor = connector.descriptor();
        let url = &descriptor.settings["properties"]["url"];
        assert!(url.is_object(), "{}: `url` is not in the schema", descriptor.name);
        let required = descriptor.settings["required"].as_array().cloned().unwrap_or_default();
        assert!(required.is_empty(), "{}: {required:?} can come from `url`", descriptor.name);
    }
}
