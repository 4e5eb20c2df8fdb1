//! The audit log: who asked for what, and whether anybody has changed the log since.

use levada_core::time::Timestamp;
use levada_store::{AuditCheck, AuditFilter, AuditHead, AuditLine, Broken};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{instant, limit, number};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};
use crate::sort::{Sort, orders};

/// A line of the audit log.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditLine")]
pub struct Line {
    /// Counts from 1 without a gap.
    pub number: i64,
    /// When it was noted.
    pub at: Timestamp,
    /// Who: the name of a user, `local:USER`, or `anonymous`.
    pub actor: String,
    /// The operation that they asked for.
    pub action: String,
    /// What it concerns.
    pub object: String,
    /// `asked`, `done`, `denied` or `failed`.
    pub outcome: String,
    /// The address that they came from.
    pub address: Option<String>,
    /// More about it.
    pub detail: Option<String>,
    /// The hash over the line before and this one, in hexadecimal digits.
    pub hash: String,
}

orders! {
    /// What lines of the audit log are in order of.
    LineOrder(true) { Number = "number" }
}

/// Which lines to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// By this actor.
    pub actor: Option<String>,
    /// Of this operation.
    pub action: Option<String>,
    /// About this object.
    pub object: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Noted at this instant or later.
    pub since: Option<String>,
    /// Noted before this instant.
    pub until: Option<String>,
    /// The order; `-` before it is the other way round, and the newest come first unless asked for otherwise.
    #[serde(default)]
    pub sort: Sort<LineOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// How to check the log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The head that an earlier check told, as NUMBER:HASH: the log has to be a continuation of that one.
    pub head: Option<String>,
}

/// What a check of the log found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Whether every line is as it was written.
    pub whole: bool,
    /// The last line that was checked, or the first that is not as it was written.
    pub number: i64,
    /// What is wrong with it.
    pub what: Option<String>,
    /// The hash of the last line, to be noted elsewhere.
    pub hash: Option<String>,
}

impl From<AuditLine> for Line {
    fn from(line: AuditLine) -> Self {
        Self {
            number: line.number,
            at: line.at,
            actor: line.entry.actor,
            action: line.entry.action,
            object: line.entry.object,
            outcome: line.entry.outcome,
            address: line.entry.address,
            detail: line.entry.detail,
            hash: hex(&line.hash),
        }
    }
}

/// Lines of the audit log, the newest first.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Line>>, Problem> {
    let List { actor, action, object, outcome, since, until, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let filter = AuditFilter {
        actor,
        action,
        object,
        outcome,
        since: instant("since", since.as_deref())?,
        until: instant("until", until.as_deref())?,
        is_reversed: sort.is_ascending(),
        after: number(after.as_deref())?,
        limit,
    };
    let lines = call.app.store.audit_page(filter).await?;
    let next = lines.last().filter(|_| lines.len() == limit).map(|line| line.number.to_string());
    Ok(Page { items: lines.into_iter().map(Line::from).collect(), next }.into())
}

/// Checks every line of the audit log.
pub async fn verify(call: Call<Check>) -> Result<Answer<Verdict>, Problem> {
    let not_a_head = || Problem::Malformed("`head` is NUMBER:HASH, as an earlier check told it.".to_owned());
    let head = call.input.head.as_deref().map(|head| AuditHead::parse(head).ok_or_else(not_a_head)).transpose()?;
    Ok(match call.app.store.verify_audit(head).await? {
        AuditCheck::Whole(head) => {
            Verdict { whole: true, number: head.number, what: None, hash: Some(hex(&head.hash)) }
        }
        AuditCheck::Broken { number, what } => Verdict { whole: false, number, what: Some(word(what)), hash: None },
    }
    .into())
}

fn word(what: Broken) -> String {
    match what {
        Broken::Missing => "missing",
        Broken::Changed => "changed",
        Broken::CutOff => "cut off",
        Broken::Added => "added",
        Broken::Replaced => "replaced",
    }
    .to_owned()
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
