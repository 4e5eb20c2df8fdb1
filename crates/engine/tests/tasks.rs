//! Commands as real processes: what they get, what they hand on, and that nothing of them stays.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use levada_core::config::Command;
use levada_core::config::amount::{BytesText, DurationText};
use levada_core::error::{Error, ErrorKind};
use levada_core::id::{RunId, TaskRunId};
use levada_core::redact::Redactor;
use levada_core::secret::Secret;
use levada_engine::log::{LogReader, TaskLog};
use levada_engine::task::{Outcome, TaskContext, command, processes};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::logs::SystemTime;

pub const SECRET: &str = "correct horse/battery";

pub fn context(folder: &Path) -> TaskContext {
    let redactor = Arc::new(Redactor::new([SECRET]).unwrap());
    TaskContext {
        run: RunId(7),
        task_run: TaskRunId(42),
        attempt: 1,
        pipeline: "orders".to_owned(),
        task: "load".to_owned(),
        item: None,
        fire_time: None,
        run_dir: folder.join("run"),
        project_dir: folder.to_owned(),
        inputs: json!({"params": {"since": "2026-01-01"}}),
        log: TaskLog::new(folder.join("log"), redactor.clone(), Arc::new(SystemTime)),
        redactor,
        network: Arc::default(),
        stop: CancellationToken::new(),
        memo: None,
    }
}

pub fn log_text(context: &TaskContext) -> String {
    context.log.close().unwrap();
    let lines = LogReader::new(context.log.path()).lines(0, 10_000).unwrap();
    lines.into_iter().map(|line| line.text + "\n").collect()
}

fn script(text: &str) -> Command {
    Command { script: Some(text.to_owned()), ..Command::default() }
}

async fn run(work: &Command, context: &TaskContext) -> Result<Json, Error> {
    match command::execute(work, context).await? {
        Outcome::Done { outputs, .. } => Ok(Json::Object(outputs)),
        other => panic!("{other:?}"),
    }
}

/// How many processes have a text in their command line or environment.
fn alive(text: &str) -> usize {
    let holds = |path: std::path::PathBuf| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| holds(entry.path().join("cmdline")) || holds(entry.path().join("environ"))).count()
}

#[tokio::test]
async fn an_environment_that_says_exactly_what_it_gets() {
    let folder = tempfile::tempdir().unwrap();
    let mut work = Command { argv: vec!["env".to_owned()], ..Command::default() };
    work.env.insert("OWN".to_owned(), Secret::new("1"));
    work.env.insert("LEVADA_ATTEMPT".to_owned(), Secret::new("forged"));
    let context = context(folder.path());
    run(&work, &context).await.unwrap();
    let text = log_text(&context);
    let mut names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.retain(|name| !["HOME", "LANG", "TZ", "TMPDIR"].contains(name));
    names.sort_unstable();
    let levada = ["LEVADA_ATTEMPT", "LEVADA_INPUTS", "LEVADA_OUTPUTS", "LEVADA_RUN", "LEVADA_RUN_DIR", "LEVADA_TASK"];
    assert_eq!(names, [&levada[..], &["OWN", "PATH"]].concat());
    assert!(text.contains("LEVADA_ATTEMPT=42.1."), "{text}");
}

#[tokio::test]
async fn scripts_of_every_interpreter_and_nothing_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    for (interpreter, text) in [
        (None, "read line || echo '{\"in\": \"'$(grep -o 2026-01-01 $LEVADA_INPUTS)'\"}'"),
        (
            Some("bash -eu"),
            "a=(x y); [[ ${#a[@]} = 2 ]]; printf '{\"in\": \"%s\"}' \"$(grep -o 2026-01-01 $LEVADA_INPUTS)\"",
        ),
        (
            Some("python3"),
            "import json, os\nprint(json.dumps({'in': json.load(open(os.environ['LEVADA_INPUTS']))['params']['since']}))",
        ),
        (Some("node"), "console.log(JSON.stringify({in: require(process.env.LEVADA_INPUTS).params.since}))"),
    ] {
        let work = Command { interpreter: interpreter.map(str::to_owned), ..script(text) };
        assert_eq!(run(&work, &context(folder.path())).await.unwrap(), json!({"in": "2026-01-01"}), "{interpreter:?}");
    }
    assert_eq!(fs::read_dir(folder.path().join("run")).unwrap().count(), 0);
    let files =
        run(&script("ls /proc/self/fd | wc -l | sed 's/.*/{\"n\": &}/'"), &context(folder.path())).await.unwrap();
    assert_eq!(files, json!({"n": 4}), "0 to 2, and the folder that ls reads");
}

