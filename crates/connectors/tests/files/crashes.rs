//! A process that dies between two acts of a commit. A single file and its manifest cannot change in one act: the file
//! comes first, and what is there in between is whole, can be read, and is loaded over by the next run.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::Destination;
use levada_core::source::Source;
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row, row};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Value, json};

use super::{connect, read_all};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("name", DataType::Utf8, true)]))
}

fn people(ids: std::ops::Range<i64>) -> Vec<Row> {
    let mut rows: Vec<Row> = ids.map(|id| row(&[Some(&id.to_string()), Some(&format!("name {id}"))])).collect();
    rows.sort();
    rows
}

/// Loads some rows into a single file and gives the name of the load.
async fn load(destination: &dyn Destination, job: &Job, given: &[Row]) -> String {
    pump::load(destination, job, &schema(), &[rows::batch(&schema(), given)]).await.unwrap().load_id
}

/// Dies after the file was replaced and before the manifest is there, in a first load and in a second one.
async fn dies_in_between(settings: Value, target: &str, lose_manifest: impl AsyncFn(u32)) {
    let connection = connect(settings).unwrap();
    let (source, destination): (Arc<dyn Source>, _) =
        (connection.clone().source().unwrap(), connection.destination().unwrap());
    let job = Job::new(None, target);
    let found = async || read_all(source.as_ref(), target).await.1;

    load(destination.as_ref(), &job, &people(0..10)).await;
    lose_manifest(1).await;
    assert_eq!(destination.committed(&job.key).await.unwrap(), None);
    assert_eq!(found().await, people(0..10));

    let first = load(destination.as_ref(), &job, &people(0..20)).await;
    load(destination.as_ref(), &job, &people(20..50)).await;
    lose_manifest(2).await;
    assert_eq!(destination.committed(&job.key).await.unwrap().unwrap().load_id, first);
    assert_eq!(found().await, people(20..50), "{target}: the rows of one load, and all of them");

    let last = load(destination.as_ref(), &job, &people(50..55)).await;
    assert_eq!(destination.committed(&job.key).await.unwrap().unwrap().load_id, last);
    assert_eq!(found().await, people(50..55));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_file_without_its_manifest_is_whole_and_loaded_over() {
    for target in ["people.csv", "people.jsonl", "people.parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("_levada").join(target);
        let lose = async |number: u32| {
            std::fs::remove_file(home.join(format!("manifest-{number:08}.json"))).unwrap();
        };
        dies_in_between(json!({ "root": folder.path(), "settle_ms": 0 }), target, lose).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_its_manifest_is_whole_and_loaded_over() {
    let url = url::Url::parse(&levada_testkit::services::s3()).unwrap();
    let connector = levada_connectors::registry().get("files").unwrap().clone();
    let mut settings = connector.settings_from_url(&url).unwrap();
    let text = |name: &str| settings[name].as_str().unwrap().to_owned();
    let store = object_store::aws::AmazonS3Builder::new()
        .with_bucket_name(url.host_str().unwrap())
        .with_endpoint(text("endpoint"))
        .with_access_key_id(text("access_key"))
        .with_secret_access_key(text("secret_key"))
        .with_region(text("region"))
        .with_allow_http(true)
        .build()
        .unwrap();
    let prefix = format!("crashes-{}", std::process::id());
    settings["root"] = format!("s3://{}/{prefix}", url.host_str().unwrap()).into();
    for target in ["people.csv", "people.parquet"] {
        let lose = async |number: u32| {
            let path = format!("{prefix}/_levada/{target}/manifest-{number:08}.json");
            store.delete(&Path::from(path)).await.unwrap();
        };
        dies_in_between(settings.clone(), target, lose).await;
    }
}
