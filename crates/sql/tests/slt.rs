//! Runs the `.slt` files next to it. A file holds blocks, parted by empty lines:
//!
//! ```text
//! table t (id int64, name text)      a table of the connection `m`, and its rows
//! 1 | one
//!
//! query int64 text [sorted]          the types of the columns, then the statement
//! SELECT id, name FROM m.t
//! ----                               and the rows; `sorted` compares them in any order
//! 1 | one
//!
//! error does not exist               a part of the message, then the statement
//! SELECT x FROM m.t
//! ```

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use levada_core::schema::{self, parse_type, type_name};
use levada_testkit::memory::Memory;
use levada_testkit::rows::Row;

use crate::support::{query, run};

fn value(text: &str) -> Option<String> {
    match text.trim() {
        "NULL" => None,
        "''" => Some(String::new()),
        other => Some(other.to_owned()),
    }
}

fn row(line: &str) -> Row {
    line.split('|').map(value).collect()
}

fn shown(row: &Row) -> String {
    let texts = row.iter().map(|value| match value.as_deref() {
        None => "NULL",
        Some("") => "''",
        Some(text) => text,
    });
    texts.collect::<Vec<_>>().join(" | ")
}

fn table(memory: &Memory, head: &str, lines: &[&str]) {
    let (name, columns) = head.split_once(" (").unwrap();
    let columns = columns.strip_suffix(')').unwrap();
    let fields = columns.split(", ").map(|column| {
        let (name, kind) = column.trim().split_once(' ').unwrap();
        let (kind, required) = kind.strip_suffix(" not null").map_or((kind, false), |kind| (kind, true));
        let (data_type, logical) = parse_type(&kind.replace(';', ",")).unwrap();
        schema::field(name.trim_matches('"'), data_type, !required, &format!("memory:{kind}"), logical)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    memory.put(name, &schema, lines.iter().map(|line| row(line)).collect());
}

async fn check(memory: &Memory, head: &str, lines: &[&str], spill: &Path) -> Result<(), String> {
    let (sql, expected) = match lines.iter().position(|line| *line == "----") {
        Some(at) => (lines[..at].join("\n"), &lines[at + 1..]),
        None => (lines.join("\n"), &[][..]),
    };
    let outcome = run(query(&sql, &[("m", Arc::new(memory.clone()))], spill)).await;
    if let Some(part) = head.strip_prefix("error").map(str::trim) {
        return match outcome {
            Ok((_, rows)) => {
                Err(format!("succeeded with {} rows: {:?}", rows.len(), rows.iter().map(shown).collect::<Vec<_>>()))
            }
            Err(error) if error.to_string().contains(part) && !error.advice().is_empty() => Ok(()),
            Err(error) => Err(format!("{error:?}")),
        };
    }
    let (schema, rows) = outcome.map_err(|error| format!("{error:?}"))?;
    let mut types: Vec<&str> = head.strip_prefix("query").unwrap().split_whitespace().collect();
    let any_order = types.last() == Some(&"sorted");
    if any_order {
        types.pop();
    }
    let got: Vec<String> = schema.fields().iter().map(|field| type_name(field)).collect();
    let mut rows: Vec<String> = rows.iter().map(shown).collect();
    let mut wanted: Vec<String> = expected.iter().map(|line| shown(&row(line))).collect();
    if any_order {
        rows.sort();
        wanted.sort();
    }
    if got != types || rows != wanted {
        return Err(format!("types {}\n{}", got.join(" "), rows.join("\n")));
    }
    Ok(())
}

async fn file(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt").join(format!("{name}.slt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let spill = tempfile::tempdir().unwrap();
    let memory = Memory::new();
    let (mut failed, mut queries) = (Vec::new(), 0);
    for block in text.split("\n\n") {
        let lines: Vec<&str> = block.lines().filter(|line| !line.starts_with('#')).collect();
        let Some((head, lines)) = lines.split_first() else { continue };
        if let Some(head) = head.strip_prefix("table ") {
            table(&memory, head, lines);
            continue;
        }
        queries += 1;
        if let Err(what) = check(&memory, head, lines, spill.path()).await {
            failed.push(format!("{head}\n{}\n=> {what}\n", lines.join("\n")));
        }
    }
    assert!(queries > 0, "{name} has no queries");
    assert!(failed.is_empty(), "{} of {queries} in {name}:\n{}", failed.len(), failed.join("\n"));
}

macro_rules! files {
    ($($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            file(stringify!($name)).await;
        }
    )*};
}

files!(aggregates decimals joins names numbers select texts times windows);
