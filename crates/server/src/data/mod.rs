//! Collections and reports over HTTP, as the applied project says: which path leads to which of them, and who may do what
//! there. Every request passes the guard with the rules of what its path names.

mod bulk;
pub(crate) mod csv;
mod describe;
pub(crate) mod reports;
mod rows;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use levada_core::access::Role;
use levada_core::config::{self, Collection, Report};
use levada_core::error::{Error, ErrorKind};
use levada_core::redact::Redactor;
use levada_core::rows::{Rows, Tables};
use levada_store::{Document, Moment};
use tokio::sync::OnceCell;

use crate::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::remembered::Remembered;
use crate::route::{Route, Rule, Shape, Takes};

/// Where collections and reports are served.
pub(crate) const PATH: &str = "/v1/{*path}";
const PREFIX: &str = "/v1/";
/// Media types of rows that come as a stream.
const STREAMS: &[&str] = &[csv::MEDIA_TYPE, bulk::LINES];

/// What is served, as the project that was applied last says.
pub(crate) struct Data {
    serving: Mutex<Option<Arc<Serving>>>,
    /// The version of the project's document.
    version: Remembered<(), Option<i64>>,
}

/// What a version of the project serves.
pub(crate) struct Serving {
    document: Option<Document>,
    collections: Vec<Collection>,
    reports: Vec<Report>,
    places: HashMap<String, Place>,
}

/// A connection that is served from.
struct Place {
    tables: Tables,
    opened: OnceCell<(Arc<dyn Rows>, Redactor)>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Rows(usize),
    Row(usize, String),
    Bulk(usize),
    Restore(usize, String),
    Report(usize),
}

/// A request to what a path leads to, by somebody who may.
struct Ask {
    app: App,
    serving: Arc<Serving>,
    head: Parts,
    /// A body can be read by one only, and the rest of the request by many.
    body: Mutex<Body>,
}

type Handler = Arc<dyn Fn(App, Caller, Request, Vec<(String, String)>) -> BoxFuture<'static, Response> + Send + Sync>;

/// A line without an operation.
fn bare(id: &'static str, method: Method, rule: Rule, summary: &'static str) -> Route {
    let answer = Shape { status: StatusCode::OK, content: Vec::new(), etag: false };
    let handler: Handler = Arc::new(|_, _, _, _| Box::pin(async { StatusCode::NOT_FOUND.into_response() }));
    Route {
        id,
        method,
        path: PATH,
        rule,
        summary,
        takes: Takes::default(),
        fields: Vec::new(),
        answer,
        is_kept: false,
        is_query: false,
        handler,
    }
}

impl Data {
    /// Nothing was asked for yet.
    pub fn new() -> Self {
        Self { serving: Mutex::default(), version: Remembered::new(1) }
    }

    /// The operations at a path, for somebody who is known: others are not told what is there and what is not.
    pub async fn routes(&self, app: &App, moment: Option<Moment>, path: &str) -> Result<Arc<Vec<Route>>, Problem> {
        let serving = self.serving(app, moment).await?;
        let target = serving.target(path);
        let target = target.ok_or_else(|| Problem::NotFound("There is nothing at this path.".to_owned()))?;
        Ok(Arc::new(serving.routes(&target)))
    }

    /// What is served now: read when another version of the project was applied.
    async fn serving(&self, app: &App, moment: Option<Moment>) -> Result<Arc<Serving>, Problem> {
        let version = match self.version.get(moment, &()) {
            Some(version) => version,
            None => app.store.project_document_id().await?,
        };
        self.version.put(moment, (), version, 1);
        let known = self.serving.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.id() == version) {
            return Ok(known);
        }
        let document = app.store.project_document().await?;
        let project = match &document {
            Some(document) => config::Project::of([&*app.documents.file(document)?]),
            None => config::Project::default(),
        };
        let mut places = HashMap::new();
        for connection in
            project.collections.iter().map(|c| &c.connection).chain(project.reports.iter().map(|r| &r.connection))
        {
            let tables = Collection::tables(&project.collections, connection);
            places.insert(connection.clone(), Place { tables, opened: OnceCell::new() });
        }
        let (collections, reports) = (project.collections, project.reports);
        let serving = Arc::new(Serving { document, collections, reports, places });
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(serving.clone());
        Ok(serving)
    }

    /// Forgets connections, which are opened again when they are used.
    fn forget(&self) {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Adds what is served to the description of the API.
    pub async fn describe(&self, app: &App, document: &mut serde_json::Value) -> Result<(), Problem> {
        let serving = self.serving(app, None).await?;
        describe::add(document, &serving.collections, &serving.reports);
        Ok(())
    }
}

