//! Connections over the API: changed in the text of the project, never shown with a secret, tried and looked into.

use levada_testkit::services;
use serde_json::{Value, json};
use url::Url;

use crate::harness::Place;

/// A secret that must turn up nowhere.
const CANARY: &str = "canary-7f3a";

const PROJECT: &str = "\
version: 1
# where things are
connections:
  # the shop
  shop:
    type: postgres
    host: db.invalid # for now
    user: reader
    password: canary-7f3a
  by_url: postgres://reader:canary-7f3a@db.invalid/shop?tls=require # old
  lake: { type: files, root: ./lake }
# the end
";
const LOAD: &str = "version: 1\nname: load\nsync: { from: lake, to: shop, streams: ['*.csv'] }\n";

async fn place() -> Place {
    Place::with_documents(PROJECT, &[LOAD]).await
}

fn settings_of(url: &str) -> Value {
    let url = Url::parse(url).unwrap();
    let option = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
    let mut settings = json!({
        "host": url.host_str(), "port": url.port(), "user": url.username(), "database": url.path().trim_start_matches('/'),
    });
    if let Some(password) = url.password() {
        settings["password"] = password.into();
    }
    if let Some(tls) = option("tls").or_else(|| option("sslmode")) {
        settings["tls"] = tls.into();
    }
    if let Some(ca) = option("tls_ca").or_else(|| option("sslrootcert")) {
        settings["tls_ca"] = ca.into();
    }
    settings
}

#[tokio::test]
async fn connectors_bring_the_schemas_of_their_forms() {
    let place = Place::new().await;
    let list = place.get("/api/v1/connectors").await.is(200).json();
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"postgres") && names.is_sorted(), "{names:?}");
    let postgres = place.get("/api/v1/connectors/postgres").await.is(200).json();
    assert_eq!(postgres["schemes"], json!(["postgres", "postgresql"]));
    let secret = &postgres["settings"]["$defs"]["Secret"];
    assert_eq!(secret["writeOnly"], true, "{postgres}");
    place.get("/api/v1/connectors/postgrse").await.is(404);
    place.get("/api/v1/connectors?limit=0").await.is(400);
    place.get("/api/v1/connectors?page=2").await.is(400);
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let place = place().await;
    let list = place.get("/api/v1/connections").await.is(200);
    assert!(!list.text().contains(CANARY), "{}", list.text());
    let items = list.json()["items"].clone();
    let named = |name: &str| items.as_array().unwrap().iter().find(|item| item["name"] == name).unwrap().clone();
    let shop = named("shop");
    assert_eq!(shop["settings"], json!({ "host": "db.invalid", "user": "reader", "password": "***" }));
    assert_eq!((&shop["connector"], &shop["used_by"]), (&json!("postgres"), &json!(["load"])));
    assert_eq!(shop["address"], "postgres://db.invalid:5432/reader");
    let by_url = named("by_url");
    assert_eq!((&by_url["connector"], &by_url["settings"]), (&json!("postgres"), &Value::Null));
    assert_eq!(by_url["url"], "postgres://reader:***@db.invalid/shop?tls=require");
    for path in
        ["connections/shop", "connections/by_url", "search?q=shop", "connections?search=shop&connector=postgres"]
    {
        let reply = place.get(&format!("/api/v1/{path}")).await.is(200);
        assert!(!reply.text().contains(CANARY), "{}", reply.text());
    }
    let tested = place.post("/api/v1/connections/shop/test", json!({})).await.is(200);
    assert!(!tested.text().contains(CANARY), "{}", tested.text());
    assert_eq!(tested.json()["ok"], false);
    // whoever looks later, at any server, sees what came of it, until it is another connection
    let kept = place.get("/api/v1/connections/shop").await.is(200);
    assert!(!kept.text().contains(CANARY), "{}", kept.text());
    let kept = kept.json();
    assert_eq!((&kept["tested"]["ok"], &kept["tested"]["steps"]), (&json!(false), &tested.json()["steps"]));
    let listed = place.get("/api/v1/connections").await.json();
    let of = |name: &str| {
        listed["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap()["tested"].clone()
    };
    assert_eq!((of("shop"), of("lake")), (kept["tested"].clone(), Value::Null));
    assert_eq!(place.get("/api/v1/connections?connector=files").await.json()["items"].as_array().unwrap().len(), 1);
    let first = place.get("/api/v1/connections?limit=2").await.json();
    assert_eq!((&first["items"][0]["name"], &first["next"]), (&json!("by_url"), &json!("lake")));
    let rest = place.get("/api/v1/connections?limit=2&after=lake").await.json();
    assert_eq!((&rest["items"][0]["name"], &rest["next"]), (&json!("shop"), &Value::Null));
}

