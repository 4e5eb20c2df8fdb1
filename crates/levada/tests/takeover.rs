//! Who takes over from whom, and when: workers that are killed, stopped past their lease, or drained; a server that is away;
//! runs that are cancelled in every state. Nothing is set: these are the times that everybody gets.

use std::time::{Duration, Instant};

use levada_core::id::RunId;
use levada_core::run::{RunState, State};

use crate::house::{House, Process};

/// A pipeline of one command, which notes its starts and ends.
fn one(name: &str, keys: &str, script: &str) -> String {
    format!(
        "version: 1\nname: {name}\ntasks:\n  only:\n    {keys}\n    command:\n      script: |\n        echo start $LEVADA_ATTEMPT \
         >>{name}\n        {script}\n        echo end $LEVADA_ATTEMPT >>{name}\n"
    )
}

/// When something first happened to the tasks of a run.
fn at(house: &House, run: RunId, event: &str) -> Option<i64> {
    house.history(run).iter().find(|line| line.event == event).map(|line| line.at.as_micros())
}

fn seconds_between(house: &House, run: RunId, one: &str, other: &str) -> f64 {
    (at(house, run, other).unwrap() - at(house, run, one).unwrap()) as f64 / 1e6
}

/// Waits until the command of a run has written a line.
fn is_at_work(house: &House, name: &str, lines: usize) {
    assert!(
        house.eventually(Duration::from_secs(20), |house| house.lines(name).len() >= lines),
        "{name} has not begun"
    );
}

fn worker(house: &House) -> Process {
    house.process(&["worker", "--slots", "2"])
}

#[test]
fn a_killed_worker_is_missed_at_once_on_its_host() {
    let mut house = House::postgres("levada_takeover_killed");
    let document = house.pipeline("killed", &one("killed", "retry: { attempts: 1 }", "sleep 6"));
    let _serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let mut first = worker(&house);
    let run = house.start("killed", document);
    is_at_work(&house, "killed", 1);
    first.kill();
    let killed = Instant::now();
    let _second = worker(&house);
    assert!(house.eventually(Duration::from_secs(10), |house| at(house, run, "lease_lost").is_some()));
    assert!(killed.elapsed() < Duration::from_secs(5), "missed after {:?}", killed.elapsed());
    assert_eq!(house.ended(run, Duration::from_secs(30)), RunState::Succeeded);
    // what the first one left was killed before the second began
    let ended: Vec<String> = house.lines("killed").into_iter().filter(|line| line.starts_with("end")).collect();
    assert_eq!((ended.len(), house.task(run).attempt), (1, 2), "{ended:?}");
    house.check(run);
}

#[test]
fn a_worker_stopped_past_its_lease_writes_nothing_when_it_goes_on() {
    let mut house = House::postgres("levada_takeover_stopped");
    let document = house.pipeline("stopped", &one("stopped", "retry: { attempts: 1 }", "sleep 4"));
    let _serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let first = worker(&house);
    let run = house.start("stopped", document);
    is_at_work(&house, "stopped", 1);
    first.signal("-STOP");
    let _second = worker(&house);
    assert_eq!(house.ended(run, Duration::from_secs(60)), RunState::Succeeded);
    let lease = seconds_between(&house, run, "claimed", "lease_lost");
    assert!((26.0..40.0).contains(&lease), "given to another one after {lease} s");
    let (task, history) = (house.task(run), house.history(run).len());
    assert_eq!(task.attempt, 2);
    first.signal("-CONT");
    // it has a beat and a report to send, and hears that it is not asked any more
    assert!(
        house
            .eventually(Duration::from_secs(15), |house| { house.block_on(house.store.workers()).unwrap().len() == 2 })
    );
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!((house.task(run), house.history(run).len()), (task, history));
    house.check(run);
}

#[test]
fn a_drained_worker_ends_its_tasks_and_leaves_the_rest_to_others() {
    let mut house = House::postgres("levada_takeover_drained");
    let document = house.pipeline("drained", &one("drained", "retry: { attempts: 1 }", "sleep 2"));
    let _serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let mut first = worker(&house);
    let early = [house.start("drained", document), house.start("drained", document)];
    is_at_work(&house, "drained", 2);
    first.signal("-TERM");
    std::thread::sleep(Duration::from_millis(200));
    let late = house.start("drained", document);
    let _second = worker(&house);
    assert_eq!(first.exit_code(Duration::from_secs(10)), Some(0));
    for run in early.into_iter().chain([late]) {
        assert_eq!(house.ended(run, Duration::from_secs(10)), RunState::Succeeded);
        assert_eq!((house.task(run).attempt, house.task(run).lost), (1, 0));
        house.check(run);
    }
    assert_eq!(house.task(early[0]).worker, house.task(early[1]).worker);
    assert_ne!(house.task(early[0]).worker, house.task(late).worker);
}

