//! `levada audit verify`: whether the audit log is as it was written.

use levada_core::error::{Error, ErrorKind};
use levada_store::{AuditCheck, AuditHead, Broken};
use serde_json::json;

use super::{Context, Outcome, block_on, one};
use crate::cli::AuditCommand;

/// Checks the log.
pub fn execute(context: &Context, AuditCommand::Verify { head }: &AuditCommand) -> Outcome {
    let noted = head.as_deref().map(|text| AuditHead::parse(text).ok_or_else(|| not_a_head(text))).transpose();
    let noted = noted.map_err(one)?;
    let found = block_on(async {
        let (_, store) = context.store().await?;
        store.verify_audit(noted).await.map_err(one)
    })?;
    let (number, what, head) = match found {
        AuditCheck::Whole(head) => (head.number, None, Some(head.to_string())),
        AuditCheck::Broken { number, what } => (number, Some(word(what)), None),
    };
    if context.output.is_json() {
        context.output.json(&json!({ "whole": what.is_none(), "number": number, "what": what, "head": head }));
    } else if let Some(what) = what {
        context.output.line(&format!("line {number} {what}"));
    } else {
        context.output.line(&format!("{number} lines, each as it was written; head {}", head.unwrap_or_default()));
    }
    Ok(u8::from(what.is_some()))
}

fn word(what: Broken) -> &'static str {
    match what {
        Broken::Missing => "is missing",
        Broken::Changed => "was changed",
        Broken::CutOff => "was cut off",
        Broken::Added => "was added",
        Broken::Replaced => "is of another log",
    }
}

fn not_a_head(text: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("`{text}` is not the head of an audit log"))
        .advise("Give what `levada audit verify` told before, as NUMBER:HASH.")
}
