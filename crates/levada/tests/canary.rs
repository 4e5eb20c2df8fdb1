//! Secrets where documents, requests and the environment can hold them, each a text of its own that is then looked for in all
//! that leaves Levada: answers, headers, events, logs, figures, the audit log, the store, and the processes it starts.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use futures_util::{SinkExt as _, StreamExt as _};
use levada_testkit::services;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use url::Url;

use crate::api::{Api, Reply, Who};
use crate::project::{BOTH, Kept, Project};

/// Secrets by what they are, and whether the store may have them as they are: what a document says in plain it keeps.
struct Canaries(BTreeMap<String, (String, bool)>);

impl Canaries {
    fn get(&self, name: &str) -> &str {
        &self.0[name].0
    }

    fn add(&mut self, name: &str, secret: &str, is_in_document: bool) {
        self.0.insert(name.to_owned(), (secret.to_owned(), is_in_document));
    }

    /// Which of them a text holds, in whatever spelling.
    fn found(&self, text: &str, with_documents: bool) -> Vec<&str> {
        let looked = self.0.iter().filter(|(_, (_, is_in_document))| with_documents || !is_in_document);
        let hit = looked.filter(|(_, (secret, _))| spellings(secret).iter().any(|spelling| text.contains(spelling)));
        hit.map(|(name, _)| name.as_str()).collect()
    }
}

/// A text as programs write it: as it is, in URLs and JSON, and in base64 wherever it begins.
fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned(), utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()];
    all.push(all[1].to_lowercase());
    all.push(json!(secret).to_string().trim_matches('"').to_owned());
    for before in 0..3 {
        let bytes = [&b"xx"[..before], secret.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&bytes);
            // the first and the last letters hang on what stands beside it
            all.push(encoded[(before * 8).div_ceil(6)..encoded.len() - 2].to_owned());
        }
    }
    all
}

const LEAK: &str = r#"version: 1
name: leak
tasks:
  say:
    command:
      script: |
        echo "out $STORED $OTHER"
        echo "err $STORED" >&2
        printf '%s' "$STORED" | base64 >&2
        printf 'artifact' > "$LEVADA_RUN_DIR/a.txt"
        echo "{\"got\": \"$STORED\", \"password\": \"$PGPASSWORD\"}"
      env: { STORED: '${secret:stored}', OTHER: '${secret:from_env}', PGPASSWORD: 'PLAIN_ENV' }
      artifacts: [a.txt]
  fail:
    after: [say]
    command: { script: 'echo "failed with $STORED" >&2; exit 3', env: { STORED: '${secret:stored}' } }
"#;
const CALL: &str = r#"version: 1
name: call
tasks:
  basic: { http: { url: 'http://ECHO/basic', private: true, auth: { basic: { user: u, password: 'PLAIN_BASIC' } } } }
  bearer: { http: { url: 'http://ECHO/bearer', private: true, auth: { bearer: '${secret:stored}' }, expect: ['299'] } }
  header: { http: { url: 'http://u:PLAIN_HTTP_URL@ECHO/x?token=PLAIN_QUERY', private: true, headers: { X-Api-Key: 'PLAIN_HEADER' } } }
"#;
const TELL: &str = "version: 1\nname: tell\ntasks:\n  hook: { notify: { channel: hook, text: hello } }\n  mail: { notify: { channel: mail, text: hello } }\n";
const LOAD: &str = "version: 1\nname: load\nsync: { from: typed, to: by_url, streams: ['*'] }\n";
const REAL: &str = "version: 1\nname: real\nsync: { from: real, to: maria, streams: ['public.*'] }\n";
const HOLD: &str = "version: 1\nname: hold\ntasks:\n  hold: { command: { argv: [sleep, '600'] } }\n";

/// Answers every request with what it was asked, headers and all.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 16_384];
            let length = socket.read(&mut asked).unwrap_or(0);
            let body = String::from_utf8_lossy(&asked[..length]).into_owned();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = socket.write_all((head + &body).as_bytes());
        }
    });
    address
}