impl Serving {
    /// The version of the project's document.
    fn id(&self) -> Option<i64> {
        self.document.as_ref().map(|document| document.id)
    }

    /// The collection that a path leads to, or to something of.
    fn collection_at(&self, path: &str) -> Option<&Collection> {
        match self.target(path)? {
            Target::Rows(at) | Target::Row(at, _) | Target::Bulk(at) | Target::Restore(at, _) => {
                self.collections.get(at)
            }
            Target::Report(_) => None,
        }
    }

    /// What a path leads to.
    fn target(&self, path: &str) -> Option<Target> {
        let path = path.strip_prefix(PREFIX)?;
        if let Some(report) = self.reports.iter().position(|report| report.path == path) {
            return Some(Target::Report(report));
        }
        let (at, rest) = self.collections.iter().enumerate().find_map(|(at, collection)| {
            let rest = path.strip_prefix(collection.path.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((at, rest))
        })?;
        let Some(rest) = rest.strip_prefix('/') else { return Some(Target::Rows(at)) };
        let key = |part: &str| {
            let decoded = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
            (!decoded.is_empty()).then(|| decoded.into_owned())
        };
        match rest.split('/').collect::<Vec<_>>().as_slice() {
            ["bulk"] => Some(Target::Bulk(at)),
            [part] => Some(Target::Row(at, key(part)?)),
            [part, "restore"] => Some(Target::Restore(at, key(part)?)),
            _ => None,
        }
    }

    /// The operations at a path, each with who may.
    fn routes(self: &Arc<Self>, target: &Target) -> Vec<Route> {
        let access = |at: usize| self.collections.get(at).map(|collection| collection.access);
        match target {
            Target::Rows(at) => {
                let (Some(access), at) = (access(*at), *at) else { return Vec::new() };
                vec![
                    self.route("listRows", Method::GET, access.read, "Rows", move |ask| rows::list(ask, at)),
                    self.route("addRow", Method::POST, access.write, "Add a row", move |ask| rows::add(ask, at)),
                ]
            }
            Target::Row(at, key) => {
                let (Some(access), at) = (access(*at), *at) else { return Vec::new() };
                let keys = [key.clone(), key.clone(), key.clone(), key.clone()];
                let [get, put, patch, delete] = keys;
                vec![
                    self.route("getRow", Method::GET, access.read, "A row", move |ask| rows::get(ask, at, get.clone())),
                    self.route("replaceRow", Method::PUT, access.write, "Replace a row", move |ask| {
                        rows::change(ask, at, put.clone(), true)
                    }),
                    self.route("changeRow", Method::PATCH, access.write, "Change a row", move |ask| {
                        rows::change(ask, at, patch.clone(), false)
                    }),
                    self.route("deleteRow", Method::DELETE, access.delete, "Delete a row", move |ask| {
                        rows::delete(ask, at, delete.clone())
                    }),
                ]
            }
            Target::Restore(at, key) => {
                let (Some(access), at, key) = (access(*at), *at, key.clone()) else { return Vec::new() };
                let restore = move |ask| rows::restore(ask, at, key.clone());
                vec![self.route("restoreRow", Method::POST, access.write, "Restore a row", restore)]
            }
            Target::Bulk(at) => {
                let (Some(access), at) = (access(*at), *at) else { return Vec::new() };
                let mut routes = self.routes(&Target::Row(at, "bulk".to_owned()));
                let mut bulk =
                    self.route("addRows", Method::POST, access.write, "Add many rows", move |ask| bulk::add(ask, at));
                bulk.takes.stream = STREAMS;
                routes.push(bulk);
                routes
            }
            Target::Report(at) => {
                let (Some(report), at) = (self.reports.get(*at), *at) else { return Vec::new() };
                vec![self.route("getReport", Method::GET, report.access, "A report", move |ask| reports::get(ask, at))]
            }
        }
    }

    /// An operation; one that changes rows of a collection tells those who listen.
    fn route<R>(
        self: &Arc<Self>,
        id: &'static str,
        method: Method,
        role: Role,
        summary: &'static str,
        operation: impl Fn(Ask) -> R + Clone + Send + Sync + 'static,
    ) -> Route
    where
        R: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let (serving, is_change) = (self.clone(), method != Method::GET);
        let handler: Handler = Arc::new(move |app, caller, request, _| {
            let (serving, operation) = (serving.clone(), operation.clone());
            // where the data lies is in the project's document, which readers of the data need not be shown
            let sees_places = caller.role >= Role::Editor;
            Box::pin(async move {
                let (head, body) = request.into_parts();
                let (hub, path) = (app.hub.clone(), head.uri.path().to_owned());
                let ask = Ask { app, serving: serving.clone(), head, body: Mutex::new(body) };
                let done = operation(ask).await;
                let done = done.map_err(|problem| if sees_places { problem } else { problem.without_places() });
                let done = done.unwrap_or_else(IntoResponse::into_response);
                if is_change && done.status().is_success() {
                    serving.collection_at(&path).into_iter().for_each(|found| hub.tell_rows(&found.table.name));
                }
                done
            })
        });
        Route { handler, ..bare(id, method, Rule::Role(role), summary) }
    }

