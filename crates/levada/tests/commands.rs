//! The command line without any system: help, exit codes, documents, what goes to which stream, and what never does.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const COMMANDS: &[&str] = &[
    "run",
    "copy",
    "serve",
    "worker",
    "apply",
    "diff",
    "export",
    "pipelines",
    "start",
    "runs",
    "show",
    "logs",
    "artifacts",
    "why",
    "cancel",
    "retry",
    "pause",
    "resume",
    "schedule",
    "backfill",
    "backfills",
    "workers",
    "pools",
    "search",
    "datasets",
    "lineage",
    "login",
    "logout",
    "users",
    "tokens",
    "audit",
    "secrets",
    "db",
    "validate",
    "plan",
    "check",
    "discover",
    "preview",
    "positions",
    "init",
    "schema",
    "completions",
];
/// A password that no output may hold.
const CANARY: &str = "c4n4ryPassw0rd";

fn levada(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_levada"))
        .args(arguments)
        .current_dir(folder)
        .env("LEVADA_SECRET_SHOP", CANARY)
        .env_remove("MISSING")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn help_names_every_command_and_every_exit_code() {
    let folder = folder(&[]);
    let help = levada(folder.path(), &["--help"]);
    assert_eq!((code(&help), err(&help)), (0, String::new()));
    for word in COMMANDS.iter().chain(&["130", "refused", "--output", "--project"]) {
        assert!(out(&help).contains(word), "help does not mention {word}");
    }
    for command in COMMANDS {
        let help = levada(folder.path(), &[command, "--help"]);
        assert_eq!(code(&help), 0, "{command}");
        assert!(out(&help).contains("Usage: levada"), "{command}");
        let own = out(&help).split("Options of every command:").next().unwrap().to_owned();
        assert!(!own.contains("      --database") && !own.contains("      --server"), "{command}: {own}");
    }
}

#[test]
fn the_version_answers_at_once() {
    let folder = folder(&[]);
    let fastest = (0..5)
        .map(|_| {
            let started = Instant::now();
            assert!(out(&levada(folder.path(), &["--version"])).starts_with("levada "));
            started.elapsed()
        })
        .min()
        .unwrap();
    assert!(fastest < Duration::from_millis(100), "took {fastest:?}");
}

#[test]
fn wrong_use_exits_with_2_and_leaves_standard_output_empty() {
    let folder = folder(&[("empty.yaml", "version: 1\nconnections: { a: ./x }\n")]);
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["vaildate", "x.yaml"], "validate"),
        (&["run"], "FILE"),
        (&["run", "x.yaml", "--param", "novalue"], "NAME=VALUE"),
        (&["copy", "a", "b", "--write", "upsert"], "merge"),
        (&["run", "missing.yaml"], "missing.yaml: there is no such file"),
        (&["run", "empty.yaml"], "there is no pipeline in the file"),
        (&["validate", "missing.yaml"], "levada init"),
        (&["schema", "pipelin"], "Did you mean `pipeline`?"),
        (&["check"], "there is nothing to check"),
        (&["discover", "warehose"], "there is no connection `warehose`"),
        (&["copy", "carrier-pigeon://x/y", "./out"], "carrier-pigeon:"),
        (&["positions", "reset", "./x.db"], "--stream"),
    ];
    for (arguments, wanted) in cases {
        let output = levada(folder.path(), arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", err(&output));
        assert!(err(&output).contains(wanted), "{arguments:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{arguments:?}");
    }
}

#[test]
fn every_mistake_of_a_document_is_told_with_its_place() {
    let bad = "version: 1\nconnections: { a: ./a, b: ./b }\nsync:\n  from: a\n  to: c\n  streams:\n    x: { read: \
               incremental, write: replace }\n";
    let folder = folder(&[("bad.yaml", bad), ("unknown.yaml", "version: 1\nsnyc: {}\n")]);
    let output = levada(folder.path(), &["validate", "bad.yaml", "unknown.yaml"]);
    assert_eq!((code(&output), out(&output)), (2, String::new()));
    let told = err(&output);
    assert!(told.contains("bad.yaml:5:7: there is no connection `c`"), "{told}");
    assert!(told.contains("bad.yaml:7:36: `write: replace`"), "{told}");
    assert!(told.contains("unknown.yaml:2:1: there is no key `snyc` here. Did you mean `sync`?"), "{told}");

    let output = levada(folder.path(), &["--output", "json", "validate", "bad.yaml"]);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((code(&output), err(&output)), (2, String::new()));
    assert_eq!(result["valid"], false);
    assert_eq!(result["files"][0]["errors"][0]["code"], "config");
    assert!(result["files"][0]["errors"].as_array().unwrap().len() >= 2);
}

