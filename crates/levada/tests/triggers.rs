//! What starts and what takes tasks, as documents say it, with the real binary: several schedules due at once, ends and
//! loads that start pipelines, tasks that wait for a load, items of dates, and workers with labels.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use levada_core::run::RunState;
use serde_json::Value;

use crate::house::House;
use crate::project::{BOTH, Project};

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn runs(project: &Project, pipeline: &str) -> Vec<Value> {
    project.json(&["runs", pipeline, "--limit", "1000"])["runs"].as_array().unwrap().clone()
}

#[test]
fn two_schedules_that_are_due_together_run_once_each_with_their_own_parameters() {
    const TWO: &str = "version: 1
concurrency: 4
params: { region: { default: none } }
schedule:
  - { name: north, cron: '*/2 * * * * *', params: { region: n } }
  - { name: south, every: 2s, params: { region: s } }
tasks: { t: { command: { argv: [echo, '${param.region}'] } } }
";
    for kept in BOTH {
        let name = format!("triggers_two_{kept:?}").to_lowercase();
        let project = Project::new(kept, &name, &[("levada.yaml", "version: 1\n"), ("pipelines/two.yaml", TWO)]);
        project.told(0, &["apply"]);
        let _served = project.serve();
        until("three fires of both", || runs(&project, "two").len() >= 6);
        project.told(0, &["pause", "two"]);
        let mut fires: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for run in runs(&project, "two") {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            let (at, which, region) = (word(&run["fire_time"]), word(&run["schedule"]), word(&run["params"]["region"]));
            fires.entry(at).or_default().push(format!("{which} {region}"));
        }
        for (at, mut fired) in fires {
            fired.sort();
            assert_eq!(fired, ["north n", "south s"], "{at}");
        }
    }
}

#[test]
fn loads_and_ends_start_pipelines_and_let_tasks_go_on() {
    const OWN: &str = "version: 1
connections:
  in: { type: files, root: ./in, settle_ms: 0 }
  dw: { type: sqlite, path: ./dw.db }
";
    const LOAD: &str = "version: 1
sync: { from: in, to: dw, streams: { people.csv: { rename: people } } }
";
    const AFTER_LOAD: &str = "version: 1
schedule: { on: { dataset: dw.people }, params: { why: dataset } }
params: { why: { default: none } }
tasks: { t: { command: { script: 'echo ${param.why} >> told' } } }
";
    const DAYS: &str = "version: 1
tasks:
  loaded: { wait: { dataset: dw.people, every: 200ms } }
  days:
    after: [loaded]
    for_each: { dates: { from: '2026-02-27', to: '2026-03-01' } }
    command: { script: 'echo ${item} >> days' }
";
    let after_end = AFTER_LOAD.replace("dataset: dw.people", "pipeline: load").replace("why: dataset", "why: pipeline");
    let after_failure = after_end.replace("pipeline: load", "pipeline: load, state: failed");
    for kept in BOTH {
        let name = format!("triggers_loads_{kept:?}").to_lowercase();
        let files = [
            ("levada.yaml", OWN),
            ("in/people.csv", "id,name\n1,Ana\n"),
            ("pipelines/load.yaml", LOAD),
            ("pipelines/after_load.yaml", AFTER_LOAD),
            ("pipelines/after_end.yaml", after_end.as_str()),
            ("pipelines/after_failure.yaml", after_failure.as_str()),
            ("pipelines/days.yaml", DAYS),
        ];
        let project = Project::new(kept, &name, &files);
        project.told(0, &["apply"]);
        let _served = project.serve();
        let waiting = project.json(&["start", "days"])["run"].to_string();
        until("the wait", || {
            project.told(0, &["why", &waiting]).contains("it waits for a load of the dataset dw.people, looked")
        });
        assert!(!project.path("days").exists());
        project.told(0, &["start", "load", "--wait"]);
        let state = |pipeline: &str| runs(&project, pipeline).first().map(|run| run["state"].clone());
        for pipeline in ["days", "after_load", "after_end"] {
            until(pipeline, || state(pipeline) == Some("succeeded".into()));
        }
        let lines = |file: &str| {
            let text = std::fs::read_to_string(project.path(file)).unwrap();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines("days"), ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(lines("told"), ["dataset", "pipeline"]);
        let causes = ["after_load", "after_end"].map(|pipeline| runs(&project, pipeline)[0]["cause"].clone());
        assert_eq!(causes, ["trigger", "trigger"].map(Value::from));
        assert_eq!(runs(&project, "after_failure"), Vec::<Value>::new());
    }
}

#[test]
fn a_task_goes_to_a_worker_that_has_all_its_labels() {
    let mut house = House::postgres("levada_triggers_labels");
    let text = "version: 1\nname: labels\ntasks:\n  \
                any: { command: { argv: ['true'] } }\n  \
                both: { runs_on: [gpu, big], command: { argv: ['true'] } }\n";
    let document = house.pipeline("labels", text);
    let _serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let _some = house.process(&["worker", "--name", "some", "--label", "gpu"]);
    let run = house.start("labels", document);
    let state = |house: &House, task: &str| {
        let tasks = house.tasks(run);
        tasks.into_iter().find(|found| found.task == task).unwrap()
    };
    let limit = Duration::from_secs(20);
    assert!(house.eventually(limit, |house| state(house, "any").ended_at.is_some()));
    let both = state(&house, "both");
    let why = house.block_on(house.store.why_task_run(both.id, crate::house::now())).unwrap();
    assert_eq!((both.attempt, why.as_str()), (0, "no worker has the labels big, gpu"));
    let _all = house.process(&["worker", "--name", "all", "--label", "gpu", "--label", "big", "--label", "far"]);
    assert_eq!(house.ended(run, limit), RunState::Succeeded);
    let workers = house.block_on(house.store.workers()).unwrap();
    let all = workers.iter().find(|worker| worker.name == "all").unwrap().id;
    assert_eq!(state(&house, "both").worker, Some(all));
    house.check(run);
}
