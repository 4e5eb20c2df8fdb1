//! Signing in with a provider of OpenID Connect: a browser goes there, and comes back with an answer.

use axum::http::header::COOKIE;
use levada_core::error::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::App;
use crate::auth::oidc::{self, Oidc};
use crate::auth::session;
use crate::guard;
use crate::problem::Problem;
use crate::route::{Answer, Call, Redirect};

/// How people can sign in.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ways {
    /// Whether the first administrator is still to be made, by the link that the first start prints.
    pub set_up: bool,
    /// Whether there is a provider to sign in with, at `/api/v1/oidc/start`.
    pub oidc: bool,
    /// What its button says.
    pub label: Option<String>,
}

/// What the provider sends back with the browser.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Back {
    /// What tokens are given for.
    pub code: Option<String>,
    /// Which attempt it belongs to.
    pub state: Option<String>,
    /// Which provider it comes from.
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The same in words, which nobody here reads.
    pub error_description: Option<String>,
    /// A place with more words.
    pub error_uri: Option<String>,
    /// The session at the provider.
    pub session_state: Option<String>,
}

/// How people can sign in.
pub async fn ways(call: Call<Nothing>) -> Result<Answer<Ways>, Problem> {
    let oidc = call.app.oidc.as_ref();
    let label = oidc.and_then(Oidc::label).map(str::to_owned);
    let set_up = !call.app.store.has_admin().await?;
    Ok(Ways { set_up, oidc: oidc.is_some(), label }.into())
}

/// Sends a browser to the provider.
pub async fn start(call: Call<Nothing>) -> Result<Redirect, Problem> {
    let is_page = is_page(&call);
    shown(begin(call).await, is_page)
}

/// Opens a session for whom the provider vouches.
pub async fn callback(call: Call<Back>) -> Result<Redirect, Problem> {
    let is_page = is_page(&call);
    shown(finish(call).await, is_page)
}

/// Whether a person in a browser came here, and not a program.
fn is_page<I>(call: &Call<I>) -> bool {
    call.header("accept").is_some_and(|types| types.contains("text/html"))
}

/// What went wrong is told to a person where they can try again. A word stands for it, so that no link can put other words
/// there; the audit log has the reason.
fn shown(done: Result<Redirect, Problem>, is_page: bool) -> Result<Redirect, Problem> {
    match done {
        Err(Problem::Forbidden(_)) if is_page => Ok(Redirect::to("/sign-in?error=refused")),
        Err(_) if is_page => Ok(Redirect::to("/sign-in?error=unavailable")),
        done => done,
    }
}

async fn begin(call: Call<Nothing>) -> Result<Redirect, Problem> {
    let (app, is_tls, now) = (call.app.clone(), call.is_tls(), call.now());
    let start = provider(&app)?.start(now).await?;
    Ok(Redirect::to(start.url).cookie(oidc::set_cookie(&start.cookie, is_tls)))
}

async fn finish(call: Call<Back>) -> Result<Redirect, Problem> {
    let (app, is_tls, now) = (call.app.clone(), call.is_tls(), call.now());
    let address = call.peer().map(|peer| peer.address);
    let cookies = call.head.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = session::find(cookies, oidc::cookie_name(is_tls)).map(str::to_owned);
    let Back { code, state, iss, error, .. } = call.input;
    let answer = oidc::Answer { code, state, iss, error };
    let found = match provider(&app) {
        Ok(provider) => provider.finish(cookie.as_deref(), &answer, now).await,
        Err(problem) => return Err(problem),
    };
    let person = match found {
        Ok(person) => person,
        Err(error) => {
            guard::turned_away(&app, address, "finishOidc", "", error.message()).await?;
            return Err(refused(error));
        }
    };
    let object = format!("subject={}", person.subject.subject);
    guard::noted(&app, &person.name, address, "finishOidc", &object, "asked").await?;
    let session = match oidc::sign_in(&app.store, &person, now).await {
        Ok((_, session)) => session,
        Err(error) => {
            guard::noted(&app, &person.name, address, "finishOidc", &object, "denied").await?;
            return Err(refused(error));
        }
    };
    Ok(Redirect::to("/").cookie(session::set(&session, is_tls)).cookie(oidc::clear_cookie(is_tls)))
}

/// What the provider refused is no fault of a credential of this server.
fn refused(error: Error) -> Problem {
    match error.kind() {
        ErrorKind::Auth | ErrorKind::Permission | ErrorKind::Refused => Problem::Forbidden(error.to_string()),
        _ => error.into(),
    }
}

fn provider(app: &App) -> Result<&Oidc, Problem> {
    app.oidc.as_ref().ok_or_else(|| Problem::NotFound("There is no provider to sign in with.".to_owned()))
}
