//! The command line with a server: every verb tells the same there as over the store, on both stores.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::project::{BOTH, Kept, Project, Served};

const OWN: &str =
    "version: 1\nname: shop\npools: { one: 2 }\nconnections:\n  inbox: ./data\n  warehouse: ./warehouse.db\n";
const LOAD: &str =
    "version: 1\ntags: [daily]\nsync: { from: inbox, to: warehouse, streams: { customers.csv: { key: [id] } } }\n";
const WORK: &str = "version: 1\nschedule: { cron: '30 2 * * *', timezone: Europe/Madrid, paused: true }\nparams: { day: { type: date, default: '2026-01-01' } }
tasks:
  each: { for_each: { list: [a, b] }, command: { script: 'echo item ${item}; test ${item} != b' } }
  last: { after: [each], when: all_done, command: { script: 'echo ${param.day}; echo \"{\\\"n\\\":7}\"' } }
";
const SLOW: &str = "version: 1\ntasks: { nap: { command: { argv: [sleep, '600'] }, pool: one } }\n";
const LINES: &str = "version: 1\ntasks:\n  tell:\n    command:\n      script: |\n        for n in $(seq 1 50); do echo line $n; done\n        \
                     until [ -e go ]; do sleep 0.1; done\n        for n in $(seq 51 100); do echo line $n; done\n";
/// The password of the user that tests sign in as.
pub const PASSWORD: &str = "c4n4ry battery staple";

/// A project that is served, and somebody who is signed in there.
pub struct There {
    pub project: Project,
    pub served: Served,
    /// The user's folder for settings.
    pub config: TempDir,
}

impl There {
    pub fn new(kept: Kept, name: &str) -> Self {
        let files = [
            ("levada.yaml", OWN),
            ("pipelines/load.yaml", LOAD),
            ("pipelines/work.yaml", WORK),
            ("pipelines/slow.yaml", SLOW),
            ("pipelines/lines.yaml", LINES),
            ("data/customers.csv", "id,name,amount\n1,Ana,2.5\n2,Rui,10\n"),
        ];
        let project = Project::new(kept, &format!("remote_{name}_{kept:?}").to_lowercase(), &files);
        project.told(0, &["apply"]);
        let add = piped(project.command(&["users", "add", "anna", "--role", "admin"]), PASSWORD);
        assert_eq!(told(&add, 0), "user `anna` is made\n");
        let served = project.serve();
        let there = Self { project, served, config: TempDir::new().unwrap() };
        let login = piped(there.command(&["login", "--user", "anna"]), PASSWORD);
        assert!(told(&login, 0).starts_with(&format!("signed in at {} as anna (admin), until ", there.served.url)));
        there
    }

    /// A command that asks the server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command(arguments);
        command.args(["--server", &self.served.url]).env("XDG_CONFIG_HOME", self.config.path());
        // nothing here may help
        command.env("LEVADA_DATABASE", "/nowhere/levada.db");
        command
    }

    pub fn told(&self, code: i32, arguments: &[&str]) -> String {
        told(&self.command(arguments).output().unwrap(), code)
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.told(0, &[arguments, &["--output", "json"]].concat())).unwrap()
    }

    pub fn refused(&self, code: i32, arguments: &[&str]) -> String {
        refused(&self.command(arguments).output().unwrap(), code)
    }
}

