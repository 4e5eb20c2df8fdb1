//! When a pipeline runs by itself, as written: at times, or when something happened.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amount::DurationText;
use super::decode;
use super::problem::{Problem, Problems};
use super::shorthand::{self, FromText, Short};
use super::task::FilePattern;
use super::yaml;
use crate::error::{Error, ErrorKind};
use crate::schedule::{self, Catchup, Cron, Every, Gap, Overlap, Rule, Zone};

/// How often files are looked for, where the document says nothing.
const FILE_EVERY_DEFAULT: Duration = Duration::from_secs(30);

/// When a pipeline runs by itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a schedule with one of the keys `cron`, `every` and `on`")]
#[schemars(title = "Schedule")]
pub struct ScheduleDocument {
    /// Its name, by which its runs are told from those of other schedules; needed if there are several.
    pub name: Option<String>,
    /// Times as a cron expression of five fields, six with seconds first, or a word such as `@daily`.
    pub cron: Option<Cron>,
    /// Times as an interval, for instance `90s`, counted from 1970-01-01T00:00:00Z.
    pub every: Option<DurationText>,
    /// What has to happen, in place of times.
    pub on: Option<OnDocument>,
    /// The time zone that `cron` means, for instance `America/Bogota`; `UTC` by default.
    pub timezone: Option<Zone>,
    /// Which of the runs that were missed are made up for: `last` (the default), `none` or `all`.
    pub catchup: Option<Catchup>,
    /// A time that a change of clocks leaves out: `shift` (the default) runs right after it, `skip` not at all.
    pub gap: Option<Gap>,
    /// A time that a change of clocks brings twice: `once` (the default) or `both`.
    pub overlap: Option<Overlap>,
    /// Parameters of its runs.
    #[serde(deserialize_with = "shorthand::map")]
    #[schemars(with = "BTreeMap<String, shorthand::Scalar>")]
    pub params: BTreeMap<String, String>,
    /// Whether it starts out paused.
    pub paused: bool,
}

/// What has to happen for a pipeline to run.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "an event with one of the keys `pipeline`, `dataset` and `file`")]
#[schemars(title = "Event")]
pub struct OnDocument {
    /// A run of this pipeline ended.
    pub pipeline: Option<String>,
    /// How it ended: `succeeded` (the default), `failed` or `ended`.
    pub state: Option<EndState>,
    /// A dataset, as `connection.stream`, was loaded.
    pub dataset: Option<String>,
    /// A file or object arrived.
    pub file: Option<FilePattern>,
    /// How often files are looked for; `30s` by default.
    pub every: Option<DurationText>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    /// It succeeded.
    #[default]
    Succeeded,
    /// It failed.
    Failed,
    /// In whatever way.
    Ended,
}

/// When a pipeline runs by itself, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name; `schedule` if there is only one and it has none.
    pub name: String,
    /// What makes it fire.
    pub trigger: Trigger,
    /// Which of the runs that were missed are made up for.
    pub catchup: Catchup,
    /// Parameters of its runs.
    pub params: BTreeMap<String, String>,
    /// Whether it starts out paused.
    pub paused: bool,
}

/// What makes a schedule fire.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// Times.
    Time(schedule::Schedule),
    /// The end of a run of another pipeline.
    Pipeline {
        /// The pipeline.
        name: String,
        /// How it has to end.
        state: EndState,
    },
    /// The load of a dataset.
    Dataset(String),
    /// The arrival of a file or object.
    File {
        /// Which.
        pattern: FilePattern,
        /// How often to look.
        every: Duration,
    },
}

impl FromText for ScheduleDocument {
    const EXPECTED: &'static str = "a cron expression, or a schedule with one of the keys `cron`, `every` and `on`";

    fn from_text(cron: &str) -> Result<Self, String> {
        let cron = cron.parse().map_err(|error: Error| format!("{}\n{}", error.message(), error.advice()))?;
        Ok(Self { cron: Some(cron), ..Self::default() })
    }
}