#[test]
fn the_documents_of_a_folder_are_checked_together() {
    let starts = |other: &str| format!("version: 1\ntasks:\n  go: {{ pipeline: {{ name: {other} }} }}\n");
    let project = "version: 1\nconnections: {}\n";
    let folder = folder(&[
        ("levada.yaml", project),
        ("pipelines/a.yaml", &starts("b")),
        ("pipelines/b.yaml", "version: 1\ntasks:\n  one: { command: { argv: [\"true\"] } }\n"),
    ]);
    let output = levada(folder.path(), &["validate", "."]);
    assert_eq!((code(&output), err(&output)), (0, String::new()));
    assert_eq!(out(&output).lines().count(), 3, "{}", out(&output));

    std::fs::write(folder.path().join("pipelines/b.yaml"), starts("c")).unwrap();
    let output = levada(folder.path(), &["validate", "pipelines/b.yaml"]);
    assert_eq!(code(&output), 0, "alone, it may start what lies elsewhere: {}", err(&output));
    let output = levada(folder.path(), &["--output", "json", "validate", "."]);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((code(&output), result["valid"].as_bool()), (2, Some(false)));
    assert_eq!(result["files"].as_array().unwrap().len(), 4);
    assert_eq!(result["files"][3]["errors"][0]["message"], "there is no pipeline `c`", "{result}");
    assert_eq!(result["files"][3]["errors"][0]["place"][0], "./pipelines/b.yaml:3:27", "{result}");
}

