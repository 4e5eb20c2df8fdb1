//! Who asks: what is added to a request, and tokens of OAuth 2 (RFC 6749), which are asked for, kept, and asked for anew.

use std::time::{Duration, Instant};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::secret::Secret;
use reqwest::RequestBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::config::wrong;
use super::network::{Outgoing, failure};

/// A token is taken for worn out so long before it is.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);
/// How long a token counts of which nothing is said.
const TOKEN_LIFE: Duration = Duration::from_secs(300);
const TOKEN_ANSWER_BYTES_MAX: usize = 1_000_000;

/// Who asks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// How the other side is told who asks.
    #[serde(rename = "type")]
    pub kind: AuthType,
    /// The user, for `basic`.
    pub user: Option<String>,
    /// The password, for `basic`.
    pub password: Option<Secret>,
    /// The token, for `bearer`.
    pub token: Option<Secret>,
    /// The key, for `api_key`.
    pub key: Option<Secret>,
    /// The header that takes the key; `X-API-Key` if neither this nor `parameter` is given.
    pub header: Option<String>,
    /// The query parameter that takes the key.
    pub parameter: Option<String>,
    /// Where tokens are given out, for `client_credentials` and `refresh_token`.
    pub token_url: Option<String>,
    /// Who the client is, at `token_url`.
    pub client_id: Option<String>,
    /// The client's secret.
    pub client_secret: Option<Secret>,
    /// The token that new ones are given out for, for `refresh_token`.
    pub refresh_token: Option<Secret>,
    /// What the token is to be good for.
    pub scope: Option<String>,
    /// Whether `client_id` and `client_secret` are sent as fields of the form and not as user and password.
    pub in_body: bool,
}

/// How the other side is told who asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthType {
    /// It is not.
    #[default]
    None,
    /// A user and a password.
    Basic,
    /// A token.
    Bearer,
    /// A key in a header or in the query.
    ApiKey,
    /// OAuth 2: tokens for a client's own credentials.
    ClientCredentials,
    /// OAuth 2: tokens for a refresh token.
    RefreshToken,
}

impl Auth {
    /// # Errors
    /// `Config`, naming what is missing.
    pub fn check(&self) -> Result<()> {
        use AuthType as T;
        let needed: &[(&str, bool)] = match self.kind {
            T::None => &[],
            T::Basic => &[("user", self.user.is_some()), ("password", self.password.is_some())],
            T::Bearer => &[("token", self.token.is_some())],
            T::ApiKey => &[("key", self.key.is_some())],
            T::ClientCredentials => &[
                ("token_url", self.token_url.is_some()),
                ("client_id", self.client_id.is_some()),
                ("client_secret", self.client_secret.is_some()),
            ],
            T::RefreshToken => {
                &[("token_url", self.token_url.is_some()), ("refresh_token", self.refresh_token.is_some())]
            }
        };
        if let Some((name, _)) = needed.iter().find(|(_, is_there)| !is_there) {
            return Err(wrong(format!("`auth` of this type needs `{name}`")));
        }
        if self.header.is_some() && self.parameter.is_some() {
            return Err(wrong("`auth` has a `header` and a `parameter`, and a key has one place"));
        }
        self.token_url.as_ref().map_or(Ok(()), |url| token_url(url).map(drop))
    }

    /// Every secret of it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let all = [&self.password, &self.token, &self.key, &self.client_secret, &self.refresh_token];
        all.into_iter().flatten().map(Secret::expose)
    }

    fn is_oauth(&self) -> bool {
        matches!(self.kind, AuthType::ClientCredentials | AuthType::RefreshToken)
    }
}

fn token_url(text: &str) -> Result<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(|| {
        wrong("`auth.token_url` is not a web address").advise("Write it in full: `https://login.example.com/token`.")
    })
}

/// The settings, and the token of the moment.
pub struct Credentials {
    auth: Auth,
    token: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    access: Option<(Secret, Instant)>,
    /// The server may give a new refresh token with each token.
    refresh: Option<Secret>,
}

impl Credentials {
    /// As the settings have them.
    pub fn new(auth: Auth) -> Self {
        let token = Mutex::new(Tokens { access: None, refresh: auth.refresh_token.clone() });
        Self { auth, token }
    }

    /// Adds them to a request; asks for a token first if there is none that counts.
    pub async fn add(&self, request: RequestBuilder, out: &Outgoing) -> Result<RequestBuilder> {
        let auth = &self.auth;
        let text =
            |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default();
        Ok(match auth.kind {
            AuthType::None => request,
            AuthType::Basic => request.basic_auth(auth.user.as_deref().unwrap_or_default(), Some(text(&auth.password))),
            AuthType::Bearer => request.bearer_auth(text(&auth.token)),
            AuthType::ApiKey if auth.parameter.is_some() => request,
            AuthType::ApiKey => {
                let mut value = reqwest::header::HeaderValue::try_from(text(&auth.key))
                    .map_err(|_| wrong("`auth.key` is more than one line, which no header takes"))?;
                value.set_sensitive(true);
                request.header(auth.header.as_deref().unwrap_or("X-API-Key"), value)
            }
            AuthType::ClientCredentials | AuthType::RefreshToken => {
                request.bearer_auth(self.access_token(out).await?.expose())
            }
        })
    }