#[tokio::test]
async fn a_change_touches_nothing_else_of_the_document() {
    let place = place().await;
    let path = "/api/v1/connections/shop";
    place.post(&format!("{path}/test"), json!({})).await.is(200);
    let shown = place.get(path).await.is(200);
    assert_eq!(shown.json()["tested"]["ok"], false);
    let version = shown.headers["etag"].to_str().unwrap().to_owned();
    let mut settings = shown.json()["settings"].clone();
    settings["host"] = "db2.invalid".into();
    let body = json!({ "connector": "postgres", "settings": settings });
    place.put(path, body.clone()).await.is(428);
    place.send("PUT", path, &[("if-match", "\"v9\"")], body.clone()).await.is(412);
    let changed = place.send("PUT", path, &[("if-match", &version)], body.clone()).await.is(200);
    assert_eq!((&changed.json()["change"], changed.headers["etag"].to_str().unwrap()), (&json!("changed"), "\"v2\""));
    assert_eq!(place.get(path).await.json()["tested"], Value::Null);
    // the password that was shown as *** is the one that was there, and is now kept by the store
    let wanted = PROJECT
        .replace("host: db.invalid #", "host: db2.invalid #")
        .replace("password: canary-7f3a", "password: \"${secret:connection_shop_password}\"");
    assert_eq!(place.own_text().await, wanted);
    let kept = (place.app.secrets)("connection_shop_password".to_owned()).await.unwrap();
    assert_eq!(kept.as_deref(), Some(CANARY));
    assert_eq!(place.get(path).await.json()["settings"]["password"], "${secret:connection_shop_password}");
    place.send("PUT", path, &[("if-match", &version)], body).await.is(412);
}

