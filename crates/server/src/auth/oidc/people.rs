//! From somebody whom a provider knows to a user here: made when they first sign in, brought up to date each time. What
//! their groups give them is decided anew each time as well.

use levada_core::access::Role;
use levada_core::config::OidcSettings;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{NewUser, Store, Subject, Updated, User, UserChange};
use serde_json::{Map, Value as Json};

use crate::auth::login;

/// Longest name for people to read, in bytes.
const DISPLAY_NAME_MAX: usize = 200;

/// Somebody, as a provider tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who they are for the provider.
    pub subject: Subject,
    /// The name of a user to be made for them.
    pub name: String,
    /// The name for people to read.
    pub display_name: String,
    /// The mail address.
    pub email: Option<String>,
    /// What their groups give them.
    pub role: Option<Role>,
}

impl Person {
    /// Out of what a provider says; none where it does not even say who it is.
    pub(super) fn new(settings: &OidcSettings, claims: &Map<String, Json>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Json::as_str).map(str::trim).filter(|text| !text.is_empty());
        let subject = text("sub")?;
        let email = text("email").filter(|email| is_email(email));
        let name = [text("preferred_username"), email, Some(subject)]
            .into_iter()
            .flatten()
            .map(user_name)
            .find(|name| !name.is_empty());
        let display_name: String = text("name").unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        let name = name.unwrap_or_else(|| "user".to_owned());
        let display_name = cut(&display_name, DISPLAY_NAME_MAX).trim();
        Some(Self {
            subject: Subject { issuer: settings.issuer.clone(), subject: subject.to_owned() },
            display_name: if display_name.is_empty() { name.clone() } else { display_name.to_owned() },
            name,
            email: email.map(str::to_owned),
            role: role(settings, claims),
        })
    }
}

/// The highest role that a group gives, or that everybody has.
fn role(settings: &OidcSettings, claims: &Map<String, Json>) -> Option<Role> {
    let groups: Vec<&str> = match claims.get(&settings.groups_claim) {
        Some(Json::String(group)) => vec![group],
        Some(Json::Array(groups)) => groups.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let given = groups.into_iter().filter_map(|group| settings.roles.get(group).copied());
    given.chain(settings.default_role).max()
}

/// A text as the name of a user: letters without accents, digits and `._-@+`.
fn user_name(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || "._-@+".contains(c) { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(letter).collect();
    cut(name.trim_matches(|c: char| !c.is_ascii_alphanumeric()), 100).to_owned()
}

fn is_email(text: &str) -> bool {
    let has_parts = text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    has_parts && text.len() <= 254 && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// Signs somebody in whom the provider has vouched for. Answers the user, and the text of their session's cookie.
///
/// # Errors
/// `Permission` where no group gives them a role, or they are disabled; `Refused` where a user of this name is there
/// already and somebody else; those of the store.
pub async fn sign_in(store: &Store, person: &Person, now: Timestamp) -> Result<(User, Secret)> {
    let known = store.user_by_subject(person.subject.clone()).await?;
    let Some(role) = person.role else {
        if let Some(user) = known {
            store.remove_sessions(user.id, None).await?;
        }
        return Err(Error::new(ErrorKind::Permission, "none of your groups gives you a role here")
            .advise("Ask an administrator; the roles of groups stand in `auth.yaml`."));
    };
    let user = match known {
        Some(user) => refresh(store, user, person, role, now).await?,
        None => make(store, person, role, now).await?,
    };
    match login::open_session(store, user.id, now).await? {
        Some(session) => Ok((user, session)),
        None => Err(Error::new(ErrorKind::Permission, "you may not sign in here").advise("Ask an administrator.")),
    }
}

async fn make(store: &Store, person: &Person, role: Role, now: Timestamp) -> Result<User> {
    // an equal name proves nothing: whoever chooses it at the provider would become that user
    if store.user_by_name(&person.name).await?.is_some() {
        let told = format!("there is a user `{}` already, and nothing says that it is you", person.name);
        return Err(Error::new(ErrorKind::Refused, told)
            .advise("Ask an administrator to remove that user, or to give it your subject at the provider."));
    }
    let new = NewUser {
        name: person.name.clone(),
        display_name: person.display_name.clone(),
        email: person.email.clone(),
        password_hash: None,
        role,
        subject: Some(person.subject.clone()),
        grants: Vec::new(),
    };
    store.create_user(new, now).await
}

async fn refresh(store: &Store, user: User, person: &Person, role: Role, now: Timestamp) -> Result<User> {
    let change = UserChange {
        display_name: Some(person.display_name.clone()).filter(|name| *name != user.display_name),
        email: Some(person.email.clone()).filter(|email| *email != user.email),
        ..UserChange::default()
    };
    if change.display_name.is_some() || change.email.is_some() {
        store.update_user(user.id, None, change, now).await?;
    }
    if role != user.role {
        let change = UserChange { role: Some(role), ..UserChange::default() };
        match store.update_user(user.id, None, change, now).await {
            // the last administrator stays one
            Err(error) if error.kind() == ErrorKind::Refused => {}
            Err(error) => return Err(error),
            Ok(Updated::Done(user)) => return Ok(*user),
            Ok(Updated::Stale(_)) => {}
        }
    }
    store.user(user.id).await?.ok_or_else(|| Error::new(ErrorKind::NotFound, "the user was removed meanwhile"))
}
