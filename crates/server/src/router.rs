//! Every route with its rule: the one table that the server, the OpenAPI document and the test of the matrix are made from.
//! Below `/v1` the applied project says what is served, with rules of its own; any other path is a page, or nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawPathParams, Request};
use axum::http::Method;
use axum::routing::any;
use levada_core::access::Role::{Admin, Editor, Operator, Viewer};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::App;
use crate::guard::{self, Operations};
use crate::live::{socket, stream};
use crate::openapi;
use crate::problem::{Details, Problem};
use crate::route::Rule::{self, Metrics, Pipeline, Public, Role, Signed};
use crate::route::{Call, Output, Route, line};
use crate::routes::{
    artifacts, audit, backfills, browse, connections, connectors, datasets, files, health, lineage, logs, oidc,
    openlineage, overview, pipeline_list, pipelines, plans, positions, project, quality, quarantine, query, recent,
    recent_lines, runs, schedules, search, secrets, served, session, sessions, settings, streams, tokens, users,
    validate, workers,
};

/// The routes, and the schemas that they refer to.
pub struct Table {
    /// Every operation.
    pub routes: Vec<Route>,
    /// Schemas by name.
    pub schemas: Map<String, Value>,
}

/// Lines being collected.
struct Lines {
    routes: Vec<Route>,
    generator: SchemaGenerator,
}

/// All operations.
pub fn table() -> Table {
    let mut lines = Lines { routes: Vec::new(), generator: SchemaGenerator::new(openapi::settings()) };
    about(&mut lines);
    of_users(&mut lines);
    of_pipelines(&mut lines);
    of_runs(&mut lines);
    of_connections(&mut lines);
    of_schedules(&mut lines);
    of_datasets(&mut lines);
    of_the_house(&mut lines);
    lines.generator.subschema_for::<Details>();
    Table { routes: lines.routes, schemas: lines.generator.take_definitions(true) }
}

fn about(lines: &mut Lines) {
    lines.get("isAlive", "/healthz", Public, "Whether the process answers", health::alive);
    lines.get("isReady", "/readyz", Public, "Whether the metadata store answers", health::ready);
    lines.get("getMetrics", "/metrics", Metrics, "Figures in the text format of Prometheus", health::metrics);
    lines.get("getOpenApi", "/api/v1/openapi.json", Signed, "This document", health::openapi);
    lines.get("getOverview", "/api/v1/overview", Role(Viewer), "What goes on, in short", overview::get);
}

fn of_users(lines: &mut Lines) {
    lines.post("setUp", "/api/v1/setup", Public, "Make the first administrator", session::set_up);
    lines.get("getWaysIn", "/api/v1/ways-in", Public, "How people can sign in", oidc::ways);
    lines.get("startOidc", "/api/v1/oidc/start", Public, "Go to the provider to sign in", oidc::start);
    let path = crate::auth::oidc::CALLBACK_PATH;
    lines.get("finishOidc", path, Public, "Come back from the provider", oidc::callback);
    lines.get("getSession", "/api/v1/session", Signed, "Who asks, and what they may do", session::get);
    lines.post("signIn", "/api/v1/session", Public, "Sign in", session::sign_in);
    lines.delete("signOut", "/api/v1/session", Signed, "Sign out", session::sign_out);
    let path = "/api/v1/session/password";
    lines.put("changePassword", path, Signed, "Change one's own password", session::change_password);
    let path = "/api/v1/sessions";
    lines.get("listSessions", path, Signed, "Where one is signed in", sessions::list);
    lines.delete("endSessions", path, Signed, "Sign out everywhere", sessions::end_all);
    lines.delete("endSession", "/api/v1/sessions/{session}", Signed, "End a session of one's own", sessions::end);
    lines.get("listUsers", "/api/v1/users", Role(Admin), "Users", users::list);
    lines.post("createUser", "/api/v1/users", Role(Admin), "Make a user", users::create);
    lines.get("getUser", "/api/v1/users/{user}", Role(Admin), "A user", users::get);
    lines.last(Route::versioned);
    lines.patch("updateUser", "/api/v1/users/{user}", Role(Admin), "Change a user", users::update);
    lines.last(|line| line.conditional().versioned());
    lines.delete("removeUser", "/api/v1/users/{user}", Role(Admin), "Remove a user", users::remove);
    lines.last(Route::conditional);
    let path = "/api/v1/users/{user}/sessions";
    lines.get("listSessionsOf", path, Role(Admin), "Where a user is signed in", sessions::list_of);
    lines.delete("endSessionsOf", path, Role(Admin), "Sign a user out everywhere", sessions::end_all_of);
    let path = "/api/v1/users/{user}/sessions/{session}";
    lines.delete("endSessionOf", path, Role(Admin), "End a session of a user", sessions::end_of);
    lines.get("listTokens", "/api/v1/tokens", Signed, "API tokens", tokens::list);
    lines.post("createToken", "/api/v1/tokens", Signed, "Make an API token", tokens::create);
    lines.delete("removeToken", "/api/v1/tokens/{token}", Signed, "Remove an API token", tokens::remove);
    lines.get("listAudit", "/api/v1/audit", Role(Admin), "The audit log, the newest line first", audit::list);
    let path = "/api/v1/audit/verify";
    lines.get("verifyAudit", path, Role(Admin), "Whether the audit log is as it was written", audit::verify);
}

