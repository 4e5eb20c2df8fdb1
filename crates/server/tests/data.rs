//! Collections and reports over HTTP, over a file of their own.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use levada_core::access::Role;
use serde_json::{Value, json};

use crate::harness::{Place, Reply, Who};
use crate::roles::user;

const DATA: &str = r#"version: 1
connections:
  hr: { type: sqlite, path: "FOLDER/hr.db" }
collections:
  department:
    connection: hr
    columns:
      name: { type: text, required: true, unique: true, check: { max_length: 40 } }
      budget: { type: "decimal(12,2)", default: 0 }
  employee:
    connection: hr
    path: hr/employee
    access: { read: operator, write: editor, delete: admin }
    columns:
      name: { type: text, required: true, unique: true }
      hired: date
      active: { type: boolean, default: true }
      department: { type: bigint, references: department }
reports:
  by_department:
    connection: hr
    query: >
      SELECT d.name, count(*) AS people FROM employee e JOIN department d ON d.id = e.department
      WHERE e.hired >= :since GROUP BY d.name ORDER BY d.name
    params: { since: { type: date, default: 2021-01-01 } }
    download: "people {since}"
"#;

async fn place() -> Place {
    let place = Place::new().await;
    apply(&place, &DATA.replace("FOLDER", place.data().to_str().unwrap())).await.is(200);
    place
}

async fn apply(place: &Place, text: &str) -> Reply {
    place.put("/api/v1/project", json!({ "documents": [{ "path": "levada.yaml", "text": text }] })).await
}

async fn stream(place: &Place, path: &str, media_type: &str, body: &str) -> Reply {
    let request = Request::post(path).header("content-type", media_type).body(Body::from(body.to_owned())).unwrap();
    place.ask(&Who::Local, request).await
}

async fn patch(place: &Place, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
    place.send("PATCH", path, headers, body).await
}

