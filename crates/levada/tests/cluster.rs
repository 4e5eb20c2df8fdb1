//! Two servers behind nginx over one store: whoever asks, listens or has something running notices nothing of it when either
//! of them is killed.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::api::{Api, Who};
use crate::project::{Kept, Project};

const PASSWORD: &str = "correct horse battery";
const WORK: &str = "version: 1\nname: work\ntasks:\n  a: { command: { argv: [sleep, '0.3'] } }\n  b: { after: [a], command: { argv: [sleep, '0.3'] } }\n";

/// An nginx before two servers, which ends with the test.
struct Nginx {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Nginx {
    fn before(servers: [u16; 2]) -> Self {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists());
        let program = program.expect("nginx is missing: `scripts/services up nginx` installs it");
        let mut complaints = String::new();
        for _ in 0..10 {
            let folder = TempDir::new().unwrap();
            // nginx cannot be given any free port: somebody may be quicker, and then there is another one
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let upstream = servers.map(|port| format!("server 127.0.0.1:{port} max_fails=0;")).join(" ");
            let place = folder.path().display();
            let config = format!(
                "worker_processes 1; daemon off; error_log {place}/error.log; pid {place}/pid;\nevents {{ worker_connections 256; }}\n\
                 http {{\n  access_log off;\n  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/f; \
                 uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n  map $http_upgrade $upgraded {{ default upgrade; '' ''; }}\n  \
                 upstream levada {{ {upstream} }}\n  server {{\n    listen 127.0.0.1:{port};\n    location / {{\n      proxy_pass http://levada;\n      \
                 proxy_http_version 1.1;\n      proxy_set_header Host $http_host;\n      proxy_set_header X-Forwarded-For $remote_addr;\n      \
                 proxy_set_header X-Forwarded-Proto $scheme;\n      proxy_set_header Upgrade $http_upgrade;\n      proxy_set_header Connection $upgraded;\n      \
                 proxy_read_timeout 75s;\n      proxy_connect_timeout 2s;\n    }}\n  }}\n}}\n"
            );
            let file = folder.path().join("nginx.conf");
            std::fs::write(&file, config).unwrap();
            let mut command = Command::new(program);
            command.arg("-e").arg(folder.path().join("error.log")).arg("-c").arg(&file).arg("-p").arg(folder.path());
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { child, port, folder };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            complaints = std::fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
        }
        panic!("nginx does not start: {complaints}");
    }

    /// What it complained of.
    fn complaints(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn serve(project: &Project, port: u16) -> Api {
    let port = port.to_string();
    let arguments = [
        "serve",
        "--port",
        &port,
        "--workers",
        "2",
        "--trusted-proxy",
        "127.0.0.1",
        "--public-url",
        "http://levada.example",
    ];
    Api::serve(project.command(&arguments))
}

fn port(api: &Api) -> u16 {
    api.url.rsplit(':').next().unwrap().parse().unwrap()
}

/// Asks who is signed in, over and over. Answers how often, and what else than that was answered.
fn ask_on(
    url: String,
    cookie: String,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
) -> std::thread::JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let (api, mut wrong) = (Api::at(url), Vec::new());
        while !stop.load(Relaxed) {
            match api.try_send(Who::Session(&cookie), "GET", "/api/v1/session", None) {
                Ok(reply) if reply.status == 200 => {}
                Ok(reply) => wrong.push(format!("{} {}", reply.status, reply.body)),
                Err(error) => wrong.push(error.to_string()),
            }
            asked.fetch_add(1, Relaxed);
            std::thread::sleep(Duration::from_millis(5));
        }
        wrong
    })
}