#[tokio::test]
async fn outputs_by_file_or_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let with = async |text: &str| run(&script(text), &context).await;
    assert_eq!(with("echo '{\"a\": 1}'; echo '{\"b\": 2}'; echo").await.unwrap(), json!({"b": 2}));
    assert_eq!(with("echo '{\"a\": 1}'; echo end").await.unwrap(), json!({}));
    assert_eq!(with("echo '{\"a\": 1}'; echo '{\"f\": 3}' > $LEVADA_OUTPUTS").await.unwrap(), json!({"f": 3}));
    let hinted = || fs::read_to_string(context.log.path()).unwrap().matches("hint: the output ends like").count();
    assert_eq!(hinted(), 0);
    assert_eq!(with("printf '{\n  \"a\": {\"b\": 1}\n}\n'").await.unwrap(), json!({}));
    assert_eq!(hinted(), 1, "an object of several lines is none, and that is said");
    assert_eq!(with("printf '{\n\"a\": 1\n}\n'; echo '{}' > $LEVADA_OUTPUTS").await.unwrap(), json!({}));
    assert_eq!(hinted(), 1, "who writes the file is not told");
    let error = with("echo '[1]' > $LEVADA_OUTPUTS").await.unwrap_err();
    assert!(error.message().contains("does not hold a JSON object"), "{error}");
    for large in [
        "printf '{\"a\": \"%070000d\"}\\n' 0",
        "printf '{\"a\": \"%065530d\"}\\n' 0",
        "printf '{\"a\": \"%070000d\"}\\n' 0 > $LEVADA_OUTPUTS",
    ] {
        let error = with(large).await.unwrap_err();
        assert!(error.to_string().contains("list it under `artifacts`"), "{error}");
    }
}

