//! A process that dies between two acts of a commit. A single file and its manifest cannot change in one act: the file
//! comes first, and what is there in between is whole, can be read, and is loaded over by the next run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::destination::Destination;
use levada_core::source::Source;
use levada_testkit::pump::{self, Job};
use levada_testkit::rows::{self, Row, row};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

/// Settings of the bucket for tests, and its name.
fn bucket() -> (Value, String) {
    let url = url::Url::parse(&levada_testkit::services::s3()).unwrap();
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    settings["endpoint"] = format!("http://{}", listener.local_addr().unwrap()).into();
    let is_lost = Arc::new(AtomicBool::new(false));
    tokio::spawn(forward(listener, server, is_lost.clone()));

    let destination = connect(settings).unwrap().destination().unwrap();
    let job = Job::new(None, "people");
    let id = load(destination.as_ref(), &job, &people(0..20)).await;
    assert!(is_lost.load(Ordering::SeqCst), "an answer got lost");
    let direct_to = direct.clone().destination().unwrap();
    assert_eq!(direct_to.committed(&job.key).await.unwrap().unwrap().load_id, id);
    assert_eq!(read_all(direct.source().unwrap().as_ref(), "people").await.1, people(0..20));
}

/// Carries bytes to a server and back, but for the first answer to a manifest, which breaks the connection.
async fn forward(listener: TcpListener, server: String, is_lost: Arc<AtomicBool>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (server, is_lost) = (TcpStream::connect(&server).await.unwrap(), is_lost.clone());
        tokio::spawn(async move {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let (mut asked, mut answer) = (vec![0; 64 << 10], vec![0; 64 << 10]);
            let mut is_commit = false;
            loop {
                tokio::select! {
                    read = from_client.read(&mut asked) => {
                        let Ok(bytes @ 1..) = read else { return };
                        let text = String::from_utf8_lossy(&asked[..bytes]);
                        is_commit |= text.starts_with("PUT ") && text.contains("manifest-");
                        to_server.write_all(&asked[..bytes]).await.unwrap();
                    }
                    read = from_server.read(&mut answer) => {
                        let Ok(bytes @ 1..) = read else { return };
                        if is_commit && !is_lost.swap(true, Ordering::SeqCst) {
                            let client = from_client.reunite(to_client).unwrap();
                            client.set_zero_linger().unwrap();
                            return;
                        }
                        to_client.write_all(&answer[..bytes]).await.unwrap();
                    }
                }
            }
        });
    }
}