/// Listens to all runs, and connects again after the last event whenever the socket is cut. Answers the events in the order
/// heard, and how often it was cut.
fn listen_on(url: String, cookie: String, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<(Vec<Value>, u32)> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (mut heard, mut cuts, mut last) = (Vec::<Value>::new(), 0, None::<i64>);
            while !stop.load(Relaxed) {
                let after = last.map(|last| format!("?after={last}")).unwrap_or_default();
                let place = format!("{}/api/v1/events{after}", url.replace("http://", "ws://"));
                let mut request = place.into_client_request().unwrap();
                request.headers_mut().insert("cookie", cookie.parse().unwrap());
                let Ok((mut socket, _)) = connect_async(request).await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let _ = socket.send(Message::text(json!({ "subscribe": ["runs"] }).to_string())).await;
                loop {
                    let message = tokio::time::timeout(Duration::from_millis(200), socket.next()).await;
                    if stop.load(Relaxed) {
                        break;
                    }
                    match message {
                        Err(_) => {}
                        Ok(Some(Ok(Message::Text(text)))) => {
                            let told: Value = serde_json::from_str(&text).unwrap();
                            match told["kind"].as_str() {
                                Some("hello") => last = last.or(told["last"].as_i64()),
                                _ => {
                                    last = told["id"].as_i64().or(last);
                                    heard.push(told);
                                }
                            }
                        }
                        Ok(Some(Ok(_))) => {}
                        Ok(Some(Err(_)) | None) => {
                            cuts += 1;
                            break;
                        }
                    }
                }
            }
            (heard, cuts)
        })
    })
}

/// Starts a run once, however often it has to be asked for.
fn start(api: &Api, cookie: &str, key: &str) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let client = reqwest::Client::new();
        let request = client
            .post(format!("{}/api/v1/pipelines/work/runs", api.url))
            .header("cookie", cookie)
            .header("x-levada-csrf", "1")
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body("{}");
        let answered: reqwest::Result<Value> = api.runtime.block_on(async {
            let text = request.send().await?.error_for_status()?.text().await?;
            Ok(serde_json::from_str(&text).unwrap())
        });
        match answered {
            Ok(run) => return run["id"].as_i64().unwrap(),
            // the server that had the request is gone
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn either_of_two_servers_can_be_killed() {
    let project =
        Project::new(Kept::Postgres, "cluster", &[("levada.yaml", "version: 1\n"), ("pipelines/work.yaml", WORK)]);
    project.told(0, &["apply"]);
    let mut first = serve(&project, 0);
    first.set_up(PASSWORD);
    let mut second = serve(&project, 0);
    let nginx = Nginx::before([port(&first), port(&second)]);
    let api = Api::at(nginx.url());
    let reply = api.post(Who::Nobody, "/api/v1/session", &json!({ "name": "anna", "password": PASSWORD }));
    reply.is(200);
    let cookie = reply.cookie();

    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let asking = ask_on(nginx.url(), cookie.clone(), stop.clone(), asked.clone());
    let listening: Vec<_> = (0..2).map(|_| listen_on(nginx.url(), cookie.clone(), stop.clone())).collect();
    let (mut runs, mut number) = (BTreeMap::new(), 0);
    let mut some = |count: u32| {
        for _ in 0..count {
            number += 1;
            let key = format!("run {number}");
            runs.insert(start(&api, &cookie, &key), key);
        }
    };
    // each goes on alone for a while, with runs that the other had begun
    some(6);
    let place = port(&first);
    first.kill();
    some(6);
    first = serve(&project, place);
    some(6);
    let place = port(&second);
    second.kill();
    some(6);
    second = serve(&project, place);
    some(2);
    for (run, key) in &runs {
        assert_eq!(api.ended(Who::Session(&cookie), *run), "succeeded", "{key}");
    }
    assert_eq!(runs.len(), 26, "each key is one run");
    let listed = api.get(Who::Session(&cookie), "/api/v1/runs?limit=1000").is(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 26, "and no other run was made");

    // both have heard of the end of all
    std::thread::sleep(Duration::from_secs(2));
    stop.store(true, Relaxed);
    let wrong = asking.join().unwrap();
    assert_eq!(wrong, [""; 0], "of {} requests: {}", asked.load(Relaxed), nginx.complaints());
    assert!(asked.load(Relaxed) > 200, "{}", asked.load(Relaxed));
    let mut cuts = 0;
    for listener in listening {
        let (heard, cut) = listener.join().unwrap();
        cuts += cut;
        let numbers: Vec<i64> = heard.iter().filter_map(|told| told["id"].as_i64()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "an event twice, or out of order: {numbers:?}");
        let ended: Vec<i64> = heard
            .iter()
            .filter(|told| told["event"]["state"] == "succeeded")
            .filter_map(|told| told["run"].as_i64())
            .collect();
        for run in runs.keys() {
            assert_eq!(ended.iter().filter(|ended| *ended == run).count(), 1, "run {run}: {ended:?}");
        }
    }
    assert!(cuts >= 2, "no socket was cut, so nothing was shown");
    drop((first, second));
}