/// What a command tells that is given something to read.
pub fn piped(mut command: Command, text: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
pub fn told(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {out}\nstderr: {err}");
    assert!(!out.contains(PASSWORD) && !err.contains(PASSWORD), "{out}{err}");
    out.into_owned()
}

#[track_caller]
pub fn refused(output: &Output, code: i32) -> String {
    told(output, code);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What differs from one moment to the next is left out: times that something took, or is ago.
fn steady(text: &str) -> String {
    let is_time = |word: &str| {
        let number = word.trim_end_matches(',').trim_end_matches(|c: char| c.is_ascii_alphabetic());
        !number.is_empty() && number.contains('.') && number.parse::<f64>().is_ok()
    };
    let line = |line: &str| {
        let words =
            line.split_whitespace().map(|word| if is_time(word) || word.starts_with("---") { "#" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The same of JSON.
fn steady_json(text: &str) -> Value {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match name.as_str() {
                "ms" | "heard_of_at" | "used_at" => *value = Value::Null,
                _ => clean(value),
            }),
            Value::Array(values) => values.iter_mut().for_each(clean),
            _ => {}
        }
    }
    let parsed: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    let mut value = Value::Array(parsed.unwrap_or_else(|error| panic!("{error}: {text}")));
    clean(&mut value);
    value
}

/// Asks here and there, as text and as JSON: it has to be the same, errors and exit codes included.
fn same(there: &There, arguments: &[&str]) {
    for format in ["text", "json"] {
        let arguments = [arguments, &["--output", format]].concat();
        let (here, far) = (there.project.levada(&arguments), there.command(&arguments).output().unwrap());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(
            here.status.code(),
            far.status.code(),
            "{arguments:?}: {}\n{}",
            text(&here.stderr),
            text(&far.stderr)
        );
        for (here, far) in [(&here.stdout, &far.stdout), (&here.stderr, &far.stderr)] {
            let (here, far) = (text(here), text(far));
            match format {
                "json" => assert_eq!(steady_json(&here), steady_json(&far), "{arguments:?}"),
                _ => assert_eq!(steady(&here), steady(&far), "{arguments:?}"),
            }
        }
    }
}

#[test]
fn every_verb_that_looks_tells_the_same() {
    for kept in BOTH {
        let there = There::new(kept, "looks");
        there.told(1, &["start", "work", "--param", "day=2026-03-01", "--wait"]);
        there.told(0, &["start", "load", "--wait"]);
        let id =
            there.json(&["backfill", "load", "--from", "2026-01-01", "--to", "2026-01-02"])["backfill"].to_string();
        until("the end of the backfill", || there.json(&["backfills", "show", &id])["ended_at"] != Value::Null);
        let _ = piped(there.command(&["secrets", "set", "pw"]), "value");
        let looks: &[&[&str]] = &[
            &["pipelines"],
            &["runs"],
            &["runs", "work", "--state", "failed", "--cause", "manual", "--since", "1h", "--limit", "1"],
            &["show", "1"],
            &["show", "2"],
            &["logs", "1"],
            &["logs", "1", "each.1"],
            &["logs", "1", "last", "--tail", "1"],
            &["logs", "1", "--follow"],
            &["logs", "1", "last", "--attempt", "7"],
            &["logs", "--recent", "--level", "error", "--pipeline", "work"],
            &["why", "1"],
            &["why", "1", "each.1"],
            &["schedule", "list"],
            &["schedule", "list", "work"],
            &["schedule", "preview", "work", "--from", "2026-03-28", "--count", "3"],
            &["schedule", "preview", "pipelines/work.yaml", "--from", "2026-03-28", "--count", "3"],
            &["backfill", "load", "--from", "2026-01-01", "--to", "2026-01-05", "--reverse", "--dry-run"],
            &["backfill", "load", "--from", "2000-01-01", "--to", "2010-01-01", "--dry-run"],
            &["backfills", "list"],
            &["workers"],
            &["pools"],
            &["search", "wor"],
            &["search", "nothing at all"],
            &["secrets", "list"],
            &["users", "list"],
            &["users", "list", "--role", "viewer"],
            &["audit", "list", "--action", "startRun"],
            &["audit", "verify"],
            &["audit", "verify", "--head", "1:00"],
            &["db", "status"],
            &["validate", "pipelines/load.yaml", "levada.yaml", "pipelines/bad.yaml", "missing.yaml"],
            &["plan", "pipelines/load.yaml"],
            &["plan", "pipelines/work.yaml", "--param", "day=2026-01-02"],
            &["plan", "load"],
            &["plan", "laod"],
            &["check"],
            &["check", "warehouse"],
            &["discover", "inbox"],
            &["discover", "inbox", "--stream", "customers.csv"],
            &["preview", "inbox", "--limit", "1"],
            &["preview", "inbox", "--stream", "customers.csv"],
            &["positions", "show", "warehouse"],
            // what is not there, or not so
            &["show", "999999"],
            &["logs", "999999"],
            &["logs", "1", "eech"],
            &["logs", "1", "each.9"],
            &["why", "1", "eech"],
            &["start", "laod"],
            &["start", "load", "--param", "nothing=1"],
            &["start", "work", "--param", "day=soon"],
            &["start", "work", "--task", "lst"],
            &["retry", "999999"],
            &["replay", "999999"],
            &["retry", "2"],
            &["cancel", "1"],
            &["pause", "laod"],
            &["pause", "work", "--schedule", "often"],
            &["schedule", "list", "laod"],
            &["schedule", "preview", "work", "--name", "often"],
            &["schedule", "preview", "load"],
            &["backfill", "laod", "--from", "2026-01-01", "--to", "2026-01-05"],
            &["backfills", "show", "999999"],
            &["backfills", "cancel", "999999"],
            &["secrets", "remove", "pww"],
            &["users", "remove", "nobody"],
            &["users", "sessions", "nobody"],
            &["users", "sign-out", "nobody"],
            &["users", "change", "nobody", "--role", "viewer"],
            &["tokens", "remove", "999999"],
            &["positions", "reset", "warehouse", "--stream", "nothing"],
        ];
        there.project.write("pipelines/bad.yaml", "version: 1\ntasks: { t: { command: { argv: [x] }, after: [u] } }\n");
        for arguments in looks {
            same(&there, arguments);
        }
        let [here, far] = alike(&there, &["tokens", "list", "--all"]);
        assert_eq!(here["tokens"][0]["id"], far["tokens"][0]["id"]);
        assert!(there.refused(2, &["check", "warehose", "inbox"]).contains("Did you mean `warehouse`?"));
        for verb in [&["discover"][..], &["preview"], &["positions", "show"]] {
            assert!(there.refused(2, &[verb, &["warehose"]].concat()).contains("Did you mean `warehouse`?"));
            assert!(there.refused(2, &[verb, &["./data"]].concat()).contains("the connections of its project"));
        }
        same(&there, &["apply"]);
        std::fs::remove_file(there.project.path("pipelines/bad.yaml")).unwrap();
        same(&there, &["diff"]);
        there.told(0, &["export", "far"]);
        there.project.told(0, &["export", "near"]);
        for path in ["levada.yaml", "pipelines/work.yaml"] {
            let [far, near] = ["far", "near"].map(|at| std::fs::read(there.project.path(at).join(path)).unwrap());
            assert_eq!(far, near, "{path}");
        }
    }
}

/// Does something here and there, which is done twice: what is told has the same shape.
fn alike(there: &There, arguments: &[&str]) -> [Value; 2] {
    let arguments = [arguments, &["--output", "json"]].concat();
    let values = [there.project.levada(&arguments), there.command(&arguments).output().unwrap()].map(|output| {
        let text = told(&output, 0);
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    });
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&values[0]), keys(&values[1]), "{arguments:?}");
    values
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn every_verb_that_changes_something_does_it_there() {
    for kept in BOTH {
        let there = There::new(kept, "changes");
        let here = &there.project;
        // documents
        here.write("pipelines/slow.yaml", &SLOW.replace("600", "601"));
        there.told(1, &["diff"]);
        let applied = there.json(&["apply"]);
        assert!(applied["documents"].as_array().unwrap().iter().any(|one| one["change"] == "changed"), "{applied}");
        here.told(0, &["diff"]);
        // runs
        for started in alike(&there, &["start", "slow"]) {
            let run = started["run"].to_string();
            until("the nap", || here.json(&["show", &run])["tasks"][0]["started_at"] != Value::Null);
            assert!(there.json(&["pools"])["pools"][0]["used"].as_u64().unwrap() >= 1);
            there.told(0, &["cancel", &run]);
            until("the end", || here.json(&["show", &run])["state"] == "cancelled");
        }
        let [_, failed] = alike(&there, &["start", "work"]);
        let failed = failed["run"].to_string();
        until("the failure", || here.json(&["show", &failed])["state"] == "failed");
        alike(&there, &["retry", &failed]);
        assert!(there.told(1, &["retry", &failed, "--wait"]).contains("retry of"));
        // what starts by itself
        let schedule =
            there.json(&["schedule", "list", "work"])["schedules"][0]["schedule"].as_str().unwrap().to_owned();
        for arguments in [&["pause", "work"][..], &["resume", "work"], &["resume", "work", "--schedule", &schedule]] {
            let [a, b] = alike(&there, arguments);
            assert_eq!(a, b);
        }
        assert_eq!(here.json(&["schedule", "list", "work"])["schedules"][0]["state"], "active");
        there.told(0, &["pause", "load"]);
        assert!(here.told(0, &["pipelines"]).contains("paused"));
        // backfills
        let range = ["backfill", "load", "--from", "2026-01-01", "--to", "2026-01-03"];
        for made in alike(&there, &range) {
            let id = made["backfill"].to_string();
            assert_eq!(made["runs"], 3);
            alike(&there, &["backfills", "pause", &id]);
            there.told(0, &["backfills", "resume", &id]);
            there.told(0, &["backfills", "cancel", &id]);
            until("the end", || here.json(&["backfills", "show", &id])["state"] == "cancelled");
            same(&there, &["backfills", "show", &id]);
        }
        // secrets
        let set = piped(there.command(&["secrets", "set", "pw"]), "c4n4ry-in-store");
        assert!(!told(&set, 0).contains("c4n4ry"));
        alike(&there, &["secrets", "rotate"]);
        assert_eq!(here.json(&["secrets", "list"])["secrets"][0]["name"], "pw");
        there.told(0, &["secrets", "remove", "pw"]);
        // people and tokens
        let add = there.command(&["users", "add", "olga", "--role", "viewer", "--grant", "daily=operator"]);
        told(&piped(add, PASSWORD), 0);
        let change = ["users", "change", "olga", "--role", "operator", "--no-grants", "--email", "o@example.com"];
        alike(&there, &change);
        let olga = &here.json(&["users", "list", "--role", "operator"])["users"][0];
        assert_eq!((&olga["email"], &olga["grants"]), (&"o@example.com".into(), &serde_json::json!([])));
        let add = ["tokens", "add", "ci", "--user", "olga", "--role", "viewer", "--output", "json"];
        let made: Value = serde_json::from_str(&told(&piped(there.command(&add), PASSWORD), 0)).unwrap();
        let token = made["text"].as_str().unwrap().to_owned();
        let runs = || there.command(&["runs"]).env("LEVADA_TOKEN", &token).output().unwrap();
        told(&runs(), 0);
        let denied = there.command(&["start", "load"]).env("LEVADA_TOKEN", &token).output().unwrap();
        assert!(refused(&denied, 1).contains("This takes the role operator"));
        there.told(0, &["tokens", "remove", &made["token"]["id"].to_string()]);
        assert!(refused(&runs(), 1).contains("levada login"));
        let here_made = here.json(&["tokens", "add", "local", "--user", "olga", "--role", "viewer"]);
        let local = there.command(&["runs"]).env("LEVADA_TOKEN", here_made["text"].as_str().unwrap()).output().unwrap();
        told(&local, 0);
        there.told(0, &["users", "remove", "olga"]);
        // what destinations remember
        there.told(0, &["resume", "load"]);
        there.told(0, &["start", "load", "--wait"]);
        let reset = there.json(&["positions", "reset", "warehouse", "--all"]);
        assert_eq!(reset["reset"][0]["stream"], "customers.csv");
        assert_eq!(here.json(&["positions", "show", "warehouse"])["positions"], serde_json::json!([]));
        there.told(0, &["discover", "inbox", "-o", "found.yaml", "--to", "warehouse"]);
        assert!(std::fs::read_to_string(here.path("found.yaml")).unwrap().contains("customers.csv"));
        // both ways are written down, each as whoever it was
        let lines = here.told(0, &["audit", "list", "--limit", "1000"]);
        assert!(lines.contains(" anna ") && lines.contains(" local:"), "{lines}");
        assert!(!lines.contains("c4n4ry"));
        here.told(0, &["audit", "verify"]);
    }
}

/// What stands between the command line and the server, and can be cut.
struct Wire {
    url: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(url: &str) -> Self {
        let target = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let known = open.clone();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), TcpStream::connect(&target).unwrap());
                known.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { url, open }
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn logs_are_followed_over_connections_that_break() {
    for kept in BOTH {
        let there = There::new(kept, "follow");
        let wire = Wire::to(&there.served.url);
        let token = std::fs::read_to_string(there.config.path().join("levada/logins.json")).unwrap();
        let token: Value = serde_json::from_str(&token).unwrap();
        let token = token["servers"][&there.served.url]["token"].as_str().unwrap().to_owned();
        let run = there.json(&["start", "lines"])["run"].to_string();
        let mut follow = there.project.command(&["logs", &run, "-f", "--server", &wire.url]);
        follow.env("LEVADA_TOKEN", &token).stdout(Stdio::piped());
        let mut child = follow.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut next = |count: usize| {
            let own = lines.by_ref().filter(|line| line.contains(" line ")).take(count);
            own.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(next(50), (1..=50).collect::<Vec<_>>());
        wire.cut();
        there.project.write("go", "");
        wire.cut();
        assert_eq!(next(50), (51..=100).collect::<Vec<_>>(), "each line once, in order");
        assert_eq!(next(1), Vec::<u32>::new());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

/// Whoever starts a process says that it runs no commands; a document that was applied before, and allows them, changes nothing.
#[test]
fn a_process_that_was_started_so_runs_no_commands() {
    for kept in BOTH {
        let shell = "version: 1\nname: shell\ntasks: { say: { command: { script: 'echo ran > ran' } } }\n";
        let files = [("levada.yaml", "version: 1\ncommands: enabled\n"), ("pipelines/shell.yaml", shell)];
        let project = Project::new(kept, &format!("no_commands_{kept:?}").to_lowercase(), &files);
        let mut apply = project.command(&["apply"]);
        let told = refused(&apply.env("LEVADA_NO_COMMANDS", "1").output().unwrap(), 2);
        assert!(told.contains("commands are switched off here, whatever documents say"), "{told}");
        project.told(0, &["apply"]);
        let served = project.serve_with(&["--no-commands"]);
        project.told(1, &["start", "shell", "--wait"]);
        assert!(!project.path("ran").exists());
        let recent = project.told(0, &["logs", "--recent", "--level", "error", "--tail", "1"]);
        assert!(recent.contains(" shell ") && recent.contains("commands are switched off here"), "{recent}");
        assert_eq!(project.told(0, &["logs", "--recent", "--pipeline", "other"]), "");
        drop(served);
        // a run, or the last lines of all: one of the two
        project.refused(2, &["logs"]);
        project.refused(2, &["logs", "1", "--recent"]);
        project.refused(2, &["logs", "1", "--level", "warn"]);
    }
}
