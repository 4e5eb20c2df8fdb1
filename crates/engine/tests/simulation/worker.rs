//! A model of a worker: what the real one says to the store, in steps that the simulation takes, and with a process that can
//! be stopped, resumed and killed between any two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use levada_core::id::{RunId, TaskRunId, WorkerId};
use levada_core::run::{Event, Node};
use levada_core::time::Timestamp;
use levada_store::{BEAT, Beat, Claim, Exchange, Exchanged, NewWorker, Update};
use levada_testkit::shop::chance::Chance;

use super::pipelines::{PIPELINE, WAIT};

/// How long a task run may be at work before the store is told that it is.
const TELL_AFTER: Duration = Duration::from_millis(500);

/// A worker.
pub struct Worker {
    pub id: WorkerId,
    pub slots: usize,
    pub labels: Vec<String>,
    pub at_work: BTreeMap<TaskRunId, Attempt>,
    pub reports: Vec<Update>,
    pub beat_due: Timestamp,
    /// It does nothing before, because it is stopped, or waits for an answer.
    pub busy_until: Timestamp,
    /// The answer it waits for; others come too late to be heard.
    pub ticket: Option<u64>,
}

/// An attempt at work.
pub struct Attempt {
    pub claim: Claim,
    kind: Kind,
    started: Timestamp,
    ends: Timestamp,
    end: Event,
    is_told: bool,
    stop_asked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Split,
    Pipeline,
    Wait,
    Plain,
}

/// An attempt that has come to its end.
pub struct Ended {
    pub claim: Claim,
    /// Whether it wants a run of the pipeline `child` made, or looked at.
    pub asks_child: bool,
    report: Update,
}

impl Worker {
    pub fn new(id: WorkerId, slots: usize, labels: Vec<String>, now: Timestamp) -> Self {
        Self {
            id,
            slots,
            labels,
            at_work: BTreeMap::new(),
            reports: Vec::new(),
            beat_due: now.plus(BEAT),
            busy_until: now,
            ticket: None,
        }
    }

    pub fn signs_on(slots: usize, labels: &[String]) -> NewWorker {
        NewWorker {
            name: "model".to_owned(),
            host: "simulation".to_owned(),
            process: "1".to_owned(),
            labels: labels.to_vec(),
            slots: slots as u32,
            own: false,
        }
    }

    /// What it sends now.
    pub fn exchange(&self, now: Timestamp) -> Exchange {
        Exchange {
            worker: self.id,
            updates: self.reports.clone(),
            want: self.slots.saturating_sub(self.at_work.len()),
            labels: self.labels.clone(),
            own: false,
            now,
        }
    }

    /// The task runs it holds, and those of which it has yet to report.
    pub fn held(&self) -> Vec<TaskRunId> {
        let held: BTreeSet<TaskRunId> =
            self.at_work.keys().copied().chain(self.reports.iter().map(|report| report.task_run)).collect();
        held.into_iter().collect()
    }

    /// Hears the answer to an exchange. Answers whether it has to sign on anew.
    pub fn hear(
        &mut self,
        given: Exchanged,
        now: Timestamp,
        chance: &mut Chance,
        node: &dyn Fn(&Claim) -> Node,
    ) -> bool {
        self.reports.clear();
        for id in given.fenced {
            self.at_work.remove(&id);
        }
        if given.is_gone {
            return true;
        }
        for claim in given.claims {
            let attempt = Attempt::draw(&node(&claim), claim, now, chance);
            self.at_work.insert(attempt.claim.task_run, attempt);
        }
        false
    }

    /// Hears the answer to a beat. Answers whether it has to sign on anew.
    pub fn hear_beat(&mut self, beat: &Beat, now: Timestamp, chance: &mut Chance) -> bool {
        for id in &beat.lost {
            self.at_work.remove(id);
        }
        for id in &beat.stop {
            if let Some(attempt) = self.at_work.get_mut(id).filter(|attempt| !attempt.stop_asked) {
                attempt.stop_asked = true;
                attempt.ends = attempt.ends.min(now.plus(Duration::from_millis(chance.below(3_000))));
            }
        }
        beat.is_gone
    }

