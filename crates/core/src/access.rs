//! Who may do what: the four roles, each of which may do all that the ones before it may.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What somebody may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything but secrets.
    Viewer,
    /// Starts, stops, pauses and repeats what is there.
    Operator,
    /// Changes documents.
    Editor,
    /// Decides who may do what, and keeps the secrets.
    Admin,
}

impl Role {
    /// Every role, from least to most.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Editor, Self::Admin];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    /// The role of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}
