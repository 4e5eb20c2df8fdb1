//! `${..}` in the text of a document: environment variables, parameters, secrets and what a run tells, looked up by the
//! caller. One pass: what a reference stands for is never searched for references again.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::decode::text_of;
use super::reference::Reference;
use super::yaml::{Node, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{did_you_mean, nearest};

/// What a run tells of itself, its items and the tasks that ended; `None` is an error for whoever asked.
pub type Runtime<'a> = &'a dyn Fn(&Reference) -> Result<Option<Json>>;

/// Where the values for `${..}` come from. A name that is not there is `None`.
#[derive(Clone)]
pub struct Variables<'a> {
    /// Environment variables: `${NAME}`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Secrets: `${secret:name}`.
    pub secret: &'a dyn Fn(&str) -> Result<Option<String>>,
    /// Parameters as given by the caller: `${param.name}`, before the defaults of the pipeline.
    pub params: BTreeMap<String, String>,
    /// What is only known when a task runs. Text stands for itself, everything else for its JSON: in the middle of a text
    /// and in settings that are text as JSON text, alone in a value that is JSON as what it is.
    pub runtime: Option<Runtime<'a>>,
}

/// Keys whose values become the arguments of a program.
const ARGUMENTS: [&str; 2] = ["argv", "interpreter"];

/// What happens to a reference that is only known when a task runs, where nobody tells it.
#[derive(Clone, Copy)]
pub enum Late<'a> {
    /// It is an error.
    Refused,
    /// It stays as it is, and so do references to these parameters, which have no value yet.
    Kept(&'a [String]),
}

/// A copy of a tree with every `${..}` in its text replaced. Keys stay as they are; `$${` stands for `${`.
///
/// # Errors
/// One `Config` for each reference that cannot be resolved, with file, line and column.
pub fn fill(file: &str, node: &Node, variables: &Variables<'_>, late: Late<'_>) -> Result<Node, Vec<Error>> {
    let mut fill = Fill { file, variables, late, errors: Vec::new() };
    let filled = fill.node(node);
    if fill.errors.is_empty() { Ok(filled) } else { Err(fill.errors) }
}

/// What stands between `${` and `}` in a text, each.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|part| match part {
        Part::Name(name) => Some(name),
        _ => None,
    })
}

/// The names of the secrets that the text of a document mentions.
pub fn secret_names(text: &str) -> impl Iterator<Item = &str> {
    names(text).filter_map(|name| name.trim().strip_prefix("secret:"))
}

/// Whether a text holds a reference that only a run resolves, so that it cannot be looked at before.
pub fn is_late(text: &str) -> bool {
    names(text).next().is_some()
}

/// That such a text stands where its value is needed before.
pub fn too_late(text: &str) -> String {
    format!("`{text}` is only known when the task runs, which is too late here")
}

/// A piece of a text.
enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
    Open,
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(after) = rest.strip_prefix("$${") {
            rest = after;
            return Some(Part::Text("${"));
        }
        if let Some(after) = rest.strip_prefix("${") {
            let Some((name, after)) = after.split_once('}') else {
                rest = "";
                return Some(Part::Open);
            };
            rest = after;
            return Some(Part::Name(name.trim()));
        }
        let end = [rest.find("$${"), rest.find("${")].into_iter().flatten().min().unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Part::Text(text))
    })
}

struct Fill<'a, 'v> {
    file: &'a str,
    variables: &'a Variables<'v>,
    late: Late<'a>,
    errors: Vec<Error>,
}

/// What a reference stands for.
enum Found {
    Text(String),
    Json(Json),
    Late,
}

impl Fill<'_, '_> {
    fn node(&mut self, node: &Node) -> Node {
        let value = match &node.value {
            Value::Text(text) if text.contains("${") => match self.text(text) {
                Ok(value) => value,
                Err(error) => {
                    self.errors.push(error.at(node.mark.in_file(self.file)));
                    Value::Null
                }
            },
            Value::List(items) => Value::List(items.iter().map(|item| self.node(item)).collect()),
            Value::Map(entries) => {
                for (_, value) in entries.iter().filter(|(key, _)| ARGUMENTS.contains(&key.text.as_str())) {
                    self.refuse_secrets(value);
                }
                Value::Map(entries.iter().map(|(key, value)| (key.clone(), self.node(value))).collect())
            }
            other => other.clone(),
        };
        Node { mark: node.mark, value }
    }