fn of_pipelines(lines: &mut Lines) {
    lines.get("getProject", "/api/v1/project", Role(Viewer), "The applied documents", project::get);
    lines.last(Route::versioned);
    lines.put("applyProject", "/api/v1/project", Role(Editor), "Apply documents, all or none", project::put);
    lines.last(|line| line.conditional().large());
    lines.post("validateDocument", "/api/v1/validate", Role(Editor), "Check a document by itself", validate::validate);
    lines.get("listPipelines", "/api/v1/pipelines", Role(Viewer), "Pipelines", pipeline_list::list);
    let path = "/api/v1/pipelines/{pipeline}";
    lines.get("getPipeline", path, Role(Viewer), "The document of a pipeline", pipelines::get);
    lines.last(|line| line.versioned().kept());
    lines.put("putPipeline", path, Pipeline(Editor), "Make or change a pipeline", pipelines::put);
    lines.last(|line| line.conditional().versioned().yaml());
    lines.delete("deletePipeline", path, Pipeline(Editor), "Take a pipeline out; its runs stay", pipelines::delete);
    lines.last(Route::conditional);
    let path = "/api/v1/pipelines/{pipeline}/graph";
    lines.get("getPipelineGraph", path, Role(Viewer), "The structure that runs follow", pipelines::graph);
    lines.last(Route::kept);
    let path = "/api/v1/pipelines/{pipeline}/versions";
    lines.get("listPipelineVersions", path, Role(Viewer), "Versions of the document", pipelines::versions);
    lines.last(Route::kept);
    let path = "/api/v1/pipelines/{pipeline}/versions/{version}";
    lines.get("getPipelineVersion", path, Role(Viewer), "A version of the document", pipelines::version);
    lines.last(|line| line.versioned().kept());
    let path = "/api/v1/pipelines/{pipeline}/diff";
    lines.post("diffPipeline", path, Role(Viewer), "Compare a document with the pipeline's", pipelines::diff);
    lines.last(Route::yaml);
    let path = "/api/v1/pipelines/{pipeline}/validate";
    lines.post("validatePipeline", path, Pipeline(Editor), "Check a document, and change nothing", pipelines::validate);
    lines.last(Route::yaml);
    let path = "/api/v1/pipelines/{pipeline}/pause";
    lines.post("pausePipeline", path, Pipeline(Operator), "Let nothing of a pipeline start", pipelines::pause);
    let path = "/api/v1/pipelines/{pipeline}/resume";
    lines.post("resumePipeline", path, Pipeline(Operator), "Let a paused pipeline go on", pipelines::resume);
    let path = "/api/v1/pipelines/{pipeline}/plan";
    lines.post(
        "planPipeline",
        path,
        Pipeline(Operator),
        "What a run would do, told before anything moves",
        plans::plan,
    );
    let path = "/api/v1/pipelines/{pipeline}/positions";
    lines.get("listPositions", path, Role(Viewer), "What destinations remember of a pipeline's streams", plans::list);
    let path = "/api/v1/pipelines/{pipeline}/streams";
    lines.get("listPipelineStreams", path, Role(Viewer), "How far the streams of a pipeline are", streams::list);
    let path = "/api/v1/pipelines/{pipeline}/positions/reset";
    lines.post("resetPosition", path, Pipeline(Editor), "Load a stream from the start next time", plans::reset);
    lines.get("listRecentRuns", "/api/v1/recent-runs", Role(Viewer), "The last runs of every pipeline", recent::list);
    let path = "/api/v1/pipelines/{pipeline}/runs";
    lines.post("startRun", path, Pipeline(Operator), "Start a run", runs::start);
    lines.last(Route::once);
}

