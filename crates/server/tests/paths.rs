//! Parameters that name a file, a document or a key lead nowhere but where they should; and a name never becomes a header.

use std::fs;
use std::os::unix::fs::symlink;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::harness::{NIGHTLY, Place};

/// What no answer may hold.
const OUTSIDE: &str = "kept outside of everything";

/// Ways out of a folder that has `inside` in it, and whose parent has `outside.csv`.
fn ways_out(folder: &std::path::Path) -> Vec<String> {
    let outside = folder.parent().unwrap().join("outside.csv");
    let mut ways = vec![outside.display().to_string(), format!("file://{}", outside.display())];
    let relative = [
        "../outside.csv",
        "inside/../../outside.csv",
        "./../outside.csv",
        "..//outside.csv",
        "..\\outside.csv",
        "..%2foutside.csv",
        "%2e%2e/outside.csv",
        "..%252foutside.csv",
        "..;/outside.csv",
        "link.csv",
        "up/outside.csv",
        "\u{ff0e}\u{ff0e}/outside.csv",
        "..\u{2215}outside.csv",
        "../outside.csv\0",
        "../outside.csv\0.csv",
        "../*.csv",
        "../../../../../../../../etc/passwd",
        "/proc/self/environ",
        "~/outside.csv",
    ];
    ways.extend(relative.map(str::to_owned));
    ways
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A folder with a file in it, and links and a neighbour that are none of its own.
fn furnish(folder: &std::path::Path) {
    fs::create_dir_all(folder.join("inside")).unwrap();
    fs::write(folder.join("inside/a.csv"), "id,name\n1,inside\n").unwrap();
    let outside = folder.parent().unwrap().join("outside.csv");
    fs::write(&outside, format!("id,name\n1,{OUTSIDE}\n")).unwrap();
    symlink(&outside, folder.join("link.csv")).unwrap();
    symlink(folder.parent().unwrap(), folder.join("up")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_leads_out_of_its_folder() {
    let place = Place::new().await;
    let root = place.data().join("lake");
    furnish(&root);
    let project = format!("version: 1\nconnections:\n  lake: {{ type: files, root: {root:?} }}\n");
    place.apply_all(&project, &[NIGHTLY]).await;
    place.post("/api/v1/pipelines/nightly/runs", json!({})).await.is(201);
    let run = place.data().join("runs/1");
    furnish(&run);
    // what is inside can be had
    let inside = place.get("/api/v1/runs/1/artifacts/download?path=inside%2Fa.csv").await.is(200);
    assert!(inside.text().contains("inside"));
    let listed = place.get("/api/v1/runs/1/artifacts").await.is(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    place.get("/api/v1/connections/lake/preview?stream=inside%2Fa.csv").await.is(200);

    for (folder, path) in [
        (&run, "/api/v1/runs/1/artifacts/download?path="),
        (&run, "/api/v1/runs/1/logs?task="),
        (&run, "/api/v1/runs/1/logs/download?task="),
        (&run, "/api/v1/runs/1/quarantine/rows?stream=x&task="),
        (&root, "/api/v1/connections/lake/preview?stream="),
        (&root, "/api/v1/connections/lake/streams?stream="),
        (&root, "/api/v1/connections/lake/files?path="),
        (&root, "/api/v1/connections/lake/files/download?path="),
        (&root, "/api/v1/connections/"),
        (&root, "/api/v1/pipelines/"),
        (&root, "/api/v1/connectors/"),
        (&root, "/v1/"),
    ] {
        for way in ways_out(folder) {
            for way in [encoded(&way), way.replace(['\0', '\\', ' '], "")] {
                let Ok(uri) = format!("{path}{way}").parse::<axum::http::Uri>() else { continue };
                let reply = place.get(&uri.to_string()).await;
                let told = format!("{path}{way}: {} {}", reply.status, reply.text());
                // what another system refuses is its own
                assert!(reply.status.as_u16() < 500 || reply.status == 502, "{told}");
                assert!(!reply.text().contains(OUTSIDE) && !reply.text().contains("root:x:0"), "{told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_lie_in_the_project_whatever_they_are_called() {
    let place = Place::with_project().await;
    for name in ["../../evil", "/etc/cron.d/evil", "..", "a\\..\\b", "evil\0", "a/b", "\u{202e}live"] {
        let text = NIGHTLY.replace("name: nightly", &format!("name: {}", json!(name)));
        let reply = place.put(&format!("/api/v1/pipelines/{}", encoded(name)), json!({ "text": text })).await;
        assert!(reply.status.as_u16() < 500, "{name}: {}", reply.text());
    }
    let documents = place.get("/api/v1/project").await.is(200).json();
    for document in documents["documents"].as_array().unwrap() {
        let path = document["path"].as_str().unwrap();
        let is_plain = !path.contains("..") && !path.starts_with('/') && !path.contains(['\\', '\0']);
        assert!(is_plain && path.matches('/').count() <= 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_never_becomes_a_header() {
    let place = Place::new().await;
    let project = format!(
        "version: 1\nconnections:\n  hr: {{ type: sqlite, path: {:?} }}\nreports:\n  people:\n    connection: hr\n    query: SELECT :who AS who\n    params: {{ who: {{ type: text }} }}\n    download: 'of {{who}}'\n",
        place.data().join("hr.db")
    );
    place.apply_all(&project, &[]).await;
    for name in ["a\r\nset-cookie: x=y", "\"; filename=evil.sh", "../../x", "é\u{202e}", "a\0b", &"x".repeat(10_000)] {
        let reply = place.get(&format!("/v1/people?who={}", encoded(name))).await;
        assert!(reply.status.as_u16() < 500, "{name:?}: {}", reply.text());
        assert!(!reply.headers.contains_key("set-cookie"));
        let Some(told) = reply.headers.get("content-disposition") else { continue };
        let told = told.to_str().unwrap();
        let (plain, exact) = told.split_once("; filename*=UTF-8''").unwrap();
        let plain = plain.strip_prefix("attachment; filename=\"").unwrap().strip_suffix('"').unwrap();
        assert!(plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{told}");
        assert!(exact.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%'), "{told}");
    }
}

/// The same key starts the same run for the same caller only, and an answer of one is none for another.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_once_is_not_done_again_for_somebody_else() {
    let place = Place::with_project().await;
    let start = async |key: &str| {
        let reply = place.send("POST", "/api/v1/pipelines/nightly/runs", &[("idempotency-key", key)], json!({})).await;
        reply.json()["id"].clone()
    };
    let (first, again, other) = (start("k").await, start("k").await, start("k2").await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    for key in ["", &"x".repeat(256)] {
        let headers = [("idempotency-key", key)];
        place.send("POST", "/api/v1/pipelines/nightly/runs", &headers, json!({})).await.is(400);
    }
    // the parts of an identity cannot be moved into each other
    let new = json!({ "name": "tester:k", "password": "correct horse battery", "role": "operator" });
    assert_ne!(place.post("/api/v1/users", new).await.status.as_u16(), 500);
    assert_eq!(start("k").await, first);
    assert_eq!(place.get("/api/v1/runs?limit=10").await.json()["items"].as_array().map(Vec::len), Some(2));
    assert_ne!(first, Value::Null);
}
