//! From a `check` task as written to what is meant: defaults, and rules that can be told from its own text.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{
    CheckDocument, FreshnessDocument, Relationships, RowCountDocument, TestDocument, TestQuery, VolumeDocument,
};
use super::{DataTest, DatasetCheck, DatasetName, Rule};
use crate::config::File;
use crate::config::document::Param;
use crate::config::interpolate::{is_late, too_late};
use crate::config::problem::{Problem, Problems};
use crate::config::share::Share;
use crate::config::shorthand::Short;
use crate::config::sql::{bound, spliced_at};
use crate::config::yaml::Node;
use crate::error::Error;

/// The memory that the tests of a dataset may take where the document says nothing.
pub const CHECK_MEMORY_BYTES_DEFAULT: u64 = 64 << 20;
const MEMORY_BYTES_MIN: u64 = 16 << 20;
/// Failing rows that are kept of a test, where the document says nothing, and at most.
const KEEP_DEFAULT: u32 = 10;
const KEEP_MAX: u32 = 100;
/// Most tests of one task.
const TESTS_MAX: usize = 200;
/// The longest name of a test, in bytes.
const NAME_MAX: usize = 200;
/// Results that a volume is compared with, where the document says nothing, and at most.
const OVER_DEFAULT: u32 = 10;
/// The most results that a volume can be compared with.
pub const OVER_MAX: u32 = 100;

impl CheckDocument {
    /// The datasets that it names, each with the keys below the task where it stands.
    pub(in crate::config) fn datasets(&self) -> Vec<(Vec<String>, &str)> {
        let at = |index: usize, keys: [&str; 2]| {
            ["tests".to_owned(), index.to_string()].into_iter().chain(keys.map(str::to_owned)).collect()
        };
        let mut found = vec![(vec!["dataset".to_owned()], self.dataset.as_str())];
        for (index, test) in self.tests.iter().enumerate() {
            found
                .extend(test.relationships.as_ref().map(|rule| (at(index, ["relationships", "to"]), rule.to.as_str())));
            let equals = test.row_count.as_ref().and_then(|rule| rule.equals.as_deref());
            found.extend(equals.map(|name| (at(index, ["row_count", "equals"]), name)));
        }
        found
    }

    /// Applies defaults and rules. `params` are those of the pipeline, `written` the task as it is in the document.
    pub(in crate::config) fn resolve(
        &self,
        params: &BTreeMap<String, Param>,
        written: Option<&Node>,
    ) -> Result<DatasetCheck, Vec<Problem>> {
        let mut problems = Problems::default();
        let memory_bytes = self.memory.map_or(CHECK_MEMORY_BYTES_DEFAULT, |bytes| bytes.0);
        if memory_bytes < MEMORY_BYTES_MIN {
            problems.add(&["memory"], "that is too little memory to work with", "Give at least 16MiB.");
        }
        let keep = self.keep.unwrap_or(KEEP_DEFAULT);
        if keep > KEEP_MAX {
            problems.add(&["keep"], "that is more than a result holds", &format!("Keep at most {KEEP_MAX} rows."));
        }
        match self.tests.len() {
            0 => problems.add(&["tests"], "nothing is tested", "Add a test such as `- not_null: id`."),
            count if count > TESTS_MAX => {
                let message = format!("{count} tests are more than one task takes");
                problems.add(&["tests"], &message, &format!("Make several tasks of at most {TESTS_MAX} tests."));
            }
            _ => {}
        }
        let dataset = dataset(&["dataset"], &self.dataset, &mut problems);
        let (mut tests, mut names) = (Vec::new(), BTreeSet::new());
        for (index, test) in self.tests.iter().enumerate() {
            let index = index.to_string();
            let path = ["tests", index.as_str()];
            let Some(test) = test.resolve(&path, params, written, &mut problems) else { continue };
            if !names.insert(test.name.clone()) {
                let message = format!("there are two tests called `{}`", test.name);
                problems.add(&path, &message, "Give one of them another `name`.");
            }
            tests.push(test);
        }
        match dataset {
            Some(dataset) if problems.0.is_empty() => Ok(DatasetCheck { dataset, tests, keep, memory_bytes }),
            _ => Err(problems.0),
        }
    }
}

