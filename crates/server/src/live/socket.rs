//! Live events over a WebSocket. The client says what it wants to hear, the server tells it in the order of events.

use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use futures_util::{FutureExt as _, SinkExt as _};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::listener::{Heard, Listener, Topic, behind, hello};
use crate::App;
use crate::guard;
use crate::identity::{self, Credential};
use crate::problem::Problem;
use crate::route::{Call, Other};

/// How often the client has to show that it is there, and that it still may listen.
const BEAT: Duration = Duration::from_secs(15);
/// How long it may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How long a message may take to be written.
const SEND_TIME: Duration = Duration::from_secs(10);
/// Messages that are written together at most.
const TOGETHER_MAX: usize = 256;
/// The longest message of a client.
const BYTES_MAX: usize = 64 << 10;
/// What is read of it at once. All of it is cleared before each look, and each socket keeps it: clients say little.
const READ_BYTES: usize = 2 << 10;
/// Close codes: what the client did is not understood, it may not listen any more, it was too slow (RFC 6455, 7.4.2).
const WRONG: u16 = 4_000;
const STRANGER: u16 = 4_001;
const SLOW: u16 = 4_008;

/// Where a listener goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The last event that the client knows of; events from now on unless given.
    pub after: Option<i64>,
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    subscribe: Vec<String>,
    #[serde(default)]
    unsubscribe: Vec<String>,
}

/// Opens a socket of live events.
pub async fn open(mut call: Call<Resume>) -> Result<Other<false>, Problem> {
    let credential = guard::credential(&call.head.headers, &call.head.extensions)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut call.head, &()).await;
    let upgrade = upgrade.map_err(|_| Problem::Malformed("This is a WebSocket: ask for an upgrade.".to_owned()))?;
    let listener = Listener::new(&call.app, call.input.after).await?;
    let app = call.app;
    let upgrade = upgrade.max_message_size(BYTES_MAX).max_frame_size(BYTES_MAX).read_buffer_size(READ_BYTES);
    Ok(Other(upgrade.on_upgrade(move |socket| async move { talk(app, socket, listener, credential).await })))
}

async fn talk(app: App, mut socket: WebSocket, mut listener: Listener, credential: Option<Credential>) {
    let ended = converse(&app, &mut socket, &mut listener, credential.as_ref()).await;
    if let Err((code, reason)) = ended {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = tokio::time::timeout(SEND_TIME, socket.send(Message::Close(Some(frame)))).await;
    }
}

/// Hands events on until one side ends it.
///
/// # Errors
/// The code and the reason that the client is told.
async fn converse(
    app: &App,
    socket: &mut WebSocket,
    listener: &mut Listener,
    credential: Option<&Credential>,
) -> Result<(), (u16, String)> {
    send(socket, Message::Text(hello(listener.last()))).await?;
    let (mut beat, mut heard_at) = (interval(BEAT), Instant::now());
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            said = socket.recv() => {
                heard_at = Instant::now();
                match said {
                    Some(Ok(Message::Text(text))) => obey(listener, &text)?,
                    Some(Ok(Message::Binary(_))) => return Err((WRONG, "say it in text".to_owned())),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                }
            }
            heard = listener.next() => tell(socket, listener, heard.map_err(broken)?).await?,
            _ = beat.tick() => {
                if heard_at.elapsed() > SILENCE_MAX {
                    return Ok(());
                }
                // whoever signed out, or may no longer be here, hears nothing more
                if let Some(credential) = credential {
                    let still = identity::caller(app, credential, app.store.moment().await).await;
                    still.map_err(|_| (STRANGER, "sign in again".to_owned()))?;
                }
                send(socket, Message::Ping(Vec::new().into())).await?;
            }
        }
    }
}

/// Hands on what was heard, and whatever more can be heard at once: written together, many cost hardly more than one.
async fn tell(socket: &mut WebSocket, listener: &mut Listener, first: Heard) -> Result<(), (u16, String)> {
    let (mut next, mut count) = (Some(first), 0);
    while let Some(heard) = next {
        match heard {
            Heard::Message(_, text) => within_time(socket.feed(Message::Text(text))).await?,
            Heard::Behind(last) => {
                send(socket, Message::Text(behind(last))).await?;
                return Err((SLOW, format!("too slow; go on after {last}")));
            }
        }
        count += 1;
        let may_wait = count < TOGETHER_MAX;
        next = may_wait.then(|| listener.next().now_or_never()).flatten().transpose().map_err(broken)?;
    }
    within_time(socket.flush()).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), (u16, String)> {
    within_time(socket.send(message)).await
}

async fn within_time(written: impl Future<Output = Result<(), axum::Error>>) -> Result<(), (u16, String)> {
    match tokio::time::timeout(SEND_TIME, written).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err((1_001, String::new())),
        Err(_) => Err((SLOW, "too slow".to_owned())),
    }
}

fn broken(error: levada_core::error::Error) -> (u16, String) {
    (1_011, error.message().to_owned())
}

/// Does what a client says.
fn obey(listener: &mut Listener, text: &str) -> Result<(), (u16, String)> {
    let said: Said = serde_json::from_str(text).map_err(|error| (WRONG, format!("not understood: {error}")))?;
    let topics = |words: &[String]| {
        let topic = |word: &String| Topic::parse(word).ok_or_else(|| (WRONG, format!("there is no topic `{word}`")));
        words.iter().map(topic).collect::<Result<Vec<Topic>, _>>()
    };
    listener.remove(&topics(&said.unsubscribe)?);
    match listener.add(topics(&said.subscribe)?) {
        true => Ok(()),
        false => Err((WRONG, "too many topics".to_owned())),
    }
}
