//! Documents as golden files: each `bad/*.yaml` gives the messages in the `.txt` beside it (`LEVADA_BLESS=1` writes
//! them), each `good/*.yaml` a pipeline.

mod auth;
mod tasks;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use levada_core::config::{File, Pipeline, Project, ReadKind, Settings, Variables, fit_settings};
use levada_core::destination::WriteMode;
use levada_core::error::{Error, ErrorKind};
use serde_json::json;

fn env(name: &str) -> Option<String> {
    match name {
        "SHOP_URL" => Some("postgres://shop".to_owned()),
        "PORT" => Some("5432".to_owned()),
        _ => None,
    }
}

fn secret(name: &str) -> Result<Option<String>, Error> {
    Ok((name == "dw").then(|| "hunter2: #x".to_owned()))
}

fn load(name: &str, text: &str, params: &[(&str, &str)]) -> Result<(File, Pipeline), Vec<Error>> {
    let params: BTreeMap<_, _> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let file = File::parse(name, text)?;
    let mut variables = Variables { env: &env, secret: &secret, params, runtime: None };
    file.check(&Project::of([&file]), &variables)?;
    let (pipeline, params) = file.pipeline(&Project::of([&file]), &variables)?;
    variables.params = params;
    for connection in &file.connections {
        connection.settings(&variables)?;
    }
    Ok((file, pipeline))
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_nearest_word() {
    let bless = std::env::var_os("LEVADA_BLESS").is_some();
    let mut failures = String::new();
    for path in yaml_files("bad") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let errors = load(name, &std::fs::read_to_string(&path).unwrap(), &[]).map(|_| ()).expect_err(name);
        let mut got = String::new();
        for error in &errors {
            assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Usage), "{name}: {error:?}");
            writeln!(got, "{error}").unwrap();
        }
        let golden = path.with_extension("txt");
        if bless {
            std::fs::write(&golden, &got).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        if got != wanted {
            writeln!(failures, "--- {name}\nwanted: {wanted}\ngot:    {got}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn good_documents_are_accepted_and_mean_what_is_beside_them() {
    let bless = std::env::var_os("LEVADA_BLESS").is_some();
    for path in yaml_files("good") {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (file, pipeline) = load(name, &text, &[]).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let mut project = Project::of([&file]);
        project.connections.clear();
        let channels: Vec<_> = std::mem::take(&mut project.channels).into_iter().map(|channel| channel.name).collect();
        let mut got = format!("{project:?}\nchannels: {channels:?}\n");
        for schedule in &pipeline.schedules {
            writeln!(got, "{schedule:?}").unwrap();
        }
        for task in &pipeline.tasks {
            writeln!(got, "{task:?}").unwrap();
        }
        writeln!(got, "{:?}", Pipeline { tasks: Vec::new(), schedules: Vec::new(), ..pipeline.clone() }).unwrap();
        writeln!(got, "{:?}", pipeline.graph()).unwrap();
        assert!(!got.contains("hunter2"), "{name}: a secret is shown");
        let golden = path.with_extension("txt");
        if bless {
            std::fs::write(&golden, &got).unwrap();
        }
        assert_eq!(got, std::fs::read_to_string(&golden).unwrap_or_default(), "{name}");
    }
}

#[test]
fn the_smallest_pipeline_is_ten_lines_and_takes_its_name_from_the_file() {
    let text = "version: 1\nconnections:\n  shop: { type: sqlite, path: shop.db }\n  lake: ./lake\nsync:\n  from: shop\n  to: \
                lake\n  streams: [orders, customers]\n";
    let (file, pipeline) = load("pipelines/shop.yaml", text, &[]).unwrap();
    assert_eq!((pipeline.name.as_str(), pipeline.tasks[0].name.as_str()), ("shop", "sync"));
    let sync = pipeline.tasks[0].work.as_sync().unwrap();
    assert_eq!(sync.streams.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["orders", "customers"]);
    assert_eq!((sync.streams[0].1.read, sync.streams[0].1.write), (ReadKind::Full, WriteMode::Replace));
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    assert_eq!(file.connections[1].settings(&variables).unwrap(), Settings::Url("./lake".to_owned()));
}

#[test]
fn defaults_reach_every_stream_and_its_own_options_win() {
    let text =
        std::fs::read_to_string(yaml_files("good").iter().find(|p| p.ends_with("orders.yaml")).unwrap()).unwrap();
    let (_, pipeline) = load("orders.yaml", &text, &[("since", "2026-02-03")]).unwrap();
    let names: Vec<&str> = pipeline.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["load", "again"], "tasks come after those they wait for");
    let sync = pipeline.tasks[0].work.as_sync().unwrap();
    let (name, orders) = &sync.streams[2];
    assert_eq!(
        (name.as_str(), orders.write, orders.cursor.as_deref()),
        ("public.orders", WriteMode::Merge, Some("updated_at"))
    );
    assert_eq!(sync.streams[1].1.target(Some("public"), "dim_x"), (Some("public".into()), "d_dim_x".into()));
    assert_eq!(
        (sync.entry_for("public.dim_date"), sync.entry_for("public.orders"), sync.entry_for("x")),
        (Some(1), Some(2), None)
    );
    assert_eq!((sync.parallel.readers, sync.parallel.writers, sync.memory_bytes), (Some(3), None, 128_000_000));
    assert_eq!(orders.columns.cast["note"], "text");
    assert_eq!(pipeline.description.as_deref(), Some("Since 2026-02-03, not ${x}"));
    // without a key in the document an incremental read appends
    assert_eq!(pipeline.tasks[1].work.as_sync().unwrap().streams[0].1.write, WriteMode::Append);
    assert!((10..=20).contains(&pipeline.tasks[1].retry.pause(2, 0).as_secs()));
}

#[test]
fn references_in_settings_are_resolved_when_a_connection_is_used() {
    let text = "version: 1\nconnections:\n  a: { type: x, url: \"${SHOP_URL}\", port: \"${PORT}\", password: \"${secret:dw}\", \
                tags: [\"${PORT}\"] }\n  b: { type: x, url: \"${MISSING}\" }\n";
    let file = File::parse("levada.yaml", text).unwrap();
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    let Settings::Typed { connector, mut settings } = file.connections[0].settings(&variables).unwrap() else {
        panic!()
    };
    assert_eq!(connector, "x");
    fit_settings(
        &mut settings,
        &json!({"properties": {"port": {"type": ["integer", "null"]}, "url": {"type": "string"}}}),
    )
    .unwrap();
    assert_eq!(settings, json!({"url": "postgres://shop", "port": 5432, "password": "hunter2: #x", "tags": ["5432"]}));
    let error = &file.connections[1].settings(&variables).unwrap_err()[0];
    assert!(
        error.to_string().starts_with("levada.yaml:4:22: the environment variable `MISSING` is not set"),
        "{error}"
    );
    let error = file.connections[0].place(&Error::new(ErrorKind::Config, "`port` is wrong"));
    assert_eq!(error, "levada.yaml:3:37");
    let schema = json!({"properties": {"password": {"type": "string"}}});
    let error = fit_settings(&mut json!({"password": 12345}), &schema).unwrap_err().to_string();
    assert!(!error.contains("12345"), "a value that may be a secret is repeated: {error}");
}

#[test]
fn bombs_are_refused_by_a_stated_limit() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(aliases, "a{level}: &a{level} [{items}]").unwrap();
    }
    let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    let wide = format!("a: [{}]", "x, ".repeat(200_000));
    let large = format!("a: {}", "x".repeat(5 << 20));
    for (name, text) in [("aliases", aliases), ("deep", deep), ("wide", wide), ("large", large)] {
        let started = std::time::Instant::now();
        let errors = File::parse(name, &text).unwrap_err();
        assert!(started.elapsed().as_secs() < 10, "{name}");
        assert_eq!(errors[0].kind(), ErrorKind::Config);
    }
}