    /// The URL that is asked, with the key if the query takes it.
    pub fn add_to_url(&self, url: &Url) -> Url {
        match (&self.auth.parameter, &self.auth.key) {
            (Some(name), Some(key)) if self.auth.kind == AuthType::ApiKey => with_parameter(url, name, key.expose()),
            _ => url.clone(),
        }
    }

    /// The URL as it may be kept, without the key.
    pub fn take_from_url(&self, url: &Url) -> Url {
        match &self.auth.parameter {
            Some(name) if self.auth.kind == AuthType::ApiKey => without_parameter(url, name),
            _ => url.clone(),
        }
    }

    /// Forgets the token after the other side refused it; true if another can be asked for.
    pub async fn refused(&self) -> bool {
        self.auth.is_oauth() && self.token.lock().await.access.take().is_some()
    }

    /// The tokens of the moment, which are secrets too.
    pub async fn tokens(&self) -> Vec<Secret> {
        let tokens = self.token.lock().await;
        let all = tokens.access.iter().map(|(token, _)| token.clone()).chain(tokens.refresh.clone());
        all.filter(|token| !token.is_empty()).collect()
    }

    async fn access_token(&self, out: &Outgoing) -> Result<Secret> {
        let mut tokens = self.token.lock().await;
        if let Some((token, until)) = &tokens.access
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let answer = self.ask(&tokens, out).await.at("`auth.token_url`")?;
        let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(Secret::new);
        let token = text("access_token")
            .ok_or_else(|| Error::new(ErrorKind::Auth, "the answer holds no `access_token`").at("`auth.token_url`"))?;
        let seconds = answer["expires_in"].as_u64().or_else(|| answer["expires_in"].as_str()?.parse().ok());
        let life = seconds.map_or(TOKEN_LIFE, Duration::from_secs);
        if let Some(refresh) = text("refresh_token") {
            tokens.refresh = Some(refresh);
        }
        tokens.access = Some((token.clone(), Instant::now() + life.saturating_sub(TOKEN_MARGIN)));
        Ok(token)
    }

    fn token_request(&self, tokens: &Tokens, out: &Outgoing) -> Result<RequestBuilder> {
        let auth = &self.auth;
        let url = token_url(auth.token_url.as_deref().unwrap_or_default())?;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match (&tokens.refresh, auth.kind) {
            (Some(refresh), AuthType::RefreshToken) => {
                form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", refresh.expose())
            }
            _ => form.append_pair("grant_type", "client_credentials"),
        };
        if let Some(scope) = &auth.scope {
            form.append_pair("scope", scope);
        }
        let secret = auth.client_secret.as_ref().map(Secret::expose);
        let mut request = out.client(&url)?.post(url.clone());
        match (&auth.client_id, auth.in_body) {
            (Some(id), false) if secret.is_some() => request = request.basic_auth(id, secret),
            (Some(id), _) => {
                form.append_pair("client_id", id);
                secret.into_iter().for_each(|secret| {
                    form.append_pair("client_secret", secret);
                });
            }
            (None, _) => {}
        }
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").header("accept", "application/json");
        Ok(request.body(form.finish()))
    }

    async fn ask(&self, tokens: &Tokens, out: &Outgoing) -> Result<Value> {
        let request = self.token_request(tokens, out)?;
        let response = request.send().await.map_err(failure)?;
        let status = response.status();
        let body = super::client::body_of(response, TOKEN_ANSWER_BYTES_MAX).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        // the rest of the answer may repeat what was sent
        let reason = answer["error"].as_str().filter(|reason| reason.len() < 60).unwrap_or("no reason is given");
        let kind = if status.is_server_error() || status.as_u16() == 429 { ErrorKind::Busy } else { ErrorKind::Auth };
        Err(Error::new(kind, format!("no token was given out: status {}, {reason}", status.as_u16()))
            .advise("Check `auth`: the client, its secret, the refresh token and the scope."))
    }
}

/// The URL with one value of a query parameter.
pub fn with_parameter(url: &Url, name: &str, value: &str) -> Url {
    let mut url = without_parameter(url, name);
    url.query_pairs_mut().append_pair(name, value);
    url
}

fn without_parameter(url: &Url, name: &str) -> Url {
    if url.query_pairs().all(|(known, _)| known != name) {
        return url.clone();
    }
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(known, _)| known != name).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    let mut url = url.clone();
    match kept.is_empty() {
        true => url.set_query(None),
        false => drop(url.query_pairs_mut().clear().extend_pairs(kept)),
    }
    url
}