async fn delete(place: &Place, path: &str) -> Reply {
    place.ask(&Who::Local, Request::delete(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_row_lives_through_every_operation() {
    let place = place().await;
    let made = place.post("/v1/department", json!({ "name": "Supply" })).await.is(201);
    assert_eq!(made.headers["location"], "/v1/department/1");
    assert_eq!(made.json(), json!({ "id": 1, "name": "Supply", "budget": "0.00" }));
    let got = place.get("/v1/department/1").await.is(200);
    assert_eq!((got.json(), got.headers["etag"].clone()), (made.json(), made.headers["etag"].clone()));
    let changed = patch(&place, "/v1/department/1", &[], json!({ "budget": 12.5 })).await.is(200);
    assert_eq!(changed.json()["budget"], "12.50");
    let old = made.headers["etag"].to_str().unwrap();
    patch(&place, "/v1/department/1", &[("if-match", old)], json!({ "budget": 1 })).await.is(412);
    let new = changed.headers["etag"].to_str().unwrap();
    let (weak, both) = (format!("{old}, W/{new}"), format!("{old}, {new}"));
    patch(&place, "/v1/department/1", &[("if-match", &weak)], json!({ "budget": 2 })).await.is(412);
    patch(&place, "/v1/department/1", &[("if-match", &both)], json!({ "budget": 2 })).await.is(200);
    patch(&place, "/v1/department/1", &[("if-match", "*")], json!({ "budget": 3 })).await.is(200);
    let whole = place.put("/v1/department/1", json!({ "name": "Sales" })).await.is(200);
    assert_eq!(whole.json(), json!({ "id": 1, "name": "Sales", "budget": "0.00" }));
    place.put("/v1/department/1", json!({ "id": 2, "name": "Sales" })).await.is(400);
    delete(&place, "/v1/department/1").await.is(204);
    place.get("/v1/department/1").await.is(404);
    assert!(place.get("/v1/department/1?deleted=true").await.is(200).json()["deleted_at"].is_string());
    place.post("/v1/department/1/restore", json!({})).await.is(200);
    delete(&place, "/v1/department/1?hard=true").await.is(204);
    place.get("/v1/department/1?deleted=true").await.is(404);
    place.post("/v1/department/1/restore", json!({})).await.is(404);
}

#[tokio::test]
async fn what_is_wrong_with_a_row_is_told_with_its_column() {
    let place = place().await;
    place.post("/v1/department", json!({ "name": "Supply" })).await.is(201);
    for (row, status, kind, column) in [
        (json!({ "name": "Supply" }), 409, "unique", "name"),
        (json!({}), 422, "required", "name"),
        (json!({ "name": 7 }), 422, "type", "name"),
        (json!({ "name": "x".repeat(41) }), 422, "check", "name"),
        (json!({ "name": "x", "bugdet": 7 }), 422, "unknown", "bugdet"),
    ] {
        let told = place.post("/v1/department", row).await.is(status);
        assert_eq!(told.headers["content-type"], "application/problem+json");
        let told = told.json();
        assert_eq!((&told["kind"], &told["errors"][0]["place"]), (&json!(kind), &json!([column])), "{told}");
        assert!(told["errors"][0]["advice"].as_str().unwrap().ends_with('.'), "{told}");
    }
    let told = place.post("/v1/hr/employee", json!({ "name": "x", "department": 9 })).await.is(409).json();
    assert_eq!(told["kind"], "reference");
    for path in ["/v1/department?nam=x", "/v1/department?limit=0", "/v1/department?sort=x", "/v1/department?after=x"] {
        let told = place.get(path).await.is(400).json();
        assert_eq!(told["kind"], "usage", "{path}");
    }
    place.get("/v1/department?budget[like]=7").await.is(400);
    place.get("/v1/department/x").await.is(404);
    stream(&place, "/v1/department", "text/plain", "x").await.is(415);
    stream(&place, "/v1/department", "application/json", "[]").await.is(400);
}

#[tokio::test]
async fn a_list_has_so_many_filters_and_no_more() {
    let place = place().await;
    place.post("/v1/department", json!({ "name": "Supply", "budget": 500 })).await.is(201);
    let filters = |count: usize| {
        let filters: Vec<String> = (0..count).map(|n| format!("budget[ge]={n}")).collect();
        format!("/v1/department?{}", filters.join("&"))
    };
    let found = place.get(&filters(100)).await.is(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    for count in [101, 3_000] {
        let told = place.get(&filters(count)).await.is(400).json();
        assert!(told["kind"] == "usage" && told["detail"].as_str().unwrap().contains("100 filters"), "{told}");
    }
    place.get(&format!("/v1/department?sort={}", vec!["name"; 101].join(","))).await.is(400);
}

#[tokio::test]
async fn where_the_data_lies_is_told_to_editors_only() {
    let place = place().await;
    std::fs::write(place.data().join("hr.db"), "no database".repeat(1_000)).unwrap();
    let address = place.data().display().to_string();
    let people = [("vera", Role::Viewer, false), ("olga", Role::Operator, false), ("ed", Role::Editor, true)];
    for (name, role, is_told) in people {
        let (session, _) = user(&place, name, role, json!([])).await;
        for path in ["/v1/department", "/v1/department/1"] {
            let reply = place.send_as(&session, "GET", path, &[], Value::Null).await;
            assert!(!reply.status.is_success(), "{}", reply.text());
            assert_eq!(reply.text().contains(&address), is_told, "{name}: {}", reply.text());
            assert!(!reply.json()["errors"][0]["message"].as_str().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let place = place().await;
    let rows: Vec<Value> = (0..120).map(|n| json!({ "name": format!("n{n:03}"), "budget": n % 7 })).collect();
    let told = place.post("/v1/department/bulk", json!({ "rows": rows })).await.is(201).json();
    assert_eq!((&told["inserted"], told["items"].as_array().unwrap().len()), (&json!(120), 120));
    let (mut path, mut names) = ("/v1/department?sort=-budget,name&limit=50".to_owned(), Vec::new());
    loop {
        let page = place.get(&path).await.is(200).json();
        names.extend(page["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/department?sort=-budget,name&limit=50&after={next}");
    }
    assert_eq!((names.len(), names.iter().collect::<BTreeSet<_>>().len()), (120, 120));
    assert_eq!((names[0].as_str(), names[119].as_str()), ("n006", "n119"));
    let found = place.get("/v1/department?budget[ge]=3&budget[lt]=4&name[starts_with]=n00").await.is(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(place.get("/v1/department?name=n007").await.json()["items"][0]["id"], 8);
    place.post("/v1/hr/employee", json!({ "name": "Ada", "department": 8 })).await.is(201);
    let expanded = place.get("/v1/hr/employee?expand=department").await.is(200).json();
    assert_eq!(expanded["items"][0]["department"]["name"], "n007");
}

#[tokio::test]
async fn many_rows_are_all_kept_or_each_that_can_be() {
    let place = place().await;
    let rows = json!([{ "name": "a" }, { "name": "b" }, { "name": "a" }, { "name": 1 }]);
    let told = place.post("/v1/department/bulk", json!({ "rows": rows })).await.is(422).json();
    assert_eq!(told["errors"][0]["place"], json!(["row 3", "name"]));
    assert_eq!(place.get("/v1/department").await.json()["items"], json!([]));
    let told = place.post("/v1/department/bulk", json!({ "rows": rows, "mode": "each" })).await.is(200).json();
    assert_eq!((&told["inserted"], &told["failed"]), (&json!(2), &json!(2)));
    assert_eq!(told["items"][2]["errors"][0]["reason"], "unique");
    let rows = json!([{ "name": "a", "budget": 5 }, { "name": "c" }]);
    let told = place.post("/v1/department/bulk", json!({ "rows": rows, "upsert": "name" })).await.is(200).json();
    assert_eq!((&told["inserted"], &told["changed"]), (&json!(1), &json!(1)));
    let many: Vec<Value> = (0..1_001).map(|n| json!({ "name": format!("x{n}") })).collect();
    place.post("/v1/department/bulk", json!({ "rows": many })).await.is(400);
    place.post("/v1/department/bulk", json!({ "rows": [] })).await.is(400);
    place.post("/v1/department/bulk", json!({ "rows": rows, "upsert": "budget" })).await.is(400);
}

#[tokio::test]
async fn streams_have_no_limit_of_rows() {
    let place = place().await;
    let mut csv = "\u{feff}name,budget\r\n".to_owned();
    (0..5_000).for_each(|n| csv.push_str(&format!("\"n, {n}\",{}\r\n", if n % 2 == 0 { "1.5" } else { "" })));
    let told = stream(&place, "/v1/department/bulk", "text/csv", &csv).await.is(200).json();
    assert_eq!((&told["rows"], &told["inserted"]), (&json!(5_000), &json!(5_000)));
    let row = place.get("/v1/department?name=n,%201").await.is(200).json();
    assert_eq!(row["items"][0]["budget"], "0.00", "what is left out has its default");
    let lines: String = (4_990..5_010).map(|n| format!("{{\"name\": \"n, {n}\", \"budget\": \"7\"}}\n")).collect();
    let all = stream(&place, "/v1/department/bulk", "application/x-ndjson", &lines).await.is(422).json();
    assert_eq!(all["errors"].as_array().unwrap().len(), 10);
    let each = "/v1/department/bulk?mode=each";
    let told = stream(&place, each, "application/x-ndjson", &lines).await.is(200).json();
    assert_eq!((&told["inserted"], &told["failed"], &told["failures"][0]["row"]), (&json!(10), &json!(10), &json!(0)));
    let upsert = "/v1/department/bulk?upsert=name";
    let told = stream(&place, upsert, "application/jsonl", &lines).await.is(200).json();
    assert_eq!((&told["inserted"], &told["changed"]), (&json!(0), &json!(20)));
    for (media_type, body) in
        [("text/csv", "name\n\"open"), ("text/csv", "name\na,b\n"), ("application/jsonl", "{}\n[1]\n")]
    {
        stream(&place, "/v1/department/bulk", media_type, body).await.is(400);
    }
    stream(&place, "/v1/department/bulk", "text/xml", "").await.is(415);
}

#[tokio::test]
async fn reports_are_files_in_three_forms() {
    let place = place().await;
    let departments = json!([{ "name": "Sales, \"B\"" }, { "name": "Supply" }]);
    place.post("/v1/department/bulk", json!({ "rows": departments })).await.is(201);
    let people = [("a", "2020-05-01", 1), ("b", "2021-05-01", 1), ("c", "2021-06-01", 2), ("d", "2022-01-01", 2)];
    let people =
        people.map(|(name, hired, department)| json!({ "name": name, "hired": hired, "department": department }));
    place.post("/v1/hr/employee/bulk", json!({ "rows": people })).await.is(201);
    let csv = place.get("/v1/by_department").await.is(200);
    assert_eq!(csv.text(), "name,people\r\n\"Sales, \"\"B\"\"\",1\r\nSupply,2\r\n");
    let disposition = csv.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"people_2021-01-01.csv\""), "{disposition}");
    let json = place.get("/v1/by_department?since=2022-01-01&format=json").await.is(200).json();
    assert_eq!(json, json!([{ "name": "Supply", "people": 1 }]));
    let parquet = place.get("/v1/by_department?format=parquet").await.is(200);
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    for path in ["?format=xml", "?since=x", "?sinse=2021-01-01", "?since=2021-01-01'; DROP"] {
        let path = format!("/v1/by_department{}", path.replace(' ', "%20"));
        place.get(&path).await.is(400);
    }
    let request =
        Request::get("/v1/by_department").header("accept", "text/html, application/json;q=0.9").body(Body::empty());
    let accepted = place.ask(&Who::Local, request.unwrap()).await.is(200);
    assert_eq!(accepted.headers["content-type"], "application/json");
    place.post("/v1/by_department", json!({})).await.is(405);
}

/// A token of somebody with a role.
async fn token(place: &Place, role: Role) -> Who {
    let password = "correct horse battery";
    let user = json!({ "name": role.name(), "password": password, "role": role.name(), "grants": [] });
    place.post("/api/v1/users", user).await.is(201);
    let credentials = json!({ "name": role.name(), "password": password });
    let session = place.send_as(&Who::Nobody, "POST", "/api/v1/session", &[], credentials).await.is(200);
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let new = json!({ "name": "t", "role": role.name() });
    let token = place.send_as(&Who::Session(cookie), "POST", "/api/v1/tokens", &[], new).await.is(201).json();
    Who::Token(token["text"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_operation_has_the_rule_that_the_project_gives_it() {
    let place = place().await;
    let operations = [
        ("GET", "/v1/department", Role::Viewer),
        ("POST", "/v1/department", Role::Editor),
        ("POST", "/v1/department/bulk", Role::Editor),
        ("GET", "/v1/department/7", Role::Viewer),
        ("PUT", "/v1/department/7", Role::Editor),
        ("PATCH", "/v1/department/7", Role::Editor),
        ("DELETE", "/v1/department/7", Role::Editor),
        ("POST", "/v1/department/7/restore", Role::Editor),
        ("GET", "/v1/hr/employee", Role::Operator),
        ("GET", "/v1/hr/employee/7", Role::Operator),
        ("PATCH", "/v1/hr/employee/7", Role::Editor),
        ("DELETE", "/v1/hr/employee/7", Role::Admin),
        ("DELETE", "/v1/hr/employee/bulk", Role::Admin),
        ("GET", "/v1/by_department", Role::Viewer),
    ];
    let mut callers = Vec::new();
    for role in Role::ALL {
        callers.push((role, token(&place, role).await));
    }
    for (method, path, wanted) in operations {
        let ask = async |who: &Who, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            place.ask(who, request).await.status.as_u16()
        };
        assert_eq!(ask(&Who::Nobody, path).await, 401, "{method} {path}");
        assert_eq!(ask(&Who::Token("lvd_1_x".to_owned()), path).await, 401, "{method} {path}");
        for (role, who) in &callers {
            let status = ask(who, path).await;
            assert_eq!(status == 403, *role < wanted, "{method} {path} as {}: {status}", role.name());
            assert_ne!(status, 401);
        }
        for odd in [
            format!("{path}/"),
            format!("/{path}"),
            format!("{path}%2f"),
            path.replace("/v1", "/v1/."),
            format!("{path};x"),
        ] {
            let status = ask(&Who::Nobody, &odd).await;
            assert!(matches!(status, 401 | 404), "{method} {odd}: {status}");
            let (_, viewer) = &callers[0];
            let status = ask(viewer, &odd).await;
            assert!(matches!(status, 403..=405), "{method} {odd}: {status}");
        }
    }
    // strangers cannot tell what is there from what is not
    for path in ["/v1/department", "/v1/nothing", "/v1/department/1/x", "/v1/%00"] {
        let reply = place.ask(&Who::Nobody, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 401, "{path}");
    }
}

#[tokio::test]
async fn what_is_served_is_what_was_applied_last_and_is_described() {
    let place = place().await;
    place.post("/v1/department", json!({ "name": "a" })).await.is(201);
    let described = place.get("/api/v1/openapi.json").await.is(200).json();
    for path in [
        "/v1/department",
        "/v1/department/bulk",
        "/v1/hr/employee/{key}",
        "/v1/hr/employee/{key}/restore",
        "/v1/by_department",
    ] {
        assert!(described["paths"][path].is_object(), "{path}");
    }
    let department = &described["components"]["schemas"]["collection.departmentNew"];
    assert_eq!(
        (&department["required"], &department["properties"]["name"]["maxLength"]),
        (&json!(["name"]), &json!(40))
    );
    let ids: Vec<&str> = described["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    let text = DATA.replace("FOLDER", place.data().to_str().unwrap());
    apply(
        &place,
        &text.replace("  department:\n    connection: hr\n", "  department:\n    connection: hr\n    path: dept\n"),
    )
    .await
    .is(200);
    place.get("/v1/department").await.is(404);
    place.get("/v1/dept/1").await.is(200);
    // a table that does not fit is told, and left as it is
    apply(&place, &text.replace("budget: { type: \"decimal(12,2)\", default: 0 }", "budget: { type: text }"))
        .await
        .is(200);
    let told = place.get("/v1/department").await.is(409).json();
    assert!(told["detail"].as_str().unwrap().contains("`budget`"), "{told}");
    apply(&place, &text).await.is(200);
    place.get("/v1/department/1").await.is(200);
}

#[tokio::test]
async fn what_is_served_can_be_listed_with_its_rules() {
    let place = place().await;
    let listed = place.get("/api/v1/collections").await.is(200).json();
    let [department, employee] = listed["items"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&department["path"], &department["key"]), (&json!("/v1/department"), &json!("id")));
    assert_eq!(
        (&department["columns"][1]["type"], &department["columns"][1]["unique"]),
        (&json!("text"), &json!(true))
    );
    assert_eq!(department["columns"][2]["default"], "0.00");
    assert_eq!((&employee["read"], &employee["delete"]), (&json!("operator"), &json!("admin")));
    let to = json!({ "collection": "department", "column": "id", "on_delete": "restrict" });
    assert_eq!(employee["columns"][4]["references"], to);
    let found = place.get("/api/v1/collections?search=EMPL").await.is(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let report = &place.get("/api/v1/reports").await.is(200).json()["items"][0];
    assert_eq!((&report["path"], &report["params"][0]["type"]), (&json!("/v1/by_department"), &json!("date")));
    assert_eq!(report["formats"], json!(["csv", "json", "parquet"]));
}
