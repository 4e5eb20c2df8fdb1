//! `levada users` and `levada tokens`: who may sign in, and what programs sign in with.

use std::collections::BTreeMap;

use levada_core::access::Role;
use levada_core::error::{Error, ErrorKind, Result};
use levada_server::client::Client;
use levada_server::client::remote::SignIn;
use levada_server::routes::sessions::{Ended, Shown as Session};
use levada_server::routes::tokens::{NewTokenText, Shown as Token};
use levada_server::routes::users::Shown as User;
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, one};
use crate::cli::{TokensCommand, UsersCommand};
use crate::output::{Cell, Table, instant};
use crate::typed;

/// Lists and changes users.
pub fn users(context: &Context, command: &UsersCommand) -> Outcome {
    let done = block_on(async {
        let client = context.client().await?;
        match command {
            UsersCommand::List { role } => {
                let users: Vec<User> = client.all("listUsers", json!({ "role": role })).await?;
                show_users(context, &users);
                Ok(None)
            }
            UsersCommand::Add { name, role, grants, email, no_password } => {
                let grants = granted(grants).map_err(one)?;
                let password = password(!no_password).await?;
                let input =
                    json!({ "name": name, "role": role, "grants": grants, "email": email, "password": password });
                client.call::<User>("createUser", input).await?;
                Ok(Some((name, "made")))
            }
            UsersCommand::Change { name, role, grants, no_grants, email, password: is_new, disable, enable } => {
                let grants = match (grants.is_empty(), no_grants) {
                    (true, false) => Json::Null,
                    _ => granted(grants).map_err(one)?,
                };
                let input = json!({
                    "user": name,
                    "role": role,
                    "grants": grants,
                    "email": email,
                    "password": password(*is_new).await?,
                    "disabled": (*disable || *enable).then_some(*disable),
                });
                let tag = tag(&client, name).await?;
                client.tagged::<User>("updateUser", input, tag.as_deref()).await?;
                Ok(Some((name, "changed")))
            }
            UsersCommand::Remove { name } => {
                let tag = tag(&client, name).await?;
                client.tagged::<()>("removeUser", json!({ "user": name }), tag.as_deref()).await?;
                Ok(Some((name, "removed")))
            }
            UsersCommand::Sessions { name } => {
                show_sessions(context, &client.all::<Session>("listSessionsOf", json!({ "user": name })).await?);
                Ok(None)
            }
            UsersCommand::SignOut { name, session } => {
                match session {
                    Some(session) => {
                        client.call::<()>("endSessionOf", json!({ "session": session, "user": name })).await?;
                    }
                    None => {
                        client.call::<Ended>("endSessionsOf", json!({ "user": name })).await?;
                    }
                }
                Ok(Some((name, "signed out")))
            }
        }
    })?;
    let Some((name, state)) = done else { return Ok(0) };
    if context.output.is_json() {
        context.output.json(&json!({ "name": name, "state": state }));
    } else {
        context.output.line(&format!("user `{name}` is {state}"));
    }
    Ok(0)
}

/// Lists, makes and removes tokens.
pub fn tokens(context: &Context, command: &TokensCommand) -> Outcome {
    block_on(async {
        let client = context.client().await?;
        match command {
            TokensCommand::List { all } => {
                let input = json!({ "all": *all || !client.is_remote() });
                show_tokens(context, &client.all::<Token>("listTokens", input).await?);
            }
            TokensCommand::Add { name, user, role, tags, days } => {
                let tags = (!tags.is_empty()).then_some(tags);
                let mut token = json!({ "name": name, "role": role, "tags": tags, "days": days });
                let made: NewTokenText = match context.servers.address() {
                    // a token makes no tokens: its user signs in for it
                    Some(address) => {
                        let password = typed::secret(&format!("Password of {user}: ")).await.map_err(one)?;
                        let server = context.servers.at(&address, None).map_err(one)?;
                        server.sign_in(SignIn { name: user, password: &password, token }).await?
                    }
                    None => {
                        token["user"] = user.as_str().into();
                        client.call("createToken", token).await?
                    }
                };
                if context.output.is_json() {
                    context.output.json(&json!({ "token": made.token, "text": made.text }));
                } else {
                    context.output.line(&made.text);
                    context.output.note("It is shown this once. Programs give it in LEVADA_TOKEN.");
                }
            }
            TokensCommand::Remove { token } => {
                client.call::<()>("removeToken", json!({ "token": token })).await?;
                if context.output.is_json() {
                    context.output.json(&json!({ "token": token, "state": "removed" }));
                } else {
                    context.output.line(&format!("token {token} is removed"));
                }
            }
        }
        Ok(0)
    })
}

