//! A project that runs by itself: applied, served, and talked to over the store, with the real binary on both stores.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{BOTH, Kept, Project};

const OWN: &str = "version: 1\npools: { one: 1 }\n";
const TICK: &str = "version: 1\nschedule: { name: often, cron: '* * * * * *', params: { who: clock } }
params: { who: { default: nobody } }
tasks:
  say: { command: { argv: [echo, 'hello ${param.who}'] } }
  then: { after: [say], command: { script: 'echo to the log >&2; echo \"{\\\"n\\\":7}\"' } }
";
const WORK: &str = "version: 1\nparams: { day: { type: date, default: '2026-01-01' } }
tasks:
  first: { command: { script: 'echo once >> first.txt' } }
  flaky: { after: [first], command: { script: 'test -f ok || { printf \"\\033[31mnot yet\\n\" >&2; exit 3; }' } }
  last: { after: [flaky], command: { argv: [echo, '${param.day}'] } }
";
const SLOW: &str = "version: 1\ntasks:\n  nap: { command: { argv: [sleep, '600'] }, pool: one }\n  after: { after: [nap], command: { argv: [echo] } }\n";
const DAYS: &str =
    "version: 1\ntasks: { t: { command: { script: 'test \"${run.date}\" != 2026-02-02 || test -f ok' } } }\n";
const EACH: &str = "version: 1\ntasks:\n  each: { for_each: { list: [a, b, c] }, command: { script: 'echo item ${item}; test ${item} != b' } }\n";