impl ScheduleDocument {
    /// Applies defaults and rules. `name` is used if the document gives none.
    pub(super) fn resolve(&self, name: &str) -> Result<Schedule, Vec<Problem>> {
        let mut problems = Problems::default();
        let kinds = [("cron", self.cron.is_some()), ("every", self.every.is_some()), ("on", self.on.is_some())];
        let mut given = kinds.iter().filter(|(_, given)| *given).map(|(key, _)| *key);
        let trigger = match (given.next(), given.next()) {
            (None, _) => {
                problems.add(&[], "the schedule never fires", "Add one of `cron`, `every` and `on`.");
                None
            }
            (Some(first), Some(second)) => {
                let message = format!("`{first}` and `{second}` exclude each other");
                let is_file = self.on.as_ref().is_some_and(|on| on.file.is_some());
                let advice = if first == "every" && is_file {
                    "How often to look for files belongs into `on`: `on: { file: .., every: 30s }`."
                } else {
                    "Make two schedules of them, each with a name."
                };
                problems.add(&[second], &message, advice);
                None
            }
            _ => match &self.on {
                Some(on) => on.resolve(&mut problems),
                None => self.times(&mut problems).map(Trigger::Time),
            },
        };
        let timed =
            [("timezone", self.timezone.is_some()), ("gap", self.gap.is_some()), ("overlap", self.overlap.is_some())];
        for (key, _) in timed.iter().filter(|(_, given)| *given && self.cron.is_none()) {
            problems.add(&[key], &format!("`{key}` needs a `cron`"), "Remove it.");
        }
        // files that arrived while nobody looked are seen by the next look in any case
        let is_of_files = |on: &OnDocument| on.file.is_some() && self.catchup != Some(Catchup::None);
        if self.catchup.is_some() && self.on.as_ref().is_some_and(|on| !is_of_files(on)) {
            let message = "`catchup` has no meaning with `on`, except `last` and `all` for a `file`";
            problems.add(&["catchup"], message, "Remove it.");
        }
        let name = self.name.clone().unwrap_or_else(|| name.to_owned());
        if name.is_empty() || name.contains('/') || name.chars().any(char::is_control) {
            problems.add(&["name"], "a schedule's name is not empty and has no `/`", "Choose another name.");
        }
        match trigger {
            Some(trigger) if problems.0.is_empty() => {
                let catchup = self.catchup.unwrap_or_default();
                Ok(Schedule { name, trigger, catchup, params: self.params.clone(), paused: self.paused })
            }
            _ => Err(problems.0),
        }
    }
}

impl Schedule {
    /// Reads one schedule by itself, as a pipeline's document would have it: text or a mapping.
    ///
    /// # Errors
    /// `Config`, one for each rule that is broken.
    pub fn parse(text: &str) -> Result<Self, Vec<Error>> {
        const FILE: &str = "schedule";
        let documents = yaml::parse(FILE, text).map_err(|error| vec![error])?;
        let wrong =
            || Error::new(ErrorKind::Config, "this is not one schedule").advise("Write `0 6 * * *`, for instance.");
        let [document] = documents.as_slice() else { return Err(vec![wrong()]) };
        let Short(schedule): Short<ScheduleDocument> =
            decode::decode(document).map_err(|misfit| vec![misfit.in_file(FILE)])?;
        let error = |problem: Problem| {
            let path: Vec<&str> = problem.path.iter().map(String::as_str).collect();
            Error::new(ErrorKind::Config, problem.message)
                .at(document.locate(&path).in_file(FILE))
                .advise(problem.advice)
        };
        schedule.resolve("schedule").map_err(|problems| problems.into_iter().map(error).collect())
    }
}

impl ScheduleDocument {
    fn times(&self, problems: &mut Problems) -> Option<schedule::Schedule> {
        let when = match (&self.cron, self.every) {
            (Some(cron), _) => Rule::Cron(cron.clone()),
            (None, every) => match Every::new(every?.0) {
                Ok(every) => Rule::Every(every),
                Err(error) => {
                    problems.add(&["every"], error.message(), error.advice());
                    return None;
                }
            },
        };
        let (gap, overlap) = (self.gap.unwrap_or_default(), self.overlap.unwrap_or_default());
        Some(schedule::Schedule { when, timezone: self.timezone.unwrap_or_default(), gap, overlap })
    }
}

impl OnDocument {
    fn resolve(&self, problems: &mut Problems) -> Option<Trigger> {
        let every = self.every.map_or(FILE_EVERY_DEFAULT, |text| text.0);
        let given = [
            (
                "pipeline",
                self.pipeline.clone().map(|name| Trigger::Pipeline { name, state: self.state.unwrap_or_default() }),
            ),
            ("dataset", self.dataset.clone().map(Trigger::Dataset)),
            ("file", self.file.clone().map(|pattern| Trigger::File { pattern, every })),
        ];
        let mut given = given.into_iter().filter_map(|(key, trigger)| Some((key, trigger?)));
        let Some((first, trigger)) = given.next() else {
            problems.add(&["on"], "`on` names nothing", "Add one of `pipeline`, `dataset` and `file`.");
            return None;
        };
        if let Some((second, _)) = given.next() {
            let message = format!("`{first}` and `{second}` exclude each other");
            problems.add(&["on", second], &message, "Make two schedules of them, each with a name.");
            return None;
        }
        if self.state.is_some() && self.pipeline.is_none() {
            problems.add(&["on", "state"], "`state` needs a `pipeline`", "Remove it.");
        }
        if self.every.is_some() && self.file.is_none() {
            problems.add(&["on", "every"], "`every` needs a `file` here", "Remove it, or move it out of `on`.");
        }
        if every < Duration::from_secs(1) {
            problems.add(&["on", "every"], "that is too often", "Give at least `1s`.");
        }
        Some(trigger)
    }
}