    /// It was taken for dead, and starts anew.
    pub fn is_reborn(&mut self, id: WorkerId) {
        self.id = id;
        self.at_work.clear();
        self.reports.clear();
    }

    /// Tells of what takes longer than a moment.
    pub fn tell(&mut self, now: Timestamp) {
        for (id, attempt) in &mut self.at_work {
            if !attempt.is_told && now.since(attempt.started) >= TELL_AFTER {
                attempt.is_told = true;
                self.reports.push(Update::new(*id, attempt.claim.epoch, vec![Event::Started]));
            }
        }
    }

    /// Takes away what has come to its end.
    pub fn take_ended(&mut self, now: Timestamp, chance: &mut Chance) -> Vec<Ended> {
        let ended: Vec<TaskRunId> =
            self.at_work.iter().filter(|(_, attempt)| attempt.ends <= now).map(|(id, _)| *id).collect();
        ended.iter().filter_map(|id| self.at_work.remove(id)).map(|attempt| attempt.finish(now, chance)).collect()
    }
}

impl Attempt {
    fn draw(node: &Node, claim: Claim, now: Timestamp, chance: &mut Chance) -> Self {
        let kind = match node.kind.as_str() {
            _ if claim.is_split => Kind::Split,
            PIPELINE => Kind::Pipeline,
            WAIT => Kind::Wait,
            _ => Kind::Plain,
        };
        let length = match kind {
            Kind::Plain => [20, 300, 5_000, 40_000][chance.below(4) as usize],
            Kind::Split | Kind::Pipeline | Kind::Wait => 100,
        };
        let ends = now.plus(Duration::from_millis(1 + chance.below(length)));
        let end = match chance.below(10) {
            0 => Event::Errored { retry: false },
            1 | 2 => Event::Errored { retry: true },
            _ => Event::Finished,
        };
        Self { claim, kind, started: now, ends, end, is_told: false, stop_asked: false }
    }

    fn finish(self, now: Timestamp, chance: &mut Chance) -> Ended {
        let (id, epoch) = (self.claim.task_run, self.claim.epoch);
        let start = (!self.is_told).then_some(Event::Started);
        let end = match self.end {
            _ if self.stop_asked && chance.once_in(2) => Event::Stopped,
            Event::Finished if self.kind == Kind::Wait && self.looks() < 2 => {
                Event::Deferred { until: now.plus(Duration::from_secs(1 + chance.below(20))) }
            }
            Event::Finished if self.kind == Kind::Split => Event::Expanded,
            end => end,
        };
        let mut report = Update::new(id, epoch, start.into_iter().chain([end]).collect());
        match end {
            Event::Finished => report.outputs = Some(format!("{{\"epoch\":{epoch}}}")),
            Event::Expanded => report.items = (0..chance.below(6)).map(|item| item.to_string()).collect(),
            Event::Deferred { .. } => report.memo = Some((self.looks() + 1).to_string()),
            _ => {}
        }
        let asks_child = self.kind == Kind::Pipeline && end == Event::Finished;
        Ended { claim: self.claim, asks_child, report }
    }

    fn looks(&self) -> u64 {
        self.claim.memo.as_deref().and_then(|memo| memo.parse().ok()).unwrap_or(0)
    }
}

impl Ended {
    /// The report of it. One that asked for a run waits for its end, if it was told of one.
    pub fn report(self, waits_for: Option<RunId>, now: Timestamp) -> Update {
        let mut report = self.report;
        if let (Some(run), Some(end)) = (waits_for, report.events.last_mut()) {
            *end = Event::Deferred { until: now.plus(Duration::from_secs(300)) };
            report.outputs = None;
            report.memo = Some(run.to_string());
            report.wake_on = Some(format!("run:{run}"));
        }
        report
    }
}
