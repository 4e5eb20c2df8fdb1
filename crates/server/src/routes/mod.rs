//! The operations, one file for each noun. Which of them exist, and who may call them, is in `router.rs`.

pub mod artifacts;
pub mod audit;
pub mod backfills;
pub mod browse;
pub mod connections;
pub mod connectors;
pub mod datasets;
pub mod files;
pub mod health;
pub mod lineage;
pub mod logs;
pub mod oidc;
pub mod openlineage;
pub mod overview;
pub mod pipeline_list;
pub mod pipelines;
pub mod plans;
pub mod positions;
pub mod project;
pub mod quality;
pub mod quarantine;
pub mod query;
pub mod recent;
pub mod recent_lines;
pub mod runs;
pub mod schedules;
pub mod search;
pub mod secrets;
pub mod served;
pub mod session;
pub mod sessions;
pub mod settings;
pub mod streams;
pub mod tokens;
pub mod users;
pub mod validate;
pub mod workers;

use levada_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// Items of a page that nobody said the length of.
const PAGE: usize = 50;
/// Items of a page at most.
const PAGE_MAX: usize = 1_000;

/// The input of operations that take nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// How many items a page has.
fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.map_or(PAGE, |asked| asked as usize) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(Problem::Malformed(format!("`limit` is between 1 and {PAGE_MAX}."))),
    }
}

/// How many items a page has of what is short: all of it unless asked for otherwise.
fn whole_or(asked: Option<u32>) -> Result<usize, Problem> {
    asked.map_or(Ok(usize::MAX), |asked| limit(Some(asked)))
}

/// Whether any of some texts holds another one, upper and lower case being the same; all do where none is asked for.
fn matches<'a>(search: Option<&str>, texts: impl IntoIterator<Item = &'a str>) -> bool {
    let Some(search) = search.map(str::to_lowercase) else { return true };
    texts.into_iter().any(|text| text.to_lowercase().contains(&search))
}

/// The number that a page ended with.
fn number(after: Option<&str>) -> Result<Option<i64>, Problem> {
    let wrong = || Problem::Malformed("`after` is the `next` of the page before.".to_owned());
    after.map(|text| text.parse().map_err(|_| wrong())).transpose()
}

/// An instant given as text.
fn instant(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let wrong = || Problem::Malformed(format!("`{name}` is an instant such as 2026-01-31T06:00:00Z."));
    text.map(|text| Timestamp::parse(text).ok_or_else(wrong)).transpose()
}

/// JSON that the store has as text.
fn parsed(text: Option<&str>) -> Option<Value> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

/// An object that the store has as text.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}