/// A project that has a secret wherever one can be.
fn project(kept: Kept, canaries: &mut Canaries) -> Project {
    for name in [
        "TYPED",
        "URL",
        "MARIA",
        "REAL",
        "HOOK",
        "MAIL",
        "ENV",
        "BASIC",
        "HTTP_URL",
        "QUERY",
        "HEADER",
        "COMMENT",
        "LINEAGE",
        "LINEAGE_QUERY",
    ] {
        canaries.add(&format!("PLAIN_{name}"), &format!("Cnry/{}+{kept:?}=x", name.to_lowercase()), true);
    }
    let fill = |text: &str| {
        let mut text = text.replace("ECHO", &echo());
        // the longest names first: some begin with others
        let mut names: Vec<&String> = canaries.0.keys().filter(|name| name.starts_with("PLAIN_")).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            let secret = canaries.get(name);
            let is_url = matches!(
                name.as_str(),
                "PLAIN_URL" | "PLAIN_HTTP_URL" | "PLAIN_QUERY" | "PLAIN_HOOK" | "PLAIN_LINEAGE_QUERY"
            );
            let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            text = text.replace(name, if is_url { &encoded } else { secret });
        }
        text
    };
    let place = |url: String| {
        let url = Url::parse(&url).unwrap();
        format!("host: {}, port: {}, user: {}", url.host_str().unwrap(), url.port().unwrap(), url.username())
    };
    let own = format!(
        "version: 1\nconnections:\n  typed: {{ type: postgres, host: 127.0.0.1, port: 1, user: reader, password: 'PLAIN_TYPED' }}\n  \
         by_url: 'postgres://reader:PLAIN_URL@127.0.0.1:1/shop?tls=disable'\n  by_env: {{ type: postgres, host: 127.0.0.1, port: 1, \
         user: u, password: '${{CANARY_ENV}}' }}\n  by_secret: {{ type: postgres, host: 127.0.0.1, port: 1, user: u, password: '${{secret:stored}}' }}\n  \
         real: {{ type: postgres, {}, database: postgres, password: 'PLAIN_REAL', tls: disable }}\n  maria: {{ type: mysql, {}, \
         database: test, password: 'PLAIN_MARIA', tls: disable }} # PLAIN_MARIA, until somebody changes it\nchannels:\n  hook: {{ webhook: \
         'http://127.0.0.1:1/PLAIN_HOOK' }}\n  mail: {{ email: {{ host: 127.0.0.1, port: 1, tls: never, user: u, password: 'PLAIN_MAIL', from: a@example.org, to: [b@example.org] }} }}\nlineage:\n  \
         http: {{ url: 'http://127.0.0.1:1/x?api_key=PLAIN_LINEAGE_QUERY', token: 'PLAIN_LINEAGE', private: true }}\n  file: \
         events.jsonl\ncollections:\n  \
         things: {{ connection: typed, columns: {{ name: text }} }}\nreports:\n  report: {{ connection: maria, query: SELECT 1 }}\n",
        place(services::postgres()),
        place(services::mysql()).replace("user: root", "user: nobody")
    );
    let auth = format!(
        "version: 1\noidc: {{ issuer: 'http://127.0.0.1:1', client_id: levada, client_secret: '{}', default_role: viewer }}\n",
        canaries.get("oidc")
    );
    let files = [
        ("levada.yaml", fill(&own)),
        ("auth.yaml", auth),
        ("pipelines/leak.yaml", fill(LEAK)),
        ("pipelines/call.yaml", fill(CALL)),
        ("pipelines/tell.yaml", fill(TELL)),
        ("pipelines/load.yaml", fill(LOAD)),
        ("pipelines/real.yaml", fill(REAL)),
        ("pipelines/hold.yaml", fill(HOLD)),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    Project::new(kept, &format!("canary_{kept:?}").to_lowercase(), &files)
}

/// All that was answered, with what was asked.
#[derive(Default)]
struct Heard(Vec<(String, String, bool)>);

