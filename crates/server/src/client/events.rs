//! Live events for a program that waits for something: the server-sent stream of the API, which goes on after the last
//! event when the connection breaks.

use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Chunks, Client};
use crate::live::listener::Topic;
use crate::routes::logs::Line;

/// How long a server that is gone is waited for.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest message.
const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// A stream of events that begins anew by itself.
pub struct Events {
    client: Client,
    stream: Option<Stream>,
    /// The last event that came.
    last: Option<i64>,
    /// Since when the server is gone.
    away_since: Option<Instant>,
}

/// What is heard.
#[derive(Debug)]
pub enum Heard {
    /// Events come from now on: what came before has to be looked at once.
    Began,
    /// Something of a run changed, or too much was missed.
    Changed,
    /// A line of a log.
    Line {
        /// The task run.
        task_run: i64,
        /// Which attempt of it.
        attempt: u32,
        /// The line.
        line: Line,
    },
}

struct Stream {
    topics: Vec<Topic>,
    body: Chunks,
    buffer: Vec<u8>,
}

/// A message, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    kind: String,
    last: Option<i64>,
    task_run: Option<i64>,
    attempt: Option<u32>,
    line: Option<Line>,
}

impl Events {
    /// Events that nobody has asked for yet.
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone(), stream: None, last: None, away_since: None }
    }

    /// What is heard next of these topics. For other topics than before it begins anew.
    ///
    /// # Errors
    /// `Connect` where the server is away for a minute; else as of calling operations.
    pub async fn next(&mut self, topics: &[Topic]) -> Result<Heard, Vec<Error>> {
        loop {
            let Some(stream) = self.stream.as_mut().filter(|stream| same(&stream.topics, topics)) else {
                self.begin(topics).await?;
                continue;
            };
            match stream.message().await {
                Ok(Some((id, message))) => {
                    self.last = id.or(message.last).or(self.last);
                    self.away_since = None;
                    if let Some(heard) = message.heard() {
                        return Ok(heard);
                    }
                }
                // it broke, or the server ended it
                Ok(None) | Err(_) => self.stream = None,
            }
        }
    }

    /// Begins anew with the next topics, whichever they are.
    pub fn restart(&mut self) {
        self.stream = None;
    }

    async fn begin(&mut self, topics: &[Topic]) -> Result<(), Vec<Error>> {
        let words: Vec<Value> = topics.iter().map(|topic| topic.to_string().into()).collect();
        let input = json!({ "topic": words, "after": self.last });
        match self.client.open("streamEvents", input, None).await {
            Ok(reply) => {
                self.stream = Some(Stream { topics: topics.to_vec(), body: reply.body, buffer: Vec::new() });
                Ok(())
            }
            Err(errors) => {
                let can_pass = errors.iter().all(|error| matches!(error.kind(), ErrorKind::Connect | ErrorKind::Busy));
                let since = *self.away_since.get_or_insert_with(Instant::now);
                if !can_pass || !self.client.is_remote() || since.elapsed() > AWAY_MAX {
                    return Err(errors);
                }
                tokio::time::sleep(PAUSE).await;
                Ok(())
            }
        }
    }
}

impl Message {
    fn heard(self) -> Option<Heard> {
        match (self.kind.as_str(), self.task_run, self.attempt, self.line) {
            ("hello", ..) => Some(Heard::Began),
            ("log", Some(task_run), Some(attempt), Some(line)) => Some(Heard::Line { task_run, attempt, line }),
            ("run" | "task" | "behind", ..) => Some(Heard::Changed),
            _ => None,
        }
    }
}

impl Stream {
    /// The next message with its number; none at the end. Nothing is lost if the caller gives up waiting.
    async fn message(&mut self) -> Result<Option<(Option<i64>, Message)>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                match parse(&String::from_utf8_lossy(&event)) {
                    Some(found) => return Ok(Some(found)),
                    None => continue,
                }
            }
            if self.buffer.len() > MESSAGE_BYTES_MAX {
                return Ok(None);
            }
            match self.body.next().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// An event of the stream (HTML standard, section 9.2.5); none for a comment.
fn parse(event: &str) -> Option<(Option<i64>, Message)> {
    let field = |name: &'static str| {
        let values = event.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(':'));
        values.map(str::trim_start)
    };
    let data = field("data").collect::<Vec<_>>().join("\n");
    Some((field("id").next().and_then(|id| id.parse().ok()), serde_json::from_str(&data).ok()?))
}

/// Whether two lists mean the same, wherever in a log they begin.
fn same(a: &[Topic], b: &[Topic]) -> bool {
    let what = |topic: &Topic| match topic {
        Topic::Log(task_run, _) => Topic::Log(*task_run, 0),
        topic => *topic,
    };
    a.iter().map(what).eq(b.iter().map(what))
}
