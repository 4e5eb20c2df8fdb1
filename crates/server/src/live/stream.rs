//! Live events as server-sent events, for `curl` and whatever knows no WebSocket.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;

use super::listener::{Heard, Listener, Topic, behind, hello};
use crate::guard;
use crate::identity;
use crate::problem::Problem;
use crate::route::{Call, Other};

/// How often a line says that the server is there, and whether the client may still listen is asked.
const BEAT: Duration = Duration::from_secs(15);

/// What to listen to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// `runs`, `run:NUMBER`, `logs:TASK_RUN`, `pipelines`, `workers`, `changes`, `rows` and `progress`; can be given several times.
    pub topic: Vec<String>,
    /// The last event that the client knows of, unless it says so with `Last-Event-ID`.
    pub after: Option<i64>,
}

/// Streams events.
pub async fn open(call: Call<Listen>) -> Result<Other<true>, Problem> {
    let after = call.header("last-event-id").and_then(|id| id.parse().ok()).or(call.input.after);
    if after.is_some_and(i64::is_negative) {
        return Err(Problem::Malformed("`after` is the number of an event: 0 or more.".to_owned()));
    }
    let topic = |word: &String| Topic::parse(word).ok_or_else(|| Problem::no("topic", word));
    let topics = call.input.topic.iter().map(topic).collect::<Result<Vec<Topic>, _>>()?;
    let credential = guard::credential(&call.head.headers, &call.head.extensions)?;
    let mut listener = Listener::new(&call.app, after).await?;
    if !listener.add(topics) {
        return Err(Problem::Malformed("There are too many topics.".to_owned()));
    }
    let (app, first) = (call.app, Event::default().data(hello(listener.last()).as_str()));
    let events = stream::unfold(Some((listener, Some(first))), move |state| {
        let (app, credential) = (app.clone(), credential.clone());
        async move {
            let (mut listener, first) = state?;
            if let Some(first) = first {
                return Some((Ok::<_, Infallible>(first), Some((listener, None))));
            }
            loop {
                match tokio::time::timeout(BEAT, listener.next()).await {
                    Ok(Ok(Heard::Message(id, text))) => {
                        let event = Event::default().data(text.as_str());
                        let event = id.map_or_else(|| event.clone(), |id| event.clone().id(id.to_string()));
                        return Some((Ok(event), Some((listener, None))));
                    }
                    Ok(Ok(Heard::Behind(last))) => {
                        return Some((Ok(Event::default().data(behind(last).as_str())), None));
                    }
                    Ok(Err(_)) => return None,
                    Err(_) => {
                        // whoever signed out, or may no longer be here, hears nothing more
                        if let Some(credential) = &credential
                            && identity::caller(&app, credential, app.store.moment().await).await.is_err()
                        {
                            return None;
                        }
                    }
                }
            }
        }
    });
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(BEAT));
    Ok(Other(events.into_response()))
}
