//! `levada serve` with an administrator's tokens and a project, as a client meets it.

use std::net::SocketAddr;

use levada_store::Location;
use serde_json::{Value, json};

use super::client::{Client, header, request};
use crate::Result;
use crate::places::Places;
use crate::runs::process::Process;

/// The server under test.
pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
    authorizations: Vec<String>,
}

/// Tokens that are made: one client alone may not ask as often as the server can answer.
const TOKENS: usize = 32;

impl Server {
    /// Starts it on an empty store, makes the first administrator and tokens of theirs.
    pub async fn start(places: &Places, location: &Location) -> Result<Self> {
        let process = Process::start(places, location, &["serve", "--port", "0"])?;
        let address = process.ready.split('/').nth(2).ok_or("the server does not say where it is")?.parse()?;
        let link = process.line(|line| line.contains("/setup#"))?;
        let secret = link.split_once('#').map(|(_, secret)| secret).unwrap_or_default();
        let mut client = Client::connect(address).await?;
        let json = ("content-type", "application/json");
        let body = json!({ "secret": secret, "name": "bench", "password": "as long as it has to be" }).to_string();
        let made = client.ask(&request("POST", "/api/v1/setup", &[json], body.as_bytes())).await?;
        let cookie = header(made.head, "set-cookie").ok_or("no session")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let headers = [json, ("cookie", cookie.as_str()), ("x-levada-csrf", "1"), ("sec-fetch-site", "same-origin")];
        let mut authorizations = Vec::new();
        for number in 0..TOKENS {
            let body = json!({ "name": format!("bench {number}"), "role": "admin" }).to_string();
            let made = client.ask(&request("POST", "/api/v1/tokens", &headers, body.as_bytes())).await?;
            let made: Value = serde_json::from_slice(made.body)?;
            let token = made["text"].as_str().ok_or_else(|| format!("no token: {made}"))?;
            authorizations.push(format!("Bearer {token}"));
        }
        Ok(Self { process, address, authorizations })
    }

    /// Makes these its documents.
    pub async fn apply(&self, documents: &[(&str, &str)]) -> Result<()> {
        let documents = documents.iter().map(|(path, text)| json!({ "path": path, "text": text }));
        let body = json!({ "documents": documents.collect::<Vec<_>>() });
        self.send("PUT", "/api/v1/project", &body).await.map(drop)
    }

    /// Sends JSON, and gives what is answered, which has to be a success.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let mut client = Client::connect(self.address).await?;
        let request =
            self.request(method, path, if body.is_null() { String::new() } else { body.to_string() }.as_bytes());
        let answer = client.ask(&request).await?;
        if answer.status >= 300 {
            return Err(format!("{method} {path}: {}", String::from_utf8_lossy(answer.body)).into());
        }
        Ok(serde_json::from_slice(answer.body).unwrap_or_default())
    }

    /// A request with a token.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        as_one(self.authorization(), method, path, body)
    }

    /// The same request with each of the tokens.
    pub fn requests(&self, method: &str, path: &str) -> Vec<Vec<u8>> {
        self.authorizations.iter().map(|authorization| as_one(authorization, method, path, b"")).collect()
    }

    /// A token, as a header has it.
    pub fn authorization(&self) -> &str {
        self.authorizations.first().map_or("", String::as_str)
    }
}

fn as_one(authorization: &str, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    request(method, path, &[("authorization", authorization), ("content-type", "application/json")], body)
}
