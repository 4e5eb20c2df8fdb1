//! Edits of documents, each with the text around it that has to stay as it is.

#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;

const PROJECT: &str = "\
# what all share
version: 1 # the format

connections:
  # the shop's own database
  shop:
    type: postgres
    host: db.example   # since March
    password: ${SHOP_PASSWORD}
    # nobody else may
    user: reader

  # a copy
  lake: { type: files, root: ./lake }
  here: ./data.db

# slots
pools:
  heavy: 2
";

fn edited(path: &[&str], value: Json) -> String {
    set("levada.yaml", PROJECT, path, &value).unwrap()
}

#[test]
fn one_setting_changes_and_its_comment_stays() {
    let changed = edited(&["connections", "shop", "host"], json!("db2.example"));
    assert_eq!(changed, PROJECT.replace("db.example   # since", "db2.example   # since"));
}

#[test]
fn of_a_mapping_only_what_differs_is_touched() {
    let value =
        json!({ "type": "postgres", "host": "db.example", "user": "writer", "port": 5433, "password": "${secret:a}" });
    let changed = edited(&["connections", "shop"], value);
    let wanted = PROJECT
        .replace("password: ${SHOP_PASSWORD}", "password: \"${secret:a}\"")
        .replace("user: reader\n", "user: writer\n    port: 5433\n");
    assert_eq!(changed, wanted);
    let fewer = edited(&["connections", "shop"], json!({ "type": "postgres", "host": "db.example", "user": "reader" }));
    assert_eq!(fewer, PROJECT.replace("    password: ${SHOP_PASSWORD}\n", ""));
}

#[test]
fn a_new_entry_comes_after_the_last_one() {
    let changed = edited(&["connections", "new one"], json!({ "type": "sqlite", "path": "./a b.db" }));
    let wanted = "  here: ./data.db\n  \"new one\":\n    type: sqlite\n    path: \"./a b.db\"\n\n# slots";
    assert_eq!(changed, PROJECT.replace("  here: ./data.db\n\n# slots", wanted));
}

#[test]
fn an_entry_goes_with_all_its_lines_and_no_other() {
    let changed = remove("levada.yaml", PROJECT, &["connections", "shop"]).unwrap();
    let (before, rest) = PROJECT.split_once("  shop:\n").unwrap();
    let after = rest.split_once("user: reader\n").unwrap().1;
    assert_eq!(changed, format!("{before}{after}"));
    assert_eq!(remove("levada.yaml", PROJECT, &["connections", "none"]).unwrap(), PROJECT);
}

#[test]
fn the_last_entry_leaves_an_empty_mapping() {
    let text = "version: 1\nconnections: # by name\n  # mine\n  a: ./a.db\n# end\n";
    let changed = remove("f", text, &["connections", "a"]).unwrap();
    assert_eq!(changed, "version: 1\nconnections: {} # by name\n  # mine\n# end\n");
    let again = set("f", &changed, &["connections", "b"], &json!("./b.db")).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Refused);
    let plain = set("f", "version: 1\nconnections: {}\n", &["connections", "b"], &json!("./b.db")).unwrap();
    assert_eq!(plain, "version: 1\nconnections:\n  b: \"./b.db\"\n");
}

#[test]
fn what_is_missing_on_the_way_is_made() {
    let value = json!({ "type": "sqlite" });
    for (text, wanted) in [
        ("", "connections:\n  a:\n    type: sqlite\n"),
        ("version: 1", "version: 1\nconnections:\n  a:\n    type: sqlite\n"),
        ("connections: # none\nversion: 1\n", "connections: # none\n  a:\n    type: sqlite\nversion: 1\n"),
        ("---\nversion: 1\n...\n", "---\nversion: 1\nconnections:\n  a:\n    type: sqlite\n...\n"),
        ("version: 1\r\n", "version: 1\r\nconnections:\r\n  a:\r\n    type: sqlite\r\n"),
        ("connections: { b: ./b }\n", "connections:\n  b: \"./b\"\n  a:\n    type: sqlite\n"),
    ] {
        assert_eq!(set("f", text, &["connections", "a"], &value).unwrap(), wanted, "{text:?}");
    }
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    for text in [
        "yes",
        "1",
        "~",
        "a: b",
        "# no",
        "\"",
        "'",
        "a\nb",
        " ",
        "",
        "${secret:x}",
        "größe 😀",
        "\u{7f}",
        "0x1F",
        "1e3",
    ] {
        let changed = edited(&["connections", "shop", "host"], json!(text));
        let tree = tree("f", &changed).unwrap();
        assert_eq!(tree.find(&["connections", "shop", "host"]).unwrap().to_json(), json!(text), "{changed}");
    }
}

#[test]
fn block_texts_quotes_and_braces_are_understood() {
    let text =
        "a:\n  b: |\n    # no comment\n\n    text\n  c: 'it''s' # one\n  d: \"q\\\"#\" # two\n  \"e f\": {x: 1}\n";
    let b = set("f", text, &["a", "b"], &json!("x")).unwrap();
    assert_eq!(b, text.replace("b: |\n    # no comment\n\n    text\n", "b: x\n"));
    assert_eq!(set("f", text, &["a", "c"], &json!(1)).unwrap(), text.replace("'it''s'", "1"));
    assert_eq!(set("f", text, &["a", "d"], &json!(true)).unwrap(), text.replace("\"q\\\"#\"", "true"));
    assert_eq!(
        set("f", text, &["a", "e f", "x"], &json!(2)).unwrap(),
        text.replace("{x: 1}", "\n    x: 2").replace(": \n", ":\n")
    );
}

#[test]
fn what_others_refer_to_is_not_broken() {
    let text = "a: &x\n  k: 1\nb: *x\nc:\n  <<: *x\n  l: 2\n";
    assert_eq!(remove("f", text, &["a"]).unwrap_err().kind(), ErrorKind::Refused);
    // a change of what the anchor names would change the other too
    assert_eq!(set("f", text, &["a", "k"], &json!(2)).unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(set("f", text, &["b"], &json!(3)).unwrap(), text.replace("b: *x", "b: 3"));
}

#[test]
fn several_documents_are_refused() {
    let error = set("f", "a: 1\n---\nb: 2\n", &["a"], &json!(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}
