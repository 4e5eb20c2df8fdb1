//! Where people are signed in: their sessions listed and ended, by themselves and by administrators.

use levada_core::access::Role;
use levada_core::id::UserId;
use levada_core::time::Timestamp;
use levada_store::{OpenSession, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{limit, users};
use crate::auth::{random, session};
use crate::guard;
use crate::identity::Credential;
use crate::problem::Problem;
use crate::route::{Answer, Call, Done, Page};
use crate::sort::{Sort, orders};

/// A session, without what opens it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct Shown {
    /// Its name, which opens nothing.
    pub id: String,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub seen_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// Whether it is the one that this was asked with.
    pub current: bool,
}

/// How many sessions were ended.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// How many.
    pub ended: u64,
}

orders! {
    /// What sessions are in order of.
    SessionOrder(true) { Created = "created" }
}

/// Whose sessions to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Whose; one's own unless given, and those of others take the role admin.
    pub user: Option<String>,
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<SessionOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Whose sessions to end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct All {
    /// Whose; one's own unless given, and those of others take the role admin.
    pub user: Option<String>,
    /// Whether the session that this is asked with goes on.
    #[serde(default)]
    pub keep_current: bool,
}

/// A session.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name.
    pub session: String,
    /// Whose; one's own unless given, and those of others take the role admin.
    pub user: Option<String>,
}

/// Sessions, the newest first.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Shown>>, Problem> {
    let List { user, sort, after, limit: asked } = &call.input;
    let limit = limit(*asked)?;
    let user = whose(&call, user.as_deref()).await?;
    let current = current(&call)?;
    // a user has a hundred at most
    let all = call.app.store.sessions(user, call.now()).await?;
    let place = |_, session: &OpenSession| (None, format!("{:019}{}", session.created_at.as_micros(), session.id.0));
    let Page { items, next } = sort.page(all, place, after.as_deref(), limit)?;
    let shown = |session: OpenSession| Shown {
        current: current.as_ref() == Some(&session.id),
        id: session.id.0,
        created_at: session.created_at,
        seen_at: session.seen_at,
        expires_at: session.expires_at,
    };
    Ok(Page { items: items.into_iter().map(shown).collect(), next }.into())
}

/// Ends sessions: signs somebody out everywhere.
pub async fn end_all(call: Call<All>) -> Result<Answer<Ended>, Problem> {
    let user = whose(&call, call.input.user.as_deref()).await?;
    let hash = match session_text(&call)? {
        Some(text) if call.input.keep_current => random::hash(&text),
        _ => None,
    };
    let ended = call.app.store.remove_sessions(user, hash).await?;
    let answer = Answer::from(Ended { ended });
    let is_own = call.caller.user() == Some(user.0);
    Ok(if is_own && !call.input.keep_current { answer.cookie(&session::clear(call.is_tls())) } else { answer })
}

/// Ends a session.
pub async fn end(call: Call<One>) -> Result<Done, Problem> {
    let user = whose(&call, call.input.user.as_deref()).await?;
    match call.app.store.end_session(user, SessionId(call.input.session.clone())).await? {
        true => Ok(Done::default()),
        false => Err(Problem::no("session", &call.input.session)),
    }
}

/// The user whose sessions are meant.
async fn whose<I>(call: &Call<I>, named: Option<&str>) -> Result<UserId, Problem> {
    match (named, call.caller.user()) {
        (Some(name), Some(own)) if call.caller.name == name => Ok(UserId(own)),
        (Some(name), _) => {
            call.caller.must(Role::Admin)?;
            Ok(users::find(&call.app, name).await?.id)
        }
        (None, Some(own)) => Ok(UserId(own)),
        (None, None) => Err(Problem::Malformed("Say in `user` whose sessions are meant.".to_owned())),
    }
}

/// The session that a request came with.
fn current<I>(call: &Call<I>) -> Result<Option<SessionId>, Problem> {
    let hash = session_text(call)?.and_then(|text| random::hash(&text));
    Ok(hash.map(|hash| SessionId::of(&hash)))
}

fn session_text<I>(call: &Call<I>) -> Result<Option<String>, Problem> {
    Ok(match guard::credential(&call.head.headers, &call.head.extensions)? {
        Some(Credential::Session(text)) => Some(text),
        _ => None,
    })
}
