//! A process that dies between two acts of a commit. A single file and its manifest cannot change in one act: the file
//! comes first, and what is there in between is whole, can be read, and is loaded over by the next run.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::Batch;
use levada_core::destination::Destination;
use levada_core::source::Source;
use levada_testkit::forwarder::Forwarder;
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

/// A load that is given up leaves neither its lock nor the folders made for it; one that ends leaves no lock.
#[tokio::test(flavor = "multi_thread")]
async fn no_lock_stays_behind() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new").join("out");
    let destination = connect(json!({ "root": root, "settle_ms": 0 })).unwrap().destination().unwrap();
    let job = Job::new(None, "people");
    let spec = pump::spec(destination.as_ref(), &job, &schema()).await.unwrap();
    let plan = destination.plan(&spec).await.unwrap();
    let mut begun = destination.begin(spec, plan.clone()).await.unwrap();
    let given = [Batch::arrow(rows::batch(&schema(), &people(0..10)))];
    pump::write(begun.as_mut(), &plan, &given).await.unwrap();
    assert!(root.join("people/_levada/lock").exists());
    begun.abort().await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    load(destination.as_ref(), &job, &people(0..10)).await;
    assert!(root.join("people/_levada/manifest-00000001.json").exists());
    assert!(!root.join("people/_levada/lock").exists());
}

/// Settings of a bucket, and its name.
pub fn bucket() -> (Value, String) {
    let url = url::Url::parse(&levada_testkit::services::s3_bucket()).unwrap();
    let connector = levada_connectors::registry().get("files").unwrap().clone();
    (connector.settings_from_url(&url).unwrap(), url.host_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_its_manifest_is_whole_and_loaded_over() {
    let (mut settings, bucket) = bucket();
    let text = |name: &str| settings[name].as_str().unwrap().to_owned();
    let store = object_store::aws::AmazonS3Builder::new()
        .with_bucket_name(&bucket)
        .with_endpoint(text("endpoint"))
        .with_access_key_id(text("access_key"))
        .with_secret_access_key(text("secret_key"))
        .with_region(text("region"))
        .with_allow_http(true)
        .build()
        .unwrap();
    let prefix = format!("crashes-{}", std::process::id());
    settings["root"] = format!("s3://{bucket}/{prefix}").into();
    for target in ["people.csv", "people.parquet"] {
        let lose = async |number: u32| {
            let path = format!("{prefix}/_levada/{target}/manifest-{number:08}.json");
            store.delete(&Path::from(path)).await.unwrap();
        };
        dies_in_between(settings.clone(), target, lose).await;
    }
}

/// The answer to the commit is lost with its connection: the manifest is there, and so is what it names.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_counts_once_and_keeps_its_files() {
    let (mut settings, bucket) = bucket();
    settings["root"] = format!("s3://{bucket}/lost-answer-{}", std::process::id()).into();
    let direct = connect(settings.clone()).unwrap();
    let endpoint = url::Url::parse(settings["endpoint"].as_str().unwrap()).unwrap();
    let server = format!("{}:{}", endpoint.host_str().unwrap(), endpoint.port().unwrap());
    let forwarder = Forwarder::to(&server).await;
    settings["endpoint"] = format!("http://{}", forwarder.address()).into();
    forwarder.lose_answer_to(|request| {
        let text = String::from_utf8_lossy(request);
        text.starts_with("PUT ") && text.contains("manifest-")
    });

    let destination = connect(settings).unwrap().destination().unwrap();
    let job = Job::new(None, "people");
    let id = load(destination.as_ref(), &job, &people(0..20)).await;
    assert!(forwarder.has_lost(), "an answer got lost");
    let direct_to = direct.clone().destination().unwrap();
    assert_eq!(direct_to.committed(&job.key).await.unwrap().unwrap().load_id, id);
    assert_eq!(read_all(direct.source().unwrap().as_ref(), "people").await.1, people(0..20));
}
