//! Secrets that the metadata store keeps. Values come in, and never out.

use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::SecretName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{limit, matches};
use crate::problem::Problem;
use crate::route::{Answer, Call, Done, Page};
use crate::secrets;
use crate::sort::{Rank, Sort, orders};

/// A secret.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Name {
    /// Its name, as in `${secret:name}`.
    pub name: String,
    /// When its value was last set.
    pub updated_at: Timestamp,
}

orders! {
    /// What secrets are in order of.
    SecretOrder(false) { Name = "name", UpdatedAt = "updated_at" }
}

/// Which secrets to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// With this text in the name.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<SecretOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name.
    pub secret: String,
}

/// A secret to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Its name.
    pub secret: String,
    /// Its value.
    pub value: Secret,
}

/// A new master key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// The key, where the environment gives it; where it is a file, a new one is made.
    pub key: Option<Secret>,
}

/// The names of secrets, in order.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Name>>, Problem> {
    let List { search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let all = call.app.store.secret_names().await?.into_iter();
    let wanted = all.map(|SecretName { name, updated_at }| Name { name, updated_at });
    let wanted = wanted.filter(|secret| matches(search.as_deref(), [secret.name.as_str()]));
    let place = |order, secret: &Name| {
        let rank = match order {
            SecretOrder::Name => None,
            SecretOrder::UpdatedAt => Some(Rank::from(secret.updated_at)),
        };
        (rank, secret.name.clone())
    };
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
}

/// Keeps a secret, in place of the one of that name.
pub async fn set(call: Call<Set>) -> Result<Done, Problem> {
    let now = call.now();
    let Set { secret, value } = call.input;
    secrets::set(&call.app.store, &call.app.data_dir, secret, value, now).await?;
    Ok(Done::default())
}

/// Removes a secret.
pub async fn delete(call: Call<One>) -> Result<Done, Problem> {
    secrets::remove(&call.app.store, &call.input.secret).await?;
    Ok(Done::default())
}

/// Seals every secret under a new master key.
pub async fn rotate(call: Call<Rotate>) -> Result<Done, Problem> {
    let now = call.now();
    secrets::rotate(&call.app.store, &call.app.data_dir, call.input.key, now).await?;
    Ok(Done::default())
}
