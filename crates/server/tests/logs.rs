//! Logs over the API: certain lines of one in pages that join, and the last lines of all.

use levada_core::id::RunId;
use levada_engine::house::log_path;
use serde_json::{Value, json};

use crate::harness::{NIGHTLY, Place, Who};

const RUNS: &str = "/api/v1/pipelines/nightly/runs";
const LOG: &str = "/api/v1/runs/1/logs?task=first&attempt=1";

/// Writes a log as a worker leaves it, but for the index.
fn write(place: &Place, run: i64, task: &str, item: Option<usize>, lines: impl IntoIterator<Item = String>) {
    let path = log_path(place.data(), RunId(run), task, item, 1);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    std::fs::write(path, text).unwrap();
}

/// A line written so many seconds after a time.
fn line(second: u32, rest: &str) -> String {
    format!("2026-11-21T12:{:02}:{:02}.000000Z {rest}", second / 60, second % 60)
}

async fn with_log() -> Place {
    let place = Place::with_project().await;
    place.post(RUNS, json!({})).await.is(201);
    let lines = (0..3000).map(|n| match n {
        700 => line(700, "err WARN the pool is full"),
        1500 => line(1500, "sys failed: no place left on Disk"),
        2900 => line(2900, "out ERROR no place left"),
        n => line(n, &format!("out row {n}")),
    });
    write(&place, 1, "first", None, lines);
    place
}

fn numbers(page: &Value) -> Vec<u64> {
    page["lines"].as_array().unwrap().iter().map(|line| line["number"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn certain_lines_of_a_log() {
    let place = with_log().await;
    for (query, expected) in [
        ("&level=warn", vec![700, 1500, 2900]),
        ("&level=error", vec![1500, 2900]),
        ("&stream=err", vec![700]),
        ("&stream=sys&level=info", vec![1500]),
        ("&contains=NO%20place%20left", vec![1500, 2900]),
        ("&contains=no%20place&stream=out", vec![2900]),
        ("&contains=row%202.", vec![]),
        ("&level=warn&from=701", vec![1500, 2900]),
    ] {
        let page = place.get(&format!("{LOG}{query}")).await.is(200).json();
        assert_eq!(numbers(&page), expected, "{query}");
        assert_eq!((&page["next"], &page["is_end"], &page["total"]), (&json!(3000), &json!(true), &Value::Null));
    }
    let page = place.get(&format!("{LOG}&level=warn&limit=2")).await.is(200).json();
    assert_eq!((numbers(&page), &page["next"], &page["is_end"]), (vec![700, 1500], &json!(1501), &json!(false)));
    assert_eq!((&page["lines"][0]["level"], &page["lines"][0]["stream"]), (&json!("warn"), &json!("err")));
    // without any of it the last lines are read, as ever
    let page = place.get(&format!("{LOG}&limit=2")).await.is(200).json();
    assert_eq!((numbers(&page), &page["next"], &page["total"]), (vec![2998, 2999], &json!(3000), &json!(3000)));
    assert_eq!(page["lines"][0]["level"], "info");
    for wrong in ["&level=loud", "&stream=stdout", "&contains=", &format!("&contains={}", "x".repeat(1001))] {
        place.get(&format!("{LOG}{wrong}")).await.is(400);
    }
}

/// One request looks at a part of a long log, and says where the next one goes on.
#[tokio::test]
async fn a_long_log_is_looked_through_in_parts() {
    let place = with_log().await;
    let long = line(0, &format!("out {}", "x".repeat(60_000)));
    let lines = (0..1400).map(|n| if n == 1399 { line(0, "out needle") } else { long.clone() });
    write(&place, 1, "first", None, lines);
    let (mut found, mut from, mut empty) = (Vec::new(), 0, 0);
    loop {
        let page = place.get(&format!("{LOG}&contains=NEEDLE&from={from}")).await.is(200).json();
        found.extend(numbers(&page));
        if page["is_end"] == true {
            break;
        }
        empty += u32::from(numbers(&page).is_empty());
        let next = page["next"].as_u64().unwrap();
        assert!(next > from);
        from = next;
    }
    assert_eq!(found, [1399]);
    assert_eq!(empty, 1, "84 MB are more than is looked at for one page, and less than for two");
}

fn told(recent: &Value) -> Vec<String> {
    let told = |line: &Value| {
        let item = line["item"].as_u64().map(|item| format!(".{item}")).unwrap_or_default();
        let [pipeline, task, text] = ["pipeline", "task", "text"].map(|key| line[key].as_str().unwrap());
        format!("{pipeline}/{} {task}{item}:{} {text}", line["run"], line["number"])
    };
    recent["items"].as_array().unwrap().iter().map(told).collect()
}

#[tokio::test]
async fn the_last_lines_of_all_pipelines() {
    let place = Place::with_project().await;
    place.apply(&[NIGHTLY, &NIGHTLY.replace("name: nightly", "name: weekly").replace("second:", "the second:")]).await;
    for path in [RUNS, "/api/v1/pipelines/weekly/runs", RUNS] {
        place.post(path, json!({})).await.is(201);
    }
    write(&place, 1, "first", None, [line(1, "out one"), line(9, "err ERROR nine"), "damaged".to_owned()]);
    write(&place, 2, "the second", Some(4), [line(2, "out WARN two"), line(8, "out eight")]);
    write(&place, 3, "first", None, [line(3, "sys failed: three"), line(3, "sys behind")]);
    let recent = async |query: &str| place.get(&format!("/api/v1/logs/recent{query}")).await.is(200).json();

    let all = recent("").await;
    let expected = [
        "nightly/1 first:1 ERROR nine",
        "weekly/2 the second.4:1 eight",
        "nightly/3 first:1 behind",
        "nightly/3 first:0 failed: three",
        "weekly/2 the second.4:0 WARN two",
        "nightly/1 first:0 one",
    ];
    assert_eq!((told(&all), &all["is_cut"]), (expected.map(str::to_owned).to_vec(), &json!(false)));
    assert_eq!((&all["items"][0]["attempt"], &all["items"][0]["level"]), (&json!(1), &json!("error")));
    assert_eq!(told(&recent("?level=warn").await), [expected[0], expected[3], expected[4]]);
    assert_eq!(told(&recent("?limit=2").await), expected[..2]);
    assert_eq!(told(&recent("?pipeline=weekly").await), [expected[1], expected[4]]);
    assert_eq!(told(&recent("?pipeline=none").await), [""; 0]);
    assert_eq!(told(&recent("?stream=sys&contains=THREE").await), expected[3..4]);
    assert_eq!(told(&recent("?since=2026-11-21T12:00:03Z").await), expected[..4]);
    place.get("/api/v1/logs/recent?since=soon").await.is(400);
    place.get("/api/v1/logs/recent?limit=1001").await.is(400);
    let stranger = place.send_as(&Who::Nobody, "GET", "/api/v1/logs/recent", &[], Value::Null).await;
    stranger.is(401);
}
