//! The page of the connector tells of its settings, all of them and no other, with their defaults.

use std::collections::BTreeSet;

use levada_core::connector::Connector as _;
use levada_lake::Delta;
use serde_json::{Value, json};

#[test]
fn the_page_has_the_settings_and_their_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors/delta.md");
    let page = std::fs::read_to_string(path).unwrap();
    let table = page.lines().skip_while(|line| !line.starts_with("| setting |")).skip(2);
    let rows: Vec<(&str, &str)> = table
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.trim_start_matches("| `").split_once("` |").unwrap())
        .collect();
    let descriptor = Delta::new(std::sync::Arc::new(|_| Ok(()))).descriptor();
    let settings = descriptor.settings["properties"].as_object().unwrap().clone();
    let told: BTreeSet<&str> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(told, settings.keys().map(String::as_str).collect());
    for (name, rest) in rows {
        let default = match &settings[name]["default"] {
            Value::Number(number) => number.to_string(),
            Value::Bool(switch) => switch.to_string(),
            _ => continue,
        };
        assert!(rest.contains(&format!("`{default}`")), "the default of `{name}` is `{default}`");
    }
}

#[test]
fn settings_are_checked() {
    let delta = Delta::new(std::sync::Arc::new(|_| Ok(())));
    let wrong = [
        (json!({}), "location"),
        (json!({ "locaton": "x" }), "`location`"),
        (json!({ "location": "s3://" }), "bucket"),
        (json!({ "location": "gs://x/y" }), "gs://"),
        (json!({ "location": "s3://b/p", "access_key": "AK" }), "secret_key"),
        (json!({ "location": "s3://b/p", "endpoint": "http://x" }), "allow_http"),
        (json!({ "location": "x", "as_of": "yesterday" }), "as_of"),
        (json!({ "location": "x", "retention_hours": 1 }), "retention_hours"),
        (json!({ "location": "x", "memory_mb": 1 }), "memory_mb"),
        (json!({ "url": "delta+s3://b/p?locatoin=x" }), "locatoin"),
    ];
    for (settings, word) in wrong {
        let error = delta.connect(settings.clone()).err().unwrap_or_else(|| panic!("{settings} was taken"));
        assert!(error.to_string().contains(word), "{settings}: {error}");
    }
    let url = url::Url::parse("delta+s3://bucket/a/b?region=r&access_key=AK&secret_key=S%2FK&as_of=3").unwrap();
    let settings = delta.settings_from_url(&url).unwrap();
    assert_eq!(
        settings,
        json!({ "location": "s3://bucket/a/b", "region": "r", "access_key": "AK", "secret_key": "S/K", "as_of": 3 })
    );
    let connection = delta.connect(settings).unwrap();
    assert_eq!(connection.address(), "s3://bucket/a/b");
    assert!(connection.destination().is_err(), "the past is not written to");
}
