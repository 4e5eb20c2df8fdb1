//! OpenLineage run events, as JSON: version 2-0-2 of the event, and the facets that Levada has something to say in. See
//! <https://openlineage.io/spec/2-0-2/OpenLineage.json>.

use std::collections::BTreeMap;

use levada_core::config::LineageNames;
use levada_core::dataset::{ColumnEdge, DatasetColumn, Derivation};
use levada_core::time::Timestamp;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

/// Who made an event.
const PRODUCER: &str = concat!("urn:levada:", env!("CARGO_PKG_VERSION"));
const EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// Bytes that the datasets of one event take; more of them are told in events before it, which add up.
const DATASETS_BYTES_MAX: usize = 512 << 10;

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It began.
    Start,
    /// It goes on.
    Running,
    /// It did what it was to do.
    Complete,
    /// It failed.
    Fail,
    /// Somebody stopped it.
    Abort,
}

/// A run of a pipeline, or of a task in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What names the run everywhere.
    pub id: uuid::Uuid,
    /// The job: `pipeline` or `pipeline.task`.
    pub job: String,
    /// Whether it is a pipeline.
    pub is_pipeline: bool,
    /// The run that it is a part of, with the job of that.
    pub parent: Option<(uuid::Uuid, String)>,
    /// The instant that its schedule fired for.
    pub fire_time: Option<Timestamp>,
}

/// What is known of a dataset when it is told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Its columns, each with what it is, in words.
    pub columns: Vec<(DatasetColumn, String)>,
}

/// What a task read and wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// What was read, each with how many rows, where that is known.
    pub inputs: BTreeMap<String, Option<u64>>,
    /// What was written.
    pub outputs: BTreeMap<String, Written>,
}

/// What was written of one dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How many rows, where that is known.
    pub rows: Option<u64>,
    /// The columns of each source that came into it.
    pub sources: Vec<(String, Vec<ColumnEdge>)>,
}

