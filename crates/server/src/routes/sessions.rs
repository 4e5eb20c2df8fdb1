//! Where people are signed in: their sessions listed and ended, by themselves and by administrators.

use levada_core::access::Role;
use levada_core::id::UserId;
use levada_core::time::Timestamp;
use levada_store::{Hash, OpenSession, SessionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{limit, users};
use crate::App;
use crate::auth::{random, session};
use crate::caller::CallerKind;
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

/// Which of one's own sessions to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<SessionOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which sessions of a user to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOf {
    /// The user's name.
    pub user: String,
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<SessionOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which of one's own sessions to end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct All {
    /// Whether the session that this is asked with goes on.
    #[serde(default)]
    pub keep_current: bool,
}

/// A session of one's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name.
    pub session: String,
}

/// A session of a user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// The user's name.
    pub user: String,
    /// Its name.
    pub session: String,
}

/// One's own sessions.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Shown>>, Problem> {
    let (user, current, now) = (own(&call)?, current(&call)?, call.now());
    let List { sort, after, limit } = call.input;
    page(&call.app, (user, current, now), (sort, after, limit)).await
}

/// The sessions of a user.
pub async fn list_of(call: Call<ListOf>) -> Result<Answer<Page<Shown>>, Problem> {
    let (current, now) = (current(&call)?, call.now());
    let ListOf { user, sort, after, limit } = call.input;
    let user = users::find(&call.app, &user).await?.id;
    page(&call.app, (user, current, now), (sort, after, limit)).await
}

async fn page(
    app: &App,
    (user, current, now): (UserId, Option<Hash>, Timestamp),
    (sort, after, asked): (Sort<SessionOrder>, Option<String>, Option<u32>),
) -> Result<Answer<Page<Shown>>, Problem> {
    let (limit, current) = (limit(asked)?, current.map(|hash| SessionId::of(&hash)));
    // a user has a hundred at most
    let all = app.store.sessions(user, now).await?;
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

/// Ends one's own sessions: signs out everywhere.
pub async fn end_all(call: Call<All>) -> Result<Answer<Ended>, Problem> {
    let user = own_to_end(&call)?;
    let keep = if call.input.keep_current { current(&call)? } else { None };
    let answer = Answer::from(Ended { ended: call.app.store.remove_sessions(user, keep).await? });
    Ok(if call.input.keep_current { answer } else { answer.cookie(&session::clear(call.is_tls())) })
}

/// Ends the sessions of a user.
pub async fn end_all_of(call: Call<users::One>) -> Result<Answer<Ended>, Problem> {
    let user = users::find(&call.app, &call.input.user).await?.id;
    Ok(Ended { ended: call.app.store.remove_sessions(user, None).await? }.into())
}

/// Ends a session of one's own.
pub async fn end(call: Call<One>) -> Result<Done, Problem> {
    ended(
        call.app.store.end_session(own_to_end(&call)?, SessionId(call.input.session.clone())).await?,
        &call.input.session,
    )
}

/// Ends a session of a user.
pub async fn end_of(call: Call<OneOf>) -> Result<Done, Problem> {
    let user = users::find(&call.app, &call.input.user).await?.id;
    ended(call.app.store.end_session(user, SessionId(call.input.session.clone())).await?, &call.input.session)
}

fn ended(was_there: bool, session: &str) -> Result<Done, Problem> {
    if was_there { Ok(Done::default()) } else { Err(Problem::no("session", session)) }
}

/// The user who asks; the command line of the machine that has the store is none.
fn own<I>(call: &Call<I>) -> Result<UserId, Problem> {
    let nobody = || Problem::Malformed("Who asks is no user, and has no sessions.".to_owned());
    call.caller.user().map(UserId).ok_or_else(nobody)
}

/// The user who asks, where it is no token of a role below admin: the sessions may do more than that.
fn own_to_end<I>(call: &Call<I>) -> Result<UserId, Problem> {
    match call.caller.kind {
        CallerKind::Token { .. } if call.caller.role < Role::Admin => {
            Err(Problem::Forbidden("A token ends no sessions. Sign in with a password.".to_owned()))
        }
        _ => own(call),
    }
}

/// The hash of the session that a request came with.
fn current<I>(call: &Call<I>) -> Result<Option<Hash>, Problem> {
    Ok(match guard::credential(&call.head.headers, &call.head.extensions)? {
        Some(Credential::Session(text)) => random::hash(&text),
        _ => None,
    })
}
