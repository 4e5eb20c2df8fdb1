//! API tokens: for programs, each with the least that it needs, until it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use levada_core::access::Role;
use levada_core::id::{TokenId, UserId};
use levada_core::time::Timestamp;
use levada_store::{NewToken, Token, TokenFilter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{limit, number};
use crate::auth::{random, token};
use crate::caller::CallerKind;
use crate::problem::Problem;
use crate::route::{Answer, Call, Created, Done, Page};
use crate::sort::{Sort, orders};

/// How long a token lasts that nobody said the end of.
const DAYS: u32 = 90;
/// How long a token lasts at most.
const DAYS_MAX: u32 = 730;

/// A token, without its text.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Token")]
pub struct Shown {
    /// Its number, which is in its text.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// The most it may do; it never may more than its user.
    pub role: Role,
    /// The tags of the pipelines that it is for; null means everything.
    pub tags: Option<Vec<String>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used last, to the minute.
    pub used_at: Option<Timestamp>,
}

/// A new token, with its text.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewTokenText {
    /// The token.
    pub token: Shown,
    /// Its text, for `Authorization: Bearer`: shown now and never again.
    pub text: String,
}

orders! {
    /// What tokens are in order of.
    TokenOrder(true) { Created = "created" }
}

/// Which tokens to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Those of everybody, which takes the role admin.
    #[serde(default)]
    pub all: bool,
    /// With this text in the name.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<TokenOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A token to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// What it is for.
    pub name: String,
    /// The most it may do.
    pub role: Role,
    /// The tags of the pipelines that it is for; everything without them.
    pub tags: Option<Vec<String>>,
    /// When it ends, in days; 90 unless given, 730 at most.
    pub days: Option<u32>,
    /// Whose it is; given only by the command line of the machine that has the metadata store, which is no user.
    pub user: Option<String>,
}

/// A token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its number.
    pub token: i64,
}

impl Shown {
    fn of(token: Token, user: String) -> Self {
        Self {
            id: token.id.0,
            name: token.name,
            user,
            role: token.role,
            tags: token.tags,
            created_at: token.created_at,
            expires_at: token.expires_at,
            used_at: token.used_at,
        }
    }
}

/// Tokens, the newest first.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Shown>>, Problem> {
    let List { all, search, sort, after, limit: asked } = call.input;
    let (limit, after) = (limit(asked)?, number(after.as_deref())?.map(TokenId));
    let user = match all {
        true => {
            call.caller.must(Role::Admin)?;
            None
        }
        // whoever is no user has no tokens
        false => Some(UserId(call.caller.user().unwrap_or_default())),
    };
    let tokens =
        call.app.store.tokens(TokenFilter { user, search, is_reversed: sort.is_ascending(), after, limit }).await?;
    let next = tokens.last().filter(|_| tokens.len() == limit).map(|token| token.id.to_string());
    let mut names: BTreeMap<i64, String> = BTreeMap::new();
    let mut items = Vec::with_capacity(tokens.len());
    for token in tokens {
        let name = match names.get(&token.user.0) {
            Some(name) => name.clone(),
            None => call.app.store.user(token.user).await?.map(|user| user.name).unwrap_or_default(),
        };
        names.insert(token.user.0, name.clone());
        items.push(Shown::of(token, name));
    }
    Ok(Page { items, next }.into())
}

/// Makes a token that may do no more than whoever makes it.
pub async fn create(call: Call<New>) -> Result<Created<NewTokenText>, Problem> {
    let now = call.now();
    let New { name, role, tags, days, user } = call.input;
    let (user, owner) = match (call.caller.kind, user) {
        (CallerKind::Local, Some(user)) => {
            let found = call.app.store.user_by_name(&user).await?;
            (found.ok_or_else(|| Problem::no("user", &user))?.id, user)
        }
        (CallerKind::Local, None) => return Err(Problem::Malformed("Say in `user` whose token it is.".to_owned())),
        (CallerKind::Session(user), None) => (UserId(user), call.caller.name),
        (CallerKind::Token { .. }, _) => {
            return Err(Problem::Forbidden("A token makes no tokens. Sign in with a password.".to_owned()));
        }
        _ => return Err(Problem::Forbidden("Everybody makes their own tokens.".to_owned())),
    };
    let days = days.unwrap_or(DAYS);
    if days == 0 || days > DAYS_MAX {
        return Err(Problem::Malformed(format!("`days` is between 1 and {DAYS_MAX}.")));
    }
    let secret = random::text()?;
    let Some(hash) = random::hash(secret.expose()) else { return Err(Problem::no("hash of the token", &name)) };
    let expires_at = now.plus(Duration::from_secs(u64::from(days) * 86_400));
    let new = NewToken { user, name, hash, role, tags, expires_at };
    let made = call.app.store.create_token(new, now).await?;
    let text = token::text(made.id, &secret).expose().to_owned();
    let location = format!("/api/v1/tokens/{}", made.id);
    Ok(Created { location, body: NewTokenText { token: Shown::of(made, owner), text } })
}

/// Removes a token: one's own, or anybody's for an administrator. A token below that
/// role removes no other, which may be a stronger one.
pub async fn remove(call: Call<One>) -> Result<Done, Problem> {
    let is_other = matches!(call.caller.kind, CallerKind::Token { token, .. } if token != call.input.token);
    if is_other && call.caller.role < Role::Admin {
        return Err(Problem::Forbidden("A token removes only itself. Sign in with a password.".to_owned()));
    }
    let of = match call.caller.role {
        Role::Admin => None,
        _ => Some(UserId(call.caller.user().unwrap_or_default())),
    };
    match call.app.store.remove_token(TokenId(call.input.token), of).await? {
        true => Ok(Done::default()),
        false => Err(Problem::no("token", call.input.token)),
    }
}