    /// Refuses secrets in what becomes the arguments of a program.
    fn refuse_secrets(&mut self, node: &Node) {
        match &node.value {
            Value::Text(text) => {
                if let Some(name) = secret_names(text).next() {
                    let message = format!(
                        "the secret `{name}` would be an argument, which every process of the machine can read"
                    );
                    let advice = "Give it in `env`, and let the program read the variable.";
                    let error = Error::new(ErrorKind::Config, message).advise(advice);
                    self.errors.push(error.at(node.mark.in_file(self.file)));
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.refuse_secrets(item)),
            _ => {}
        }
    }

    fn text(&self, text: &str) -> Result<Value> {
        let mut filled = String::with_capacity(text.len());
        let (mut outside, mut late) = (false, false);
        for part in parts(text) {
            let name = match part {
                Part::Text(text) => {
                    filled.push_str(text);
                    continue;
                }
                Part::Name(name) => name,
                Part::Open => {
                    return Err(Error::new(ErrorKind::Config, "`${` has no closing `}`")
                        .advise("Close it, or write `$${` where the text itself is meant."));
                }
            };
            outside = true;
            match self.look_up(name)? {
                Found::Json(value) if parts(text).nth(1).is_none() => return Ok(Value::Given(value)),
                Found::Json(value) => filled.push_str(&text_of(&value)),
                Found::Text(value) => filled.push_str(&value),
                Found::Late => {
                    late = true;
                    filled.push_str(&format!("${{{name}}}"));
                }
            }
        }
        Ok(match (late, outside) {
            (true, _) => Value::Late(filled),
            (false, true) => Value::Filled(filled),
            (false, false) => Value::Text(filled),
        })
    }

    fn look_up(&self, name: &str) -> Result<Found> {
        if let Some(secret) = name.strip_prefix("secret:") {
            return self.secret(secret).map(Found::Text);
        }
        if let Some(param) = name.strip_prefix("params.").or_else(|| name.strip_prefix("param.")) {
            return self.param(param);
        }
        if let Some(reference) = Reference::parse(name)? {
            return self.runtime(name, &reference);
        }
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(Error::new(ErrorKind::Config, format!("`${{{name}}}` is not a reference")).advise(
                "Write `${NAME}` for an environment variable, `${param.name}`, `${secret:name}`, or `$${` where the text \
                 itself is meant.",
            ));
        }
        (self.variables.env)(name).map(Found::Text).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("the environment variable `{name}` is not set"))
                .advise(format!("Set it: `export {name}=..`."))
        })
    }

    fn secret(&self, name: &str) -> Result<String> {
        (self.variables.secret)(name)?.ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("there is no secret `{name}`")).advise(format!(
                "Set it: `levada secrets set {name}`; or give it in the environment variable LEVADA_SECRET_{}, or in the file \
                 `{name}` in the folder named by LEVADA_SECRETS_DIR.",
                env_name(name)
            ))
        })
    }

    fn param(&self, name: &str) -> Result<Found> {
        let params = &self.variables.params;
        match (params.get(name), self.late) {
            (Some(value), _) => return Ok(Found::Text(value.clone())),
            (None, Late::Kept(open)) if open.iter().any(|open| open == name) => return Ok(Found::Late),
            _ => {}
        }
        let known: Vec<&str> = params.keys().map(String::as_str).collect();
        Err(Error::new(ErrorKind::Config, format!("the parameter `{name}` is not declared")).advise(format!(
            "{}Declare it under `params:` of the pipeline{}.",
            did_you_mean(nearest(name, &known)),
            if known.is_empty() { String::new() } else { format!(", next to {}", known.join(", ")) }
        )))
    }

    fn runtime(&self, name: &str, reference: &Reference) -> Result<Found> {
        let Some(runtime) = self.variables.runtime else {
            return match self.late {
                Late::Kept(_) => Ok(Found::Late),
                Late::Refused => {
                    Err(Error::new(ErrorKind::Config, format!("`${{{name}}}` is only known when a task runs"))
                        .advise("Use it in a task, or use a parameter."))
                }
            };
        };
        runtime(reference)?.map(Found::Json).ok_or_else(|| {
            let error = Error::new(ErrorKind::Config, format!("`${{{name}}}` has no value"));
            match reference {
                Reference::Output { task, key } => error
                    .advise(format!("The task `{task}` has to give an output `{key}`; see its log for what it gave.")),
                Reference::Item(Some(key)) => error.advise(format!("The item has no `{key}`.")),
                _ => error.advise("Remove it."),
            }
        })
    }
}

/// The part of an environment variable's name that stands for a secret: upper case, other characters as `_`.
pub fn env_name(secret: &str) -> String {
    secret.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