#[test]
fn a_missing_cursor_is_told_before_anything_moves() {
    let connections = "connections: { in: ./in, shop: ./shop.db, out: ./out.db }";
    let first = "  one: { sync: { from: in, to: out, streams: { t.csv: { read: incremental, write: append } } } }";
    let second =
        "  two:\n    sync:\n      from: shop\n      to: out\n      streams:\n        orders: { read: incremental }";
    let document = format!("version: 1\n{connections}\ntasks:\n{first}\n{second}\n");
    let folder = folder(&[("in/t.csv", "id\n1\n"), ("p.yaml", &document)]);
    let told = |arguments: &[&str]| {
        let output = levada(folder.path(), arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", err(&output));
        assert!(err(&output).contains("an incremental read of `orders` needs a cursor"), "{}", err(&output));
        err(&output)
    };
    let validated = told(&["validate", "p.yaml"]);
    assert!(validated.contains("p.yaml:10:") && validated.contains("Set `cursor`"), "{validated}");
    assert_eq!(validated.matches("error: ").count(), 1, "files need no cursor: {validated}");
    assert!(told(&["run", "p.yaml"]).contains("task `two`"));
    assert!(!folder.path().join("out.db").exists(), "the first task has run");
}

#[test]
fn two_pipelines_of_one_project_have_two_names() {
    let named = "version: 1\nname: load\ntasks:\n  one: { command: { argv: [\"true\"] } }\n";
    let other = "version: 1\nconnections: {}\n";
    let folder = folder(&[("a.yaml", named), ("b.yaml", named), ("other/levada.yaml", other), ("other/c.yaml", named)]);
    let output = levada(folder.path(), &["validate", "a.yaml", "b.yaml"]);
    assert_eq!(code(&output), 2, "{}", out(&output));
    let told = err(&output);
    assert!(told.contains("b.yaml: the name `load` belongs to the pipeline in a.yaml"), "{told}");
    let output = levada(folder.path(), &["--output", "json", "validate", "a.yaml", "b.yaml"]);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((code(&output), &result["valid"], &result["files"][1]["valid"]), (2, &false.into(), &false.into()));
    // one file by two paths, and a pipeline of another project
    let output = levada(folder.path(), &["validate", "a.yaml", "./a.yaml", "other/c.yaml"]);
    assert_eq!((code(&output), err(&output)), (0, String::new()));
}

#[test]
fn errors_are_json_where_that_is_asked_for() {
    let folder = folder(&[]);
    let output = levada(folder.path(), &["run", "missing.yaml", "--output", "json"]);
    assert_eq!((code(&output), out(&output)), (2, String::new()));
    let told: Value = serde_json::from_str(&err(&output)).unwrap();
    assert_eq!((&told["errors"][0]["code"], &told["exit_code"]), (&Value::from("config"), &Value::from(2)));
    assert_eq!(told["errors"][0]["place"][0], "missing.yaml");
    assert!(told["errors"][0]["advice"].as_str().unwrap().contains("levada init"));
}

#[test]
fn wrong_use_is_json_where_that_is_asked_for() {
    let folder = folder(&[]);
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--output", "json"], "requires a subcommand", "Usage: levada"),
        (&["--output=json", "vaildate", "x.yaml"], "'vaildate'", "'validate'"),
        (&["run", "--output", "json"], "<FILE>", "Usage: levada run"),
        (&["run", "x.yaml", "--output", "json", "--param", "novalue"], "NAME=VALUE", "--help"),
        (&["runs", "--output", "json", "--limit", "many"], "'many'", "--help"),
    ];
    for (arguments, message, advice) in cases {
        let output = levada(folder.path(), arguments);
        assert_eq!((code(&output), out(&output)), (2, String::new()), "{arguments:?}");
        let told: Value = serde_json::from_str(&err(&output)).unwrap();
        let [error] = told["errors"].as_array().unwrap().as_slice() else { panic!("{arguments:?}: {told}") };
        assert_eq!((error["code"].as_str(), told["exit_code"].as_u64()), (Some("usage"), Some(2)), "{arguments:?}");
        assert!(error["message"].as_str().unwrap().contains(message), "{arguments:?}: {error}");
        assert!(error["advice"].as_str().unwrap().contains(advice), "{arguments:?}: {error}");
    }
    // help is no mistake
    let help = levada(folder.path(), &["--output", "json", "run", "--help"]);
    assert_eq!((code(&help), err(&help)), (0, String::new()));
    assert!(out(&help).contains("Usage: levada run"));
}