impl TestDocument {
    fn resolve(
        &self,
        path: &[&str; 2],
        params: &BTreeMap<String, Param>,
        written: Option<&Node>,
        problems: &mut Problems,
    ) -> Option<DataTest> {
        let at = |key: &'static str| [path[0], path[1], key];
        let given = self.rules();
        let rule = match given.as_slice() {
            [one] => *one,
            [] => {
                let advice = format!("Write one of `{}`.", RULES.join("`, `"));
                problems.add(path, "the test has no rule", &advice);
                return None;
            }
            [one, two, ..] => {
                let message = format!("the test has two rules: `{one}` and `{two}`");
                problems.add(&at(two), &message, "Make two tests of them.");
                return None;
            }
        };
        let known = problems.0.len();
        let rule = self.rule(rule, path, params, written, problems);
        if self.allow.is_some() && self.freshness.is_some() {
            problems.add(&at("allow"), "a dataset is fresh or not", "Remove it, or give `within` more time.");
        }
        if self.allow.is_some() && self.volume.is_some() {
            problems.add(
                &at("allow"),
                "how far a volume may be off is said by its rule",
                "Give `drop` or `rise` more room.",
            );
        }
        if let Some(name) = &self.name
            && (name.trim().is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control))
        {
            let message = format!("the name of a test has 1 to {NAME_MAX} bytes and no control characters");
            problems.add(&at("name"), &message, "Choose another name.");
        }
        let rule = rule.filter(|_| problems.0.len() == known)?;
        let name = self.name.clone().unwrap_or_else(|| name_of(&rule));
        Some(DataTest { name, rule, severity: self.severity, allowed: self.allow.unwrap_or_default() })
    }

    /// The rules that it has.
    fn rules(&self) -> Vec<&'static str> {
        let given = [
            self.not_null.is_some(),
            self.unique.is_some(),
            self.accepted_values.is_some(),
            self.range.is_some(),
            self.regex.is_some(),
            self.relationships.is_some(),
            self.row_count.is_some(),
            self.freshness.is_some(),
            self.volume.is_some(),
            self.sql.is_some(),
        ];
        RULES.into_iter().zip(given).filter(|(_, given)| *given).map(|(rule, _)| rule).collect()
    }

    /// Its one rule, which is called `key`.
    fn rule(
        &self,
        key: &'static str,
        path: &[&str; 2],
        params: &BTreeMap<String, Param>,
        written: Option<&Node>,
        problems: &mut Problems,
    ) -> Option<Rule> {
        let here = [path[0], path[1], key];
        let at = |part: &'static str| [path[0], path[1], key, part];
        if let Some(names) = self.not_null.as_ref().or(self.unique.as_ref()) {
            columns(&here, &names.0, problems);
            return Some(if key == "unique" { Rule::Unique(names.0.clone()) } else { Rule::NotNull(names.0.clone()) });
        }
        if let Some(rule) = &self.accepted_values {
            if rule.values.is_empty() {
                problems.add(&at("values"), "no value at all is accepted", "Name the values.");
            }
            return Some(Rule::AcceptedValues(rule.clone()));
        }
        if let Some(rule) = &self.range {
            if rule.min.is_none() && rule.max.is_none() {
                problems.add(&here, "the range has no end", "Give `min`, `max` or both.");
            }
            return Some(Rule::Range(rule.clone()));
        }
        if let Some(rule) = &self.regex {
            return Some(Rule::Regex(rule.clone()));
        }
        if let Some(Relationships { column, to, field }) = &self.relationships {
            let to = dataset(&at("to"), to, problems)?;
            return Some(Rule::Relationships { column: column.clone(), to, field: field.clone() });
        }
        if let Some(RowCountDocument { min, max, equals }) = &self.row_count {
            return row_count(&here, *min, *max, equals.as_deref(), problems);
        }
        if let Some(FreshnessDocument { column, within }) = &self.freshness {
            return Some(Rule::Freshness { column: column.clone(), within: within.0 });
        }
        if let Some(VolumeDocument { drop, rise, over }) = &self.volume {
            if drop.is_none() && rise.is_none() {
                problems.add(
                    &here,
                    "the volume may be anything",
                    "Give `drop`, `rise` or both, for instance `drop: 20%`.",
                );
            }
            if drop.is_some_and(|drop| drop > Share::ALL) {
                problems.add(&at("drop"), "there cannot be fewer rows than none", "Give at most 100%.");
            }
            let over = over.unwrap_or(OVER_DEFAULT);
            if !(1..=OVER_MAX).contains(&over) {
                let advice = format!("Give a number from 1 to {OVER_MAX}.");
                problems.add(&at("over"), "that many results cannot be looked at", &advice);
            }
            return Some(Rule::Volume { drop: *drop, rise: *rise, over });
        }
        let Short(query) = self.sql.as_ref()?;
        if query.query.trim().is_empty() {
            problems.add(&here, "the query is empty", "Write for instance `SELECT .. FROM connection.stream`.");
        }
        let place: Vec<String> = here.iter().map(|key| (*key).to_owned()).collect();
        let params = bound(&query.params, &place, params, written, problems);
        Some(Rule::Sql(TestQuery { query: query.query.clone(), params }))
    }
}