fn of_runs(lines: &mut Lines) {
    lines.get("listRuns", "/api/v1/runs", Role(Viewer), "Runs, the newest first", runs::list);
    lines.last(Route::kept);
    lines.get("getRun", "/api/v1/runs/{run}", Role(Viewer), "A run", runs::get);
    lines.last(Route::kept);
    lines.get("listTasks", "/api/v1/runs/{run}/tasks", Role(Viewer), "The tasks of a run", runs::tasks);
    lines.last(Route::kept);
    let path = "/api/v1/runs/{run}/tasks/{task}/items";
    lines.get("listItems", path, Role(Viewer), "The items of a task", runs::items);
    lines.last(Route::kept);
    lines.get("listEvents", "/api/v1/runs/{run}/events", Role(Viewer), "The history of a run", runs::events);
    lines.last(Route::kept);
    lines.get("whyRun", "/api/v1/runs/{run}/why", Role(Viewer), "What a run waits for", runs::why);
    lines.post("cancelRun", "/api/v1/runs/{run}/cancel", Pipeline(Operator), "Cancel a run", runs::cancel);
    lines.post("retryRun", "/api/v1/runs/{run}/retry", Pipeline(Operator), "Try a run again", runs::retry);
    lines.last(Route::once);
    let path = "/api/v1/runs/{run}/logs";
    lines.get("readLog", path, Role(Viewer), "Lines of the log of a task", logs::read);
    let path = "/api/v1/runs/{run}/logs/download";
    lines.get("downloadLog", path, Role(Viewer), "The log of a task as a file", logs::download);
    let path = "/api/v1/logs/recent";
    lines.get("listRecentLines", path, Role(Viewer), "The last lines of all logs", recent_lines::list);
    lines.get("listen", "/api/v1/events", Role(Viewer), "Live events over a WebSocket", socket::open);
    lines.get("streamEvents", "/api/v1/events/stream", Role(Viewer), "Live events, server-sent", stream::open);
    let path = "/api/v1/runs/{run}/artifacts";
    lines.get("listArtifacts", path, Role(Viewer), "The files that the tasks of a run left", artifacts::list);
    let path = "/api/v1/runs/{run}/artifacts/download";
    lines.get("downloadArtifact", path, Role(Viewer), "A file that a task of a run left", artifacts::download);
    let path = "/api/v1/runs/{run}/quarantine";
    lines.get(
        "listQuarantine",
        path,
        Role(Viewer),
        "The streams of a run with rows in the quarantine",
        quarantine::streams,
    );
    let path = "/api/v1/runs/{run}/quarantine/rows";
    lines.get("readQuarantine", path, Pipeline(Editor), "Rows that a run could not load", quarantine::rows);
    let path = "/api/v1/runs/{run}/quarantine/replay";
    lines.post("replayQuarantine", path, Pipeline(Operator), "Load rows of the quarantine again", quarantine::replay);
    let path = "/api/v1/task-runs/{task_run}/why";
    lines.get("whyTask", path, Role(Viewer), "What a task run waits for", runs::why_task);
}

fn of_connections(lines: &mut Lines) {
    let path = "/api/v1/connectors";
    lines.get("listConnectors", path, Role(Viewer), "The kinds of systems that can be connected", connectors::list);
    let path = "/api/v1/connectors/{connector}";
    lines.get("getConnector", path, Role(Viewer), "A kind of system, with the schema of its settings", connectors::get);
    let path = "/api/v1/connections";
    lines.get("listConnections", path, Role(Viewer), "Connections, without their secrets", connections::list);
    let path = "/api/v1/connections/{connection}";
    lines.get("getConnection", path, Role(Viewer), "A connection, without its secrets", connections::get);
    lines.last(Route::versioned);
    lines.put("putConnection", path, Role(Editor), "Make or change a connection", connections::put);
    lines.last(|line| line.conditional().versioned());
    lines.delete("deleteConnection", path, Role(Editor), "Take a connection out that nobody uses", connections::delete);
    lines.last(Route::conditional);
    let path = "/api/v1/connections/{connection}/test";
    lines.post("testConnection", path, Role(Operator), "Try a connection step by step", browse::test);
    let path = "/api/v1/connection-test";
    lines.post("testSettings", path, Role(Editor), "Try settings that are not saved", browse::test_unsaved);
    let path = "/api/v1/connections/{connection}/streams";
    lines.get("listStreams", path, Role(Editor), "The streams behind a connection", browse::streams);
    let path = "/api/v1/connections/{connection}/preview";
    lines.get("previewStream", path, Role(Editor), "The first rows of a stream", browse::preview);
    let path = "/api/v1/connections/{connection}/files";
    lines.get("listFiles", path, Role(Editor), "The files behind a connection", files::list);
    let path = "/api/v1/connections/{connection}/files/download";
    lines.get("downloadFile", path, Role(Editor), "A file behind a connection", files::download);
    lines.get("getQueryLimits", "/api/v1/query", Role(Editor), "What queries may take", query::limits);
    let summary = "The answer to a query over connections, or the whole of it as a file";
    lines.post("runQuery", "/api/v1/query", Role(Editor), summary, query::run);
    lines.last(Route::query);
    lines.get("listCollections", "/api/v1/collections", Role(Viewer), "Tables that are served", served::collections);
    lines.get("listReports", "/api/v1/reports", Role(Viewer), "Queries that are served", served::reports);
    let path = "/api/v1/connections/{connection}/positions";
    lines.get("listPositionsIn", path, Role(Viewer), "What a connection remembers of streams", positions::list);
    let path = "/api/v1/connections/{connection}/positions/reset";
    lines.post("resetPositionsIn", path, Role(Editor), "Load streams from the start next time", positions::reset);
}