#[test]
fn a_failure_is_told_once() {
    let pipeline = |stream: &str| {
        let streams = format!("{stream}: {{ columns: {{ cast: {{ n: int }} }} }}");
        let connections = "connections: { in: ./in, out: ./out.db }";
        format!("version: 1\n{connections}\nsync:\n  from: in\n  to: out\n  streams:\n    {streams}\n")
    };
    let (moving, planned) = (pipeline("t.csv"), pipeline("tt.csv"));
    let folder = folder(&[("in/t.csv", "id,n\n1,many\n"), ("moving.yaml", &moving), ("planned.yaml", &planned)]);
    for file in ["moving.yaml", "planned.yaml"] {
        let output = levada(folder.path(), &["run", file]);
        let told = err(&output);
        assert_eq!(code(&output), 1, "{told}");
        assert_eq!(told.lines().filter(|line| line.contains("error: ")).count(), 1, "{file}: {told}");
        assert!(told.contains("t.csv"), "{file}: {told}");
        let output = levada(folder.path(), &["run", file, "--output", "json"]);
        assert_eq!((code(&output), err(&output)), (1, String::new()), "{file}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let error = &report["tasks"][0]["error"];
        assert!(error["message"].as_str().unwrap().contains("t.csv"), "{file}: {report}");
        assert_eq!((error["exit_code"].as_u64(), report["succeeded"].as_bool()), (Some(1), Some(false)), "{report}");
    }
}

#[test]
fn rejected_rows_are_where_they_are_said_to_be() {
    let folder = folder(&[("in/t.csv", "id,n\n1,1\n2,many\n")]);
    let copy = |target: &str, format: &str| {
        let bad_rows = ["--cast", "n=int", "--on-bad-row", "quarantine", "--output", format];
        let output = levada(folder.path(), &[&["copy", "./in/t.csv", target][..], &bad_rows].concat());
        assert_eq!(code(&output), 0, "{target}: {}", err(&output));
        output
    };
    let told = err(&copy("./out.db", "text"));
    assert!(told.contains("1 row is in the quarantine `_levada_rejects`, under load "), "{told}");
    for target in ["./out.jsonl", "./out/"] {
        let told = err(&copy(target, "text"));
        let file = told.split_once("in the quarantine `").unwrap().1.split('`').next().unwrap();
        let rows = std::fs::read_to_string(file).unwrap();
        assert!(rows.contains("many") && rows.lines().count() == 1, "{target}: {told}");
    }
    let report: Value = serde_json::from_slice(&copy("./again.jsonl", "json").stdout).unwrap();
    assert!(Path::new(report["streams"][0]["quarantine"].as_str().unwrap()).is_file(), "{report}");
}

#[test]
fn a_reset_tells_what_it_threw_away_and_what_follows() {
    let folder = folder(&[("in/t.csv", "id\n1\n"), ("in/all.csv", "id\n1\n")]);
    let copy = |stream: &str, read: &str| {
        levada(folder.path(), &["copy", "./in", "./out.db", "--stream", stream, "--read", read])
    };
    assert_eq!((code(&copy("t.csv", "incremental")), code(&copy("all.csv", "full"))), (0, 0));
    let held = levada(folder.path(), &["positions", "show", "./out.db", "--output", "json"]);
    let held: Value = serde_json::from_slice(&held.stdout).unwrap();
    let held = held["positions"].as_array().unwrap().iter().find(|held| held["stream"] == "t.csv").unwrap();
    assert!(held["position"].is_object(), "{held}");

    let told = out(&levada(folder.path(), &["positions", "reset", "./out.db", "--stream", "t.csv"]));
    for word in
        [held["pipeline"].as_str().unwrap(), "`t.csv`", &held["position"].to_string()[..30], "the rows in `t` stay"]
    {
        assert!(told.contains(word), "`{word}` is missing: {told}");
    }
    assert!(told.contains("append is refused"), "{told}");
    assert_eq!(code(&copy("t.csv", "incremental")), 3, "as it was told");
    let rest = levada(folder.path(), &["positions", "reset", "./out.db", "--all", "--output", "json"]);
    let rest: Value = serde_json::from_slice(&rest.stdout).unwrap();
    let [reset] = rest["reset"].as_array().unwrap().as_slice() else { panic!("{rest}") };
    assert!(reset["stream"] == "all.csv" && reset["target"] == "all" && reset["position"].is_object(), "{rest}");
    let nothing = levada(folder.path(), &["positions", "reset", "./out.db", "--all"]);
    assert_eq!((code(&nothing), out(&nothing)), (0, "there was nothing to reset\n".to_owned()));
}

#[test]
fn secrets_never_leave() {
    let document = "version: 1\nconnections:\n  shop: { type: postgress, password: \"${secret:shop}\", prot: 1 }\n  other: { \
                    type: mysql, password: c4n4ryPassw0rd, nonsense: true }\n  third: { type: mysql, password: 739152 }\nsync: { from: shop, to: other, streams: [x] }\n";
    let folder = folder(&[("p.yaml", document), ("levada.yaml", document)]);
    let url = format!("postgrs://user:{CANARY}@127.0.0.1:1/db");
    let known = format!("postgres://user:{CANARY}@127.0.0.1:1/db?nonsense=1");
    let cases: &[&[&str]] = &[
        &["validate", "p.yaml"],
        &["run", "p.yaml"],
        &["plan", "p.yaml"],
        &["check"],
        &["check", &known],
        &["copy", &url, "./out", "--stream", "x"],
        &["copy", &known, "./out", "--stream", "x"],
        &["discover", &known],
        &["preview", &known],
        &["positions", "show", &known],
    ];
    for arguments in cases {
        for format in ["text", "json"] {
            let arguments: Vec<&str> = arguments.iter().copied().chain(["--output", format]).collect();
            let output = levada(folder.path(), &arguments);
            assert_ne!(code(&output), 0, "{arguments:?}");
            let told = format!("{}{}", out(&output), err(&output));
            assert!(!told.contains(CANARY) && !told.contains("739152"), "{arguments:?}: {told}");
        }
    }
}

#[test]
fn schemas_and_completions_are_data() {
    let folder = folder(&[]);
    for document in ["pipeline", "project"] {
        let output = levada(folder.path(), &["schema", document]);
        let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{document}");
        assert!(schema["properties"]["connections"]["additionalProperties"]["anyOf"].is_array(), "{document}");
        let text = out(&output);
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../api/{document}.schema.json"));
        assert!(
            std::fs::read_to_string(kept).unwrap() == text,
            "api/{document}.schema.json is old: run `make schemas`"
        );
        for reference in text.split("\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(schema.pointer(reference).is_some(), "{document}: {reference} leads nowhere");
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        let output = levada(folder.path(), &["completions", shell]);
        assert_eq!((code(&output), err(&output)), (0, String::new()));
        assert!(COMMANDS.iter().all(|command| out(&output).contains(command)), "{shell}");
    }
}

#[test]
fn relative_paths_start_at_the_current_folder_in_urls_too() {
    let folder = folder(&[("in/t.csv", "id\n1\n")]);
    for (source, target) in
        [("./in/t.csv", "./a.jsonl"), ("file:./in/t.csv", "file:./b.jsonl"), ("file:in/t.csv", "file:c.jsonl")]
    {
        let output = levada(folder.path(), &["copy", source, target]);
        assert_eq!(code(&output), 0, "{source}: {}", err(&output));
    }
    for name in ["a.jsonl", "b.jsonl", "c.jsonl"] {
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), "{\"id\":1}\n", "{name}");
    }
    let output = levada(folder.path(), &["check", "file:./in"]);
    assert!(out(&output).contains(&*folder.path().join("in").to_string_lossy()), "{}", out(&output));
}