#[tokio::test]
async fn a_plain_secret_of_a_form_is_stored_and_referred_to() {
    let place = place().await;
    let path = "/api/v1/connections/new";
    let body = json!({ "connector": "postgres", "settings": { "host": "h", "user": "u", "password": CANARY } });
    let made = place.put(path, body.clone()).await.is(200).json();
    assert_eq!((&made["change"], &made["secrets"]), (&json!("created"), &json!(["connection_new_password"])));
    assert!(place.own_text().await.ends_with(
        "  new:\n    type: postgres\n    host: h\n    user: u\n    password: \"${secret:connection_new_password}\"\n# the end\n"
    ));
    assert_eq!(place.get("/api/v1/secrets").await.is(200).json()["items"][0]["name"], "connection_new_password");
    let by_url = json!({ "url": format!("postgres://u:{CANARY}@h/d") });
    place.put("/api/v1/connections/other", by_url).await.is(200);
    let other = place.get("/api/v1/connections/other").await.is(200).json();
    assert_eq!(other["url"], "postgres://u:${secret:connection_other_url_password}@h/d");
    assert_eq!((&other["address"], &other["problem"]), (&json!("postgres://h:5432/d"), &Value::Null));
    // what others use is not written over
    place.send("PUT", "/api/v1/connections/thief", &[], json!({
        "connector": "postgres", "settings": { "host": "h", "user": "u", "password": "${secret:connection_x_password}" },
    })).await.is(422);
    place.put("/api/v1/secrets/connection_x_password", json!({ "value": "admins" })).await.is(204);
    place.put("/api/v1/connections/mine", json!({
        "connector": "postgres", "settings": { "host": "h", "user": "u", "password": "${secret:connection_x_password}" },
    })).await.is(200);
    place
        .put(
            "/api/v1/connections/x",
            json!({
                "connector": "postgres", "settings": { "host": "h", "user": "u", "password": "mine" },
            }),
        )
        .await
        .is(409);
    assert_eq!((place.app.secrets)("connection_x_password".to_owned()).await.unwrap().as_deref(), Some("admins"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let place = place().await;
    for (name, body, status) in [
        ("a", json!({}), 400),
        ("a", json!({ "url": "./x.db", "connector": "sqlite" }), 400),
        ("a", json!({ "connector": "sqlite", "settings": { "type": "x", "path": "a" } }), 400),
        ("a", json!({ "connector": "sqlite", "settings": { "path": "a" }, "more": 1 }), 400),
        ("a", json!({ "connector": "postgres", "settings": { "user": "u", "password": "***" } }), 400),
        ("a%20b", json!({ "url": "./x.db" }), 400),
        ("a%0Ab", json!({ "url": "./x.db" }), 400),
        ("a", json!({ "connector": "sqlitee", "settings": { "path": "a" } }), 422),
        ("a", json!({ "connector": "postgres", "settings": { "usr": CANARY } }), 422),
        ("a", json!({ "connector": "postgres", "settings": { "user": "u", "port": "canary-7f3a" } }), 422),
    ] {
        let reply = place.put(&format!("/api/v1/connections/{name}"), body.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text());
        assert!(!reply.text().contains(CANARY), "{}", reply.text());
    }
    assert_eq!(place.own_text().await, PROJECT);
    assert_eq!(place.get("/api/v1/secrets").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_connection_goes_with_its_secrets_when_nobody_uses_it() {
    let place = place().await;
    let used = place.send("DELETE", "/api/v1/connections/shop", &[("if-match", "\"v1\"")], json!({})).await.is(409);
    assert!(used.text().contains("used by load"), "{}", used.text());
    let body = json!({ "connector": "postgres", "settings": { "host": "h", "user": "u", "password": CANARY } });
    place.put("/api/v1/connections/new", body).await.is(200);
    place.send("DELETE", "/api/v1/connections/new", &[], json!({})).await.is(428);
    place.send("DELETE", "/api/v1/connections/new", &[("if-match", "\"v1\"")], json!({})).await.is(412);
    place.send("DELETE", "/api/v1/connections/new", &[("if-match", "\"v2\"")], json!({})).await.is(204);
    assert_eq!(place.own_text().await, PROJECT);
    assert_eq!(place.get("/api/v1/secrets").await.json()["items"], json!([]));
    place.get("/api/v1/connections/new").await.is(404);
}

#[tokio::test]
async fn the_first_connection_makes_the_project() {
    let place = Place::new().await;
    assert_eq!(place.get("/api/v1/connections").await.is(200).json()["items"], json!([]));
    place.put("/api/v1/connections/here", json!({ "url": "./here.db" })).await.is(200);
    assert_eq!(place.own_text().await, "version: 1\nconnections:\n  here: \"./here.db\"\n");
}

#[tokio::test]
async fn both_databases_are_tried_browsed_and_previewed() {
    let place = Place::new().await;
    for (name, connector, url) in [("pg", "postgres", services::postgres()), ("maria", "mysql", services::mysql())] {
        let table = format!("res_{}_{name}", std::process::id());
        make_table(connector, &url, &table).await;
        let body = json!({ "connector": connector, "settings": settings_of(&url) });
        let tested = place.post("/api/v1/connection-test", body.clone()).await.is(200).json();
        assert_eq!(tested["ok"], true, "{tested}");
        let mut wrong = body.clone();
        wrong["settings"]["user"] = "nobody_of_that_name".into();
        wrong["settings"]["password"] = CANARY.into();
        let tested = place.post("/api/v1/connection-test", wrong).await.is(200);
        let failed = tested.json()["steps"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(failed["step"], "auth", "{failed}");
        assert!(failed["error"]["advice"].is_string() && !tested.text().contains(CANARY), "{}", tested.text());
        place.put(&format!("/api/v1/connections/{name}"), body.clone()).await.is(200);
        // what a form is shown can be tried as it is
        let shown = place.get(&format!("/api/v1/connections/{name}")).await.is(200).json();
        let again = json!({ "connection": name, "connector": connector, "settings": shown["settings"] });
        assert_eq!(place.post("/api/v1/connection-test", again).await.is(200).json()["ok"], true);
        let tested = place.post(&format!("/api/v1/connections/{name}/test"), json!({})).await.is(200).json();
        assert_eq!(tested["ok"], true, "{tested}");
        let path = format!("/api/v1/connections/{name}/streams?search={table}");
        let streams = place.get(&path).await.is(200).json();
        let stream = streams["items"][0]["stream"].as_str().unwrap_or_else(|| panic!("{streams}")).to_owned();
        assert_eq!(streams["items"][0]["key"], json!(["id"]));
        assert_eq!(streams["items"][0]["cursors"][0], "id");
        assert_eq!(streams["items"][0]["columns"][1]["name"], "note");
        let rows =
            place.get(&format!("/api/v1/connections/{name}/preview?stream={stream}&limit=2")).await.is(200).json();
        assert_eq!(rows["rows"], json!([{ "id": "1", "note": null }, { "id": "2", "note": "größe" }]));
        place.get(&format!("/api/v1/connections/{name}/preview?stream={stream}&limit=51")).await.is(400);
        place.get(&format!("/api/v1/connections/{name}/preview?stream=none_{table}")).await.is(404);
        drop_table(connector, &url, &table).await;
    }
}

#[tokio::test]
async fn files_behind_a_connection_are_listed_and_taken_away() {
    let place = Place::new().await;
    let lake = place.data().join("lake");
    let settings = |root: &str| json!({ "connector": "files", "settings": { "root": root, "settle_ms": 0 } });
    place.put("/api/v1/connections/lake", settings(lake.to_str().unwrap())).await.is(200);
    place.put("/api/v1/connections/shop", json!({ "url": "sqlite:./shop.db" })).await.is(200);
    std::fs::create_dir_all(lake.join("2026")).unwrap();
    let body = "x\n".repeat(100_000);
    for name in ["a.csv", "2026/größe <b>.csv", ".hidden"] {
        std::fs::write(lake.join(name), &body).unwrap();
    }
    let files = "/api/v1/connections/lake/files";
    let listed = place.get(&format!("{files}?limit=1")).await.is(200).json();
    assert_eq!(
        (&listed["items"][0]["path"], &listed["items"][0]["bytes"]),
        (&json!("2026/größe <b>.csv"), &json!(200_000))
    );
    let next: String = url::form_urlencoded::byte_serialize(listed["next"].as_str().unwrap().as_bytes()).collect();
    let listed = place.get(&format!("{files}?limit=1&after={next}")).await.is(200).json();
    assert_eq!((&listed["items"][0]["path"], &listed["next"]), (&json!("a.csv"), &json!(null)));
    let taken = place.get(&format!("{files}/download?path=2026/gr%C3%B6%C3%9Fe%20%3Cb%3E.csv")).await.is(200);
    assert!(taken.text() == body);
    assert_eq!(taken.headers["content-type"], "application/octet-stream");
    assert!(taken.headers["content-disposition"].to_str().unwrap().starts_with("attachment;"));
    for path in ["none.csv", ".hidden", "2026"] {
        place.get(&format!("{files}/download?path={path}")).await.is(404);
    }
    place.get(&format!("{files}/download?path=../levada.db")).await.is(422);
    place.get("/api/v1/connections/shop/files").await.is(422);
}

#[tokio::test]
async fn what_a_connector_says_of_itself_is_what_its_plans_allow() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "id,x\n1,2\n").unwrap();
    let root = folder.path().display();
    let project = format!("version: 1\nconnections:\n  files: {root}\n  sqlite: {root}/lake.db\n");
    let place = Place::with_documents(&project, &[]).await;
    for (name, holds_files) in [("files", true), ("sqlite", false)] {
        let connector = place.get(&format!("/api/v1/connectors/{name}")).await.is(200).json();
        assert_eq!((&connector["files"], &connector["own_order"]), (&json!(holds_files), &json!(holds_files)));
        for mode in ["replace", "append", "merge"] {
            let options = format!("{{ write: {mode}, key: [id], rename: b }}");
            let text =
                format!("version: 1\nname: t\nsync: {{ from: files, to: {name}, streams: {{ a.csv: {options} }} }}\n");
            let planned = place.post("/api/v1/pipelines/t/plan", json!({ "text": text })).await;
            let is_told = connector["writes"].as_array().unwrap().contains(&json!(mode));
            assert_eq!(planned.status.as_u16(), if is_told { 200 } else { 422 }, "{name} {mode}: {}", planned.text());
        }
    }
    let streams = place.get("/api/v1/connections/files/streams").await.is(200).json();
    assert_eq!(streams["items"][0]["cursors"], json!([]), "{streams}");
}

async fn make_table(connector: &str, url: &str, table: &str) {
    let rows = format!("INSERT INTO {table} VALUES (1, NULL), (2, 'größe'), (3, 'x')");
    execute(connector, url, &[format!("CREATE TABLE {table} (id INT PRIMARY KEY, note VARCHAR(20))"), rows]).await;
}

async fn drop_table(connector: &str, url: &str, table: &str) {
    execute(connector, url, &[format!("DROP TABLE {table}")]).await;
}

/// Runs statements with the system's own client.
async fn execute(connector: &str, url: &str, statements: &[String]) {
    let url = Url::parse(url).unwrap();
    let text = statements.join("; ");
    let mut command = match connector {
        "postgres" => {
            let mut plain = url.clone();
            plain.set_query(None);
            let mut command = std::process::Command::new("psql");
            command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", &text, plain.as_str()]);
            command
        }
        _ => {
            let port = url.port().unwrap().to_string();
            let mut command = std::process::Command::new("mariadb");
            command.args(["--no-defaults", "--default-character-set=utf8mb4", "-u", url.username(), "-P", &port]);
            command.args(["-h", url.host_str().unwrap(), "-e", &text, url.path().trim_start_matches('/')]);
            command.env("MYSQL_PWD", url.password().unwrap_or_default());
            command
        }
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