fn of_schedules(lines: &mut Lines) {
    lines.get("listSchedules", "/api/v1/schedules", Role(Viewer), "What starts pipelines by itself", schedules::list);
    let path = "/api/v1/schedules/preview";
    lines.post("previewSchedule", path, Role(Viewer), "When a schedule would fire", schedules::preview_unsaved);
    let path = "/api/v1/pipelines/{pipeline}/schedules/{schedule}/preview";
    lines.get("listFires", path, Role(Viewer), "When a schedule fires next", schedules::preview);
    let path = "/api/v1/pipelines/{pipeline}/schedules/{schedule}/pause";
    lines.post("pauseSchedule", path, Pipeline(Operator), "Keep a schedule from firing", schedules::pause);
    let path = "/api/v1/pipelines/{pipeline}/schedules/{schedule}/resume";
    lines.post("resumeSchedule", path, Pipeline(Operator), "Let a paused schedule fire again", schedules::resume);
    lines.get("listBackfills", "/api/v1/backfills", Role(Viewer), "Backfills, the newest first", backfills::list);
    lines.get("getBackfill", "/api/v1/backfills/{backfill}", Role(Viewer), "A backfill", backfills::get);
    let path = "/api/v1/pipelines/{pipeline}/backfills";
    lines.post("makeBackfill", path, Pipeline(Operator), "One run for every instant of a range", backfills::make);
    lines.last(Route::once);
    let path = "/api/v1/backfills/{backfill}/pause";
    lines.post("pauseBackfill", path, Pipeline(Operator), "Start no further runs of a backfill", backfills::pause);
    let path = "/api/v1/backfills/{backfill}/resume";
    lines.post("resumeBackfill", path, Pipeline(Operator), "Let a paused backfill go on", backfills::resume);
    let path = "/api/v1/backfills/{backfill}/cancel";
    lines.post("cancelBackfill", path, Pipeline(Operator), "Cancel a backfill with its open runs", backfills::cancel);
}

/// Roles by tag are about pipelines; what is written about datasets is everybody's, and takes the role everywhere.
fn of_datasets(lines: &mut Lines) {
    lines.get(
        "listDatasets",
        "/api/v1/datasets",
        Role(Viewer),
        "Tables, topics and paths that runs met",
        datasets::list,
    );
    lines.last(Route::kept);
    let path = "/api/v1/datasets/{dataset}";
    lines.get("getDataset", path, Role(Viewer), "A dataset with its columns", datasets::get);
    lines.last(|line| line.versioned().kept());
    let summary = "Change what is written about a dataset";
    lines.patch("updateDataset", path, Role(Editor), summary, datasets::update);
    lines.last(|line| line.conditional().versioned());
    let summary = "Forget a dataset until a run meets it again; the data stays";
    lines.delete("removeDataset", path, Role(Editor), summary, datasets::remove);
    lines.last(Route::conditional);
    let path = "/api/v1/datasets/{dataset}/schemas";
    lines.get("listDatasetSchemas", path, Role(Viewer), "How the columns of a dataset changed", datasets::schemas);
    lines.last(Route::kept);
    let path = "/api/v1/datasets/{dataset}/loads";
    lines.get("listDatasetLoads", path, Role(Viewer), "The last loads of a dataset", datasets::loads);
    lines.last(Route::kept);
    let path = "/api/v1/datasets/{dataset}/lineage";
    lines.get("getLineage", path, Role(Viewer), "What a dataset is made from, and what from it", lineage::get);
    lines.last(Route::kept);
    let path = "/api/v1/lineage";
    lines.post(
        "takeLineage",
        path,
        Role(Editor),
        "Keep what others tell of their runs: OpenLineage",
        openlineage::take,
    );
    let path = "/api/v1/lineage/receivers";
    lines.get(
        "listLineageReceivers",
        path,
        Role(Viewer),
        "Who is told of runs here, and how far",
        openlineage::receivers,
    );
    let path = "/api/v1/runs/{run}/datasets";
    lines.get("listRunDatasets", path, Role(Viewer), "The datasets that a run loaded", datasets::of_run);
    lines.last(Route::kept);
    let path = "/api/v1/datasets/{dataset}/tests";
    lines.get("listDatasetTests", path, Role(Viewer), "What tests of a dataset found", quality::of_dataset);
    lines.last(Route::kept);
    let path = "/api/v1/runs/{run}/tests";
    lines.get("listRunTests", path, Role(Viewer), "What tests found in a run", quality::of_run);
    lines.last(Route::kept);
    let path = "/api/v1/runs/{run}/tests/rows";
    lines.get("listFailingRows", path, Pipeline(Editor), "Rows that break the rule of a test", quality::failing);
}