#[test]
fn a_task_goes_on_while_the_server_is_away() {
    let mut house = House::postgres("levada_takeover_away");
    let text = "version: 1\nname: away\ntasks:\n  first: { command: { script: 'echo start >>away; sleep 3; echo end >>away' } }\n  \
                pause: { after: [first], wait: { for: 1s } }\n  last: { after: [pause], command: { argv: ['true'] } }\n";
    let document = house.pipeline("away", text);
    let mut serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let _worker = worker(&house);
    let run = house.start("away", document);
    is_at_work(&house, "away", 1);
    serve.kill();
    // the result of the first task arrives without a server; the end of the pause is the server's to notice
    assert!(house.eventually(Duration::from_secs(15), |house| house.task(run).state == State::Succeeded));
    house.revive(&mut serve);
    assert_eq!(house.ended(run, Duration::from_secs(20)), RunState::Succeeded);
    assert!(house.tasks(run).iter().all(|task| task.lost == 0), "nobody was lost");
    house.check(run);
}

#[test]
fn a_cancelled_run_ends_soon_in_whatever_state_and_leaves_no_process() {
    let mut house = House::sqlite();
    house.project("version: 1\npools: { narrow: 1 }\n");
    // it leaves its group and its parent, and takes no notice of requests to end
    let stubborn = "setsid sh -c 'trap \"\" TERM; sleep 300 & sleep 300; sleep 300' & sleep 300";
    let running = house.pipeline("running", &one("running", "pool: narrow", stubborn));
    let retried = house.pipeline("retried", &one("retried", "retry: { attempts: 5, initial: 5m, max: 5m }", "exit 75"));
    let _serve = house.process(&["serve", "--port", "0", "--workers", "4"]);
    let (running, queued) = (house.start("running", running), house.start("running", running));
    let waiting = house.start("retried", retried);
    is_at_work(&house, "running", 1);
    let waits = |house: &House| matches!(house.task(waiting).state, State::Waiting { .. });
    assert!(house.eventually(Duration::from_secs(10), waits), "{:?}", house.task(waiting));
    assert_eq!(house.task(queued).state, State::Queued, "the pool is full");
    let cancelled = Instant::now();
    for run in [queued, waiting, running] {
        house.cancel(run);
        let state = house.ended(run, Duration::from_secs(20));
        assert_eq!(state, RunState::Cancelled, "{:?}", house.task(run));
    }
    assert!(cancelled.elapsed() < Duration::from_secs(12), "it took {:?}", cancelled.elapsed());
    assert!(house.orphans().is_empty(), "processes are left: {:?}", house.orphans());
    house.check(running);
}

#[test]
fn a_run_killed_with_its_process_is_told_as_cancelled_and_the_next_goes_on() {
    let house = House::sqlite();
    std::fs::write(house.folder().join("levada.yaml"), "version: 1\n").unwrap();
    std::fs::write(house.folder().join("local.yaml"), one("local", "timeout: 1m", "sleep 1")).unwrap();
    let mut first = house.process(&["run", "local.yaml"]);
    is_at_work(&house, "local", 1);
    first.kill();
    let second = house.levada(&["run", "local.yaml"]);
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    let runs = house.runs();
    let states: Vec<RunState> = runs.iter().rev().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Cancelled, RunState::Succeeded]);
    let error = house.task(runs[1].id).error.unwrap_or_default();
    assert!(error.contains("gone"), "{error}");
    house.check(runs[1].id);
    std::thread::sleep(Duration::from_millis(1_200));
    let ended = house.lines("local").iter().filter(|line| line.starts_with("end")).count();
    assert_eq!(ended, 1, "what the killed process left goes on: {:?}", house.lines("local"));
    assert!(house.orphans().is_empty(), "processes are left: {:?}", house.orphans());
}

/// What tasks of a worker of its own may not ask either: the server, which tells those more who ask from its own machine.
#[test]
fn a_worker_knows_where_the_servers_of_its_machine_answer() {
    let mut house = House::postgres("levada_takeover_doors");
    let _worker = worker(&house);
    let mut serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let doors = |house: &House| house.block_on(house.store.doors()).unwrap();
    assert!(house.eventually(Duration::from_secs(20), |house| !doors(house).is_empty()), "the server is not there");
    let ask = |house: &mut House, name: &str, port: u16| {
        let url = format!("http://127.0.0.1:{port}/metrics");
        let text = format!(
            "version: 1\nname: {name}\ntasks: {{ ask: {{ retry: {{ attempts: 1 }}, http: {{ url: '{url}', private: true }} }} }}\n"
        );
        let document = house.pipeline(name, &text);
        let run = house.start(name, document);
        assert_eq!(house.ended(run, Duration::from_secs(30)), RunState::Failed);
        house.task(run).error.unwrap_or_default()
    };
    let port = doors(&house)[0].port;
    let error = ask(&mut house, "ask", port);
    assert!(error.contains("the address is not asked by tasks"), "{error}");
    // a port of somebody who is gone is anybody's again: there, nobody listens
    serve.kill();
    let error = ask(&mut house, "ask_again", port);
    assert!(!error.contains("the address is not asked by tasks"), "{error}");
}
