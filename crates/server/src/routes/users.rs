//! Users, and what they may do.

use levada_core::access::Role;
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{Grant, NewUser, Updated, User, UserChange, UserFilter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit;
use crate::App;
use crate::auth::password;
use crate::problem::Problem;
use crate::route::{Answer, Call, Created, Done, Page};
use crate::sort::{Sort, orders};

/// A user.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "User")]
pub struct Shown {
    /// The name to sign in with.
    pub name: String,
    /// The name for people to read.
    pub display_name: String,
    /// The mail address.
    pub email: Option<String>,
    /// What they may do everywhere.
    pub role: Role,
    /// What they may do beyond that, on pipelines with a tag.
    pub grants: Vec<Granted>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Whether there is a password to sign in with.
    pub has_password: bool,
    /// Who they are for the provider of the single sign-on.
    pub subject: Option<String>,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they were changed last.
    pub updated_at: Timestamp,
}

/// A role on pipelines with a tag.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// The tag.
    pub tag: String,
    /// The role.
    pub role: Role,
}

orders! {
    /// What users are in order of.
    UserOrder(false) { Name = "name" }
}

/// Which users to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this role.
    pub role: Option<Role>,
    /// Disabled or not.
    pub disabled: Option<bool>,
    /// With this text in the name, the name for people or the mail address.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<UserOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// The user's name.
    pub user: String,
}

/// A user to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// The name to sign in with.
    pub name: String,
    /// The name for people to read; the name to sign in with unless given.
    pub display_name: Option<String>,
    /// The mail address.
    pub email: Option<String>,
    /// The password; without one, only the single sign-on lets them in.
    pub password: Option<String>,
    /// What they may do everywhere.
    pub role: Role,
    /// What they may do beyond that, on pipelines with a tag.
    #[serde(default)]
    pub grants: Vec<Granted>,
}

/// What is to change about a user; what is not given stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The user's name.
    pub user: String,
    /// The name for people to read.
    pub display_name: Option<String>,
    /// The mail address.
    pub email: Option<String>,
    /// A new password, which ends the user's sessions.
    pub password: Option<String>,
    /// What they may do everywhere.
    pub role: Option<Role>,
    /// All that they may do beyond that.
    pub grants: Option<Vec<Granted>>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
}

impl From<Grant> for Granted {
    fn from(grant: Grant) -> Self {
        Self { tag: grant.tag, role: grant.role }
    }
}

impl From<Granted> for Grant {
    fn from(granted: Granted) -> Self {
        Self { tag: granted.tag, role: granted.role }
    }
}

impl From<User> for Shown {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            display_name: user.display_name,
            email: user.email,
            role: user.role,
            grants: user.grants.into_iter().map(Granted::from).collect(),
            disabled: user.is_disabled,
            has_password: user.has_password,
            subject: user.subject.map(|subject| format!("{} {}", subject.issuer, subject.subject)),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// Users, in the order of their names.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Shown>>, Problem> {
    let List { role, disabled, search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let is_reversed = !sort.is_ascending();
    let filter = UserFilter { role, is_disabled: disabled, search, is_reversed, after, limit };
    let users = call.app.store.users(filter).await?;
    let next = users.last().filter(|_| users.len() == limit).map(|user| user.name.clone());
    Ok(Page { items: users.into_iter().map(Shown::from).collect(), next }.into())
}

/// A user.
pub async fn get(call: Call<One>) -> Result<Answer<Shown>, Problem> {
    let user = find(&call.app, &call.input.user).await?;
    let version = user.version;
    Ok(Answer::from(Shown::from(user)).version(version))
}

/// Makes a user.
pub async fn create(call: Call<New>) -> Result<Created<Shown>, Problem> {
    let (app, now) = (call.app.clone(), call.now());
    let New { name, display_name, email, password, role, grants } = call.input;
    let user = NewUser {
        display_name: display_name.unwrap_or_else(|| name.clone()),
        email,
        password_hash: hashed(&app, &name, password).await?,
        role,
        subject: None,
        grants: grants.into_iter().map(Grant::from).collect(),
        name,
    };
    let user = app.store.create_user(user, now).await?;
    Ok(Created { location: format!("/api/v1/users/{}", user.name), body: user.into() })
}

/// Changes a user.
pub async fn update(call: Call<Edit>) -> Result<Answer<Shown>, Problem> {
    let condition = call.condition()?;
    let (app, now) = (call.app.clone(), call.now());
    let Edit { user, display_name, email, password, role, grants, disabled } = call.input;
    let found = find(&app, &user).await?;
    let expected = condition.expects(found.version)?;
    let change = UserChange {
        display_name,
        email: email.map(|email| (!email.is_empty()).then_some(email)),
        password_hash: hashed(&app, &user, password).await?.map(Some),
        role,
        is_disabled: disabled,
        subject: None,
        grants: grants.map(|grants| grants.into_iter().map(Grant::from).collect()),
        keep: None,
    };
    match app.store.update_user(found.id, expected, change, now).await? {
        Updated::Done(user) => {
            let version = user.version;
            Ok(Answer::from(Shown::from(*user)).version(version))
        }
        Updated::Stale(_) => Err(Problem::Stale),
    }
}

/// Removes a user with their sessions and tokens.
pub async fn remove(call: Call<One>) -> Result<Done, Problem> {
    let condition = call.condition()?;
    let found = find(&call.app, &call.input.user).await?;
    match call.app.store.remove_user(found.id, condition.expects(found.version)?).await? {
        Updated::Done(_) => Ok(Done::default()),
        Updated::Stale(_) => Err(Problem::Stale),
    }
}

pub(super) async fn find(app: &App, name: &str) -> Result<User, Problem> {
    app.store.user_by_name(name).await?.ok_or_else(|| Problem::no("user", name))
}

async fn hashed(app: &App, name: &str, password: Option<String>) -> Result<Option<Secret>, Problem> {
    let Some(password) = password.map(Secret::new) else { return Ok(None) };
    password::check(&password, name)?;
    Ok(Some(app.passwords.hash(password).await?))
}