impl Heard {
    /// `shows_documents` where the answer is the text of documents to somebody who may change them.
    fn add(&mut self, what: String, reply: &Reply, shows_documents: bool) {
        self.0.push((what, format!("{}\n{}", reply.headers, reply.body), shows_documents));
    }
}

/// Every operation of the table that only looks, with everything that its path can name, by everybody.
fn look_at_everything(api: &Api, callers: &[(&str, Who<'_>)], runs: &[i64], heard: &mut Heard) {
    let document = api.get(callers[0].1, "/api/v1/openapi.json").is(200);
    let names = |name: &str| -> Vec<String> {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        match name {
            "pipeline" => texts(&["leak", "call", "tell", "load", "real", "hold", "none"]),
            "run" => runs.iter().map(ToString::to_string).collect(),
            "connection" => texts(&["typed", "by_url", "by_env", "by_secret", "real", "maria", "none"]),
            "connector" => texts(&["postgres", "mysql", "files"]),
            "user" => texts(&["anna", "vera"]),
            "task" => texts(&["say", "fail", "basic", "bearer", "header", "hook", "mail", "sync", "load", "real"]),
            _ => texts(&["1", "2", "9"]),
        }
    };
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(get) = operations.get("get") else { continue };
        let mut paths = vec![path.clone()];
        while paths[0].contains('{') {
            let (start, end) = (paths[0].find('{').unwrap(), paths[0].find('}').unwrap());
            let name = paths[0][start + 1..end].to_owned();
            paths = paths
                .iter()
                .flat_map(|path| names(&name).into_iter().map(|value| path.replace(&format!("{{{name}}}"), &value)))
                .collect();
        }
        let wanted: Vec<&Value> =
            get["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "query").collect();
        let needs_task = wanted.iter().any(|p| p["name"] == "task" && p["required"] == true);
        let mut asked: Vec<String> = Vec::new();
        for path in paths {
            match path.as_str() {
                path if path.ends_with("/artifacts/download") => asked.push(format!("{path}?path=say%2Fa.txt")),
                path if path.ends_with("/preview") && path.contains("connections") => {
                    asked.push(format!("{path}?stream=public.x"))
                }
                path if path.ends_with("/events/stream") => {
                    asked.push(format!("{path}?topic=runs&topic=run:1&topic=logs:1&after=0"))
                }
                path if path.ends_with("/search") => asked.push(format!("{path}?q=a")),
                path if needs_task => {
                    asked.extend(names("task").iter().map(|task| format!("{path}?task={task}&stream=x")))
                }
                path => asked.push(path.to_owned()),
            }
        }
        let shows = ["getProject", "getPipeline", "getPipelineVersion"].contains(&get["operationId"].as_str().unwrap());
        for path in asked {
            // the way to the other streams is the same, and takes its time
            let callers = if path.contains("/events/stream") { &callers[..2] } else { callers };
            for (name, who) in callers {
                let reply = api.get(*who, &path);
                assert!(reply.status != 500, "{path} as {name}: {}", reply.body);
                heard.add(format!("GET {path} as {name}"), &reply, shows && *name == "admin");
            }
        }
    }
}

/// What changes nothing, or fails.
fn try_everything(api: &Api, callers: &[(&str, Who<'_>)], heard: &mut Heard) {
    let connections = ["typed", "by_url", "by_env", "by_secret", "real", "maria"];
    let quoting = "version: 1\nname: leak\nschedule: '${secret:stored}'\ntasks: { a: { command: { argv: [x], grace: '${secret:stored}', memory: '${secret:from_env}' } } }\n";
    let given = json!({ "connector": "postgres", "settings": { "host": "127.0.0.1", "port": "${secret:stored}", "user": "u", "password": "${secret:stored}" } });
    let mut asked: Vec<(String, Value)> = Vec::new();
    for connection in connections {
        asked.push((format!("/api/v1/connections/{connection}/test"), json!({})));
    }
    for pipeline in ["leak", "call", "tell", "load", "real", "hold"] {
        asked.push((format!("/api/v1/pipelines/{pipeline}/plan"), json!({})));
        asked.push((format!("/api/v1/pipelines/{pipeline}/diff"), json!({ "text": "version: 1\n" })));
    }
    asked.push(("/api/v1/pipelines/leak/validate".to_owned(), json!({ "text": quoting })));
    asked.push(("/api/v1/pipelines/leak/plan".to_owned(), json!({ "text": quoting })));
    asked.push(("/api/v1/connection-test".to_owned(), given));
    asked.push(("/api/v1/connection-test".to_owned(), json!({ "url": "${secret:stored}" })));
    asked.push((
        "/api/v1/connection-test".to_owned(),
        json!({ "url": "postgres://u:${secret:stored}@127.0.0.1:${secret:stored}/x" }),
    ));
    asked.push(("/api/v1/session".to_owned(), json!({ "name": "anna", "password": "wrong password" })));
    for (path, body) in asked {
        for (name, who) in callers {
            let reply = api.post(*who, &path, &body);
            assert!(reply.status != 500, "{path} as {name}: {}", reply.body);
            heard.add(format!("POST {path} {body} as {name}"), &reply, path.ends_with("/diff") && *name == "admin");
        }
    }
    for path in ["/v1/things", "/v1/report", "/v1/none", "/api/v1/oidc/start", "/api/v1/oidc/callback?state=x&code=y"] {
        for (name, who) in callers {
            heard.add(format!("GET {path} as {name}"), &api.get(*who, path), false);
        }
    }
}

/// What a socket hears of everything, from the beginning on.
fn listen(api: &Api, token: &str) -> String {
    api.runtime.block_on(async {
        let url = format!("{}/api/v1/events?after=0", api.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        let topics: Vec<String> =
            (1..10).flat_map(|n| [format!("run:{n}"), format!("logs:{n}")]).chain(["runs".into()]).collect();
        socket.send(Message::text(json!({ "subscribe": topics }).to_string())).await.unwrap();
        let (mut text, deadline) = (String::new(), tokio::time::Instant::now() + Duration::from_secs(3));
        while let Ok(Some(Ok(message))) = tokio::time::timeout_at(deadline, socket.next()).await {
            if let Message::Text(heard) = message {
                text.push_str(&heard);
            }
        }
        text
    })
}

/// The command lines of all processes, and the environments of those that a process has started.
fn processes(of: u32) -> (String, String) {
    let (mut lines, mut environments, mut parents) = (String::new(), String::new(), BTreeMap::new());
    let all: Vec<u32> =
        std::fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok()).collect();
    for pid in &all {
        let read = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default())
                .replace('\0', " ")
        };
        lines.push_str(&format!("{}\n", read("cmdline")));
        let stat = read("stat");
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.insert(*pid, (parent.unwrap_or(0), read("environ")));
    }
    for pid in &all {
        let mut at = *pid;
        while let Some((parent, _)) = parents.get(&at) {
            if *parent == of {
                environments.push_str(&format!("{}\n", parents[pid].1));
                break;
            }
            at = *parent;
        }
    }
    (lines, environments)
}

/// Every file below a folder, as text.
fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push((
                path.display().to_string(),
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
            )),
        }
    }
}

