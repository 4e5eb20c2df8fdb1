//! Who may do what: users with their roles and grants, sessions and tokens as hashes, and what an administrator sets.
//! Hashes passwords nowhere, and makes no token: it keeps what it is given.

mod doors;
mod rules;
mod sessions;
mod settings;
mod tokens;
mod users;

pub use doors::Door;
pub use sessions::{OpenSession, SESSION_IDLE, SESSION_MAX, Session, SessionId};
pub use tokens::{NewToken, Token, TokenFilter};
pub use users::{Credentials, Grant, NewUser, Subject, Updated, User, UserChange, UserFilter};

use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind, Result};

pub(crate) use sessions::remove_expired;
pub(crate) use settings::set as set_setting;

/// A SHA-256, as sessions and tokens are kept.
pub type Hash = [u8; 32];

/// Most rows of one page.
const PAGE_MAX: usize = 1_000;

fn role(name: &str) -> Result<Role> {
    Role::from_name(name)
        .ok_or_else(|| Error::new(ErrorKind::Internal, format!("somebody has the role `{name}`, which is not known")))
}
