//! How people sign in, as the file `auth.yaml` says. It is no part of the project: whoever may change documents must not
//! be able to change who may do what.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::decode;
use super::document::Version;
use super::interpolate::{self, Late, Variables};
use super::yaml;
use crate::access::Role;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

/// The file that says how people sign in, next to that of the project.
pub const AUTH_FILE: &str = "auth.yaml";

/// How people sign in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the keys `version` and `oidc`")]
#[schemars(title = "Levada sign-in")]
pub struct AuthDocument {
    /// The version of the format: 1.
    pub version: Version,
    /// The provider of OpenID Connect that people sign in with.
    pub oidc: Option<OidcSettings>,
}

/// A provider of OpenID Connect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a provider with the keys `issuer` and `client_id`")]
pub struct OidcSettings {
    /// Its address, as it stands in what it signs: `https://id.example.com/realms/staff`.
    pub issuer: String,
    /// The name under which it knows this server.
    pub client_id: String,
    /// The password of that name; none where the provider asks for none.
    pub client_secret: Option<Secret>,
    /// What is asked for; `openid`, `profile` and `email` by default.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The claim that holds the groups of a person; `groups` by default.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// The role that a group gives. Of several, the highest counts.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
    /// The role of those whom no group gives one. Without it they may not sign in.
    pub default_role: Option<Role>,
    /// What the button to sign in says.
    pub label: Option<String>,
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn default_groups_claim() -> String {
    "groups".to_owned()
}

impl AuthDocument {
    /// Reads the text of the file, its references resolved.
    ///
    /// # Errors
    /// `Config`, with file, line and column.
    pub fn parse(name: &str, text: &str, variables: &Variables<'_>) -> Result<Self, Vec<Error>> {
        let mut documents = yaml::parse(name, text).map_err(|error| vec![error])?;
        let (Some(node), true) = (documents.pop(), documents.is_empty()) else {
            let error = Error::new(ErrorKind::Config, "the file is to hold one document").at(name);
            return Err(vec![error.advise("Write `version: 1` and `oidc:`.")]);
        };
        let filled = interpolate::fill(name, &node, variables, Late::Refused)?;
        let document: Self = decode::decode(&filled).map_err(|misfit| vec![misfit.in_file(name)])?;
        let wrong = |key: &str, message: &str, advice: &str| {
            let place = filled.locate(&["oidc", key]).in_file(name);
            vec![Error::new(ErrorKind::Config, message).at(place).advise(advice)]
        };
        let Some(oidc) = &document.oidc else { return Ok(document) };
        if !oidc.scopes.iter().any(|scope| scope == "openid") {
            return Err(wrong(
                "scopes",
                "the scopes hold no `openid`",
                "Add it: without it nobody is told who signs in.",
            ));
        }
        if oidc.roles.is_empty() && oidc.default_role.is_none() {
            let advice = "Give `roles: { GROUP: ROLE }`, or `default_role: viewer`.";
            return Err(wrong("roles", "nobody would have a role", advice));
        }
        Ok(document)
    }
}
