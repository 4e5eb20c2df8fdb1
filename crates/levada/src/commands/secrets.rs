//! `levada secrets`: the secrets that the metadata store keeps. Values come in by standard input only, and never out.

use std::io::{IsTerminal as _, Read as _, Write as _};

use levada_core::error::{Error, Result};
use levada_core::secret::Secret;
use levada_store::{KEY_VARIABLE, KeySource, MasterKey};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, one};
use crate::cli::SecretsCommand;
use crate::output::{Cell, Table, instant};
use crate::service;

/// Most bytes read of a value.
const BYTES_MAX: u64 = 1 << 20;

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
    let value = read(&format!("Value of `{name}`: "))?;
    block_on(async {
        let places = context.places()?;
        let store = places.open().await.map_err(one)?;
        levada_server::secrets::set(&store, &places.data, name.to_owned(), value, service::now()).await.map_err(one)
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "name": name, "state": "set" }));
    } else {
        context.output.line(&format!("`{name}` is set; documents use it as ${{secret:{name}}}"));
    }
    Ok(0)
}

fn list(context: &Context) -> Outcome {
    let names = block_on(async {
        let (_, store) = context.store().await?;
        store.secret_names().await.map_err(one)
    })?;
    if context.output.is_json() {
        let names: Vec<_> =
            names.iter().map(|secret| json!({ "name": secret.name, "updated_at": secret.updated_at })).collect();
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
    block_on(async {
        let (_, store) = context.store().await?;
        levada_server::secrets::remove(&store, name).await.map_err(one)
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "name": name, "state": "removed" }));
    } else {
        context.output.line(&format!("`{name}` is removed"));
    }
    Ok(0)
}

/// A new master key: in place of the key file, or the one that is typed in where the environment gives it.
fn rotate(context: &Context) -> Outcome {
    let places = context.places()?;
    let key = KeySource::find(&places.data).map_err(one)?;
    let next = match &key {
        KeySource::Given(_) => {
            let text = read("The new master key: ")?;
            Some(MasterKey::from_text(text.expose()).map_err(one)?)
        }
        KeySource::File(_) => None,
    };
    let is_given = next.is_some();
    block_on(async {
        let (_, store) = context.store().await?;
        let secrets = store.unlock(&key).await.map_err(one)?;
        match (&key, next) {
            (KeySource::File(path), _) => secrets.rotate_file(path, service::now()).await,
            (KeySource::Given(old), next) => secrets.rotate(next.unwrap_or_else(|| old.clone()), service::now()).await,
        }
        .map_err(one)
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "state": "rotated" }));
        return Ok(0);
    }
    context.output.line("every secret is sealed under a new master key");
    if is_given {
        context
            .output
            .note(&format!("Give the new key in {KEY_VARIABLE} from now on, to `serve` and all workers too."));
    }
    Ok(0)
}

/// A value from standard input: typed without being shown, or all that is piped in, but for the end of its last line.
fn read(prompt: &str) -> Result<Secret, Errors> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return block_on(async { typed(prompt).await.map_err(|error| one(Error::from(error).at("the terminal"))) });
    }
    let mut text = String::new();
    let read = stdin.lock().take(BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| one(Error::from(error).at("standard input")))?;
    Ok(Secret::new(without_end(text)))
}

/// A terminal that does not show what is typed; it does again when this goes, also on Ctrl-C.
struct Hidden(Termios);

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
        let _ = writeln!(std::io::stderr());
    }
}

async fn typed(prompt: &str) -> std::io::Result<Secret> {
    let shown = tcgetattr(std::io::stdin())?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let _ = write!(std::io::stderr(), "{prompt}");
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden)?;
    let _shown_again = Hidden(shown);
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next().transpose()).await;
    let line = line.map_err(std::io::Error::other)??.unwrap_or_default();
    Ok(Secret::new(without_end(line)))
}

fn without_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
