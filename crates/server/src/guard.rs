//! The only way in: finds out who asks, whether they may, and whether the request is one that a browser was tricked into;
//! writes down what is asked before it is done. No operation runs but through [`handle`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, LOCATION, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use levada_core::id::{BackfillId, RunId, TaskRunId};
use levada_store::Moment;

use crate::App;
use crate::auth;
use crate::caller::{Caller, CallerKind};
use crate::denials::Denial;
use crate::identity::{self, Credential};
use crate::problem::Problem;
use crate::route::{Large, Route, Rule};

/// The header that a script of this server's own pages sends with every change; a form or an image cannot.
pub const CSRF_HEADER: &str = "x-levada-csrf";

/// Where a request came from, as the listener (and proxies that are trusted) have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub address: IpAddr,
    /// Whether it came over TLS, here or at the proxy.
    pub is_tls: bool,
}

/// A request made in this process, by the person who uses its command line: an extension of the request, which nothing
/// that comes over the network can set.
#[derive(Debug, Clone)]
pub struct Local(pub String);

/// The operations of a path.
#[derive(Clone)]
pub(crate) enum Operations {
    /// Those of the table.
    Fixed(Arc<Vec<Route>>),
    /// Those that the applied project says are served there; asked for once it is known who asks.
    Served,
}

/// Answers a request to one of the operations of a path.
pub(crate) async fn handle(
    app: App,
    operations: Operations,
    path: Vec<(String, String)>,
    mut request: Request,
) -> Response {
    let is_head = request.method() == Method::HEAD;
    let peer = peer(request.extensions());
    if is_head {
        *request.method_mut() = Method::GET;
    }
    let done = pass(&app, &operations, path, request, peer).await;
    let mut response = done.unwrap_or_else(IntoResponse::into_response);
    if is_head {
        *response.body_mut() = Body::empty();
    }
    secure(response.headers_mut(), peer.is_some_and(|peer| peer.is_tls));
    response
}

async fn pass(
    app: &App,
    operations: &Operations,
    path: Vec<(String, String)>,
    mut request: Request,
    peer: Option<Peer>,
) -> Result<Response, Problem> {
    let (caller, moment, stranger) = match identify(app, request.headers(), request.extensions()).await {
        Ok((caller, moment)) => (caller, moment, None),
        Err(Problem::Stranger(why)) => (Caller::anonymous(), None, Some(why)),
        Err(problem) => return Err(problem),
    };
    let who = Who { app, caller: &caller, address: peer.map(|peer| peer.address) };
    app.rates.admit(&caller, who.address)?;
    let sign_in = || Problem::Stranger(stranger.unwrap_or("Sign in first."));
    let routes = match operations {
        Operations::Fixed(routes) => routes.clone(),
        Operations::Served if caller.is_known() => app.data.routes(app, moment, request.uri().path()).await?,
        Operations::Served => return who.denied("useData", &path, sign_in()).await,
    };
    let Some(route) = routes.iter().find(|route| route.method == *request.method()) else {
        let is_public = routes.iter().all(|route| route.rule == Rule::Public);
        return match caller.is_known() || is_public {
            true => Err(Problem::Method(routes.iter().filter_map(|route| method(&route.method)).collect())),
            false => who.denied("noOperation", &path, sign_in()).await,
        };
    };
    let is_public = route.rule == Rule::Public;
    // whoever signs in anew may still send the cookie of a session that is over
    if stranger.is_some() && !is_public {
        return who.denied(route.id, &path, sign_in()).await;
    }
    let is_local = is_local(request.headers(), peer);
    if let Err(problem) = may(app, route, &caller, &path, is_local).await {
        return who.denied(route.id, &path, problem).await;
    }
    if let Err(problem) = same_origin(route, request.headers(), &caller) {
        return who.denied(route.id, &path, problem).await;
    }
    // public operations tell by themselves who it was
    let is_noted = route.is_unsafe() && !is_public;
    // what is asked of a query stands in its body, which is not read yet
    if is_noted && !route.is_query {
        who.audit(route.id, &path, ("asked", None)).await?;
    }
    let kept_as = (route.is_kept && moment.is_some()).then(|| (caller.kind, request.uri().clone()));
    if let Some(answer) = kept_as.as_ref().and_then(|key| app.answers.get(moment, key)) {
        return Ok(answer.again());
    }
    if route.takes.large {
        request.extensions_mut().insert(Large);
    }
    let answer = (route.handler)(app.clone(), caller.clone(), request, path.clone());
    let limit = match route.takes.stream.is_empty() {
        true if route.is_query => app.limits.time_max.saturating_add(app.limits.queries.time_max),
        true => app.limits.time_max,
        false => Duration::MAX,
    };
    let answer = tokio::time::timeout(limit, answer).await;
    let mut response = answer.unwrap_or_else(|_| Problem::TimedOut.into_response());
    if let Some(key) = kept_as {
        response = app.answers.keep(moment, key, response).await;
    }
    let status = response.status();
    if status.is_server_error() {
        tracing::warn!(operation = route.id, caller = caller.name, status = status.as_u16(), "a request failed");
    }
    // what was made has its name only now; runs and backfills tell by themselves that they are there
    let made = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
    if let Some(made) = made.filter(|_| is_noted && status.is_success() && !route.takes.key) {
        who.audit(route.id, &path, ("done", Some(made.to_owned()))).await?;
    }
    if is_noted && status.is_success() && !route.is_query {
        app.hub.note_change();
    }
    let is_denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if is_noted && (status.is_client_error() || status.is_server_error()) {
        let outcome = if is_denied { "denied" } else { "failed" };
        who.audit(route.id, &path, (outcome, Some(format!("status {}", status.as_u16())))).await?;
    } else if is_denied && !is_public {
        who.note_denial(route.id, &path, "the operation refused it".to_owned()).await?;
    }
    Ok(response)
}

