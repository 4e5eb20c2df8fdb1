//! `levada serve` as its callers see it: over HTTP, with what it prints.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, redirect};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A server that is stopped at the end, and what it printed.
pub struct Api {
    pub url: String,
    pub printed: Arc<Mutex<String>>,
    pub runtime: Runtime,
    http: Client,
    child: Option<Child>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    Nobody,
    Token(&'a str),
    Session(&'a str),
}

/// An answer: its status, its headers as lines, its body.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Reply {
    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The cookie that it sets.
    pub fn cookie(&self) -> String {
        let line = self.headers.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        line.split(';').next().unwrap().to_owned()
    }
}

impl Api {
    /// Starts a server with this command, which is `levada serve --port 0 ..`.
    pub fn serve(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let (printed, lines) = (Arc::new(Mutex::new(String::new())), child.stderr.take().unwrap());
        let keep = printed.clone();
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(lines).lines().map_while(Result::ok) {
                keep.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let mut api = Self::at(String::new());
        api.printed = printed;
        api.child = Some(child);
        api.url = api.told("the address", |printed| {
            let line = printed.lines().find_map(|line| line.strip_prefix("ready: "))?;
            Some(line.trim_end_matches("/healthz").to_owned())
        });
        api
    }

    /// Whoever answers at an address.
    pub fn at(url: String) -> Self {
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
        Self { url, printed: Arc::default(), runtime: Runtime::new().unwrap(), http, child: None }
    }

    /// Waits until it has printed something.
    pub fn told<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(found) = find(&self.printed.lock().unwrap()) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} was not printed: {}", self.printed.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The secret of the link by which the first administrator is made.
    pub fn link(&self) -> String {
        self.told("the link", |printed| Some(printed.split_once("/setup#")?.1.split_once('\n')?.0.to_owned()))
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn send(&self, who: Who<'_>, method: &str, path: &str, body: Option<(&str, &str)>) -> Reply {
        self.try_send(who, method, path, body).unwrap()
    }

    pub fn try_send(
        &self,
        who: Who<'_>,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
    ) -> reqwest::Result<Reply> {
        let mut request =
            self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.url));
        request = match who {
            Who::Nobody => request,
            Who::Token(token) => request.bearer_auth(token),
            Who::Session(cookie) => request.header("cookie", cookie).header("x-levada-csrf", "1"),
        };
        if let Some((media_type, body)) = body {
            request = request.header("content-type", media_type).body(body.to_owned());
        }
        self.runtime.block_on(async {
            let mut response = request.timeout(Duration::from_secs(40)).send().await?;
            let headers = response.headers().iter();
            let headers =
                headers.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
            let (status, headers) = (response.status().as_u16(), headers.collect());
            // of a stream of events what comes in a moment
            let (mut bytes, deadline) = (Vec::new(), tokio::time::Instant::now() + Duration::from_secs(2));
            let is_stream = path.contains("/events/stream");
            loop {
                let chunk = match is_stream {
                    true => match tokio::time::timeout_at(deadline, response.chunk()).await {
                        Ok(chunk) => chunk?,
                        Err(_) => None,
                    },
                    false => response.chunk().await?,
                };
                let Some(chunk) = chunk else { break };
                bytes.extend_from_slice(&chunk);
            }
            Ok(Reply { status, headers, body: String::from_utf8_lossy(&bytes).into_owned() })
        })
    }

    pub fn get(&self, who: Who<'_>, path: &str) -> Reply {
        self.send(who, "GET", path, None)
    }

    pub fn post(&self, who: Who<'_>, path: &str, body: &Value) -> Reply {
        self.send(who, "POST", path, Some(("application/json", &body.to_string())))
    }

    /// Makes the first administrator, and answers the cookie of the session.
    pub fn set_up(&self, password: &str) -> String {
        let body = json!({ "secret": self.link(), "name": "anna", "password": password });
        let reply = self.post(Who::Nobody, "/api/v1/setup", &body);
        reply.is(200);
        reply.cookie()
    }

    /// A token for somebody with a session, that may do no more than this role.
    pub fn token(&self, session: &str, role: &str) -> String {
        let made = self.post(Who::Session(session), "/api/v1/tokens", &json!({ "name": role, "role": role })).is(201);
        made["text"].as_str().unwrap().to_owned()
    }

    /// Makes a user, and answers the cookie of a session of theirs.
    pub fn user(&self, admin: &str, name: &str, role: &str, password: &str) -> String {
        let new = json!({ "name": name, "role": role, "password": password });
        self.post(Who::Session(admin), "/api/v1/users", &new).is(201);
        let body = json!({ "name": name, "password": password });
        let reply = self.post(Who::Nobody, "/api/v1/session", &body);
        reply.is(200);
        reply.cookie()
    }

    /// Starts a run, and answers its number.
    pub fn start(&self, who: Who<'_>, pipeline: &str) -> i64 {
        let made = self.post(who, &format!("/api/v1/pipelines/{pipeline}/runs"), &json!({})).is(201);
        made["id"].as_i64().unwrap()
    }

    /// Waits for the end of a run, and answers how it ended.
    pub fn ended(&self, who: Who<'_>, run: i64) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let state = self.get(who, &format!("/api/v1/runs/{run}")).is(200)["state"].as_str().unwrap().to_owned();
            if !matches!(state.as_str(), "queued" | "running") {
                return state;
            }
            assert!(Instant::now() < deadline, "run {run} does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
