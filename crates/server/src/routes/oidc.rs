//! Signing in with a provider of OpenID Connect: a browser goes there, and comes back with an answer.

use axum::http::header::COOKIE;
use levada_core::error::ErrorKind;
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
    let (app, is_tls, now) = (call.app.clone(), call.is_tls(), call.now());
    let start = provider(&app)?.start(now).await?;
    Ok(Redirect::to(start.url).cookie(oidc::set_cookie(&start.cookie, is_tls)))
}

/// Opens a session for whom the provider vouches.
pub async fn callback(call: Call<Back>) -> Result<Redirect, Problem> {
    let (app, is_tls, now) = (call.app.clone(), call.is_tls(), call.now());
    let address = call.peer().map(|peer| peer.address);
    let cookies = call.head.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = session::find(cookies, oidc::cookie_name(is_tls)).map(str::to_owned);
    let Back { code, state, iss, error, .. } = call.input;
    let signed = async {
        let answer = oidc::Answer { code, state, iss, error };
        let person = provider(&app)?.finish(cookie.as_deref(), &answer, now).await?;
        Ok::<_, Problem>(oidc::sign_in(&app.store, &person, now).await?)
    };
    let (user, session) = match signed.await {
        Ok(signed) => signed,
        Err(problem) => {
            // whoever never was at the provider asks for nothing
            if cookie.is_some() {
                guard::noted(&app, "anonymous", address, "finishOidc", "", "denied").await?;
            }
            return Err(match problem {
                // what the provider refused is no fault of a credential of this server
                Problem::Failed(errors) if errors.iter().all(|error| error.kind() == ErrorKind::Auth) => {
                    Problem::Forbidden(errors.iter().map(ToString::to_string).collect())
                }
                problem => problem,
            });
        }
    };
    guard::noted(&app, &user.name, address, "finishOidc", "", "done").await?;
    Ok(Redirect::to("/").cookie(session::set(&session, is_tls)).cookie(oidc::clear_cookie(is_tls)))
}

fn provider(app: &App) -> Result<&Oidc, Problem> {
    app.oidc.as_ref().ok_or_else(|| Problem::NotFound("There is no provider to sign in with.".to_owned()))
}
