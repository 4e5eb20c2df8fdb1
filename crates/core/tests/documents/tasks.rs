//! One task of a pipeline with every reference resolved, and the rules of several pipelines together.

use std::collections::BTreeMap;

use levada_core::config::{
    Channel, File, Items, Pipeline, Project, Reference, RunKey, Schedule, Task, Variables, Work, check_pipelines,
};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::run::When;
use levada_core::schedule::Catchup;
use serde_json::{Value, json};

use super::{env, load, secret, yaml_files};

fn runtime(reference: &Reference) -> Result<Option<Value>> {
    Ok(match reference {
        Reference::Output { task, key } if task == "script" && key == "files" => {
            Some(json!([{ "path": "${secret:dw}" }, { "path": "b" }]))
        }
        Reference::Output { task, key } if task == "load" && key == "rows" => Some(json!(12)),
        Reference::Item(Some(key)) if key == "path" => Some(json!("${secret:dw} ${run.id}")),
        Reference::Item(None) => Some(json!("2026-01-08")),
        Reference::Run(RunKey::Id) => Some(json!("r1")),
        Reference::Run(RunKey::Date) => Some(json!("2026-01-31")),
        Reference::Run(RunKey::Pipeline) => Some(json!("nightly")),
        _ => None,
    })
}

fn nightly() -> File {
    let path = yaml_files("good").into_iter().find(|path| path.ends_with("nightly.yaml")).unwrap();
    File::parse("nightly.yaml", &std::fs::read_to_string(path).unwrap()).unwrap()
}

fn task(file: &File, name: &str) -> Result<Task, Vec<Error>> {
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: Some(&runtime) };
    file.task(name, &Project::of([file]), &variables)
}

