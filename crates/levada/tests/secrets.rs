//! Secrets that the metadata store keeps, and the metadata store that moves: by the real binary.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::project::{BOTH, Kept, Project};
use crate::support::Database;

const CANARY: &str = "c4n4ry-in-store";
const OWN: &str = "version: 1\nconnections:\n  inbox: ./data\n  target: '${secret:place}'\n";
const SAY: &str = "version: 1\ntasks:\n  say: { command: { argv: [sh, -c, 'echo \"got $PW\"; test \"$PW\" = \"$(cat expected)\"'], \
                   env: { PW: '${secret:pw}' } } }\n";
const LOAD: &str = "version: 1\nsync: { from: inbox, to: target, streams: { rows.csv: { key: [id] } } }\n";

fn set(project: &Project, name: &str, value: &str) {
    let mut set = project.command(&["secrets", "set", name]);
    let mut child = set.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(!out.contains(value.trim()) && !err.contains(value.trim()), "{out}{err}");
}

fn state(project: &Project, arguments: &[&str]) -> (String, String) {
    let output = project.levada(&[arguments, &["--output", "json"]].concat());
    let ran: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains(CANARY), "{text}");
    (ran["run"].to_string(), ran["state"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn secrets_of_the_store_reach_tasks_and_nothing_else() {
    for kept in BOTH {
        let files =
            [("levada.yaml", OWN), ("pipelines/say.yaml", SAY), ("pipelines/load.yaml", LOAD), ("expected", CANARY)];
        let project = Project::new(kept, &format!("secrets_{kept:?}").to_lowercase(), &files);
        project.write("data/rows.csv", "id,name\n1,a\n2,b\n");
        let missing = project.refused(2, &["apply"]);
        assert!(missing.contains("place") && missing.contains("pw"), "{missing}");
        project.refused(2, &["validate", "pipelines/load.yaml"]);
        assert!(!project.path(".levada").exists(), "to look makes no store");

        set(&project, "pw", &format!("{CANARY}\n"));
        set(&project, "place", "./place.db");
        let listed = project.told(0, &["secrets", "list"]);
        assert!(listed.contains("pw") && listed.contains("place") && !listed.contains(CANARY), "{listed}");
        project.told(0, &["validate", "pipelines/load.yaml", "pipelines/say.yaml"]);
        project.told(0, &["plan", "pipelines/load.yaml"]);
        project.told(0, &["check", "target"]);
        let ran = project.json(&["run", "pipelines/load.yaml"]);
        assert_eq!(ran["tasks"][0]["streams"][0]["proof"]["written"], 2, "{ran}");
        project.told(0, &["run", "pipelines/say.yaml"]);

        project.told(0, &["apply"]);
        let _served = project.serve();
        let (first, ended) = state(&project, &["start", "say", "--wait"]);
        assert_eq!(ended, "succeeded", "{}", project.told(0, &["logs", &first]));
        let log = project.told(0, &["logs", &first]);
        assert!(log.contains("got ***") && !log.contains(CANARY), "{log}");

        project.told(0, &["secrets", "rotate"]);
        assert_eq!(state(&project, &["start", "say", "--wait"]).1, "succeeded", "the new master key is found");
        set(&project, "pw", "another");
        assert_eq!(state(&project, &["start", "say", "--wait"]).1, "failed", "tasks get the newest value");
        project.told(0, &["secrets", "remove", "pw"]);
        let mut environment = project.command(&["run", "pipelines/say.yaml"]);
        assert!(environment.env("LEVADA_SECRET_PW", CANARY).output().unwrap().status.success());
        assert!(project.refused(1, &["secrets", "remove", "plac"]).contains("Did you mean `place`"));
    }
}

#[test]
fn metadata_moves_to_postgres_and_goes_on_there() {
    let files = [("levada.yaml", "version: 1\n"), ("pipelines/say.yaml", SAY), ("expected", CANARY)];
    let project = Project::new(Kept::Sqlite, "moves", &files);
    assert!(project.refused(1, &["db", "status"]).contains("there is no metadata store"));
    set(&project, "pw", CANARY);
    project.told(0, &["apply"]);
    let ran = project.json(&["run", "pipelines/say.yaml"])["run"].to_string();
    let database = Database::postgres("levada_moves");
    let url = format!("{}&schema=meta", database.url());
    assert!(project.refused(2, &["db", "move", "--to", "http://x"]).contains("postgres://"));
    let empty = project.refused(1, &["runs", "--database", &url]);
    assert!(empty.contains("there is no metadata store") && !empty.contains("postgres@"), "{empty}");

    let moved = project.json(&["db", "move", "--to", &url]);
    assert_eq!((&moved["rows"]["runs"], &moved["rows"]["secrets"]), (&1.into(), &1.into()));
    let err = project.refused(3, &["runs"]);
    assert!(err.contains("the metadata was moved to") && err.contains("--database"), "{err}");
    let there = |arguments: &[&str]| project.json(&[arguments, &["--database", &url]].concat());
    let status = there(&["db", "status"]);
    assert_eq!(
        (&status["kind"], &status["pipelines"], &status["secrets"]),
        (&"PostgreSQL".into(), &1.into(), &1.into())
    );
    assert_eq!(there(&["show", &ran])["state"], "succeeded");
    assert_eq!(there(&["run", "pipelines/say.yaml"])["succeeded"], true, "secrets open there too");
}

/// Whoever may change a document must not come by the master key or by the password of the metadata store.
#[test]
fn documents_do_not_reach_what_levada_keeps_for_itself() {
    for name in ["LEVADA_MASTER_KEY", "LEVADA_DATABASE", "LEVADA_SECRET_PLACE"] {
        let own = format!("version: 1\nconnections:\n  inbox: ./data\n  target: '${{{name}}}'\n");
        let project = Project::new(
            BOTH[0],
            &format!("own_{}", name.to_lowercase()),
            &[("levada.yaml", &own), ("pipelines/load.yaml", LOAD)],
        );
        let output = project.command(&["validate", "pipelines/load.yaml"]).env(name, CANARY).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(name) && !told.contains(CANARY), "{told}");
    }
}