fn project(kept: Kept, name: &str) -> Project {
    let files = [
        ("levada.yaml", OWN),
        ("pipelines/tick.yaml", TICK),
        ("pipelines/work.yaml", WORK),
        ("pipelines/slow.yaml", SLOW),
        ("pipelines/days.yaml", DAYS),
        ("pipelines/each.yaml", EACH),
    ];
    let project = Project::new(kept, &format!("service_{name}_{kept:?}").to_lowercase(), &files);
    project.told(0, &["apply"]);
    project
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn run(project: &Project, arguments: &[&str]) -> String {
    let started = project.json(arguments);
    started["run"].as_i64().unwrap().to_string()
}

fn state(project: &Project, run: &str) -> String {
    project.json(&["show", run])["state"].as_str().unwrap().to_owned()
}

fn tasks(shown: &Value) -> Vec<String> {
    let tasks = shown["tasks"].as_array().unwrap().iter();
    tasks.map(|task| format!("{} {}", task["task"].as_str().unwrap(), task["state"].as_str().unwrap())).collect()
}

#[test]
fn schedules_fire_and_can_be_paused() {
    for kept in BOTH {
        let project = project(kept, "fire");
        let _served = project.serve();
        let succeeded = || project.json(&["runs", "tick", "--state", "succeeded", "--cause", "schedule"]);
        until("a scheduled run", || succeeded()["runs"].as_array().unwrap().len() >= 2);
        let first = succeeded()["runs"][0].clone();
        assert_eq!((&first["params"]["who"], &first["schedule"]), (&"clock".into(), &"often".into()));
        let number = first["run"].to_string();
        let shown = project.json(&["show", &number]);
        assert_eq!(tasks(&shown), ["say succeeded", "then succeeded"]);
        assert_eq!(shown["tasks"][1]["outputs"]["n"], 7);
        assert!(project.told(0, &["show", &number]).contains("then put out"), "outputs are shown");
        let log = project.told(0, &["logs", &number]);
        assert!(log.contains("say | hello clock") && log.contains("then | to the log"), "{log}");
        assert!(project.told(0, &["logs", &number, "say", "--tail", "1"]).lines().count() == 1);
        assert!(project.told(0, &["why", &number]).contains("succeeded at"));

        project.told(0, &["pause", "tick", "--schedule", "often"]);
        let listed = project.json(&["schedule", "list", "tick"]);
        assert_eq!(
            (&listed["schedules"][0]["state"], &listed["schedules"][0]["fires"]),
            (&"paused".into(), &"* * * * * * UTC".into())
        );
        let count = || project.json(&["runs", "tick", "--limit", "1000"])["runs"].as_array().unwrap().len();
        let before = count();
        std::thread::sleep(Duration::from_millis(2_500));
        assert_eq!(count(), before, "a paused schedule does not fire");
        project.told(0, &["resume", "tick", "--schedule", "often"]);
        until("a fire after the pause", || count() > before);
        project.told(0, &["pause", "tick"]);
        assert_eq!(project.json(&["pipelines"])["pipelines"][3]["state"], "paused");
        let workers = project.json(&["workers"]);
        assert_eq!((workers["workers"].as_array().unwrap().len(), &workers["workers"][0]["slots"]), (1, &4.into()));
        assert!(project.refused(1, &["pause", "tick", "--schedule", "oftn"]).contains("no schedule"));
    }
}

#[test]
fn runs_are_started_retried_and_cancelled() {
    for kept in BOTH {
        let project = project(kept, "start");
        let waiting = run(&project, &["start", "work", "--param", "day=2026-03-01"]);
        assert_eq!(state(&project, &waiting), "queued");
        assert!(project.refused(0, &["start", "slow"]).contains("No worker is signed on"));
        assert!(project.told(0, &["why", &waiting]).contains("worker"), "{}", project.told(0, &["why", &waiting]));
        let slow = (waiting.parse::<i64>().unwrap() + 1).to_string();

        let _served = project.serve();
        until("the failure", || state(&project, &waiting) == "failed");
        let failed = project.json(&["show", &waiting]);
        assert_eq!(tasks(&failed), ["first succeeded", "flaky failed", "last skipped"]);
        let text = project.told(0, &["show", &waiting]);
        assert!(text.contains("flaky: ") && text.contains("xxx"), "{text}");
        assert!(project.told(0, &["logs", &waiting, "flaky"]).contains("not yet"));
        project.write("ok", "");
        let again = project.told(0, &["retry", &waiting, "--wait", "--output", "json"]);
        let again: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(
            (&again["state"], &again["retry_of"]),
            (&"succeeded".into(), &waiting.parse::<i64>().unwrap().into())
        );
        let first = std::fs::read_to_string(project.path("first.txt")).unwrap();
        assert_eq!(first, "once\n", "what succeeded is not done again");
        assert!(project.told(0, &["logs", &again["run"].to_string(), "last"]).contains("2026-03-01"));
        assert!(project.refused(3, &["retry", &again["run"].to_string()]).contains("succeeded"));
        let unknown = project.refused(2, &["retry", &waiting, "--task", "nope"]);
        assert!(unknown.contains("no task `nope`") && unknown.contains("Tasks: first, flaky, last."), "{unknown}");
        let near = project.refused(2, &["retry", &waiting, "--task", "flakey"]);
        assert!(near.contains("Did you mean `flaky`?"), "{near}");
        let watched = project.refused(0, &["retry", &waiting, "--all", "--wait"]);
        for task in ["first", "flaky", "last"] {
            let ends = watched.lines().filter(|line| line.starts_with(&format!("task `{task}`: succeeded after ")));
            assert_eq!(ends.count(), 1, "{watched}");
        }
        assert_eq!(std::fs::read_to_string(project.path("first.txt")).unwrap(), "once\nonce\n");
        let alone = project.told(0, &["start", "work", "--task", "last", "--wait", "--output", "json"]);
        assert_eq!(tasks(&serde_json::from_str(&alone).unwrap()), ["last succeeded"]);

        until("the nap", || project.json(&["show", &slow])["tasks"][0]["started_at"] != Value::Null);
        let second = run(&project, &["start", "slow"]);
        until("a reason", || project.told(0, &["why", &second, "nap"]).contains("pool"));
        let asked = Instant::now();
        for run in [&slow, &second] {
            project.told(0, &["cancel", run]);
            until("the end", || state(&project, run) == "cancelled");
        }
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert!(project.refused(3, &["cancel", &slow]).contains("has ended"));
        for verb in ["show", "why", "logs", "retry", "cancel"] {
            let err = project.refused(1, &[verb, "999999"]);
            assert!(err.contains("there is no run ") && err.contains("`levada runs`"), "{verb}: {err}");
        }
        assert!(project.refused(1, &["show", "999999"]).contains("there is no run `999999`"));
    }
}

#[test]
fn items_are_folded_and_logs_are_followed() {
    let project = project(Kept::Sqlite, "items");
    let _served = project.serve();
    let each = run(&project, &["start", "each"]);
    let log = project.told(0, &["logs", &each, "-f"]);
    for line in ["each.0 | item a", "each.1 | item b", "each.2 | item c"] {
        assert!(log.contains(line), "{log}");
    }
    let text = project.told(0, &["show", &each]);
    assert!(text.contains("2 of 3 done, 1 not") && text.contains("each.1: "), "{text}");
    assert!(project.told(0, &["why", &each, "each.1"]).contains("failed at"));
    assert!(project.told(0, &["logs", &each, "each.2", "--output", "json"]).lines().count() >= 1);
    assert!(project.refused(1, &["logs", &each, "each.9"]).contains("no item 9"));
    assert!(project.refused(1, &["why", &each, "eech"]).contains("Did you mean `each`"));
}

#[test]
fn every_line_that_is_followed_says_whose_it_is() {
    let project = project(Kept::Sqlite, "followed");
    let wait = "echo begun; until test -f go; do sleep 0.05; done";
    let first = format!("  first: {{ command: {{ script: '{wait}' }} }}\n");
    let then = "  then: { after: [first], command: { argv: [echo, ended] } }\n";
    project.write("pipelines/two.yaml", &format!("version: 1\ntasks:\n{first}{then}"));
    project.told(0, &["apply"]);
    let _served = project.serve();
    let started = run(&project, &["start", "two"]);
    let mut follow = project.command(&["logs", &started, "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    // the other task has no log yet
    let mut seen: Vec<String> = Vec::new();
    while !seen.iter().any(|line| line.contains("begun")) {
        seen.push(lines.next().expect("the log ended before its task"));
    }
    project.write("go", "");
    seen.extend(lines);
    assert_eq!(follow.wait().unwrap().code(), Some(0), "{seen:#?}");
    assert!(seen.iter().all(|line| line.contains(" first |") || line.contains(" then |")), "{seen:#?}");
    assert!(seen.iter().any(|line| line.ends_with("ended")), "{seen:#?}");
}

#[test]
fn backfills_go_on_by_themselves() {
    for kept in BOTH {
        let project = project(kept, "backfill");
        let range = ["backfill", "days", "--from", "2026-02-01", "--to", "2026-02-04"];
        let dry = project.told(0, &[&range[..], &["--dry-run", "--reverse"]].concat());
        assert_eq!(dry.lines().collect::<Vec<_>>(), [4, 3, 2, 1].map(|day| format!("2026-02-0{day}T00:00:00Z")));
        assert_eq!(project.json(&["backfills", "list"])["backfills"], serde_json::json!([]));
        let made = project.json(&[&range[..], &["--concurrency", "2"]].concat());
        assert_eq!((&made["runs"], &made["at_once"]), (&4.into(), &2.into()));
        let id = made["backfill"].to_string();
        project.told(0, &["backfills", "pause", &id]);
        let _served = project.serve();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(project.json(&["backfills", "show", &id])["state"], "paused");
        project.told(0, &["backfills", "resume", &id]);
        until("the end of the backfill", || project.json(&["backfills", "show", &id])["ended_at"] != Value::Null);
        let ended = project.json(&["backfills", "show", &id]);
        assert_eq!(
            (&ended["state"], &ended["runs"]["succeeded"], &ended["runs"]["failed"]),
            (&"failed".into(), &3.into(), &1.into())
        );
        assert_eq!(ended["newest_runs"][0]["fire_time"], "2026-02-04T00:00:00Z");

        project.write("ok", "");
        let failed = project.told(0, &[&range[..], &["--only-failed", "--dry-run"]].concat());
        assert_eq!(failed, "2026-02-02T00:00:00Z\n");
        let again = project.json(&[&range[..], &["--only-failed"]].concat())["backfill"].to_string();
        until("the second backfill", || project.json(&["backfills", "show", &again])["state"] == "succeeded");
        assert!(project.refused(2, &[&range[..], &["--only-missing"]].concat()).contains("no instant"));
        let cancelled =
            run_of(&project, &["backfill", "slow", "--from", "2026-01-01", "--to", "2026-12-31", "--every", "month"]);
        until("an open run", || project.json(&["backfills", "show", &cancelled])["runs"]["running"] == 1);
        // its pipeline has a schedule, and so one run at a time
        let one =
            ["backfill", "tick", "--from", "2026-01-01", "--to", "2026-01-03", "--every", "day", "--concurrency", "3"];
        assert!(project.refused(0, &one).contains("not 3 at once: the `concurrency` of tick itself is 1"));
        project.told(0, &["backfills", "cancel", &cancelled]);
        until("the end of the third", || project.json(&["backfills", "show", &cancelled])["state"] == "cancelled");
        assert!(project.refused(3, &["backfills", "pause", &cancelled]).contains("has ended"));
    }
}

fn run_of(project: &Project, arguments: &[&str]) -> String {
    project.json(arguments)["backfill"].to_string()
}

#[test]
fn a_service_that_cannot_start_says_why() {
    let project = project(Kept::Sqlite, "starts");
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let refused = project.refused(1, &["serve", "--port", &port.to_string()]);
    let why = format!("cannot answer at 127.0.0.1:{port}: another process answers there");
    assert!(refused.contains(&why) && refused.contains("another `--port`"), "{refused}");
    // nobody has to be asked for that
    let labels = (0..9).flat_map(|label| ["--label".to_owned(), format!("l{label}")]);
    let nowhere = ["worker", "--database", "postgres://levada@127.0.0.1:1/none?tls=disable"].map(str::to_owned);
    let worker: Vec<String> = nowhere.into_iter().chain(labels).collect();
    let refused = project.refused(2, &worker.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(refused.contains("at most 8 labels, and this one would have 9"), "{refused}");
}

#[test]
fn schedules_are_previewed_in_their_zone() {
    let project = Project::new(Kept::Sqlite, "preview", &[]);
    let document = "version: 1\nschedule: { cron: '30 2 * * *', timezone: Europe/Madrid }\ntasks: { t: { command: { argv: [echo] } } }\n";
    project.write("madrid.yaml", document);
    let preview =
        project.json(&["schedule", "preview", "madrid.yaml", "--from", "2026-03-28", "--count", "3"])["schedules"][0]
            .clone();
    let fires: Vec<&str> =
        preview["fires"].as_array().unwrap().iter().map(|fire| fire["local"].as_str().unwrap()).collect();
    let wanted = ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"];
    assert_eq!((&preview["timezone"], fires), (&"Europe/Madrid".into(), wanted.to_vec()));
    let text = project.told(0, &["schedule", "preview", "madrid.yaml"]);
    assert_eq!(text.lines().count(), 22, "{text}");
    assert!(!project.path(".levada").exists());
}

#[test]
fn a_new_project_can_be_applied_and_served() {
    let project = Project::new(Kept::Sqlite, "init", &[]);
    project.told(0, &["init"]);
    project.told(0, &["apply"]);
    let _served = project.serve();
    let ran = project.told(0, &["start", "first", "--wait", "--output", "json"]);
    let ran: Value = serde_json::from_str(&ran).unwrap();
    assert_eq!((&ran["state"], &ran["tasks"][0]["outputs"]["written"]), (&"succeeded".into(), &3.into()), "{ran}");
    assert_eq!(project.json(&["run", "pipelines/first.yaml"])["succeeded"], true);
    assert_eq!(project.json(&["runs"])["runs"].as_array().unwrap().len(), 2);
}