#[tokio::test]
async fn secrets_stay_inside() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let mut work = script(
        "echo \"plain $KEY\"; printf 'half correct horse'; sleep 0.3; echo '/battery'; printf 'user:%s' \"$KEY\" | base64
         python3 -c 'import urllib.parse, os, json; k = os.environ[\"KEY\"]; print(urllib.parse.quote_plus(k), json.dumps(k))'
         echo \"{\\\"token\\\": \\\"Bearer $KEY\\\"}\"; echo \"failed with $KEY\" >&2; exit $CODE",
    );
    work.env.insert("KEY".to_owned(), Secret::new(SECRET));
    work.env.insert("CODE".to_owned(), Secret::new("0"));
    assert_eq!(run(&work, &context).await.unwrap(), json!({"token": "Bearer ***"}));
    work.env.insert("CODE".to_owned(), Secret::new("3"));
    let error = run(&work, &context).await.unwrap_err();
    assert_eq!(error.to_string(), "ended with exit code 3: failed with ***. See its log.");
    let text = log_text(&context);
    assert_eq!(text.matches("***").count(), 2 * 7, "{text}");
    for part in ["correct", "horse", "battery", "Y29ycmVjdCBob3JzZS9iYXR0ZXJ5", "b3Jyb"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let failed = async |work: &Command| run(work, &context).await.unwrap_err();
    let error = failed(&script("kill -SEGV $$")).await;
    assert_eq!((error.kind(), error.message()), (ErrorKind::Task, "was ended by SIGSEGV"));
    assert!(error.kind().policy().retry);
    run(&Command { success: Some(vec![0, 3]), ..script("exit 3") }, &context).await.unwrap();
    let error = failed(&Command { argv: vec!["no-such-program".to_owned()], ..Command::default() }).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = failed(&Command { dir: Some("nowhere".to_owned()), ..script("true") }).await;
    assert!(error.message().contains("nowhere does not exist"), "{error}");
    fs::write(folder.path().join("plain"), "text").unwrap();
    let error = failed(&Command { argv: vec!["./plain".to_owned()], ..Command::default() }).await;
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_stopped_nothing_of_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    // A child, a daemon that forked twice into a session of its own, one without its environment, one that ignores TERM.
    let work = Command {
        grace: Some(DurationText(Duration::from_millis(500))),
        ..script(
            "sleep 98761 & setsid sh -c 'sleep 98762 & exec sleep 98763' & env -i setsid sleep 98764 &
             (trap '' TERM; while :; do sleep 0.1; done) & echo ready; wait",
        )
    };
    let stop = context.stop.clone();
    let path = context.log.path().to_owned();
    let started = tokio::spawn(async move {
        while !fs::read_to_string(&path).is_ok_and(|text| text.contains("ready")) || alive("sleep\09876") < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        Instant::now()
    });
    let error = run(&work, &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.advice().contains("What it had done by then stays"), "{error}");
    assert!(started.await.unwrap().elapsed() < Duration::from_secs(5));
    assert_eq!(alive("sleep\09876"), 0);
    assert_eq!(alive(&processes::cookie(context.task_run, 1, &context.run_dir)), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_processes_are_found_by_their_cookie() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let cookie = processes::cookie(context.task_run, 1, &context.run_dir);
    let other = processes::cookie(context.task_run, 1, &folder.path().join("other"));
    assert_ne!(cookie, other);
    let mut all: Vec<_> = [&cookie, &other]
        .into_iter()
        .map(|cookie| {
            let mut sleep = std::process::Command::new("setsid");
            sleep.args(["sleep", "98771"]).env("LEVADA_ATTEMPT", cookie).spawn().unwrap()
        })
        .collect();
    assert_eq!(processes::kill_by_cookie(&cookie).await.unwrap(), 1);
    assert!(!all[0].wait().unwrap().success());
    assert!(all[1].try_wait().unwrap().is_none());
    assert_eq!(processes::kill_by_cookie(&other).await.unwrap(), 1);
    all[1].wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ended_program_leaves_in_its_group_ends_and_its_daemon_stays() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let work = script("sleep 98781 & setsid sleep 98782 & sleep 0.2; echo '{\"ok\": true}'");
    let started = Instant::now();
    assert_eq!(run(&work, &context).await.unwrap(), json!({"ok": true}));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!((alive("sleep\098781"), alive("sleep\098782")), (0, 1));
    processes::kill_by_cookie(&processes::cookie(context.task_run, 1, &context.run_dir)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_means_killed() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let work = script("sleep 98791 & sleep 98792");
    let _ = tokio::time::timeout(Duration::from_millis(300), run(&work, &context)).await.unwrap_err();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(alive("sleep\09879"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_memory_and_output() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let hog = Command {
        memory: Some(BytesText(100_000_000)),
        ..script(
            "python3 -c 'import time; a = bytearray(60_000_000); time.sleep(98793)' &
                  python3 -c 'import time; a = bytearray(60_000_000); time.sleep(98793)'",
        )
    };
    let error = run(&hog, &context).await.unwrap_err();
    assert!(error.message().contains("bytes of memory, and may take 100000000"), "{error}");
    assert_eq!(alive("98793"), 0);
    let modest = Command {
        memory: Some(BytesText(100_000_000)),
        ..script("python3 -c 'import time; a = bytearray(30_000_000); time.sleep(0.6)'")
    };
    run(&modest, &context).await.unwrap();

    let flood = Command { output: Some(BytesText(1_000_000)), ..script("yes 98794") };
    let started = Instant::now();
    let error = run(&flood, &context).await.unwrap_err();
    assert!(error.message().contains("wrote more than 1000000 bytes"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(8));
    assert!(fs::metadata(context.log.path()).unwrap().len() < 8_000_000);
    assert_eq!(alive("yes\098794"), 0);
}

#[tokio::test]
async fn artifacts_inside_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let of = async |text: &str, pattern: &str| {
        let work = Command { artifacts: vec![pattern.to_owned()], ..script(text) };
        command::execute(&work, &context).await
    };
    let made = "cd $LEVADA_RUN_DIR; mkdir -p out/deep; printf abc > out/b.csv; : > out/deep/a.csv";
    let Outcome::Done { artifacts, .. } = of(made, "out/**/*.csv").await.unwrap() else { panic!() };
    let found: Vec<_> = artifacts.iter().map(|file| (file.path.as_str(), file.size)).collect();
    assert_eq!(found, [("out/b.csv", 3), ("out/deep/a.csv", 0)]);
    assert_eq!(artifacts[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    for pattern in ["../log", "/etc/passwd", "out/../../log"] {
        assert_eq!(of("true", pattern).await.unwrap_err().kind(), ErrorKind::Refused, "{pattern}");
    }
    let error = of("ln -s /etc/passwd $LEVADA_RUN_DIR/out/stolen.csv", "out/*.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

/// Not a test of speed: it prints figures with `--nocapture`, and fails only where starting is slower by far.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starting_is_cheap() {
    let folder = tempfile::tempdir().unwrap();
    let context = Arc::new(context(folder.path()));
    fs::create_dir_all(&context.run_dir).unwrap();
    let bare = Instant::now();
    for _ in 0..100 {
        assert!(std::process::Command::new("/bin/true").status().unwrap().success());
    }
    let bare = bare.elapsed() / 100;
    let work = Command { argv: vec!["true".to_owned()], ..Command::default() };
    let ours = Instant::now();
    for _ in 0..100 {
        run(&work, &context).await.unwrap();
    }
    let ours = ours.elapsed() / 100;
    eprintln!("one /bin/true: {bare:?} bare, {ours:?} as a task");
    assert!(ours < bare * 10 + Duration::from_millis(20), "{bare:?} bare, {ours:?} as a task");
}