/// Who asks, for what is written down of it.
struct Who<'a> {
    app: &'a App,
    caller: &'a Caller,
    address: Option<IpAddr>,
}

impl Who<'_> {
    async fn audit(
        &self,
        operation: &str,
        path: &[(String, String)],
        outcome: (&str, Option<String>),
    ) -> Result<(), Problem> {
        identity::audit(self.app, self.caller, self.address, operation, &object(path), outcome).await
    }

    /// Refuses it, once that is written down.
    async fn denied(
        &self,
        operation: &'static str,
        path: &[(String, String)],
        problem: Problem,
    ) -> Result<Response, Problem> {
        // what went wrong while the server looked is no denial
        if matches!(problem, Problem::Stranger(_) | Problem::Forbidden(_)) {
            self.note_denial(operation, path, problem.details().detail).await?;
        }
        Err(problem)
    }

    async fn note_denial(
        &self,
        operation: &'static str,
        path: &[(String, String)],
        why: String,
    ) -> Result<(), Problem> {
        let (actor, object) = (self.caller.name.as_str(), object(path));
        identity::denied(self.app, Denial { actor, address: self.address, operation, object: &object, why }).await
    }
}

/// What a path names.
fn object(path: &[(String, String)]) -> String {
    path.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The name of a method of the table.
fn method(method: &Method) -> Option<&'static str> {
    ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|name| *name == method.as_str())
}

/// Who asks: by a token, by the cookie of a session, or by being in this process. Where a credential was looked at, answers
/// as well the moment of the store that it counts at.
async fn identify(
    app: &App,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(Caller, Option<Moment>), Problem> {
    if let Some(Local(person)) = extensions.get() {
        return Ok((Caller::local(person), None));
    }
    let Some(credential) = credential(headers, extensions)? else { return Ok((Caller::anonymous(), None)) };
    // asked for now that the request is here, so that whatever was committed before it is seen
    let moment = app.store.moment().await;
    Ok((identity::caller(app, &credential, moment).await?, moment))
}

/// The credential that a request carries.
pub(crate) fn credential(headers: &HeaderMap, extensions: &Extensions) -> Result<Option<Credential>, Problem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    if let Some(value) = given.next() {
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        return match (token, given.next()) {
            (Some(token), None) => Ok(Some(Credential::Token(token))),
            _ => Err(Problem::Stranger("The credential is not understood: `Authorization: Bearer TOKEN` is.")),
        };
    }
    // over TLS only the cookie that no other host and no page without TLS can have set
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let session = auth::session::find(cookies, auth::session::name(is_tls(extensions)));
    Ok(session.map(|text| Credential::Session(text.to_owned())))
}

/// Where a request came from; nowhere if it was made in this process.
pub(crate) fn peer(extensions: &Extensions) -> Option<Peer> {
    extensions.get().copied()
}

/// Whether a request came over TLS.
pub(crate) fn is_tls(extensions: &Extensions) -> bool {
    peer(extensions).is_some_and(|peer| peer.is_tls)
}

/// Whether somebody may call an operation on what its path names.
async fn may(
    app: &App,
    route: &Route,
    caller: &Caller,
    path: &[(String, String)],
    is_local: bool,
) -> Result<(), Problem> {
    if route.rule == Rule::Public || (route.rule == Rule::Metrics && is_local) {
        return Ok(());
    }
    if !caller.is_known() {
        return Err(Problem::Stranger("Sign in first."));
    }
    match route.rule {
        Rule::Public | Rule::Signed | Rule::Metrics => Ok(()),
        Rule::Role(role) => caller.must(role),
        Rule::Pipeline(role) if caller.role >= role => Ok(()),
        Rule::Pipeline(role) if caller.grants.iter().all(|(_, granted)| *granted < role) => caller.must(role),
        Rule::Pipeline(role) => caller.must_on(role, &tags(app, path).await?),
    }
}