fn of_the_house(lines: &mut Lines) {
    lines.get("listWorkers", "/api/v1/workers", Role(Viewer), "Who executes tasks", workers::list);
    lines.get("listPools", "/api/v1/pools", Role(Viewer), "Pools, and who holds their slots", workers::pools);
    lines.get("listSecrets", "/api/v1/secrets", Role(Editor), "The names of stored secrets", secrets::list);
    let path = "/api/v1/secrets/{secret}";
    lines.put("setSecret", path, Role(Admin), "Keep a secret", secrets::set);
    lines.delete("removeSecret", path, Role(Admin), "Remove a secret", secrets::delete);
    let path = "/api/v1/master-key";
    lines.post("rotateSecrets", path, Role(Admin), "Seal every secret under a new master key", secrets::rotate);
    lines.get("getSettings", "/api/v1/settings", Role(Admin), "What is configured", settings::get);
    lines.get(
        "search",
        "/api/v1/search",
        Role(Viewer),
        "Pipelines, connections, datasets and runs by name",
        search::search,
    );
}

/// What answers requests.
pub fn router(app: App) -> axum::Router {
    let mut paths: BTreeMap<&'static str, Vec<Route>> = BTreeMap::new();
    for route in table().routes {
        paths.entry(route.path).or_default().push(route);
    }
    let mut router = axum::Router::new();
    for (path, routes) in paths {
        let (app, known) = (app.clone(), Operations::Fixed(Arc::new(routes)));
        let answer = move |params: RawPathParams, request: Request| {
            let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            guard::handle(app.clone(), known.clone(), params, request)
        };
        router = router.route(path, any(answer));
    }
    // what is served below is said by the project; each of it has its rule as well, and passes the same guard
    let served = app.clone();
    let data = any(move |request: Request| {
        let path = vec![("path".to_owned(), request.uri().path().to_owned())];
        guard::handle(served.clone(), Operations::Served, path, request)
    });
    let pages = move |request: Request| async move { crate::ui::answer(&app.ui, &request) };
    router.route(crate::data::PATH, data).fallback(pages)
}

impl Lines {
    fn add<I, O, F, R>(
        &mut self,
        method: Method,
        line_of: (&'static str, &'static str, Rule, &'static str),
        operation: F,
    ) where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Output,
        F: Fn(Call<I>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<O, Problem>> + Send + 'static,
    {
        self.routes.push(line(&mut self.generator, method, line_of, operation));
    }

    /// Changes the line that was added last.
    fn last(&mut self, change: impl FnOnce(Route) -> Route) {
        let line = self.routes.pop().map(change);
        self.routes.extend(line);
    }
}

macro_rules! methods {
    ($($name:ident $method:ident)*) => {$(
        impl Lines {
            fn $name<I, O, F, R>(
                &mut self,
                id: &'static str,
                path: &'static str,
                rule: Rule,
                summary: &'static str,
                operation: F,
            ) where
                I: DeserializeOwned + JsonSchema + Send + 'static,
                O: Output,
                F: Fn(Call<I>) -> R + Clone + Send + Sync + 'static,
                R: Future<Output = Result<O, Problem>> + Send + 'static,
            {
                self.add(Method::$method, (id, path, rule, summary), operation);
            }
        }
    )*};
}

methods! { get GET post POST put PUT patch PATCH delete DELETE }
