//! The documents in a project's folder: found, read, checked together, and as the metadata store is to have them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use levada_core::config::{self, EndState, File, PROJECT_FILE, Pipeline, Task, Trigger, Variables, check_pipelines};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::run::RunState;
use levada_engine::connections;
use levada_store::{Kind, NewDocument, NewProject, NewSchedule, Spec, When};
use serde_json::Value as Json;

use crate::project::{self, env};
use crate::vault::Stored;
use crate::wiring;

/// The folder in a project whose files are its pipelines.
const PIPELINES_DIR: &str = "pipelines";
/// How deep folders of pipelines are looked into.
const DEPTH_MAX: usize = 16;

/// The documents of a project as they lie in its folder.
pub struct Folder {
    /// The project's own document.
    pub project: Source,
    /// Those of its pipelines, in order of their paths.
    pub pipelines: Vec<Source>,
}

/// The text of a document.
pub struct Source {
    /// Where it lies, from the project's folder on, with `/`.
    pub path: String,
    /// The same, as the user would write it from the current folder.
    pub shown: String,
    /// What it says.
    pub text: String,
}

impl Folder {
    /// Reads the folder that a project's document lies in.
    pub fn read(document: &Path) -> Result<Self, Vec<Error>> {
        let root = document.parent().unwrap_or(Path::new(""));
        let name = document.file_name().unwrap_or_default();
        let project = Source::read(root, Path::new(name))?;
        let mut paths = Vec::new();
        find(root, Path::new(PIPELINES_DIR), 0, &mut paths).map_err(|error| vec![error])?;
        paths.sort();
        let (mut pipelines, mut errors) = (Vec::new(), Vec::new());
        for path in paths {
            match Source::read(root, &path) {
                Ok(source) => pipelines.push(source),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() { Ok(Self { project, pipelines }) } else { Err(errors) }
    }

    /// Names of secrets that the documents mention.
    pub fn mentioned(&self) -> BTreeSet<String> {
        let texts = std::iter::once(&self.project).chain(&self.pipelines).map(|source| &source.text);
        texts.flat_map(|text| config::secret_names(text)).map(str::to_owned).collect()
    }

    /// What the store is to have, if nothing is wrong with any of it.
    ///
    /// # Errors
    /// Every mistake in every document, with file, line and column.
    pub fn check(self, stored: &Stored) -> Result<NewProject, Vec<Error>> {
        let own = File::parse(&self.project.shown, &self.project.text)?;
        if own.has_pipeline() {
            let error = Error::new(ErrorKind::Config, "the document of a project holds no pipeline");
            let advice = format!("Put the pipeline into a file below `{PIPELINES_DIR}/`.");
            return Err(vec![error.at(&self.project.shown).advise(advice)]);
        }
        let (mut checked, mut errors) = (Vec::new(), Vec::new());
        for source in self.pipelines {
            match check(&source, &own, stored) {
                Ok((file, pipeline)) => checked.push((source, file, pipeline)),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() {
            let all: Vec<(&File, &Pipeline)> = checked.iter().map(|(_, file, pipeline)| (file, pipeline)).collect();
            errors.extend(check_pipelines(&all).err().unwrap_or_default());
        }
        // mistakes in what several pipelines share are found once for each
        let mut told = BTreeSet::new();
        errors.retain(|error| told.insert(error.to_string()));
        if !errors.is_empty() {
            return Err(errors);
        }
        let pools = config::Project::of([&own]).pools;
        let pipelines = checked.into_iter().map(|(source, _, pipeline)| {
            let schedules = pipeline.schedules.iter().map(schedule).collect();
            (source.document(Kind::Pipeline, &pipeline.name, Some(&pipeline)), schedules)
        });
        let pipelines = pipelines.collect();
        Ok(NewProject { document: self.project.document(Kind::Project, PROJECT_FILE, None), pools, pipelines })
    }
}

impl Source {
    fn read(root: &Path, path: &Path) -> Result<Self, Vec<Error>> {
        let place = root.join(path);
        let text = project::read_text(&place)?;
        let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        Ok(Self { path: parts.join("/"), shown: place.display().to_string(), text })
    }

    fn document(self, kind: Kind, name: &str, pipeline: Option<&Pipeline>) -> NewDocument {
        let graph = pipeline.map(Pipeline::graph);
        NewDocument { kind, name: name.to_owned(), path: self.path, text: self.text, graph }
    }
}

/// The documents below a folder of a project; hidden ones are none.
fn find(root: &Path, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let place = root.join(folder);
    let entries = match std::fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth == 0 => return Ok(()),
        Err(error) => return Err(Error::from(error).at(place.display().to_string())),
    };
    for entry in entries {
        let name = entry.at(place.display().to_string())?.file_name();
        let path = folder.join(&name);
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if root.join(&path).is_dir() {
            if depth < DEPTH_MAX {
                find(root, &path, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    Ok(())
}

/// The pipeline in a document, with all that it uses of the project.
fn check(source: &Source, own: &File, stored: &Stored) -> Result<(File, Pipeline), Vec<Error>> {
    let file = File::parse(&source.shown, &source.text)?;
    let shared = config::Project::of([&file, own]);
    let secret = |name: &str| stored.get(name);
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    let (pipeline, params) = file.check(&shared, &variables)?;
    let variables = Variables { params, ..variables };
    let registry = wiring::registry();
    let used: BTreeSet<&str> = pipeline.tasks.iter().flat_map(Task::connections).collect();
    let used = shared.connections.iter().filter(|connection| used.contains(connection.name.as_str()));
    let errors: Vec<Error> =
        used.flat_map(|used| connections::open(&registry, used, &variables).err().unwrap_or_default()).collect();
    if errors.is_empty() { Ok((file, pipeline)) } else { Err(errors) }
}

/// A schedule as the store has it.
pub fn schedule(schedule: &config::Schedule) -> NewSchedule {
    let when = match &schedule.trigger {
        Trigger::Time(times) => When::Time(times.clone()),
        Trigger::Pipeline { name, state } => When::Pipeline {
            name: name.clone(),
            states: match state {
                EndState::Succeeded => vec![RunState::Succeeded],
                EndState::Failed => vec![RunState::Failed],
                EndState::Ended => vec![RunState::Succeeded, RunState::Failed, RunState::Cancelled],
            },
        },
        Trigger::Dataset(name) => When::Dataset(name.clone()),
        Trigger::File { pattern, every } => {
            When::File { connection: pattern.connection.clone(), path: pattern.path.clone(), every: *every }
        }
    };
    let params = schedule.params.iter().map(|(name, value)| (name.clone(), Json::String(value.clone()))).collect();
    let spec = Spec { when, catchup: schedule.catchup, params };
    NewSchedule { name: schedule.name.clone(), spec, paused: schedule.paused }
}
