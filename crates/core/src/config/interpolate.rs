//! `${..}` in the text of a document: environment variables, parameters and secrets, looked up by the caller.

use std::collections::BTreeMap;

use super::yaml::{Node, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::naming::{did_you_mean, nearest};

/// Where the values for `${..}` come from. A name that is not there is `None`.
pub struct Variables<'a> {
    /// Environment variables: `${NAME}`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Secrets: `${secret:name}`.
    pub secret: &'a dyn Fn(&str) -> Result<Option<String>>,
    /// Parameters as given by the caller: `${param.name}`, before the defaults of the pipeline.
    pub params: BTreeMap<String, String>,
}

/// A copy of a tree with every `${..}` in its text replaced. Keys stay as they are; `$${` stands for `${`.
///
/// # Errors
/// One `Config` for each reference that cannot be resolved, with file, line and column.
pub fn fill(file: &str, node: &Node, variables: &Variables<'_>) -> Result<Node, Vec<Error>> {
    let mut errors = Vec::new();
    let filled = fill_node(file, node, variables, &mut errors);
    if errors.is_empty() { Ok(filled) } else { Err(errors) }
}

fn fill_node(file: &str, node: &Node, variables: &Variables<'_>, errors: &mut Vec<Error>) -> Node {
    let value = match &node.value {
        Value::Text(text) if text.contains("${") => match fill_text(text, variables) {
            Ok((text, true)) => Value::Filled(text),
            Ok((text, false)) => Value::Text(text),
            Err(error) => {
                errors.push(error.at(node.mark.in_file(file)));
                Value::Null
            }
        },
        Value::List(items) => Value::List(items.iter().map(|item| fill_node(file, item, variables, errors)).collect()),
        Value::Map(entries) => Value::Map(
            entries.iter().map(|(key, value)| (key.clone(), fill_node(file, value, variables, errors))).collect(),
        ),
        other => other.clone(),
    };
    Node { mark: node.mark, value }
}

/// The text, and whether anything in it came from outside.
fn fill_text(text: &str, variables: &Variables<'_>) -> Result<(String, bool)> {
    let mut filled = String::with_capacity(text.len());
    let mut outside = false;
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            filled.push_str(&rest[..start]);
            filled.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        filled.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('}') else {
            return Err(Error::new(ErrorKind::Config, "`${` has no closing `}`")
                .advise("Close it, or write `$${` where the text itself is meant."));
        };
        filled.push_str(&look_up(rest[start + 2..start + end].trim(), variables)?);
        outside = true;
        rest = &rest[start + end + 1..];
    }
    filled.push_str(rest);
    Ok((filled, outside))
}

fn look_up(name: &str, variables: &Variables<'_>) -> Result<String> {
    if let Some(secret) = name.strip_prefix("secret:") {
        return (variables.secret)(secret)?.ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("there is no secret `{secret}`")).advise(format!(
                "Set the environment variable LEVADA_SECRET_{}, or put the secret into the file `{secret}` in the folder \
                 named by LEVADA_SECRETS_DIR.",
                env_name(secret)
            ))
        });
    }
    if let Some(param) = name.strip_prefix("params.").or_else(|| name.strip_prefix("param.")) {
        return variables.params.get(param).cloned().ok_or_else(|| {
            let known: Vec<&str> = variables.params.keys().map(String::as_str).collect();
            Error::new(ErrorKind::Config, format!("the parameter `{param}` is not declared")).advise(format!(
                "{}Declare it under `params:` of the pipeline{}.",
                did_you_mean(nearest(param, &known)),
                if known.is_empty() { String::new() } else { format!(", next to {}", known.join(", ")) }
            ))
        });
    }
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(Error::new(ErrorKind::Config, format!("`${{{name}}}` is not a reference")).advise(
            "Write `${NAME}` for an environment variable, `${param.name}`, `${secret:name}`, or `$${` where the text \
             itself is meant.",
        ));
    }
    (variables.env)(name).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("the environment variable `{name}` is not set"))
            .advise(format!("Set it: `export {name}=..`."))
    })
}

/// The part of an environment variable's name that stands for a secret: upper case, other characters as `_`.
pub fn env_name(secret: &str) -> String {
    secret.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
