//! Signing in and out, the first administrator, and one's own password.

use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind};
use levada_core::secret::Secret;
use levada_store::UserChange;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Nothing;
use super::users::Granted;
use crate::auth::login;
use crate::auth::{random, session, setup};
use crate::guard;
use crate::identity::Credential;
use crate::problem::Problem;
use crate::route::{Answer, Call, Done};

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

/// A name and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// The first administrator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// What stands behind `#` in the link that the first start prints.
    pub secret: String,
    /// The user's name.
    pub name: String,
    /// The password, 10 bytes at least.
    pub password: String,
}

/// A new password in place of one's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now.
    pub old: String,
    /// The password from now on, 10 bytes at least.
    pub new: String,
}

/// Who asks, and what they may do.
pub async fn get(call: Call<Nothing>) -> Result<Answer<Me>, Problem> {
    let caller = call.caller;
    let grants = caller.grants.into_iter().map(|(tag, role)| Granted { tag, role }).collect();
    Ok(Me { name: caller.name, role: caller.role, grants }.into())
}

/// Opens a session for whoever knows a password.
pub async fn sign_in(call: Call<SignIn>) -> Result<Answer<Me>, Problem> {
    let (app, peer, now) = (call.app.clone(), call.peer(), call.now());
    let SignIn { name, password } = call.input;
    let address = peer.map(|peer| peer.address);
    let given = (name.as_str(), Secret::new(password));
    let wrong = || Problem::Stranger("Name or password are wrong.");
    let user = match login::right(&app.store, &app.passwords, &app.backoff, given, address, now).await? {
        login::Answer::Right(user) => user,
        login::Answer::Wrong => {
            // who types the password in place of the name does not find it in the log
            let known = app.store.user_by_name(&name).await?.is_some();
            let object = if known { format!("user={name}") } else { String::new() };
            guard::turned_away(&app, address, "signIn", &object, "name or password are wrong").await?;
            return Err(wrong());
        }
        login::Answer::Wait(pause) => {
            guard::turned_away(&app, address, "signIn", "", "too many attempts were wrong").await?;
            return Err(Problem::TooMany(pause));
        }
    };
    guard::noted(&app, &user.name, address, "signIn", "", "asked").await?;
    let Some(session) = login::open_session(&app.store, user.id, now).await? else {
        // disabled since the password was read
        guard::noted(&app, &user.name, address, "signIn", "", "denied").await?;
        return Err(wrong());
    };
    let cookie = session::set(&session, peer.is_some_and(|peer| peer.is_tls));
    let grants = user.grants.into_iter().map(Granted::from).collect();
    Ok(Answer::from(Me { name: user.name, role: user.role, grants }).cookie(&cookie))
}

/// Ends the session.
pub async fn sign_out(call: Call<Nothing>) -> Result<Done, Problem> {
    if let Some(Credential::Session(text)) = guard::credential(&call.head.headers, &call.head.extensions)?
        && let Some(hash) = random::hash(&text)
    {
        call.app.store.remove_session(hash).await?;
    }
    Ok(Done::default().cookie(&session::clear(call.is_tls())))
}

/// Makes the first administrator, and signs them in.
pub async fn set_up(call: Call<SetUp>) -> Result<Answer<Me>, Problem> {
    let (app, peer, now) = (call.app.clone(), call.peer(), call.now());
    let SetUp { secret, name, password } = call.input;
    let (secret, password) = (Secret::new(secret), Secret::new(password));
    let address = peer.map(|peer| peer.address);
    let refused = |error: Error| match error.kind() {
        ErrorKind::Auth => Problem::Stranger("The set-up link is not valid, or was used before."),
        _ => error.into(),
    };
    if let Err(error) = setup::check(&app.store, &secret, &name, &password).await {
        if error.kind() == ErrorKind::Auth {
            guard::turned_away(&app, address, "setUp", "", "the link is not valid").await?;
        }
        return Err(refused(error));
    }
    let object = format!("user={name}");
    guard::noted(&app, "anonymous", address, "setUp", &object, "asked").await?;
    let user = match setup::accept(&app.store, &app.passwords, &secret, &name, password, now).await {
        Ok(user) => user,
        Err(error) => {
            guard::noted(&app, "anonymous", address, "setUp", &object, "failed").await?;
            return Err(refused(error));
        }
    };
    let session = login::open_session(&app.store, user.id, now).await?;
    let answer = Answer::from(Me { name: user.name, role: user.role, grants: Vec::new() });
    let is_tls = peer.is_some_and(|peer| peer.is_tls);
    Ok(match session {
        Some(session) => answer.cookie(&session::set(&session, is_tls)),
        None => answer,
    })
}

/// Changes one's own password, which ends one's other sessions.
pub async fn change_password(call: Call<ChangePassword>) -> Result<Done, Problem> {
    let (app, now, address) = (call.app.clone(), call.now(), call.peer().map(|peer| peer.address));
    let ChangePassword { old, new } = call.input;
    let name = &call.caller.name;
    let given = (name.as_str(), Secret::new(old));
    let user = match login::right(&app.store, &app.passwords, &app.backoff, given, address, now).await? {
        login::Answer::Right(user) => user,
        login::Answer::Wrong => return Err(Problem::Forbidden("The password until now is another one.".to_owned())),
        login::Answer::Wait(pause) => return Err(Problem::TooMany(pause)),
    };
    let new = Secret::new(new);
    crate::auth::password::check(&new, name)?;
    let keep = match guard::credential(&call.head.headers, &call.head.extensions)? {
        Some(Credential::Session(text)) => random::hash(&text),
        _ => None,
    };
    let password_hash = Some(Some(app.passwords.hash(new).await?));
    let change = UserChange { password_hash, keep, ..UserChange::default() };
    app.store.update_user(user.id, None, change, now).await?;
    Ok(Done::default())
}
