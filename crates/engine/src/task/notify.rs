//! Tells people through a channel of the project. Says of a channel's URL only its host: the rest of it is the key.

use levada_core::config::Channel;
use levada_core::error::Result;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Map, Value as Json, json};

use super::http::{Expected, Request, parse_url};
use super::{Outcome, TaskContext, mail};
use crate::network::Reach;

/// What people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How the run stands, for instance `failed`.
    pub state: String,
    /// The heading.
    pub title: String,
    /// The text.
    pub text: String,
}

/// Tells it, within this reach.
///
/// # Errors
/// As those of [`super::http::execute`]; for mail `Config` if an address is none, `Auth` if the server refuses the
/// user, `Busy` if it puts off, `Task` if it refuses the mail.
pub async fn execute(channel: &Channel, note: &Note, reach: Reach, context: &TaskContext) -> Result<Outcome> {
    let note = Note {
        state: note.state.clone(),
        title: context.redactor.text(&note.title).into_owned(),
        text: context.redactor.text(&note.text).into_owned(),
    };
    match channel {
        Channel::Webhook(url) => {
            let body = json!({
                "pipeline": context.pipeline,
                "run": context.run,
                "state": note.state,
                "title": note.title,
                "text": note.text,
            });
            post(url.expose(), body, reach, context).await?;
        }
        Channel::Slack(url) => {
            // The three characters that mean something in its text.
            let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let text = format!("*{}*\n{}", plain(&note.title), plain(&note.text));
            post(url.expose(), json!({ "text": text.trim_end() }), reach, context).await?;
        }
        Channel::Email(email) => mail::send(email, &note, reach, context).await?,
    }
    Ok(Outcome::Done { outputs: Map::new(), artifacts: Vec::new() })
}

async fn post(url: &str, body: Json, reach: Reach, context: &TaskContext) -> Result<()> {
    let url = parse_url(url)?;
    let request = Request {
        method: Method::POST,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
        auth: None,
        body: Some(body.to_string().into_bytes()),
        reach,
        url_is_secret: true,
        url,
    };
    let expected = Expected::new(&[])?;
    let answer = request.send(&expected, context).await?;
    if expected.contains(answer.status) { Ok(()) } else { Err(answer.refused(&request, context)) }
}
