//! Who asks, and what they may do.

use levada_core::access::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::problem::Problem;
use crate::route::{Answer, Call};

/// Who asks.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// What they are called in the audit log.
    pub name: String,
    /// What they may do everywhere.
    pub role: Role,
    /// What they may do beyond that, on pipelines with a tag.
    pub grants: Vec<Granted>,
}

/// A role on pipelines with a tag.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Granted {
    /// The tag.
    pub tag: String,
    /// The role.
    pub role: Role,
}

/// Who asks, and what they may do.
pub async fn get(call: Call<Nothing>) -> Result<Answer<Me>, Problem> {
    let caller = call.caller;
    let grants = caller.grants.into_iter().map(|(tag, role)| Granted { tag, role }).collect();
    Ok(Me { name: caller.name, role: caller.role, grants }.into())
}