/// The name of a run that nobody else has: the same whenever it is asked for. Its first part is the time, as in UUIDs of
/// version 7 (RFC 9562, 5.7); the rest is a hash.
pub fn run_id(namespace: &str, kind: &str, number: i64, created_at: Timestamp) -> uuid::Uuid {
    let mut hash = Sha256::new();
    for part in [namespace.as_bytes(), kind.as_bytes(), &number.to_le_bytes(), &created_at.as_micros().to_le_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let (mut random, digest) = ([0; 10], hash.finalize());
    random.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    let millis = u64::try_from(created_at.as_micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The events that tell of this: one, or several where the datasets are too large for one.
pub fn events(
    names: &LineageNames,
    about: &About,
    (happened, at): (Happened, Timestamp),
    error: Option<&str>,
    moved: &Moved,
    known: &BTreeMap<String, Known>,
) -> Vec<Json> {
    let mut parts = vec![(Vec::new(), Vec::new())];
    let mut bytes = 0;
    let inputs = moved.inputs.iter().map(|(name, rows)| (true, input(names, name, *rows, known.get(name))));
    let outputs = moved.outputs.iter().map(|(name, written)| (false, output(names, name, written, known.get(name))));
    for (is_input, dataset) in inputs.chain(outputs) {
        let size = dataset.to_string().len();
        if bytes > 0 && bytes + size > DATASETS_BYTES_MAX {
            parts.push((Vec::new(), Vec::new()));
            bytes = 0;
        }
        bytes += size;
        if let Some((inputs, outputs)) = parts.last_mut() {
            if is_input { inputs.push(dataset) } else { outputs.push(dataset) }
        }
    }
    let last = parts.len() - 1;
    let event = |(index, (inputs, outputs)): (usize, (Vec<Json>, Vec<Json>))| {
        let happened = if index == last { happened } else { Happened::Running };
        json!({
            "eventType": happened.name(),
            "eventTime": at,
            "producer": PRODUCER,
            "schemaURL": EVENT,
            "run": { "runId": about.id.to_string(), "facets": run_facets(names, about, error) },
            "job": { "namespace": names.namespace, "name": about.job, "facets": job_facets(about) },
            "inputs": inputs,
            "outputs": outputs,
        })
    };
    parts.into_iter().enumerate().map(event).collect()
}

impl Happened {
    /// As the specification names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

fn facet(schema: &str, fields: Json) -> Json {
    let (name, version) = schema.split_once('@').unwrap_or((schema, "1-0-0"));
    let url = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
    let mut facet = Map::from_iter([("_producer".to_owned(), PRODUCER.into()), ("_schemaURL".to_owned(), url.into())]);
    if let Json::Object(fields) = fields {
        facet.extend(fields);
    }
    Json::Object(facet)
}

fn run_facets(names: &LineageNames, about: &About, error: Option<&str>) -> Json {
    let engine = json!({ "name": "Levada", "version": env!("CARGO_PKG_VERSION") });
    let mut facets =
        Map::from_iter([("processing_engine".to_owned(), facet("ProcessingEngineRunFacet@1-1-1", engine))]);
    if let Some((run, job)) = &about.parent {
        let parent =
            json!({ "run": { "runId": run.to_string() }, "job": { "namespace": names.namespace, "name": job } });
        facets.insert("parent".to_owned(), facet("ParentRunFacet@1-2-0", parent));
    }
    if let Some(time) = about.fire_time {
        let time = json!({ "nominalStartTime": time });
        facets.insert("nominalTime".to_owned(), facet("NominalTimeRunFacet@1-0-1", time));
    }
    if let Some(message) = error {
        let error = json!({ "message": message, "programmingLanguage": "Rust" });
        facets.insert("errorMessage".to_owned(), facet("ErrorMessageRunFacet@1-0-1", error));
    }
    Json::Object(facets)
}

fn job_facets(about: &About) -> Json {
    let kind = if about.is_pipeline { "PIPELINE" } else { "TASK" };
    let fields = json!({ "processingType": "BATCH", "integration": "LEVADA", "jobType": kind });
    json!({ "jobType": facet("JobTypeJobFacet@2-0-4", fields) })
}

fn input(names: &LineageNames, name: &str, rows: Option<u64>, known: Option<&Known>) -> Json {
    let mut dataset = dataset(names, name, known);
    if let Some(rows) = rows {
        let read = facet("InputStatisticsInputDatasetFacet@1-0-0", json!({ "rowCount": rows }));
        dataset["inputFacets"] = json!({ "inputStatistics": read });
    }
    dataset
}

fn output(names: &LineageNames, name: &str, written: &Written, known: Option<&Known>) -> Json {
    let mut dataset = dataset(names, name, known);
    if let Some(rows) = written.rows {
        let statistics = facet("OutputStatisticsOutputDatasetFacet@1-0-2", json!({ "rowCount": rows }));
        dataset["outputFacets"] = json!({ "outputStatistics": statistics });
    }
    let mut fields: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    for (source, edges) in &written.sources {
        let (namespace, name) = names.outside(source);
        for edge in edges {
            let from = json!({
                "namespace": namespace,
                "name": name,
                "field": edge.from,
                "transformations": [transformation(edge.how)],
            });
            fields.entry(&edge.to).or_default().push(from);
        }
    }
    if !fields.is_empty() {
        let fields: Map<String, Json> =
            fields.into_iter().map(|(to, from)| (to.to_owned(), json!({ "inputFields": from }))).collect();
        dataset["facets"]["columnLineage"] = facet("ColumnLineageDatasetFacet@1-2-0", json!({ "fields": fields }));
    }
    dataset
}

fn dataset(names: &LineageNames, name: &str, known: Option<&Known>) -> Json {
    let (namespace, name) = names.outside(name);
    let mut facets = Map::new();
    if let Some(known) = known.filter(|known| !known.columns.is_empty()) {
        let field = |(column, description): &(DatasetColumn, String)| {
            // what it is to its system says more to others than what it is to Levada
            let native = column.native.as_deref().and_then(|native| native.split_once(':')).map(|(_, native)| native);
            let mut field = json!({ "name": column.name, "type": native.unwrap_or(&column.type_) });
            if !description.is_empty() {
                field["description"] = description.as_str().into();
            }
            field
        };
        let fields: Vec<Json> = known.columns.iter().map(field).collect();
        facets.insert("schema".to_owned(), facet("SchemaDatasetFacet@1-2-0", json!({ "fields": fields })));
    }
    json!({ "namespace": namespace, "name": name, "facets": facets })
}

fn transformation(how: Derivation) -> Json {
    let (subtype, description, masking) = match how {
        Derivation::Copied => ("IDENTITY", "", false),
        Derivation::Cast => ("TRANSFORMATION", "the same values in another type", false),
        Derivation::Hashed => ("TRANSFORMATION", "hashes of the values", true),
        Derivation::Computed => ("TRANSFORMATION", "computed from the values", false),
    };
    json!({ "type": "DIRECT", "subtype": subtype, "description": description, "masking": masking })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const AT: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn about() -> About {
        let parent = run_id("acme", "run", 7, AT);
        About {
            id: run_id("acme", "task", 9, AT),
            job: "orders.load".to_owned(),
            is_pipeline: false,
            parent: Some((parent, "orders".to_owned())),
            fire_time: Some(AT),
        }
    }

    fn column(name: &str) -> (DatasetColumn, String) {
        let native = Some("postgres:int8".to_owned());
        let column =
            DatasetColumn { name: name.to_owned(), type_: "int64".to_owned(), native, nullable: false, key: false };
        (column, String::new())
    }

    #[test]
    fn a_run_has_one_name_whoever_asks() {
        let id = run_id("acme", "task", 9, AT);
        assert_eq!((id, id.get_version_num()), (run_id("acme", "task", 9, AT), 7));
        let others = [
            run_id("acme", "run", 9, AT),
            run_id("acme", "task", 10, AT),
            run_id("b", "task", 9, AT),
            run_id("acme", "task", 9, Timestamp::from_micros(AT.as_micros() + 1)),
        ];
        assert!(others.iter().all(|other| *other != id));
    }

    #[test]
    fn an_event_tells_what_came_from_where() {
        let names = LineageNames::new(None, Some("acme"));
        let edge = ColumnEdge { from: "email".to_owned(), to: "hash".to_owned(), how: Derivation::Hashed };
        let written = Written { rows: Some(4), sources: vec![("shop.orders".to_owned(), vec![edge])] };
        let moved = Moved {
            inputs: BTreeMap::from([("shop.orders".to_owned(), Some(5))]),
            outputs: BTreeMap::from([("dw.orders".to_owned(), written)]),
        };
        let known = BTreeMap::from([("dw.orders".to_owned(), Known { columns: vec![column("hash")] })]);
        let told = events(&names, &about(), (Happened::Fail, AT), Some("no route"), &moved, &known);
        let event = &told[0];
        assert_eq!(
            (told.len(), &event["eventType"], &event["eventTime"]),
            (1, &json!("FAIL"), &json!("2023-11-14T22:13:20Z"))
        );
        assert_eq!(event["job"]["name"], "orders.load");
        assert_eq!(event["run"]["facets"]["parent"]["job"], json!({ "namespace": "acme", "name": "orders" }));
        assert_eq!(event["run"]["facets"]["errorMessage"]["message"], "no route");
        assert_eq!(event["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"], 5);
        let output = &event["outputs"][0];
        assert_eq!((&output["namespace"], &output["name"]), (&json!("levada://acme/dw"), &json!("orders")));
        assert_eq!(output["facets"]["schema"]["fields"], json!([{ "name": "hash", "type": "int8" }]));
        let from = &output["facets"]["columnLineage"]["fields"]["hash"]["inputFields"][0];
        assert_eq!((&from["field"], &from["transformations"][0]["masking"]), (&json!("email"), &json!(true)));
        assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 4);
    }

    #[test]
    fn what_is_too_large_for_one_event_is_told_in_several() {
        let names = LineageNames::new(None, None);
        let (mut moved, mut known) = (Moved::default(), BTreeMap::new());
        for number in 0..10 {
            let name = format!("dw.t{number}");
            moved.outputs.insert(name.clone(), Written { rows: Some(1), sources: Vec::new() });
            known.insert(name, Known { columns: (0..900).map(|c| column(&format!("{c:0100}"))).collect() });
        }
        let told = events(&names, &about(), (Happened::Complete, AT), None, &moved, &known);
        assert!(told.len() > 1, "{}", told.len());
        let kinds: Vec<&str> = told.iter().filter_map(|event| event["eventType"].as_str()).collect();
        assert_eq!((kinds.last(), kinds.iter().filter(|kind| **kind == "COMPLETE").count()), (Some(&"COMPLETE"), 1));
        let datasets: usize = told.iter().map(|event| event["outputs"].as_array().unwrap().len()).sum();
        assert_eq!(datasets, 10);
        assert!(told.iter().all(|event| event.to_string().len() < 2 * DATASETS_BYTES_MAX));
    }
}
