//! The served description of the API against what is really answered: schemathesis makes requests of it, good ones and bad ones,
//! with the token of each role.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::api::{Api, Who};
use crate::project::{Kept, Project};

const PASSWORD: &str = "correct horse battery";
const OWN: &str = "version: 1
connections:
  here: { type: sqlite, path: here.db }
  lake: { type: files, root: ./lake }
pools: { heavy: 2 }
collections:
  department:
    connection: here
    columns: { name: { type: text, unique: true, check: { max_length: 40 } }, budget: 'decimal(12,2)', founded: date }
reports:
  people: { connection: here, query: 'SELECT :who AS who', params: { who: { type: text, default: all } } }
";
const WORK: &str = "version: 1\nname: work\ntags: [money]\nparams: { day: { type: date, default: 2026-01-01 } }\nschedule: '0 6 * * *'\ntasks:\n  say: { command: { argv: [echo, hi] } }\n";
const LOAD: &str = "version: 1\nname: load\nsync: { from: lake, to: here, streams: ['*.csv'] }\n";
/// What never ends by itself: sockets and streams.
const ENDLESS: [&str; 2] = ["listen", "streamEvents"];
/// What can end the conversation, because it may be about whoever asks: asked for at last.
const LAST: [&str; 4] = ["removeToken", "signOut", "updateUser", "removeUser"];
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,unsupported_method,ignored_auth";

#[test]
fn every_answer_is_as_the_description_says() {
    let program = std::env::var("LEVADA_TEST_SCHEMATHESIS");
    let program = program.expect(
        "LEVADA_TEST_SCHEMATHESIS is not set: `scripts/services up schemathesis; eval \"$(scripts/services env)\"`",
    );
    let files = [
        ("levada.yaml", OWN),
        ("pipelines/work.yaml", WORK),
        ("pipelines/load.yaml", LOAD),
        ("lake/a.csv", "id,name\n1,a\n"),
    ];
    let project = Project::new(Kept::Sqlite, "fuzz", &files);
    project.told(0, &["apply"]);
    let api = Api::serve(project.command(&["serve", "--port", "0", "--workers", "2"]));
    let admin = api.set_up(PASSWORD);
    let run = api.start(Who::Session(&admin), "work");
    api.ended(Who::Session(&admin), run);
    api.post(Who::Session(&admin), "/v1/department", &json!({ "name": "Supply" })).is(201);
    let folder = tempfile::TempDir::new().unwrap();
    let roles = ["viewer", "operator", "editor", "admin"].map(|role| {
        let session = api.user(&admin, role, role, PASSWORD);
        (role, api.token(&session, role))
    });
    let mut failed = Vec::new();
    for (role, token) in roles {
        // described as it is now: what one role changed is no mistake of the next
        let document = api.get(Who::Token(&token), "/api/v1/openapi.json").body;
        let path = folder.path().join(format!("{role}.json"));
        std::fs::write(&path, document).unwrap();
        let ask = |filter: &str, operations: &[&str]| {
            let mut command = Command::new(&program);
            command.current_dir(folder.path()).arg("run").arg(&path).args(["--url", &api.url, "--checks", CHECKS]);
            // two threads would meet in `ast.parse`, whose depth is counted for all of them together (CPython gh-106905)
            command.args(["--header", &format!("Authorization: Bearer {token}"), "--seed", "7", "--workers", "1"]);
            command.args(["--phases", "examples,fuzzing", "--max-examples", "3", "--request-timeout", "35"]);
            command.args(["--suppress-health-check", "all", "--no-color"]);
            command.args(operations.iter().flat_map(|operation| [filter, operation]));
            let output = command.stdin(Stdio::null()).output().unwrap();
            let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
            (!output.status.success()).then(|| format!("{role}:\n{said}"))
        };
        failed.extend(ask("--exclude-operation-id", &[&ENDLESS[..], &LAST].concat()));
        assert_eq!(api.get(Who::Token(&token), "/api/v1/session").status, 200, "the token of {role} counts no more");
        failed.extend(ask("--include-operation-id", &LAST));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let printed = api.printed.lock().unwrap();
    assert!(!printed.contains("panicked"), "{printed}");
}
