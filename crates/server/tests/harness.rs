//! A server over a store of its own, and a way to ask it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use levada_connectors::OffLimits;
use levada_core::config::Commands;
use levada_core::secret::Secret;
use levada_core::time::Clock;
use levada_engine::house::{Executor, Nobody, Secrets, Surroundings, SystemClock, Worker, WorkerOptions};
use levada_server::guard::Local;
use levada_server::router::router;
use levada_server::ui::Ui;
use levada_server::{App, Limits, Parts, Server};
use levada_sql::Sql;
use levada_store::{KeySource, Location, Store};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// A project with two pipelines.
pub const PROJECT: &str = "version: 1\nname: shop\nconnections:\n  here: ./data\n";
/// A pipeline of two tasks, which wait for a time that never comes in a test.
pub const NIGHTLY: &str = "# a comment\nversion: 1\nname: nightly\ntags: [money]\nparams:\n  day: { type: date, default: 2026-01-01 }\ntasks:\n  first:\n    wait: { until: 2199-01-01T00:00:00Z }\n  second:\n    after: [first]\n    wait: { until: 2199-01-01T00:00:00Z }\n";

/// A server.
pub struct Place {
    pub app: App,
    router: axum::Router,
    location: Location,
    folder: Arc<tempfile::TempDir>,
}

/// Secrets of the store, as the binary looks them up.
pub fn stored(store: Store, data: PathBuf) -> Secrets {
    Arc::new(move |name| {
        let (store, data) = (store.clone(), data.clone());
        Box::pin(async move {
            if store.secret_names().await?.iter().all(|known| known.name != name) {
                return Ok(None);
            }
            let secrets = store.unlock(&KeySource::find(&data)?).await?;
            Ok(secrets.get(&name).await?.map(|secret| secret.expose().to_owned()))
        })
    })
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Who {
    Local,
    Nobody,
    Token(String),
    Session(String),
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer, which has this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }
}

