//! JSON as it is found: big numbers, nested values, odd keys, broken lines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use levada_core::error::{ErrorKind, Result};
use levada_core::source::{ReadMode, Source};
use levada_testkit::rows::row;
use serde_json::json;

use super::{drain, folder, open, read_all, source, types};

#[tokio::test]
async fn numbers_keep_every_digit_and_nested_values_their_text() {
    let lines = "{\"i\":9007199254740993,\"n\":1.10,\"s\":\"007\",\"o\":{\"b\": 1, \"a\":[1e400]},\"t\":true,\"m\":1}\n\
                 {\"i\":-7108510333361982070,\"n\":123456789012345678901234567890,\"s\":\"a\\n\\u00e9\",\"o\":null,\"m\":\"1\"}\n";
    let folder = folder(&[("t.jsonl", lines.as_bytes())]);
    let (stream, rows, rejects) = read_all(source(&folder, json!({})).as_ref(), "t.jsonl").await;
    assert_eq!(types(&stream), ["int64", "number", "text", "json", "bool", "json"]);
    assert_eq!(rejects, []);
    let expected = [
        row(&[
            Some("-7108510333361982070"),
            Some("123456789012345678901234567890"),
            Some("a\né"),
            None,
            None,
            Some("\"1\""),
        ]),
        row(&[
            Some("9007199254740993"),
            Some("1.10"),
            Some("007"),
            Some("{\"b\": 1, \"a\":[1e400]}"),
            Some("true"),
            Some("1"),
        ]),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn broken_lines_are_rejected_with_their_number() {
    let lines =
        "{\"a\":1}\n{\"a\":\n\n[1]\n{\"a\":2,\"a\":3}\n{\"s\":\"x\\u0000y\"}\n{\"s\":\"\\ud800\"}\n{\"a\":4} x\n";
    let folder = folder(&[("t.jsonl", lines.as_bytes())]);
    let (_, rows, rejects) = read_all(source(&folder, json!({})).as_ref(), "t.jsonl").await;
    let nul = row(&[None, Some("x\0y")]);
    assert_eq!(rows, [nul, row(&[Some("1"), None]), row(&[Some("3"), None])], "the last of two equal keys counts");
    let reasons: Vec<_> = rejects.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    for (line, what) in [(2, "not a JSON object"), (4, "not a JSON object"), (7, "escape"), (8, "not a JSON")] {
        assert!(reasons.iter().any(|r| r.contains(&format!("line {line}:")) && r.contains(what)), "{line} {reasons:?}");
    }
}

#[tokio::test]
async fn a_key_after_the_sample_is_a_reject_and_never_dropped() {
    let mut lines = String::new();
    (0..20_000).for_each(|id| lines.push_str(&format!("{{\"id\":{id}}}\n")));
    lines.push_str("{\"id\":1,\"late\":true}\n");
    let folder = folder(&[("t.jsonl", lines.as_bytes())]);
    let (_, rows, rejects) = read_all(source(&folder, json!({ "sample": "64KB" })).as_ref(), "t.jsonl").await;
    assert_eq!((rows.len(), rejects.len()), (20_000, 1));
    assert!(rejects[0].reason.contains("`late`") && rejects[0].row.contains("\"late\":true"), "{rejects:?}");
}

#[tokio::test]
async fn arrays_and_documents_in_a_row() {
    let mut array = "\u{feff} [\n".to_owned();
    (0..30_000).for_each(|id| {
        let comma = if id == 0 { "" } else { "," };
        array.push_str(&format!("{comma} {{\"id\": {id},\n \"t\": \"}}]{{[\\\"\", \"l\": [{id}, {{}}]}}"));
    });
    array.push_str("]\n");
    let folder = folder(&[
        ("array.json", array.as_bytes()),
        ("row.json", b"{\"id\":1}\n{\n \"id\": 2\n}{\"id\":3}"),
        ("empty.json", b"[]"),
        ("cut.json", b"[{\"id\":1},{\"id\":2}"),
        ("scalars.json", b"[{\"id\":1}, 2, \"x\", [3]]"),
    ]);
    let source = source(&folder, json!({}));
    let (stream, rows, rejects) = read_all(source.as_ref(), "array.json").await;
    assert_eq!(types(&stream), ["int64", "text", "json"]);
    assert_eq!((rows.len(), rejects), (30_000, vec![]));
    assert_eq!(rows[0], row(&[Some("0"), Some("}]{[\""), Some("[0, {}]")]));
    let (_, rows, _) = read_all(source.as_ref(), "row.json").await;
    assert_eq!(rows.len(), 3);
    let (_, rows, rejects) = read_all(source.as_ref(), "scalars.json").await;
    assert_eq!((rows.len(), rejects.len()), (1, 3), "{rejects:?}");
    assert_eq!(source.discover(Some("cut.json")).await.unwrap_err().kind(), ErrorKind::Data);
}

#[tokio::test]
async fn a_record_of_many_megabytes_is_rejected_by_its_limit() {
    let big = format!("{{\"id\":2,\"t\":\"{}\"}}\n", "x".repeat(5 << 20));
    let lines = format!("{{\"id\":1,\"t\":\"a\"}}\n{big}{{\"id\":3,\"t\":\"c\"}}\n");
    let folder = folder(&[("t.jsonl", lines.as_bytes())]);
    let source = source(&folder, json!({ "record_max": "1MB" }));
    let (_, rows, rejects) = read_all(source.as_ref(), "t.jsonl").await;
    assert_eq!((rows.len(), rejects.len()), (2, 1), "{rejects:?}");
    assert!(rejects[0].reason.contains("line 2") && rejects[0].row.len() < 1000, "{}", rejects[0].reason);
}

/// Whatever stands in a file, it is rows, rejects or an error: a thread that dies would be an internal one.
#[tokio::test]
async fn bent_files_give_rows_rejects_or_errors() {
    let object =
        r#"{"i":9007199254740993,"n":1.10,"s":"a\n\u00e9 \ud83d\ude00 größe","o":{"b":[1,{"c":null}]},"t":true}"#;
    let lines = [object; 12].join("\n");
    let array = format!("[{}]", [object; 12].join(",\n"));
    for (name, good) in [("t.jsonl", lines), ("t.json", array)] {
        let folder = folder(&[(name, good.as_bytes())]);
        let source = source(&folder, json!({}));
        read_whatever_is_there(source.as_ref(), name).await.unwrap();
        for seed in 0..400 {
            std::fs::write(folder.path().join(name), levada_testkit::bent::bent(good.as_bytes(), seed)).unwrap();
            if let Err(error) = read_whatever_is_there(source.as_ref(), name).await {
                assert_ne!(error.kind(), ErrorKind::Internal, "{name}, seed {seed}: {error}");
            }
        }
    }
}

async fn read_whatever_is_there(source: &dyn Source, name: &str) -> Result<()> {
    for stream in source.discover(Some(name)).await? {
        drain(open(source, &stream, ReadMode::Full, 64 << 10).await?).await?;
    }
    Ok(())
}
