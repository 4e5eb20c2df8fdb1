//! Denials in the audit log, in bounded number: of a minute, the first few of each caller are lines of their own, and the rest
//! are one line with their count. Whoever asks for what he may not, as often as he likes, fills no disk.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use levada_core::error::Result;
use levada_core::time::Timestamp;
use levada_store::AuditEntry;
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::rate::network;

/// How long denials are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// Lines of one caller in that time.
const LINES_MAX: u64 = 5;
/// Callers that are counted by themselves in that time; all others together.
const CALLERS_MAX: usize = 30;
/// The operation of a line that counts several.
const SEVERAL: &str = "several";

/// Denials that are counted and not yet written down.
#[derive(Default)]
pub struct Denials {
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    began: Option<Timestamp>,
    callers: HashMap<Key, Counted>,
}

/// Who is denied, by name and network; nobody in particular where there are too many.
type Key = Option<(String, Option<IpAddr>)>;

/// Denials of one caller.
#[derive(Default)]
struct Counted {
    address: Option<String>,
    lines: u64,
    more: BTreeMap<&'static str, u64>,
}

/// A denial.
pub struct Denial<'a> {
    /// Who asked, as far as they are known.
    pub actor: &'a str,
    /// From where.
    pub address: Option<IpAddr>,
    /// For what.
    pub operation: &'static str,
    /// What it concerns.
    pub object: &'a str,
    /// Why not.
    pub why: String,
}

impl Denials {
    /// Counts a denial. Answers the lines that are to be written now.
    pub fn add(&self, denial: Denial<'_>, now: Timestamp) -> Vec<AuditEntry> {
        let Denial { actor, address, operation, object, why } = denial;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = window.over(now);
        let began = window.began.get_or_insert(now);
        *began = (*began).min(now);
        let own = Some((actor.to_owned(), address.map(network)));
        let is_one = window.callers.contains_key(&own) || window.callers.len() < CALLERS_MAX;
        let counted = window.callers.entry(own.filter(|_| is_one)).or_default();
        if counted.lines < LINES_MAX {
            counted.lines += 1;
            counted.address = address.filter(|_| is_one).map(|address| address.to_string());
            lines.push(AuditEntry {
                actor: actor.to_owned(),
                action: operation.to_owned(),
                object: object.to_owned(),
                outcome: "denied".to_owned(),
                address: address.map(|address| address.to_string()),
                detail: Some(why),
            });
        } else {
            *counted.more.entry(operation).or_default() += 1;
        }
        lines
    }

    /// The lines of a time that is over.
    pub fn over(&self, now: Timestamp) -> Vec<AuditEntry> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).over(now)
    }

    /// All lines that are not written yet.
    pub fn rest(&self) -> Vec<AuditEntry> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).rest()
    }
}

impl Window {
    fn over(&mut self, now: Timestamp) -> Vec<AuditEntry> {
        match self.began.is_some_and(|began| now.since(began) >= WINDOW) {
            true => self.rest(),
            false => Vec::new(),
        }
    }

    fn rest(&mut self) -> Vec<AuditEntry> {
        self.began = None;
        let counted = std::mem::take(&mut self.callers).into_iter().filter(|(_, counted)| !counted.more.is_empty());
        let mut lines: Vec<AuditEntry> = counted.map(|(key, counted)| counted.line(key)).collect();
        lines.sort_by(|a, b| (&a.actor, &a.address).cmp(&(&b.actor, &b.address)));
        lines
    }
}

impl Counted {
    fn line(self, key: Key) -> AuditEntry {
        let all: u64 = self.more.values().sum();
        let each: Vec<String> = self.more.iter().map(|(operation, count)| format!("{operation} {count}")).collect();
        let mut operations = self.more.keys();
        let action = operations.next().filter(|_| operations.next().is_none()).unwrap_or(&SEVERAL);
        AuditEntry {
            actor: key.map_or_else(|| SEVERAL.to_owned(), |(actor, _)| actor),
            action: (*action).to_owned(),
            object: String::new(),
            outcome: "denied".to_owned(),
            address: self.address,
            detail: Some(format!("{all} more within a minute: {}", each.join(", "))),
        }
    }
}

/// Writes down what was counted, each minute and when it is told to stop.
pub async fn write_down(app: App, stop: CancellationToken) {
    loop {
        let is_over = tokio::select! {
            () = tokio::time::sleep(WINDOW) => false,
            () = stop.cancelled() => true,
        };
        let now = app.clock.now();
        let lines = if is_over { app.denials.rest() } else { app.denials.over(now) };
        if let Err(error) = write(&app, lines).await {
            tracing::warn!("denials were not written into the audit log: {error}");
        }
        if is_over {
            return;
        }
    }
}

/// Writes lines into the audit log.
///
/// # Errors
/// Those of the store.
pub(crate) async fn write(app: &App, lines: Vec<AuditEntry>) -> Result<()> {
    for line in lines {
        app.store.append_audit(line, app.clock.now()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn denial(actor: &'static str, address: [u8; 4], operation: &'static str) -> Denial<'static> {
        Denial { actor, address: Some(address.into()), operation, object: "run=1", why: "no".to_owned() }
    }

    fn told(lines: &[AuditEntry]) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let line = |line: &AuditEntry| {
            format!("{} {} {}: {}", line.actor, line.action, text(&line.address), text(&line.detail))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn of_many_denials_the_first_are_lines_and_the_others_a_count() {
        let denials = Denials::default();
        let mut lines = Vec::new();
        for _ in 0..1_000 {
            lines.extend(denials.add(denial("anonymous", [10, 0, 0, 1], "getRun"), NOW));
        }
        lines.extend(denials.add(denial("anonymous", [10, 0, 0, 1], "listRuns"), NOW));
        lines.extend(denials.add(denial("vera", [10, 0, 0, 1], "listUsers"), NOW));
        let wanted = ["anonymous getRun 10.0.0.1: no"; 5].into_iter().chain(["vera listUsers 10.0.0.1: no"]);
        assert_eq!(told(&lines), wanted.collect::<Vec<_>>());
        assert_eq!(denials.over(NOW.plus(Duration::from_secs(59))), []);
        let lines = denials.add(denial("anonymous", [10, 0, 0, 1], "getRun"), NOW.plus(WINDOW));
        let counted = "anonymous several 10.0.0.1: 996 more within a minute: getRun 995, listRuns 1";
        assert_eq!(told(&lines), [counted, "anonymous getRun 10.0.0.1: no"]);
        assert_eq!(denials.rest(), []);
    }

    #[test]
    fn however_many_callers_there_are_the_lines_are_few() {
        let denials = Denials::default();
        let mut lines = 0;
        for index in 0..100_000_u32 {
            let [_, a, b, c] = index.to_be_bytes();
            lines += denials.add(denial("anonymous", [10, a, b, c], "getRun"), NOW).len();
        }
        assert_eq!(lines, CALLERS_MAX + LINES_MAX as usize);
        let rest = told(&denials.rest());
        let others = 100_000 - CALLERS_MAX - LINES_MAX as usize;
        assert_eq!(rest, [format!("several getRun : {others} more within a minute: getRun {others}")]);
    }
}