    /// The tables of a connection, opened and made when they are first asked for.
    async fn place(&self, app: &App, connection: &str) -> Result<(&Tables, Arc<dyn Rows>), Problem> {
        let missing = || Error::new(ErrorKind::Internal, format!("nothing is served from `{connection}`"));
        let place = self.places.get(connection).ok_or_else(missing)?;
        let open = async {
            let (opened, redactor) = self.open(app, connection).await?;
            opened.ensure(&place.tables).await.map_err(|error| redactor.error(error))?;
            Ok::<_, Problem>((opened, redactor))
        };
        Ok((&place.tables, place.opened.get_or_try_init(|| open).await?.0.clone()))
    }

    async fn open(&self, app: &App, connection: &str) -> Result<(Arc<dyn Rows>, Redactor), Problem> {
        let document = self.document.as_ref().ok_or_else(|| Problem::no("connection", connection))?;
        let file = app.documents.file(document)?;
        let found = file.connections.iter().find(|known| known.name == connection);
        let found = found.ok_or_else(|| Problem::no("connection", connection))?;
        let (opened, redactor) = app.open_of_project(found).await?;
        let rows = opened.connection.rows().map_err(|error| redactor.error(error))?;
        Ok((rows, redactor))
    }

    /// An error without the secrets of what is served.
    fn redacted(&self, error: Error) -> Error {
        let opened = self.places.values().filter_map(|place| place.opened.get());
        opened.fold(error, |error, (_, redactor)| redactor.error(error))
    }
}

impl Ask {
    /// A collection, and where its rows are.
    async fn collection(&self, at: usize) -> Result<(&Collection, &Tables, Arc<dyn Rows>), Problem> {
        let missing = || Problem::NotFound("There is nothing at this path.".to_owned());
        let collection = self.serving.collections.get(at).ok_or_else(missing)?;
        let (tables, rows) = self.serving.place(&self.app, &collection.connection).await?;
        Ok((collection, tables, rows))
    }

    /// The result of work with rows. A password that is refused may have been changed: the next request reads it anew.
    fn done<T>(&self, result: levada_core::error::Result<T>) -> Result<T, Problem> {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Auth) {
            self.app.data.forget();
        }
        result.map_err(|error| self.serving.redacted(error).into())
    }

    /// The body, once.
    fn body(&self) -> Body {
        std::mem::take(&mut *self.body.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The parameters behind the question mark.
    fn query(&self) -> Vec<(String, String)> {
        let query = self.head.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// A header, if it is text.
    fn header(&self, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type of the body.
    fn media_type(&self) -> String {
        let given = self.header(axum::http::header::CONTENT_TYPE).unwrap_or_default();
        given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}
