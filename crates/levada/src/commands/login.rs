//! `levada login` and `levada logout`: a token for a server, kept in the login file.

use levada_core::error::{Error, ErrorKind};
use levada_core::secret::Secret;
use levada_server::client::Client;
use levada_server::client::remote::SignIn;
use levada_server::routes::session::Me;
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, one};
use crate::cli::{LoginArgs, LogoutArgs};
use crate::logins::{Login, Logins};
use crate::output::instant;
use crate::{service, typed};

/// Signs in with a password, for a token that is kept; or keeps one that is given.
pub fn login(context: &Context, args: &LoginArgs) -> Outcome {
    let address = address(context, args.url.as_deref())?;
    let (address, login, me) = block_on(async {
        let server = context.servers.at(&address, None).map_err(one)?;
        let login = match args.token_stdin {
            true => {
                let token = typed::piped().map_err(one)?.expose().trim().to_owned();
                Login { token, id: None, name: String::new(), expires_at: None }
            }
            false => {
                let name = match &args.user {
                    Some(name) => name.clone(),
                    None => typed::line("Name: ", "Give the name with `--user`.").await.map_err(one)?,
                };
                let password = typed::secret("Password: ").await.map_err(one)?;
                let token = json!({ "name": label(), "role": args.role, "days": args.days });
                let made = server.sign_in(SignIn { name: &name, password: &password, token }).await?;
                let (id, expires_at) = (Some(made.token.id), Some(made.token.expires_at));
                Login { token: made.text, id, name, expires_at }
            }
        };
        let address = server.address().to_owned();
        let me = who(context, &address, &login).await?;
        forget(context, &address).await;
        Ok((address, Login { name: me.name.clone(), ..login }, me))
    })?;
    let expires_at = login.expires_at;
    Logins::read().and_then(|logins| logins.set(&address, Some(login))).map_err(one)?;
    if context.output.is_json() {
        context.output.json(&json!({ "server": address, "name": me.name, "role": me.role, "expires_at": expires_at }));
        return Ok(0);
    }
    let until = expires_at.map(|at| format!(", until {}", instant(at))).unwrap_or_default();
    context.output.line(&format!("signed in at {address} as {} ({}){until}", me.name, me.role.name()));
    Ok(0)
}

/// Forgets the token, at the server and here.
pub fn logout(context: &Context, args: &LogoutArgs) -> Outcome {
    let address = address(context, args.url.as_deref())?;
    let address = context.servers.at(&address, None).map_err(one)?.address().to_owned();
    let logins = Logins::read().map_err(one)?;
    let is_known = logins.get(&address).is_some();
    let is_removed = block_on(async { Ok(forget(context, &address).await) })?;
    logins.set(&address, None).map_err(one)?;
    if context.output.is_json() {
        context.output.json(&json!({ "server": address, "was_known": is_known, "is_removed_there": is_removed }));
        return Ok(0);
    }
    context.output.line(&match is_known {
        true => format!("signed out of {address}"),
        false => format!("nobody was signed in at {address}"),
    });
    if is_known && !is_removed {
        context.output.note("The server was not told, or did not make the token: there it counts until it ends.");
    }
    Ok(0)
}

fn address(context: &Context, given: Option<&str>) -> Result<String, Errors> {
    given.map(str::to_owned).or_else(|| context.servers.address()).ok_or_else(|| {
        one(Error::new(ErrorKind::Usage, "no server is given").advise("Give its URL: `levada login https://HOST`."))
    })
}

/// Whoever a token is of.
async fn who(context: &Context, address: &str, login: &Login) -> Result<Me, Errors> {
    let remote = context.servers.at(address, Some(&Secret::new(login.token.as_str()))).map_err(one)?;
    Client::there(remote).call("getSession", json!({})).await
}

/// Removes the token that is kept of a server there, if it was made for this. Answers whether it is gone.
async fn forget(context: &Context, address: &str) -> bool {
    let Ok(logins) = Logins::read() else { return false };
    let Some((login, id)) = logins.get(address).and_then(|login| Some((login, login.id?))) else { return false };
    let Ok(remote) = context.servers.at(address, Some(&Secret::new(login.token.as_str()))) else { return false };
    Client::there(remote).call::<()>("removeToken", json!({ "token": id })).await.is_ok()
}

/// What a token is called: where it is used, and since when, so that no two of a user are the same.
fn label() -> String {
    format!("levada login, {}, {}", service::host(), service::now())
}
