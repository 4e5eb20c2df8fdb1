//! Which table each stream is loaded into, under a name that the destination can hold and tells from all others: once
//! chosen, for ever the same.

use std::collections::BTreeMap;

use levada_core::config::StreamOptions;
use levada_core::destination::Destination;
use levada_core::error::{Context, Result};
use levada_core::naming::NameRules;
use levada_core::position::StreamKey;
use levada_core::source::StreamInfo;

use super::SyncJob;

/// One stream's wish.
struct Wanted {
    namespace: Option<String>,
    table: String,
    key: StreamKey,
}

/// The full name of every stream's target, in the order of the streams. A table that an earlier load of the stream went
/// into keeps its name; of two names that the destination takes for one, the later stream's gets a suffix. Streams that
/// want the very same table get the same name.
///
/// # Errors
/// What reading the stored commits failed with.
pub async fn names(
    job: &SyncJob,
    destination: &dyn Destination,
    streams: &[(StreamInfo, StreamOptions)],
) -> Result<Vec<String>> {
    let wanted: Vec<Wanted> = streams.iter().map(|(info, options)| wanted(job, info, options)).collect();
    let rules = destination.name_rules();
    let mut tables: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    for stream in &wanted {
        tables.entry(stream.namespace.clone()).or_default().push(stream.table.clone());
    }
    let commits = if rules.ignores_case {
        destination.commits().await.at(format!("connection `{}`", job.sync.to))?
    } else {
        Vec::new()
    };
    let mut known: BTreeMap<Option<String>, BTreeMap<String, String>> = BTreeMap::new();
    for stream in &wanted {
        let Some(commit) = commits.iter().find(|commit| commit.key == stream.key) else { continue };
        let namespace = stream.namespace.as_deref();
        let chosen = candidates(&rules, &stream.table)
            .into_iter()
            .find(|name| destination.target(namespace, name) == commit.target);
        if let Some(chosen) = chosen {
            known.entry(stream.namespace.clone()).or_default().insert(stream.table.clone(), chosen);
        }
    }
    let final_names: BTreeMap<&Option<String>, BTreeMap<String, String>> = tables
        .iter()
        .map(|(namespace, tables)| (namespace, rules.map(tables, known.get(namespace).unwrap_or(&BTreeMap::new()))))
        .collect();
    let full = |stream: &Wanted| {
        let name = final_names.get(&stream.namespace).and_then(|names| names.get(&stream.table));
        destination.target(stream.namespace.as_deref(), name.unwrap_or(&stream.table))
    };
    Ok(wanted.iter().map(full).collect())
}

fn wanted(job: &SyncJob, info: &StreamInfo, options: &StreamOptions) -> Wanted {
    let namespace = info.namespace.as_deref().filter(|_| job.keep_namespaces);
    let (namespace, table) = options.target(namespace, &info.table);
    Wanted { namespace, table, key: StreamKey { pipeline: job.pipeline.clone(), stream: info.name.clone() } }
}

/// The names a table can have got: its own, or the one that sets it apart from another.
fn candidates(rules: &NameRules, table: &str) -> [String; 2] {
    let alone =
        |known: &BTreeMap<String, String>| rules.map(&[table.to_owned()], known).remove(table).unwrap_or_default();
    let plain = alone(&BTreeMap::new());
    let apart = alone(&BTreeMap::from([(format!("{table}\0"), plain.clone())]));
    [plain, apart]
}