#[test]
fn no_secret_leaves_by_any_way() {
    for kept in BOTH {
        let mut canaries = Canaries(BTreeMap::new());
        for name in ["stored", "from_env", "env", "oidc", "anna", "vera"] {
            canaries.add(name, &format!("Cnry?{name}&{kept:?}+/=y"), false);
        }
        let project = project(kept, &mut canaries);
        let serve = || {
            let mut command = project.command(&["serve", "--port", "0", "--workers", "4"]);
            command.env("LEVADA_SECRET_FROM_ENV", canaries.get("from_env")).env("CANARY_ENV", canaries.get("env"));
            Api::serve(command)
        };
        let api = serve();
        let (link, session) = (api.link(), api.set_up(canaries.get("anna")));
        let admin = api.token(&session, "admin");
        let vera = api.user(&session, "vera", "viewer", canaries.get("vera"));
        let viewer = api.token(&vera, "viewer");
        let body = json!({ "value": canaries.get("stored") }).to_string();
        api.send(Who::Token(&admin), "PUT", "/api/v1/secrets/stored", Some(("application/json", &body))).is(204);
        let applied = project
            .command(&["apply"])
            .env("LEVADA_SECRET_FROM_ENV", canaries.get("from_env"))
            .env("CANARY_ENV", canaries.get("env"))
            .output()
            .unwrap();
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));

        let who = Who::Token(&admin);
        let held = api.start(who, "hold");
        let runs: Vec<(i64, &str)> =
            ["leak", "call", "tell", "load", "real"].map(|pipeline| (api.start(who, pipeline), pipeline)).into();
        for (run, pipeline) in &runs {
            assert_eq!(api.ended(who, *run), "failed", "{pipeline}");
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while !processes(api.pid()).1.contains("LEVADA_ATTEMPT") {
            assert!(Instant::now() < deadline, "the task that holds is not there");
            std::thread::sleep(Duration::from_millis(20));
        }
        let (lines, environments) = processes(api.pid());

        let numbers: Vec<i64> = runs.iter().map(|(run, _)| *run).chain([held, 999]).collect();
        let callers = [("admin", who), ("viewer", Who::Token(&viewer)), ("nobody", Who::Nobody)];
        let mut heard = Heard::default();
        try_everything(&api, &callers, &mut heard);
        look_at_everything(&api, &callers, &numbers, &mut heard);
        // masked is what was there to be masked
        let log = api.get(who, &format!("/api/v1/runs/{}/logs?task=say", runs[0].0)).body;
        assert!(log.contains("out *** ***") && log.contains("err ***"), "{log}");
        let heard_live = listen(&api, &viewer);
        assert!(heard_live.contains("\"run\""), "{heard_live}");

        for (name, secret) in [
            ("link", link.as_str()),
            ("session", session.split('=').nth(1).unwrap()),
            ("token", admin.splitn(3, '_').nth(2).unwrap()),
            ("its token", viewer.splitn(3, '_').nth(2).unwrap()),
        ] {
            canaries.add(name, secret, false);
        }
        // what began right after the project was applied may have been before anybody was told of runs
        let leak = api.start(who, "leak");
        api.ended(who, leak);
        let events = project.path(".levada/lineage/events.jsonl");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !std::fs::read_to_string(&events).unwrap_or_default().contains("failed with ***") {
            assert!(Instant::now() < deadline, "nobody was told of the failure");
            std::thread::sleep(Duration::from_millis(50));
        }
        api.post(who, &format!("/api/v1/runs/{held}/cancel"), &json!({}));
        api.ended(who, held);
        for (what, text, shows_documents) in &heard.0 {
            assert_eq!(canaries.found(text, !shows_documents), [""; 0], "{what}: {text}");
        }
        assert!(heard.0.len() > 300, "{}", heard.0.len());
        assert_eq!(canaries.found(&heard_live, true), [""; 0], "{heard_live}");
        assert_eq!(canaries.found(&lines, true), [""; 0], "command lines");
        assert_eq!(canaries.found(&environments, true), [""; 0], "{environments}");
        let printed = api.printed.lock().unwrap().replace(&link, "LINK");
        assert_eq!(canaries.found(&printed, true), [""; 0], "{printed}");
        drop(api);
        let mut all = Vec::new();
        files(&project.path(".levada"), &mut all);
        if let Some(dump) = project.dump() {
            all.push(("the dump of the store".to_owned(), dump));
        }
        let (mut logs, mut told) = (0, String::new());
        for (path, text) in &all {
            let is_log = path.contains("/logs/");
            logs += usize::from(is_log);
            let is_told = path.ends_with("/lineage/events.jsonl");
            assert_eq!(canaries.found(text, is_log || is_told), [""; 0], "{path}");
            if is_told {
                told.push_str(text);
            }
        }
        assert!(told.contains("\"FAIL\"") && told.contains("failed with ***"), "{told}");
        assert!(logs > 5, "{logs}");
    }
}