const RULES: [&str; 10] = [
    "not_null",
    "unique",
    "accepted_values",
    "range",
    "regex",
    "relationships",
    "row_count",
    "freshness",
    "volume",
    "sql",
];

fn columns(path: &[&str], names: &[String], problems: &mut Problems) {
    if names.is_empty() {
        problems.add(path, "no column is named", "Name one, or several in a list.");
    }
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            problems.add(path, &format!("the column `{name}` is named twice"), "Remove one.");
        }
    }
}

fn row_count(
    path: &[&str],
    min: Option<u64>,
    max: Option<u64>,
    equals: Option<&str>,
    problems: &mut Problems,
) -> Option<Rule> {
    let other = match equals {
        Some(name) => {
            let at: Vec<&str> = path.iter().copied().chain(["equals"]).collect();
            Some(dataset(&at, name, problems)?)
        }
        None => None,
    };
    match (min, max, &other) {
        (None, None, None) => {
            problems.add(path, "any number of rows would do", "Give `min`, `max`, or `equals: connection.stream`.");
        }
        (None, None, Some(_)) => {}
        (_, _, Some(_)) => problems.add(path, "`equals` stands alone", "Make two tests of them."),
        (Some(min), Some(max), None) if min > max => {
            problems.add(
                path,
                "no number of rows is that large and that small",
                "Give a `max` that is not below `min`.",
            );
        }
        _ => {}
    }
    Some(Rule::RowCount { min, max, equals: other })
}

/// A dataset from its name. What is only known when the task runs can stand in the stream's part.
fn dataset(path: &[&str], name: &str, problems: &mut Problems) -> Option<DatasetName> {
    let dot = name.find('.').filter(|dot| name.find("${").is_none_or(|late| *dot < late));
    let parts = dot.map(|dot| (&name[..dot], &name[dot + 1..]));
    match parts.filter(|(connection, stream)| !connection.is_empty() && !stream.is_empty()) {
        Some((connection, stream)) => {
            Some(DatasetName { connection: connection.to_owned(), stream: stream.to_owned() })
        }
        None if is_late(name) => {
            problems.add(path, &too_late(name), "Write the name of the connection itself.");
            None
        }
        None => {
            problems.add(path, &format!("`{name}` is no dataset"), "Write `connection.stream`.");
            None
        }
    }
}

/// What a test is called that has no name.
fn name_of(rule: &Rule) -> String {
    let columns = rule.columns();
    let mut name = std::iter::once(rule.kind()).chain(columns).collect::<Vec<_>>().join("_");
    name.retain(|c| !c.is_control());
    let end = (0..=NAME_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
    name.truncate(end);
    name
}

/// What is told before anything is looked up: references in the texts of queries, and secrets among their parameters.
pub(in crate::config) fn spliced(file: &File, task: &Node) -> Vec<Error> {
    let tests = task.find(&["check", "tests"]).into_iter().flat_map(Node::children);
    tests
        .filter_map(|test| test.get("sql"))
        .flat_map(|sql| spliced_at(file, Some(sql.get("query").unwrap_or(sql)), sql.get("params")))
        .collect()
}