impl Place {
    pub async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::at(limits, Arc::new(SystemClock)).await
    }

    /// A server with a clock of one's own.
    pub async fn at(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let location = Location::File(folder.path().join("levada.db"));
        let store = Store::open(&location).await.unwrap();
        Self::over(store, (location, folder), limits, clock)
    }

    /// A server whose data folder, `kept` in the project's, is off limits for connections, as the binary has it.
    pub async fn kept_apart() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let data = folder.path().join("kept");
        std::fs::create_dir(&data).unwrap();
        let location = Location::File(data.join("levada.db"));
        let store = Store::open(&location).await.unwrap();
        Self::over(store, (location, folder), Limits::default(), Arc::new(SystemClock))
    }

    /// A server over a schema of its own in PostgreSQL, and over a file.
    pub async fn on_each_store(name: &str) -> [Self; 2] {
        let url = std::env::var("LEVADA_TEST_POSTGRES").expect("LEVADA_TEST_POSTGRES: run `scripts/services env`");
        let joint = if url.contains('?') { '&' } else { '?' };
        let schema = format!("server_{name}_{}", std::process::id());
        let location = Location::Url(Secret::new(format!("{url}{joint}schema={schema}")));
        let store = Store::open(&location).await.unwrap();
        // it remembers things from then on
        while store.moment().await.is_none() {
            tokio::task::yield_now().await;
        }
        let folder = Arc::new(tempfile::tempdir().unwrap());
        [Self::new().await, Self::over(store, (location, folder), Limits::default(), Arc::new(SystemClock))]
    }

    /// The same server once more.
    pub fn same(&self) -> Self {
        Self {
            app: self.app.clone(),
            router: self.router.clone(),
            location: self.location.clone(),
            folder: self.folder.clone(),
        }
    }

    /// A server of another process on the same database.
    pub async fn beside(&self) -> Self {
        let store = Store::open(&self.location).await.unwrap();
        let place = (self.location.clone(), self.folder.clone());
        Self::over(store, place, self.app.limits, self.app.clock.clone())
    }

    fn over(store: Store, place: (Location, Arc<tempfile::TempDir>), limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self::allowing(store, place, limits, clock, Commands::Enabled)
    }

    fn allowing(
        store: Store,
        (location, folder): (Location, Arc<tempfile::TempDir>),
        limits: Limits,
        clock: Arc<dyn Clock>,
        commands: Commands,
    ) -> Self {
        let kept = folder.path().join("kept");
        let (data, off_limits) = match kept.exists() {
            true => (kept.clone(), OffLimits::new([kept])),
            false => (folder.path().to_path_buf(), OffLimits::default()),
        };
        let app = Server::new(Parts {
            store: store.clone(),
            registry: levada_connectors::registry_within(Arc::default(), &off_limits)
                .with_queries(Arc::new(Sql::new())),
            clock,
            env: Arc::new(|_| None),
            secrets: stored(store.clone(), data.clone()),
            project_dir: folder.path().to_path_buf(),
            data_dir: data,
            commands,
            limits,
            oidc: None,
            ui: Ui::Folder(folder.path().join("ui")),
        });
        Self { router: router(app.clone()), app, location, folder }
    }

    /// Another server over the same store.
    pub fn again(self, limits: Limits) -> Self {
        let place = (self.location, self.folder);
        Self::over(self.app.store.clone(), place, limits, self.app.clock.clone())
    }

    /// Another server over the same store, which was started to run and accept no commands.
    pub fn without_commands(&self) -> Self {
        let place = (self.location.clone(), self.folder.clone());
        let clock = self.app.clock.clone();
        Self::allowing(self.app.store.clone(), place, self.app.limits, clock, Commands::Forbidden)
    }

    /// A server with a project.
    pub async fn with_project() -> Self {
        let place = Self::new().await;
        place.apply(&[NIGHTLY]).await;
        place
    }

    /// Applies a project with these pipelines.
    pub async fn apply(&self, pipelines: &[&str]) {
        self.apply_all(PROJECT, pipelines).await;
    }

    /// A server with a project of one's own.
    pub async fn with_documents(project: &str, pipelines: &[&str]) -> Self {
        let place = Self::new().await;
        place.apply_all(project, pipelines).await;
        place
    }

    pub async fn apply_all(&self, project: &str, pipelines: &[&str]) {
        let mut documents = vec![json!({ "path": "levada.yaml", "text": project })];
        let pipeline = |(number, text)| json!({ "path": format!("pipelines/{number}.yaml"), "text": text });
        documents.extend(pipelines.iter().enumerate().map(pipeline));
        self.put("/api/v1/project", json!({ "documents": documents })).await.is(200);
    }

    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// The text of the project's own document.
    pub async fn own_text(&self) -> String {
        let documents = self.get("/api/v1/project").await.is(200).json();
        documents["documents"][0]["text"].as_str().unwrap().to_owned()
    }

    pub async fn ask(&self, who: &Who, request: Request<Body>) -> Reply {
        let mut request = request;
        match who {
            Who::Local => drop(request.extensions_mut().insert(Local("tester".to_owned()))),
            Who::Nobody => {}
            Who::Session(cookie) => {
                request.headers_mut().insert("cookie", cookie.parse().unwrap());
                request.headers_mut().insert("x-levada-csrf", "1".parse().unwrap());
            }
            Who::Token(token) => {
                let value = format!("Bearer {token}").parse().unwrap();
                request.headers_mut().insert("authorization", value);
            }
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: head.status, headers: head.headers, body }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask(&Who::Local, Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, &[], body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, &[], body).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
        self.send_as(&Who::Local, method, path, headers, body).await
    }

    pub async fn send_as(&self, who: &Who, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.ask(who, request.body(body).unwrap()).await
    }
}

/// A path of the table, with something in place of each name.
pub fn filled(path: &str, pipeline: &str) -> String {
    let mut filled = String::new();
    for part in path.split_inclusive('}') {
        let (before, name) = part.split_once('{').unwrap_or((part, ""));
        filled.push_str(before);
        filled.push_str(match name {
            "" => "",
            // nobody's own
            "token}" => "999",
            "run}" | "task_run}" | "version}" | "backfill}" => "1",
            _ => pipeline,
        });
    }
    filled
}

/// Executes tasks for a server, until told to stop.
pub async fn work(place: &Place) -> CancellationToken {
    let app = &place.app;
    let executor = Arc::new(Executor::new(Surroundings {
        registry: app.registry.clone(),
        store: app.store.clone(),
        clock: app.clock.clone(),
        env: app.env.clone(),
        secrets: stored(app.store.clone(), app.data_dir.clone()),
        project_dir: app.project_dir.clone(),
        data_dir: app.data_dir.clone(),
        network: Arc::default(),
        commands: app.commands,
        own: false,
        observer: Arc::new(Nobody),
    }));
    let options = WorkerOptions {
        name: "tester".to_owned(),
        slots: 4,
        labels: vec!["here".to_owned()],
        own: false,
        drain: Duration::from_secs(1),
    };
    let stop = CancellationToken::new();
    let worker = Worker::sign_on(app.store.clone(), app.clock.clone(), executor, options).await.unwrap();
    tokio::spawn(worker.work(stop.clone(), stop.clone()));
    stop
}
