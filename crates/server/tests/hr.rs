//! The project of `examples/hr` against a real PostgreSQL, from seeding to its reports, which say what psql says.

use std::path::{Path, PathBuf};
use std::process::Command;

use axum::body::Body;
use axum::http::Request;
use levada_core::config::{File, Project};
use serde_json::{Value, json};

use crate::harness::{Place, Reply, Who};

const SCHEMA: &str = "levada_example_hr";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hr")
}

/// Runs psql, and gives what it prints.
fn psql(sql: &str) -> String {
    let url = std::env::var("LEVADA_TEST_POSTGRES").expect("set LEVADA_TEST_POSTGRES: `scripts/services env` has it");
    let url = url.split('?').next().unwrap_or_default();
    let script = format!("SET client_min_messages = error; SET TimeZone = 'UTC'; SET search_path = {SCHEMA}; {sql}");
    let output = Command::new("psql").args([url, "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-c", &script]).output();
    let output = output.expect("psql is installed");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn send(place: &Place, path: &str, csv: &[u8]) -> Reply {
    let request = Request::post(path).header("content-type", "text/csv").body(Body::from(csv.to_vec())).unwrap();
    place.ask(&Who::Local, request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_people_of_the_example_are_served_and_counted() {
    psql(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}"));
    let text = std::fs::read_to_string(example().join("levada.yaml")).unwrap();
    let url = std::env::var("LEVADA_TEST_POSTGRES").unwrap();
    let mark = if url.contains('?') { '&' } else { '?' };
    let text = text.replace("${HR_URL}", &format!("{url}{mark}schema={SCHEMA}"));
    let place = Place::new().await;
    let documents = json!({ "documents": [{ "path": "levada.yaml", "text": text }] });
    place.put("/api/v1/project", documents).await.is(200);

    let data = tempfile::tempdir().unwrap();
    let seeded = Command::new(example().join("seed")).arg(data.path()).status().unwrap();
    assert!(seeded.success());
    let file = |name: &str| std::fs::read(data.path().join(name)).unwrap();
    for (path, name, rows) in [
        ("/v1/department/bulk?upsert=name", "departments.csv", 12),
        ("/v1/job/bulk?upsert=title", "jobs.csv", 24),
        ("/v1/employee/bulk?upsert=email", "employees.csv", 2_400),
    ] {
        let told = send(&place, path, &file(name)).await.is(200).json();
        assert_eq!((&told["inserted"], &told["failed"]), (&json!(rows), &json!(0)), "{name}");
        let again = send(&place, path, &file(name)).await.is(200).json();
        assert_eq!((&again["inserted"], &again["changed"]), (&json!(0), &json!(rows)), "{name}");
    }
    reports_say_what_psql_says(&place, &text).await;

    // some people and a department come and go; the reports follow
    let page = place.get("/v1/employee?hired_at[ge]=2021-06-01T00:00:00Z&sort=hired_at&limit=200").await.is(200).json();
    for employee in page["items"].as_array().unwrap() {
        let path = format!("/v1/employee/{}", employee["id"]);
        place.ask(&Who::Local, Request::delete(path).body(Body::empty()).unwrap()).await.is(204);
    }
    place.ask(&Who::Local, Request::delete("/v1/department/1").body(Body::empty()).unwrap()).await.is(409);
    place.post("/v1/department", json!({ "name": "Legal" })).await.is(409);
    let made = place.post("/v1/department", json!({ "name": "Archive" })).await.is(201).json();
    assert!(made["id"].as_i64() > Some(12), "keys go on after those that were given: {made}");
    let rows: Vec<Value> = (0..1_000)
        .map(|n| json!({ "name": "N. N.", "email": format!("n{n}@example.org"), "hired_at": "2021-12-31T23:59:59Z", "department": made["id"], "job": 1 }))
        .collect();
    place.post("/v1/employee/bulk", json!({ "rows": rows, "upsert": "email" })).await.is(201);
    reports_say_what_psql_says(&place, &text).await;
    let above = place.get("/v1/reports/departments_above_mean?format=json").await.is(200).json();
    assert_eq!(above[0]["department"], "Archive", "{above}");
    assert_eq!(psql("SELECT count(*) FROM employee WHERE deleted_at IS NULL"), "count\n3200\n");
    psql(&format!("DROP SCHEMA {SCHEMA} CASCADE"));
}

async fn reports_say_what_psql_says(place: &Place, text: &str) {
    let file = File::parse("levada.yaml", text).unwrap();
    for report in Project::of([&file]).reports {
        for year in [2019, 2021, 2023, 1999] {
            let served = place.get(&format!("/v1/{}?year={year}", report.path)).await.is(200);
            let name = format!("{}_{year}.csv", report.name);
            assert!(served.headers["content-disposition"].to_str().unwrap().contains(&name));
            let asked = psql(&report.statement.with(|_| year.to_string()));
            assert_eq!(served.text().replace("\r\n", "\n"), asked, "{name}");
            assert!(year == 1999 || asked.lines().count() > 1, "{name}: {asked}");
        }
    }
}
