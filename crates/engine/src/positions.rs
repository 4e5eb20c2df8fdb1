//! What a destination remembers of the streams loaded into it, chosen and forgotten.

use std::sync::Arc;

use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::position::{Commit, StreamKey};

/// The commits of streams by their names, each of just one pipeline's task; or of all that there are.
///
/// # Errors
/// `NotFound` for a stream without a commit, `Usage` for one that several load; one for each.
pub fn choose(
    commits: &[Commit],
    streams: &[String],
    pipeline: Option<&str>,
    all: bool,
) -> Result<Vec<Commit>, Vec<Error>> {
    let of_pipeline = |commit: &&Commit| pipeline.is_none_or(|pipeline| commit.key.pipeline == pipeline);
    if all {
        return Ok(commits.iter().filter(of_pipeline).cloned().collect());
    }
    let known: Vec<&str> = commits.iter().filter(of_pipeline).map(|commit| commit.key.stream.as_str()).collect();
    let (mut chosen, mut errors) = (Vec::new(), Vec::new());
    for stream in streams {
        let found: Vec<&Commit> =
            commits.iter().filter(of_pipeline).filter(|commit| commit.key.stream == *stream).collect();
        match found.as_slice() {
            [commit] => chosen.push((*commit).clone()),
            [] => {
                let near = did_you_mean(nearest(stream, &known));
                let advice = format!("{near}List what there is with `levada positions show`.");
                let message = format!("there is no position of a stream `{stream}`");
                errors.push(Error::new(ErrorKind::NotFound, message).advise(advice));
            }
            several => {
                let pipelines: Vec<&str> = several.iter().map(|commit| commit.key.pipeline.as_str()).collect();
                let message = format!("several pipelines load a stream `{stream}`");
                let advice = format!("Choose one with `--pipeline`: {}.", pipelines.join(", "));
                errors.push(Error::new(ErrorKind::Usage, message).advise(advice));
            }
        }
    }
    if errors.is_empty() { Ok(chosen) } else { Err(errors) }
}

/// Forgets commits; the rows stay. Answers which were there.
///
/// # Errors
/// Those of the destination.
pub async fn forget(destination: &Arc<dyn Destination>, chosen: Vec<Commit>) -> Result<Vec<StreamKey>> {
    let mut forgotten = Vec::new();
    for commit in chosen {
        if destination.forget(&commit.key).await? {
            forgotten.push(commit.key);
        }
    }
    Ok(forgotten)
}
