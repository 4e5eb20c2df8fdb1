//! Parameters that name a file, a document or a key lead nowhere but where they should; and a name never becomes a header.

use std::fs;
use std::os::unix::fs::symlink;

use levada_core::access::Role;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::harness::{NIGHTLY, Place, Who};
use crate::roles::user;

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

/// A server with an editor, whose data folder holds a key and rows, to which links lead from beside it.
async fn kept_apart() -> (Place, Who) {
    let place = Place::kept_apart().await;
    let (folder, kept) = (place.data(), place.data().join("kept"));
    for file in [folder.join("a.csv"), kept.join("a.csv")] {
        fs::write(file, "id\n1\n").unwrap();
    }
    fs::write(kept.join("secret.key"), OUTSIDE).unwrap();
    symlink(&kept, folder.join("door")).unwrap();
    symlink(kept.join("secret.key"), folder.join("copy.key")).unwrap();
    symlink(kept.join("levada.db"), folder.join("copy.db")).unwrap();
    let (_, editor) = user(&place, "ed", Role::Editor, json!([])).await;
    (place, editor)
}

/// Asks as somebody, and answers the text of an answer with this status.
async fn told(place: &Place, who: &Who, path: &str, status: u16) -> String {
    place.send_as(who, "GET", &format!("/api/v1/connections/{path}"), &[], Value::Null).await.is(status).text()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_files_of_a_connection_lie_in_the_data_folder() {
    let (place, editor) = kept_apart().await;
    let folder = place.data().display();
    let connect = async |name: &str, root: &str| {
        let body = json!({ "connector": "files", "settings": { "root": root, "settle_ms": 0 } });
        place.send_as(&editor, "PUT", &format!("/api/v1/connections/{name}"), &[], body).await.is(200);
    };
    let above = "above";
    connect(above, &folder.to_string()).await;
    let roots = ["kept", "kept/../kept", "gone/../kept/new", "kept/secret.key", "door", "door/new", "copy.key"];
    for (number, root) in roots.into_iter().enumerate() {
        let name = format!("c{number}");
        connect(&name, &format!("{folder}/{root}")).await;
        for path in ["files", "files/download?path=secret.key", "streams", "preview?stream=a.csv"] {
            let told = told(&place, &editor, &format!("{name}/{path}"), 422).await;
            assert!(told.contains("where Levada keeps its own") && !told.contains(OUTSIDE), "{root} {path}: {told}");
        }
        let text = format!("version: 1\nname: t\nsync: {{ from: {above}, to: {name}, streams: [a.csv] }}\n");
        let plan = json!({ "text": text });
        let told = place.send_as(&editor, "POST", "/api/v1/pipelines/t/plan", &[], plan).await.is(422).text();
        assert!(told.contains("where Levada keeps its own"), "{root}: {told}");
    }
    for path in ["files", "files?path=*/*", "streams"] {
        let told = told(&place, &editor, &format!("{above}/{path}"), 200).await;
        assert!(!told.contains("kept") && !told.contains("secret") && !told.contains("copy"), "{path}: {told}");
    }
    let inside = ["kept/secret.key", "kept/a.csv", "door/secret.key", "copy.key"];
    for path in inside.map(encoded) {
        let refused = told(&place, &editor, &format!("{above}/files/download?path={path}"), 422).await;
        assert!(!refused.contains(OUTSIDE), "{refused}");
        told(&place, &editor, &format!("{above}/preview?stream={path}"), 422).await;
    }
    // what lies beside it is as it was
    assert!(told(&place, &editor, &format!("{above}/files"), 200).await.contains("a.csv"));
    assert_eq!(told(&place, &editor, &format!("{above}/files/download?path=a.csv"), 200).await, "id\n1\n");
    assert!(told(&place, &editor, &format!("{above}/preview?stream=a.csv"), 200).await.contains("\"id\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_database_of_a_connection_is_that_of_the_server() {
    let (place, editor) = kept_apart().await;
    let folder = place.data().display();
    let apply = async |file: &str| {
        let text = format!(
            "version: 1\nconnections:\n  own: {{ type: sqlite, path: \"{folder}/{file}\" }}\ncollections:\n  users:\n    \
             connection: own\n    columns: {{ name: text }}\n"
        );
        let body = json!({ "documents": [{ "path": "levada.yaml", "text": text }] });
        place.send_as(&editor, "PUT", "/api/v1/project", &[], body).await.is(200);
    };
    for file in ["kept/levada.db", "kept/../kept/levada.db", "kept/new.db", "door/levada.db", "copy.db"] {
        apply(file).await;
        for path in ["own/streams", "own/preview?stream=users"] {
            let told = told(&place, &editor, path, 422).await;
            assert!(told.contains("where Levada keeps its own"), "{file} {path}: {told}");
        }
        place.send_as(&editor, "GET", "/v1/users", &[], Value::Null).await.is(422);
        place.send_as(&editor, "POST", "/v1/users", &[], json!({ "name": "eve" })).await.is(422);
    }
    assert!(!place.data().join("kept/new.db").exists());
    apply("shop.db").await;
    place.send_as(&editor, "POST", "/v1/users", &[], json!({ "name": "eve" })).await.is(201);
    assert!(told(&place, &editor, "own/preview?stream=users", 200).await.contains("eve"));
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
