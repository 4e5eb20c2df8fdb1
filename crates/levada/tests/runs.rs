//! The commands that touch systems, end to end against a real server: what they print, and how they exit.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Database, LEVADA, psql};

/// A server with two databases, and a project that leads from one to the other.
struct Shop {
    folder: TempDir,
    source: Database,
    target: Database,
}

impl Shop {
    fn new(name: &str) -> Self {
        let shop = Self {
            folder: TempDir::new().unwrap(),
            source: Database::postgres(&format!("levada_{name}_a")),
            target: Database::postgres(&format!("levada_{name}_b")),
        };
        psql(
            &shop.source,
            "CREATE TABLE customers(id int PRIMARY KEY, name text NOT NULL, email text);
             CREATE TABLE orders(id int PRIMARY KEY, at timestamp NOT NULL, amount numeric(10,2));
             INSERT INTO customers SELECT i, 'customer ' || i, NULL FROM generate_series(1, 500) i;
             INSERT INTO orders SELECT i, timestamp '2026-01-01' + i * interval '1 minute', i * 0.5
               FROM generate_series(1, 1000) i;",
        );
        let (a, b) = (shop.source.connection(), shop.target.connection());
        shop.write("levada.yaml", &format!("version: 1\nconnections:\n  shop: {a}\n  dw: {b}\n"));
        shop
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn levada(&self, arguments: &[&str]) -> Output {
        levada(self.folder.path(), arguments)
    }

    fn count(&self, table: &str) -> String {
        psql(&self.target, &format!("SELECT count(*) FROM {table}"))
    }
}

fn levada(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(LEVADA).args(arguments).current_dir(folder).output().unwrap()
}

/// Standard output of a command that must exit with this code.
fn told(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {out}\nstderr: {err}");
    out.into_owned()
}

fn json(output: &Output, code: i32) -> Value {
    serde_json::from_str(&told(output, code)).unwrap()
}

const PIPELINE: &str = "
version: 1
name: p
params: { cursor: { default: at } }
tasks:
  all:
    sync:
      from: shop
      to: dw
      streams:
        public.customers: { verify: checksum }
  new:
    after: [all]
    sync: { from: shop, to: dw, streams: { public.orders: { read: incremental, cursor: \"${param.cursor}\" } } }
";

#[test]
fn a_pipeline_runs_again_and_again_and_proves_what_it_did() {
    let shop = Shop::new("again");
    shop.write("p.yaml", PIPELINE);
    let first = json(&shop.levada(&["run", "p.yaml", "--output", "json"]), 0);
    assert_eq!(first["succeeded"], true);
    assert_eq!(first["tasks"][0]["streams"][0]["proof"]["verified"], 500);
    assert_eq!(first["tasks"][1]["streams"][0]["proof"]["written"], 1000);

    psql(&shop.source, "INSERT INTO orders VALUES (1001, '2026-06-01', 1)");
    let second = shop.levada(&["run", "p.yaml", "--stream", "public.orders"]);
    let table = told(&second, 0);
    assert!(table.contains("1 of 1 streams proved: 2 rows read = 1 written + 0 rejected + 1 repeated"), "{table}");
    assert_eq!((shop.count("customers"), shop.count("orders")), ("500".into(), "1001".into()));

    let plan = told(&shop.levada(&["plan", "p.yaml", "--task", "new"]), 0);
    assert!(plan.contains("read incremental after") && plan.contains("exactly once"), "{plan}");
    let positions = json(&shop.levada(&["positions", "show", "dw", "--output", "json"]), 0);
    assert_eq!(positions["positions"][1]["pipeline"], "p/new");
}

#[test]
fn a_plan_names_what_every_task_would_do_and_does_none_of_it() {
    let shop = Shop::new("told");
    shop.write("p.yaml", TOLD);
    let (a, b) = (shop.source.connection(), shop.target.connection());
    let connections = format!("connections:\n  shop: {a}\n  dw: {b}\n");
    let channels = "channels:\n  ops: { webhook: http://127.0.0.1:9/ }\n";
    shop.write("levada.yaml", &format!("version: 1\n{connections}{channels}"));
    let plan = |arguments: &[&str]| {
        let mut command = Command::new(LEVADA);
        command.args(["plan", "p.yaml"]).args(arguments).env("LEVADA_SECRET_TOKEN", "very-secret");
        command.current_dir(shop.folder.path()).output().unwrap()
    };
    let told = told(&plan(&[]), 0);
    for line in [
        "mark (command): run touch done 'two words'",
        "steps (command): run a script of 2 lines with bash -e",
        "ask (http): send POST to api.example.com",
        "late (http): send GET to an address that is known when it runs, however the tasks before it end",
        "next (pipeline): start the pipeline other with day=1, and wait for its end",
        "pause (wait): wait for 1m30s",
        "file (wait): wait for a file in/*.csv of shop, looking every 1m00s",
        "each (sync): for each of 2 items: load shop -> dw",
        "tell (notify): tell the channel ops, if a task before it fails",
    ] {
        assert!(told.lines().any(|one| one == line), "{line} is missing in\n{told}");
    }
    assert!(told.contains("load: public.customers -> ") && !told.contains("very-secret"), "{told}");
    assert!(!shop.folder.path().join("done").exists());

    let plan = json(&plan(&["--task", "pause", "--output", "json"]), 0);
    let wanted = serde_json::json!([{ "task": "pause", "kind": "wait", "does": "wait for 1m30s" }]);
    assert_eq!((&plan["tasks"], &plan["streams"]), (&wanted, &serde_json::json!([])));
}

#[test]
fn a_long_log_ends_with_its_reader() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("levada.yaml"), "version: 1\n").unwrap();
    let pipeline = "version: 1\nname: p\ntasks:\n  t: { command: { argv: [echo, hello] } }\n";
    std::fs::write(folder.path().join("p.yaml"), pipeline).unwrap();
    told(&levada(folder.path(), &["run", "p.yaml"]), 0);
    // some gigabytes that take no room: going through them takes a minute
    let log = folder.path().join(".levada/logs/1/t.1.log");
    std::fs::File::options().append(true).open(log).unwrap().set_len(20_000_000_000).unwrap();
    let mut command = Command::new(LEVADA);
    command.args(["logs", "1"]).current_dir(folder.path()).stdout(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut first = [0; 8];
    std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut first).unwrap();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            panic!("it reads on for nobody");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(child.wait().unwrap().success());
}

/// A task of every kind.
const TOLD: &str = "version: 1
name: told
tasks:
  load: { sync: { from: shop, to: dw, streams: [public.customers] } }
  mark: { command: { argv: [touch, done, two words], env: { TOKEN: '${secret:token}' } } }
  steps: { command: { script: \"echo 1\\necho 2\", interpreter: bash -e } }
  ask: { http: { url: 'https://user:pass@api.example.com/v1?key=1', json: { a: 1 } } }
  late: { http: { url: '${tasks.ask.outputs.next}' }, after: [ask], when: all_done }
  next: { pipeline: { name: other, params: { day: 1 } } }
  pause: { wait: { for: 90s } }
  file: { wait: { file: { connection: shop, path: 'in/*.csv' }, every: 1m } }
  each: { sync: { from: shop, to: dw, streams: ['public.${item}'] }, for_each: { list: [customers, orders] } }
  tell: { notify: ops, after: [load], when: any_failed }
";

#[test]
fn a_failed_task_stops_what_waits_for_it_and_tells_why() {
    let shop = Shop::new("failed");
    shop.write("p.yaml", &PIPELINE.replace("public.customers", "public.custmers"));
    let output = shop.levada(&["run", "p.yaml"]);
    told(&output, 1);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("task `all`") && err.contains("public.customers"), "{err}");
    assert!(err.contains("task `new` is skipped"), "{err}");

    shop.write("p.yaml", PIPELINE);
    let output = shop.levada(&["run", "p.yaml", "--param", "cursor=att"]);
    told(&output, 1);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("`att`"), "{err}");
    assert_eq!(shop.count("customers"), "500", "the first task stays done");
}

#[test]
fn a_run_that_would_load_everything_twice_is_refused() {
    let shop = Shop::new("refused");
    shop.write("p.yaml", PIPELINE);
    told(&shop.levada(&["run", "p.yaml"]), 0);
    told(&shop.levada(&["positions", "reset", "dw", "--stream", "public.orders"]), 0);
    let output = shop.levada(&["run", "p.yaml", "--task", "new"]);
    told(&output, 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--full-refresh"));
    assert_eq!(shop.count("orders"), "1000");
    told(&shop.levada(&["run", "p.yaml", "--task", "new", "--full-refresh"]), 0);
    assert_eq!(shop.count("orders"), "1000");
    told(&shop.levada(&["positions", "reset", "dw", "--stream", "public.ordesr"]), 1);
}

#[test]
fn copy_needs_no_document() {
    let shop = Shop::new("copy");
    let (a, b) = (shop.source.url(), shop.target.url());
    let elsewhere = TempDir::new().unwrap();
    let copy = |extra: &[&str]| levada(elsewhere.path(), &[&["copy", &a, &b], extra].concat());
    let plan = json(&copy(&["--stream", "public.*", "--dry-run", "--output", "json"]), 0);
    assert_eq!(plan["streams"].as_array().unwrap().len(), 2);
    assert_eq!(psql(&shop.target, "SELECT count(*) FROM pg_tables WHERE tablename = 'customers'"), "0");

    let options =
        ["--stream", "public.customers", "--rename", "people", "--hash", "name", "--exclude", "email", "--key", "id"];
    told(&copy(&options), 0);
    assert_eq!(psql(&shop.target, "SELECT length(name) FROM people WHERE id = 1"), "64");
    let output = copy(&[]);
    told(&output, 2);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("there are 2 streams to choose from") && err.contains("public.orders"), "{err}");
    told(&copy(&["--stream", "public.orders", "--read", "incremental", "--write", "replace"]), 2);
    told(&copy(&["--stream", "public.nope"]), 1);
}

#[test]
fn what_there_is_can_be_looked_at() {
    let shop = Shop::new("look");
    psql(&shop.source, "INSERT INTO customers VALUES (0, E'a\\tb\\033[31m', 'x')");
    let streams = json(&shop.levada(&["discover", "shop", "--output", "json"]), 0);
    assert_eq!(streams["streams"][0]["key"][0], "id");
    told(&shop.levada(&["discover", "shop", "--to", "dw", "-o", "made.yaml"]), 0);
    told(&shop.levada(&["validate", "made.yaml"]), 0);
    told(&shop.levada(&["run", "made.yaml"]), 0);
    assert_eq!(shop.count("orders"), "1000");
    told(&shop.levada(&["discover", "shop", "--to", "dw", "-o", "made.yaml"]), 2);

    let preview = told(&shop.levada(&["preview", "shop", "--stream", "public.customers", "--limit", "501"]), 0);
    assert_eq!(preview.lines().count(), 503);
    assert!(preview.contains(r"a\tb\u{1b}[31m"), "control characters reach the terminal");
    let rows =
        json(&shop.levada(&["preview", "shop", "--stream", "public.orders", "--limit", "2", "--output", "json"]), 0);
    assert_eq!(rows["rows"][0]["amount"], "0.50");

    let checks = json(&shop.levada(&["check", "--output", "json"]), 0);
    assert!(checks["connections"].as_array().unwrap().iter().all(|connection| connection["ok"] == true));
    told(&shop.levada(&["check", "postgres://nobody@127.0.0.1:1/x?tls=disable"]), 1);
}

#[cfg(unix)]
#[test]
fn an_interrupted_copy_ends_soon_and_leaves_nothing_half_done() {
    let shop = Shop::new("interrupted");
    psql(
        &shop.source,
        "CREATE TABLE big AS SELECT i AS id, md5(i::text) AS a, now() AS at FROM generate_series(1, 3000000) i",
    );
    for signal in ["-INT", "-TERM"] {
        let child = Command::new(LEVADA)
            .args(["copy", &shop.source.url(), &shop.target.url(), "--stream", "public.big", "--hash", "a"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        let asked = Instant::now();
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(5), "{signal}: took {:?}", asked.elapsed());
        assert_eq!(output.status.code(), Some(130), "{signal}: {}", String::from_utf8_lossy(&output.stderr));
        let left = "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN \
                    ('_levada_positions', '_levada_rejects')";
        assert_eq!(psql(&shop.target, left), "", "{signal}");
    }
}

#[test]
fn runs_of_a_file_go_when_they_are_more_than_its_project_keeps() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("levada.yaml"), "version: 1\nretention: { keep: 2 }\n").unwrap();
    let text = "version: 1\nname: p\ntasks:\n  t: { command: { argv: [echo, hello] } }\n";
    std::fs::write(folder.path().join("p.yaml"), text).unwrap();
    for _ in 0..4 {
        told(&levada(folder.path(), &["run", "p.yaml"]), 0);
    }
    let kept = json(&levada(folder.path(), &["runs", "--output", "json"]), 0);
    let ids: Vec<i64> = kept["runs"].as_array().unwrap().iter().map(|run| run["run"].as_i64().unwrap()).collect();
    assert_eq!(ids, [4, 3]);
    let logs = std::fs::read_dir(folder.path().join(".levada/logs")).unwrap();
    let mut logs: Vec<String> = logs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    logs.sort();
    assert_eq!(logs, ["3", "4"]);
}

#[test]
fn files_that_tasks_left_are_listed_copied_and_checked() {
    let folder = TempDir::new().unwrap();
    let levada = |arguments: &[&str]| levada(folder.path(), arguments);
    let text = "version: 1
name: p
tasks:
  report:
    command:
      script: 'cd $LEVADA_RUN_DIR; mkdir out; printf abc > out/a.csv; echo draft > out/a.tmp'
      artifacts: ['out/*.csv']
  each: { for_each: { list: [x, y] }, command: { script: 'echo ${item} > $LEVADA_RUN_DIR/own' } }
";
    std::fs::write(folder.path().join("p.yaml"), text).unwrap();
    told(&levada(&["run", "p.yaml"]), 0);
    let paths = |arguments: &[&str]| {
        let listed = json(&levada(&[&["artifacts", "1", "--output", "json"], arguments].concat()), 0);
        let files = listed["artifacts"].as_array().unwrap().iter();
        files.map(|file| file["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&[]), ["each.0/own", "each.1/own", "report/out/a.csv"], "what no pattern names is no artifact");
    assert_eq!(paths(&["--task", "each"]), ["each.0/own", "each.1/own"]);
    assert_eq!(paths(&["--task", "each.1"]), ["each.1/own"]);

    let copied = told(&levada(&["artifacts", "1", "-o", "copies"]), 0);
    assert!(copied.contains("ba7816bf8f01"), "the sum is told: {copied}");
    assert_eq!(std::fs::read_to_string(folder.path().join("copies/report/out/a.csv")).unwrap(), "abc");
    assert_eq!(std::fs::read_to_string(folder.path().join("copies/each.1/own")).unwrap(), "y\n");
    told(&levada(&["artifacts", "1", "-o", "copies"]), 3);

    std::fs::write(folder.path().join(".levada/runs/1/report/out/a.csv"), "abd").unwrap();
    let changed = levada(&["artifacts", "1", "--task", "report", "-o", "others"]);
    assert!(!changed.status.success());
    assert!(String::from_utf8_lossy(&changed.stderr).contains("is not what the task left"), "{changed:?}");
    assert_eq!(std::fs::read_dir(folder.path().join("others/report/out")).unwrap().count(), 0);
}
