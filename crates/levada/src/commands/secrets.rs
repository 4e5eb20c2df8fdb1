//! `levada secrets`: the secrets that the metadata store keeps. Values come in by standard input only, and never out.

use levada_server::routes::secrets::Name;
use levada_server::routes::settings::{MasterKey, Settings};
use levada_store::KEY_VARIABLE;
use serde_json::json;

use super::{Context, Outcome, block_on, one};
use crate::cli::SecretsCommand;
use crate::output::{Cell, Table, instant};
use crate::typed;

/// Keeps, lists, removes or seals secrets anew.
pub fn execute(context: &Context, command: &SecretsCommand) -> Outcome {
    match command {
        SecretsCommand::Set { name } => set(context, name),
        SecretsCommand::List => list(context),
        SecretsCommand::Remove { name } => remove(context, name),
        SecretsCommand::Rotate => rotate(context),
    }
}

fn set(context: &Context, name: &str) -> Outcome {
    block_on(async {
        let value = typed::secret(&format!("Value of `{name}`: ")).await.map_err(one)?;
        let client = context.client_or_new().await?;
        client.call::<()>("setSecret", json!({ "secret": name, "value": value.expose() })).await
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "name": name, "state": "set" }));
    } else {
        context.output.line(&format!("`{name}` is set; documents use it as ${{secret:{name}}}"));
    }
    Ok(0)
}

fn list(context: &Context) -> Outcome {
    let names: Vec<Name> = block_on(async { context.client().await?.all("listSecrets", json!({})).await })?;
    if context.output.is_json() {
        context.output.json(&json!({ "secrets": names }));
        return Ok(0);
    }
    let mut table = Table::new(&["secret", "set"]);
    for secret in &names {
        table.row([Cell::text(&secret.name), Cell::text(instant(secret.updated_at))]);
    }
    context.output.table(&table);
    Ok(0)
}

fn remove(context: &Context, name: &str) -> Outcome {
    block_on(async { context.client().await?.call::<()>("removeSecret", json!({ "secret": name })).await })?;
    if context.output.is_json() {
        context.output.json(&json!({ "name": name, "state": "removed" }));
    } else {
        context.output.line(&format!("`{name}` is removed"));
    }
    Ok(0)
}

/// A new master key: in place of the key file, or the one that is typed in where the environment gives it.
fn rotate(context: &Context) -> Outcome {
    let is_given = block_on(async {
        let client = context.client().await?;
        let settings: Settings = client.call("getSettings", json!({})).await?;
        let is_given = settings.master_key == MasterKey::Environment;
        let key = match is_given {
            true => Some(typed::secret("The new master key: ").await.map_err(one)?),
            false => None,
        };
        client.call::<()>("rotateSecrets", json!({ "key": key.as_ref().map(|key| key.expose()) })).await?;
        Ok(is_given)
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "state": "rotated" }));
        return Ok(0);
    }
    context.output.line("every secret is sealed under a new master key");
    if is_given {
        let note = format!("Give the new key in {KEY_VARIABLE} from now on, to `serve` and all workers too.");
        context.output.note(&note);
    }
    Ok(0)
}
