//! Reports: queries with parameters that the data API serves as files.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::collection::check_path;
use super::problem::Problems;
use crate::access::Role;
use crate::naming::{did_you_mean, nearest};
use crate::rows::{Cell, Kind, Statement};

/// Most rows of an answer where the document says nothing.
const ROWS_MAX_DEFAULT: u32 = 100_000;
/// Most rows that a document can ask for.
const ROWS_MAX: u32 = 10_000_000;

/// A query that is served, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a report with the keys `connection` and `query`")]
pub struct ReportDocument {
    /// The connection that is asked.
    pub connection: String,
    /// The query, with `:name` for each parameter. It cannot change anything.
    pub query: String,
    /// Where it is served, below the data API's address; the report's name by default.
    pub path: Option<String>,
    /// What it tells.
    pub description: Option<String>,
    /// The parameters of the query by name.
    #[serde(default)]
    pub params: BTreeMap<String, ReportParamDocument>,
    /// The role that somebody needs to see it; `viewer` by default.
    pub access: Option<Role>,
    /// The forms it is served in, the first where a request does not say; all of them by default.
    #[serde(default)]
    pub formats: Vec<ReportFormat>,
    /// The name of the downloaded file without its ending, `{name}` standing for the value of a parameter; the report's
    /// name by default.
    pub download: Option<String>,
    /// Most rows of an answer; 100000 by default. A longer one is an error.
    pub rows_max: Option<u32>,
}

/// A parameter of a report, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a parameter with the keys `type` and `default`")]
pub struct ReportParamDocument {
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The value of requests that give none; without it every request has to.
    pub default: Option<Json>,
    /// What it is for.
    pub description: Option<String>,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// Comma separated values with a line of names.
    Csv,
    /// A JSON list of objects.
    Json,
    /// Apache Parquet.
    Parquet,
}

impl ReportFormat {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Parquet];

    /// The stable name, and the ending of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }
}

/// A query that is served.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// The connection that is asked.
    pub connection: String,
    /// Where it is served, below the data API's address.
    pub path: String,
    /// What it tells.
    pub description: Option<String>,
    /// The query.
    pub statement: Statement,
    /// Its parameters, ordered by name.
    pub params: Vec<ReportParam>,
    /// The role that somebody needs.
    pub access: Role,
    /// The forms it is served in, the preferred one first.
    pub formats: Vec<ReportFormat>,
    /// The name of the downloaded file, without its ending.
    pub download: String,
    /// Most rows of an answer.
    pub rows_max: u32,
}

/// A parameter of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportParam {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub kind: Kind,
    /// The value of requests that give none.
    pub default: Option<Cell>,
    /// What it is for.
    pub description: Option<String>,
}

impl Report {
    /// The name of the downloaded file, with its ending. Values lose what has a meaning in names of files.
    pub fn file_name(&self, values: &[(String, Kind, Cell)], format: ReportFormat) -> String {
        let mut name = self.download.clone();
        for (param, _, value) in values {
            name = name.replace(&format!("{{{param}}}"), &value.to_text().unwrap_or(Cow::from("none")));
        }
        let is_plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
        let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).take(150).collect();
        format!("{}.{}", plain.trim_start_matches('.'), format.name())
    }
}

impl ReportDocument {
    /// The report.
    pub(super) fn resolve(self, name: &str, problems: &mut Problems) -> Option<Report> {
        let before = problems.0.len();
        let at = |keys: &[&str]| -> Vec<String> {
            ["reports", name].iter().chain(keys).map(|key| (*key).to_owned()).collect()
        };
        let path = self.path.unwrap_or_else(|| name.to_owned());
        check_path(&path, at(&["path"]), problems);
        let statement = Statement::parse(self.query.trim_end_matches(|c: char| c == ';' || c.is_whitespace()));
        if self.query.trim().is_empty() {
            problems.push(at(&["query"]), "there is no query".to_owned(), "Write `query: SELECT ..`.");
        }
        let known: Vec<&str> = self.params.keys().map(String::as_str).collect();
        for used in statement.params().filter(|used| !known.contains(used)) {
            let near = did_you_mean(nearest(used, &known));
            let message = format!("the query has a parameter `:{used}` that is not declared");
            let advice = format!("{near}Add `params: {{ {used}: {{ type: text }} }}`.");
            problems.push(at(&["query"]), message, &advice);
        }
        let mut params = Vec::new();
        for (param, document) in &self.params {
            if !statement.params().any(|used| used == param) {
                let message = format!("the query does not use the parameter `{param}`");
                problems.push(at(&["params", param]), message, &format!("Write `:{param}` in it, or remove it."));
            }
            if document.kind == Kind::Json {
                let message = "a parameter cannot be JSON".to_owned();
                problems.push(at(&["params", param, "type"]), message, "Choose another type.");
            }
            let default = document.default.as_ref().and_then(|given| match Cell::from_json(document.kind, given) {
                Ok(cell) => Some(cell),
                Err(misfit) => {
                    let message = format!("a value of the type {} {misfit}", document.kind);
                    problems.push(at(&["params", param, "default"]), message, "Correct the value, or the type.");
                    None
                }
            });
            let description = document.description.clone();
            params.push(ReportParam { name: param.clone(), kind: document.kind, default, description });
        }
        let rows_max = self.rows_max.unwrap_or(ROWS_MAX_DEFAULT);
        if !(1..=ROWS_MAX).contains(&rows_max) {
            let message = format!("an answer has 1 to {ROWS_MAX} rows");
            problems.push(at(&["rows_max"]), message, "Choose a number between.");
        }
        let formats = if self.formats.is_empty() { ReportFormat::ALL.to_vec() } else { self.formats };
        (problems.0.len() == before).then(|| Report {
            name: name.to_owned(),
            connection: self.connection,
            path,
            description: self.description,
            statement,
            params,
            access: self.access.unwrap_or(Role::Viewer),
            formats,
            download: self.download.unwrap_or_else(|| name.to_owned()),
            rows_max,
        })
    }
}