/// Whether a request comes from this machine itself, and not through a proxy on it that nobody named.
fn is_local(headers: &HeaderMap, peer: Option<Peer>) -> bool {
    let of_proxies = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    peer.is_some_and(|peer| peer.address.is_loopback()) && !of_proxies.iter().any(|name| headers.contains_key(*name))
}

/// The tags of the pipeline that a path names, or whose run or backfill it names; none if there is no such thing.
async fn tags(app: &App, path: &[(String, String)]) -> Result<Vec<String>, Problem> {
    for (name, value) in path {
        let number = value.parse().ok();
        let pipeline = match (name.as_str(), number) {
            ("pipeline", _) => Some(value.clone()),
            ("run", Some(number)) => app.store.run(RunId(number)).await?.map(|run| run.pipeline),
            ("task_run", Some(number)) => app.store.pipeline_of(TaskRunId(number)).await?,
            ("backfill", Some(number)) => app.store.backfill(BackfillId(number)).await?.map(|found| found.pipeline),
            _ => continue,
        };
        return match pipeline {
            Some(pipeline) => app.documents.tags(&app.store, &pipeline).await,
            None => Ok(Vec::new()),
        };
    }
    Ok(Vec::new())
}

/// Refuses a change that a page of another site could have sent, with this user's cookie or in order to sign him in as
/// somebody else; and a socket, with which a browser sends the cookie whatever page opens it.
fn same_origin(route: &Route, headers: &HeaderMap, caller: &Caller) -> Result<(), Problem> {
    let is_socket = route.answer.status == StatusCode::SWITCHING_PROTOCOLS;
    if !route.is_unsafe() && !is_socket {
        return Ok(());
    }
    if !is_socket && matches!(caller.kind, CallerKind::Session(_)) && !headers.contains_key(CSRF_HEADER) {
        let why = format!("A change with the cookie of a session needs the header `{CSRF_HEADER}`.");
        return Err(Problem::Forbidden(why));
    }
    match is_foreign(headers) {
        true => Err(Problem::Forbidden("The request comes from a page of another site.".to_owned())),
        false => Ok(()),
    }
}

/// Whether a browser says that a page of another site asks.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    headers.contains_key(ORIGIN) && !text(&ORIGIN).is_some_and(|origin| is_own(origin, text(&HOST)))
}

/// Whether an origin is that of this server, by the name that it was called by.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let of_origin = origin.split_once("://").map(|(_, host)| host);
    of_origin.is_some() && of_origin == host
}

/// Writes down what somebody does whom the guard does not know by a credential.
pub(crate) async fn noted(
    app: &App,
    name: &str,
    address: Option<IpAddr>,
    operation: &str,
    object: &str,
    outcome: &str,
) -> Result<(), Problem> {
    let caller = Caller { name: name.to_owned(), ..Caller::anonymous() };
    identity::audit(app, &caller, address, operation, object, (outcome, None)).await
}

/// Writes down that somebody whom nobody knows may not do what they asked for.
pub(crate) async fn turned_away(
    app: &App,
    address: Option<IpAddr>,
    operation: &'static str,
    object: &str,
    why: &str,
) -> Result<(), Problem> {
    let anonymous = Caller::anonymous();
    identity::denied(app, Denial { actor: &anonymous.name, address, operation, object, why: why.to_owned() }).await
}

/// Headers that keep a browser from doing with an answer what it is not meant for.
pub(crate) fn secure(headers: &mut HeaderMap, is_tls: bool) {
    let mut add = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(X_FRAME_OPTIONS, "DENY");
    add(REFERRER_POLICY, "no-referrer");
    add(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    add(CACHE_CONTROL, "no-store");
    if is_tls {
        add(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn over_tls_only_a_cookie_that_tls_has_set_counts() {
        let found = |cookie: &str, is_tls: bool| {
            let (mut headers, mut extensions) = (HeaderMap::new(), Extensions::new());
            headers.insert(COOKIE, cookie.parse().unwrap());
            extensions.insert(Peer { address: [192, 0, 2, 1].into(), is_tls });
            credential(&headers, &extensions).unwrap()
        };
        let session = |text: &str| Some(Credential::Session(text.to_owned()));
        assert_eq!(found("levada_session=a", false), session("a"));
        assert_eq!(found("levada_session=a", true), None);
        assert_eq!(found("levada_session=a; __Host-levada_session=b", true), session("b"));
        assert_eq!(found("levada_session=a; levada_session=b", false), None);
    }
}
