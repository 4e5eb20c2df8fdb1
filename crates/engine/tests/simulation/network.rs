//! The way between workers and the store: messages and answers get lost, come twice, come late, or with a crash.

use std::time::Duration;

use levada_core::id::{TaskRunId, WorkerId};
use levada_core::time::Timestamp;
use levada_store::Exchange;

use super::worker::Worker;
use super::world::World;

/// After how long a worker gives up waiting for an answer.
const GIVE_UP: Duration = Duration::from_secs(30);

/// A message that is under way.
pub struct Message {
    pub arrives: Timestamp,
    pub body: Body,
    /// Who waits for the answer, and under which number.
    pub ticket: Option<(WorkerId, u64)>,
}

/// What it says.
pub enum Body {
    Exchange(Exchange),
    Beat { worker: WorkerId, held: Vec<TaskRunId>, sent: Timestamp },
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    Arrives,
    RequestLost,
    AnswerLost,
    Doubled,
    DoubledLate,
    Late,
    CrashBefore,
    CrashAfter,
}

impl World {
    pub fn fate(&mut self) -> Fate {
        match self.chance.below(100) {
            0..5 => Fate::RequestLost,
            5..10 => Fate::AnswerLost,
            10..14 => Fate::Doubled,
            14..18 => Fate::DoubledLate,
            18..23 => Fate::Late,
            23 => Fate::CrashBefore,
            24 => Fate::CrashAfter,
            _ => Fate::Arrives,
        }
    }

    pub async fn send(&mut self, index: usize, exchange: Exchange, fate: Fate) {
        let late = self.now().plus(Duration::from_millis(self.chance.below(60_000)));
        let under_way = |body, ticket| Message { arrives: late, body, ticket };
        match fate {
            Fate::Arrives | Fate::DoubledLate => {
                if matches!(fate, Fate::DoubledLate) {
                    self.network.push(under_way(Body::Exchange(exchange.clone()), None));
                }
                let given = self.exchange(exchange).await;
                self.hear(index, given).await;
            }
            // the store tries a commit again whose answer it has lost: the second answer is the one that is heard
            Fate::Doubled => {
                self.exchange(exchange.clone()).await;
                let given = self.exchange(exchange).await;
                self.hear(index, given).await;
            }
            Fate::RequestLost => {}
            Fate::AnswerLost => drop(self.exchange(exchange).await),
            Fate::Late => {
                let ticket = self.chance.bits();
                self.network.push(under_way(Body::Exchange(exchange.clone()), Some((exchange.worker, ticket))));
                self.workers[index].ticket = Some(ticket);
                self.workers[index].busy_until = self.now().plus(GIVE_UP);
            }
            Fate::CrashBefore => self.crash(index),
            Fate::CrashAfter => {
                self.exchange(exchange).await;
                self.crash(index);
            }
        }
    }

    /// Late messages arrive whose time has come.
    pub async fn deliver(&mut self) {
        let now = self.now();
        let mut late = std::mem::take(&mut self.network);
        late.sort_by_key(|message| message.arrives);
        for message in late {
            if message.arrives > now {
                self.network.push(message);
                continue;
            }
            match message.body {
                Body::Beat { worker, held, sent } => drop(self.store.beat(worker, false, held, sent).await.unwrap()),
                Body::Exchange(exchange) => {
                    self.say(|| format!("a late message of worker {} arrives", exchange.worker));
                    let given = self.exchange(exchange).await;
                    let waits = |worker: &Worker| message.ticket == Some((worker.id, worker.ticket.unwrap_or(0)));
                    if let Some(index) = self.workers.iter().position(waits)
                        && self.workers[index].busy_until > now
                    {
                        self.workers[index].busy_until = now;
                        self.workers[index].ticket = None;
                        self.hear(index, given).await;
                    }
                }
            }
        }
    }
}
