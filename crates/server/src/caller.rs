//! Who asks, and what they may do.

use levada_core::access::Role;

use crate::problem::Problem;

/// Somebody whose credential was good, or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What they are called in the audit log.
    pub name: String,
    /// How they are known.
    pub kind: CallerKind,
    /// What they may do everywhere.
    pub role: Role,
    /// What they may do beyond that, on pipelines with a tag.
    pub grants: Vec<(String, Role)>,
}

/// How somebody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// By the cookie of a session of this user.
    Session(i64),
    /// By a token of this user.
    Token {
        /// The user it belongs to.
        user: i64,
        /// The token.
        token: i64,
    },
    /// By being on the machine that has the store: the command line.
    Local,
    /// Not at all.
    Anonymous,
}

impl Caller {
    /// Nobody that is known.
    pub fn anonymous() -> Self {
        Self { name: "anonymous".to_owned(), kind: CallerKind::Anonymous, role: Role::Viewer, grants: Vec::new() }
    }

    /// The command line of a machine that has the store, used by this person.
    pub fn local(person: &str) -> Self {
        Self { name: format!("local:{person}"), kind: CallerKind::Local, role: Role::Admin, grants: Vec::new() }
    }

    /// Whether a credential was given.
    pub fn is_known(&self) -> bool {
        self.kind != CallerKind::Anonymous
    }

    /// The user, where there is one.
    pub fn user(&self) -> Option<i64> {
        match self.kind {
            CallerKind::Session(user) | CallerKind::Token { user, .. } => Some(user),
            CallerKind::Local | CallerKind::Anonymous => None,
        }
    }

    /// What they may do with a pipeline that has these tags.
    pub fn role_on(&self, tags: &[String]) -> Role {
        let granted = self.grants.iter().filter(|(tag, _)| tags.contains(tag)).map(|(_, role)| *role);
        granted.fold(self.role, Role::max)
    }

    /// Refuses those who may less than this everywhere.
    pub fn must(&self, role: Role) -> Result<(), Problem> {
        self.must_on(role, &[])
    }

    /// Refuses those who may less than this on a pipeline with these tags.
    pub fn must_on(&self, role: Role, tags: &[String]) -> Result<(), Problem> {
        match self.role_on(tags) >= role {
            true => Ok(()),
            false => Err(Problem::Forbidden(format!("This takes the role {}.", role.name()))),
        }
    }
}