#[test]
fn a_check_of_what_is_not_there_fails_under_the_name_that_was_given() {
    let folder = folder(&[
        ("levada.yaml", "version: 1\nconnections: { inbox: ./in, fresh: ./fresh }\n"),
        ("in/t.csv", "id\n1\n"),
    ]);
    let output = levada(folder.path(), &["check", "inbx"]);
    assert_eq!(code(&output), 2, "{}", out(&output));
    let told = err(&output);
    assert!(told.contains("inbx: there is no connection `inbx`") && told.contains("Did you mean `inbox`?"), "{told}");
    assert!(!format!("{told}{}", out(&output)).contains("file:"), "{told}");
    let output = levada(folder.path(), &["check", "./no"]);
    assert_ne!(code(&output), 0, "{}", out(&output));
    assert!(err(&output).contains("there is no file or folder"), "{}", err(&output));
    // A connection of the project may be a target that no load has made yet.
    let output = levada(folder.path(), &["check"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("does not exist yet"), "{}", out(&output));
}

#[test]
fn init_makes_a_project_and_touches_nothing_that_exists() {
    let folder = folder(&[]);
    let output = levada(folder.path(), &["init", "shop"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    for name in out(&output).lines() {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    let before = std::fs::read_to_string(folder.path().join("shop/levada.yaml")).unwrap();
    let again = levada(folder.path(), &["init", "shop"]);
    assert_eq!(code(&again), 2);
    assert!(err(&again).contains("there is a project already"));
    assert_eq!(std::fs::read_to_string(folder.path().join("shop/levada.yaml")).unwrap(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn data_that_cannot_be_written_shows_in_the_exit_code() {
    let folder = folder(&[]);
    for arguments in [&["schema"][..], &["completions", "bash"]] {
        let run = |stdout: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_levada"));
            command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).stdout(stdout);
            command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
        };
        let full = run(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
        assert_eq!(code(&full), 1, "{arguments:?}");
        assert!(err(&full).contains("standard output"), "{arguments:?}: {}", err(&full));
        // one who stops reading had enough
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let left = run(writer.into());
        assert_eq!((code(&left), err(&left)), (0, String::new()), "{arguments:?}");
    }
}