#[test]
fn a_task_is_resolved_when_it_is_carried_out() {
    let file = nightly();
    let each = task(&file, "each").unwrap();
    let Some(Items::Outputs(items)) = each.for_each.map(|items| items.items) else { panic!() };
    assert_eq!(items, r#"[{"path":"${secret:dw}"},{"path":"b"}]"#);
    let Work::Command(command) = each.work else { panic!() };
    // what a reference stands for is never taken for a reference itself
    assert_eq!(command.argv, ["echo", "${secret:dw} ${run.id}", "12", "5"]);

    let Work::Http(http) = task(&file, "call").unwrap().work else { panic!() };
    assert_eq!(http.json, Some(json!({ "rows": 12, "limit": "10", "note": "${run.id}" })));
    assert_eq!((http.url.as_str(), http.query["page"].as_str()), ("https://api.example.com/2026-01-01", "1"));
    assert_eq!(http.headers["X-Run"].expose(), "r1");

    let days = task(&file, "days").unwrap();
    assert_eq!(days.work.as_sync().unwrap().streams[0].0, "orders_2026-01-08");
    let Work::Pipeline(later) = task(&file, "later").unwrap().work else { panic!() };
    assert_eq!((later.params["day"].as_str(), later.params["n"].as_str(), later.wait), ("2026-01-31", "3", false));
    assert_eq!(task(&file, "on_failure_2").unwrap().name, "on_failure_2");
}

#[test]
fn what_a_run_does_not_know_is_an_error_with_its_place() {
    let file = nightly();
    let errors = task(&file, "on_failure").unwrap_err();
    let wanted = "nightly.yaml:79:36: `${tasks.call.outputs.id}` has no value. The task `call` has to give an output `id`; \
                  see its log for what it gave.";
    assert_eq!(errors.iter().map(Error::to_string).collect::<Vec<_>>(), [wanted]);
    assert_eq!(task(&file, "gone").unwrap_err()[0].kind(), ErrorKind::NotFound);

    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    let errors = file.task("days", &Project::of([&file]), &variables).unwrap_err();
    assert!(errors[0].to_string().contains("`${run.date}` is only known when a task runs"), "{errors:?}");
}

#[test]
fn only_the_task_that_is_carried_out_needs_its_values() {
    let text =
        "version: 1\ntasks:\n  one: { command: { argv: [a] } }\n  two: { command: { argv: [\"${MISSING}\"] } }\n";
    let file = File::parse("x.yaml", text).unwrap();
    assert!(task(&file, "one").is_ok());
    assert!(task(&file, "two").is_err());
}

#[test]
fn hooks_come_after_everything_that_can_have_run() {
    let file = nightly();
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    let (pipeline, _) = file.pipeline(&Project::of([&file]), &variables).unwrap();
    let find = |name: &str| pipeline.tasks.iter().find(|task| task.name == name).unwrap();
    let others = pipeline.tasks.len() - 3;
    assert_eq!((find("on_failure_2").after.len(), find("on_failure_2").when), (others, When::AnyFailed));
    // what is skipped when nothing failed does not keep back what is done on success
    let success = find("on_success");
    assert_eq!((success.after.len(), success.when), (others - 2, When::AllSucceeded));
    assert!(!success.after.iter().any(|name| name == "cleanup" || name == "cleaned"));
}

#[test]
fn channels_are_resolved_when_they_are_used() {
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    let project = Project::of([&nightly()]);
    let channel = |name: &str| project.channels.iter().find(|channel| channel.name == name).unwrap();
    let Channel::Slack(url) = channel("ops").settings(&variables).unwrap() else { panic!() };
    assert_eq!(url.expose(), "hunter2: #x");
    let Channel::Email(email) = channel("mail").settings(&variables).unwrap() else { panic!() };
    assert_eq!(email.port, Some(5432));
}

#[test]
fn a_parameter_without_a_value_is_open_until_a_run_starts() {
    let text =
        "version: 1\nparams: { day: { type: date } }\ntasks: { one: { command: { argv: [\"${param.day}\"] } } }\n";
    let file = File::parse("x.yaml", text).unwrap();
    let project = Project::of([&file]);
    let mut variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    assert!(file.check(&project, &variables).is_ok());
    let errors = file.pipeline(&project, &variables).unwrap_err();
    assert!(errors[0].to_string().starts_with("x.yaml:2:11: the parameter `day` has no value"), "{errors:?}");
    variables.params.insert("day".to_owned(), "2026-01-31".to_owned());
    let Work::Command(command) = file.task("one", &project, &variables).unwrap().work else { panic!() };
    assert_eq!(command.argv, ["2026-01-31"]);
}

fn together(texts: &[(&str, &str)]) -> Vec<String> {
    let loaded: Vec<(File, Pipeline)> = texts.iter().map(|(name, text)| load(name, text, &[]).unwrap()).collect();
    let pairs: Vec<(&File, &Pipeline)> = loaded.iter().map(|(file, pipeline)| (file, pipeline)).collect();
    let own = File::parse("levada.yaml", "version: 1\nconnections: { lake: ./lake }\n").unwrap();
    check_pipelines(&own, &pairs).err().unwrap_or_default().iter().map(Error::to_string).collect()
}

#[test]
fn pipelines_are_checked_together() {
    let errors = together(&[
        ("one.yaml", "version: 1\nname: load\ntasks: { a: { pipeline: lod } }\n"),
        (
            "two.yaml",
            "version: 1\nname: load\nschedule: [{ on: { pipeline: x } }]\ntasks: { a: { command: { argv: [a] } } }\n",
        ),
        (
            "three.yaml",
            "version: 1\nparams: { n: { type: int, default: 1 } }\nschedule: { on: { pipeline: load } }\n\
                        tasks: { a: { pipeline: { name: three, params: { m: 1, n: x } , wait: false } } }\n",
        ),
    ]);
    let wanted = [
        "two.yaml:2:7: the name `load` belongs to the pipeline in one.yaml. Give one of them another `name`; without one it is the name of the file.",
        "one.yaml:3:25: there is no pipeline `lod`. Did you mean `load`? Pipelines: load, three.",
        "two.yaml:3:30: there is no pipeline `x`. Pipelines: load, three.",
        "three.yaml:4:40: the pipeline `three` has no parameter `m`. Did you mean `n`? Its parameters: n.",
        "three.yaml:4:40: the parameter `n` of `three` cannot be `x`. Give a whole number.",
    ];
    assert_eq!(errors, wanted);
}

#[test]
fn pipelines_that_wait_for_each_other_are_refused() {
    let one = "version: 1\ntasks: { a: { pipeline: two } }\n";
    let errors = together(&[
        ("one.yaml", one),
        ("two.yaml", "version: 1\ntasks: { a: { command: { argv: [a] } } }\non_success: [{ pipeline: one }]\n"),
    ]);
    let wanted = "one.yaml:2:25: pipelines start each other and wait: one -> two -> one. Remove one of the starts, or write \
                  `wait: false` there.";
    assert_eq!(errors, [wanted]);
    let free = "version: 1\ntasks: { a: { pipeline: { name: one, wait: false } } }\n";
    assert_eq!(together(&[("one.yaml", one), ("two.yaml", free)]), Vec::<String>::new());
}

#[test]
fn pipelines_that_start_each_other_without_end_are_refused() {
    let follows = |name: &str| {
        format!("version: 1\nschedule: {{ on: {{ pipeline: {name} }} }}\ntasks: {{ a: {{ wait: {{ for: 1s }} }} }}\n")
    };
    let starts = "version: 1\ntasks: { a: { pipeline: { name: two, wait: false } } }\n".to_owned();
    let (one, two) = (follows("two"), follows("one"));
    let wanted = "one.yaml:2:29: `one` would run without end: it follows `two`, which runs because of `one`. Remove this \
                  trigger, or what makes the other run.";
    assert_eq!(together(&[("one.yaml", &one), ("two.yaml", &two)]), [wanted]);
    assert_eq!(together(&[("one.yaml", &one), ("two.yaml", &follows("three")), ("three.yaml", &two)]), [wanted]);
    // by way of a pipeline that is started, waited for or not
    let (starts, plain) = (starts.as_str(), "version: 1\ntasks: { a: { wait: { for: 1s } } }\n");
    assert_eq!(together(&[("one.yaml", &one), ("two.yaml", plain), ("three.yaml", starts)]), Vec::<String>::new());
    let follows_one = format!("{starts}schedule: {{ on: {{ pipeline: one }} }}\n");
    assert_eq!(together(&[("one.yaml", &one), ("two.yaml", plain), ("three.yaml", &follows_one)]), [wanted]);
    assert_eq!(together(&[("one.yaml", &one), ("two.yaml", plain)]), Vec::<String>::new());
}

#[test]
fn datasets_that_nothing_loads_are_refused() {
    let one = "version: 1\nschedule: { on: { dataset: lak.orders } }\n\
               tasks: { a: { wait: { dataset: nope.orders } }, b: { wait: { dataset: lake } } }\n";
    let wanted = [
        "one.yaml:3:32: no connection has the dataset `nope.orders`. Write `connection.stream`. Connections: lake.",
        "one.yaml:3:71: no connection has the dataset `lake`. Write `connection.stream`. Connections: lake.",
        "one.yaml:2:28: no connection has the dataset `lak.orders`. Write `connection.stream`. Did you mean `lake`? \
         Connections: lake.",
    ];
    assert_eq!(together(&[("one.yaml", one)]), wanted);
    // the connection can be one of the pipeline that loads it
    let loads = "version: 1\nconnections: { nope: ./nope, lak: ./lak }\nsync: { from: nope, to: lak, streams: [x] }\n";
    let waits = one.replace("dataset: lake ", "dataset: lake.public.orders ");
    assert_eq!(together(&[("one.yaml", &waits), ("two.yaml", loads)]), Vec::<String>::new());
}

#[test]
fn catchup_is_for_files_as_well_as_for_times() {
    let parse = |on: &str, catchup: &str| Schedule::parse(&format!("on: {on}\ncatchup: {catchup}\n"));
    let file = "{ file: { connection: drop, path: \"*.csv\" } }";
    assert_eq!(parse(file, "all").unwrap().catchup, Catchup::All);
    for (on, catchup) in [(file, "none"), ("{ dataset: lake.orders }", "all"), ("{ pipeline: load }", "last")] {
        let error = parse(on, catchup).unwrap_err().remove(0).to_string();
        assert!(error.contains("2:10: `catchup` has no meaning with `on`"), "{on} {catchup}: {error}");
    }
}

#[test]
fn parameters_of_a_query_are_what_the_pipeline_says_they_are() {
    let path = yaml_files("good").into_iter().find(|path| path.ends_with("sql.yaml")).unwrap();
    let file = File::parse("sql.yaml", &std::fs::read_to_string(path).unwrap()).unwrap();
    let reads = |_: &Reference| Ok(Some(json!(12)));
    let params = BTreeMap::from([("word".to_owned(), "O'Hara; DROP TABLE x --".to_owned())]);
    let variables = Variables { env: &env, secret: &secret, params, runtime: Some(&reads) };
    let Work::Sql(sql) = file.task("daily_sales", &Project::of([&file]), &variables).unwrap().work else { panic!() };
    let wanted = json!({
        "all": false, "both": "5O'Hara; DROP TABLE x --", "least": 5, "none": null, "plain": 1.5, "read": 12, "share": 0.5,
        "since": "2026-01-01", "word": "O'Hara; DROP TABLE x --",
    });
    assert_eq!(json!(sql.params), wanted);
    assert!(sql.query.starts_with("SELECT day") && sql.query.contains("day >= $since"), "{}", sql.query);
    assert_eq!((sql.target(), sql.memory_bytes + sql.load.memory_bytes), ("marts.daily_sales", 512_000_000));
}