/// The version of a user that is to be changed.
async fn tag(client: &Client, user: &str) -> Result<Option<String>, Errors> {
    Ok(client.tagged::<User>("getUser", json!({ "user": user }), None).await?.1)
}

async fn password(is_wanted: bool) -> Result<Option<String>, Errors> {
    match is_wanted {
        true => Ok(Some(typed::secret("Password: ").await.map_err(one)?.expose().to_owned())),
        false => Ok(None),
    }
}

fn granted(grants: &[(String, String)]) -> Result<Json> {
    let grants: BTreeMap<&String, &String> = grants.iter().map(|(tag, role)| (tag, role)).collect();
    let role = |(tag, role): (&String, &String)| match Role::from_name(role) {
        Some(role) => Ok(json!({ "tag": tag, "role": role })),
        None => Err(Error::new(ErrorKind::Usage, format!("there is no role `{role}`"))
            .advise("Roles: viewer, operator, editor, admin.")),
    };
    grants.into_iter().map(role).collect::<Result<Vec<_>>>().map(Json::from)
}

fn show_users(context: &Context, users: &[User]) {
    if context.output.is_json() {
        context.output.json(&json!({ "users": users }));
        return;
    }
    let mut table = Table::new(&["user", "role", "on tags", "state", "e-mail", "since"]);
    for user in users {
        let grants: Vec<String> =
            user.grants.iter().map(|grant| format!("{}={}", grant.tag, grant.role.name())).collect();
        table.row([
            Cell::text(&user.name),
            Cell::text(user.role.name()),
            Cell::text(if grants.is_empty() { "-".to_owned() } else { grants.join(", ") }),
            Cell::text(if user.disabled { "disabled" } else { "active" }),
            Cell::text(user.email.as_deref().unwrap_or("-")),
            Cell::text(instant(user.created_at)),
        ]);
    }
    context.output.table(&table);
}

fn show_sessions(context: &Context, sessions: &[Session]) {
    if context.output.is_json() {
        context.output.json(&json!({ "sessions": sessions }));
        return;
    }
    let mut table = Table::new(&["session", "since", "last used", "ends"]);
    for session in sessions {
        table.row([
            Cell::text(&session.id),
            Cell::text(instant(session.created_at)),
            Cell::text(instant(session.seen_at)),
            Cell::text(instant(session.expires_at)),
        ]);
    }
    context.output.table(&table);
}

fn show_tokens(context: &Context, tokens: &[Token]) {
    if context.output.is_json() {
        context.output.json(&json!({ "tokens": tokens }));
        return;
    }
    let mut table = Table::new(&["token", "name", "user", "role", "tags", "ends", "last used"]);
    for token in tokens {
        table.row([
            Cell::right(token.id.to_string()),
            Cell::text(&token.name),
            Cell::text(&token.user),
            Cell::text(token.role.name()),
            Cell::text(token.tags.as_ref().map_or_else(|| "-".to_owned(), |tags| tags.join(", "))),
            Cell::text(instant(token.expires_at)),
            Cell::text(instant(token.used_at)),
        ]);
    }
    context.output.table(&table);
}
