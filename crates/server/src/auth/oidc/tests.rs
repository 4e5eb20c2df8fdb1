//! Signing in against a real provider: `scripts/services up oidc` installs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use levada_core::access::Role;
use levada_core::config::OidcSettings;
use levada_core::connector::Registry;
use levada_core::error::ErrorKind;
use levada_core::secret::Secret;
use levada_core::time::{Clock, Timestamp};
use levada_engine::network::{Network, Rules};
use levada_store::{AuditFilter, Location, Store};
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tower::ServiceExt as _;
use url::Url;

use super::{Answer, Oidc, Person, sign_in};
use crate::router::router;
use crate::{Limits, Parts, Server};

const PUBLIC: &str = "http://127.0.0.1:7070";

/// A provider of its own, which ends with the test.
struct Provider {
    issuer: String,
    _process: Child,
    /// Held open: it writes more lines than the one that is read.
    _lines: Lines<BufReader<ChildStdout>>,
}

/// A browser as far as signing in needs one.
struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_secs(since.as_secs() as i64)
}

impl Provider {
    async fn start(claims: &str) -> Self {
        let folder = std::env::var("LEVADA_TEST_OIDC").expect("LEVADA_TEST_OIDC: run `scripts/services env`");
        let mut process = Command::new("node")
            .args(["provider.mjs", &format!("{PUBLIC}{}", super::CALLBACK_PATH), claims])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer =
            lines.next_line().await.unwrap().expect("the provider did not start: run `scripts/services up oidc`");
        Self { issuer, _process: process, _lines: lines }
    }

    fn settings(&self, client: &str) -> OidcSettings {
        let secret = (client != "public").then(|| Secret::new("a secret: of 32 letters & more, + % ="));
        OidcSettings {
            issuer: self.issuer.clone(),
            client_id: client.to_owned(),
            client_secret: secret,
            scopes: ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec(),
            groups_claim: "groups".to_owned(),
            roles: [("admins".to_owned(), Role::Admin), ("staff".to_owned(), Role::Editor)].into(),
            default_role: None,
            label: None,
        }
    }

    fn oidc(&self, client: &str) -> Oidc {
        Oidc::new(self.settings(client), PUBLIC, Arc::default()).unwrap()
    }

    async fn call(&self, path: &str) -> String {
        reqwest::get(format!("{}{path}", self.issuer)).await.unwrap().text().await.unwrap()
    }
}

impl Browser {
    fn new() -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, cookies: BTreeMap::new() }
    }

    /// Follows redirects until a form or this server is reached.
    async fn go(&mut self, mut url: Url, mut form: Option<String>) -> Url {
        loop {
            if url.as_str().starts_with(PUBLIC) {
                return url;
            }
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = match form.take() {
                Some(form) => {
                    self.http.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
                }
                None => self.http.get(url.clone()),
            };
            let response = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
            for cookie in response.headers().get_all(SET_COOKIE) {
                let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            self.cookies.retain(|_, value| !value.is_empty());
            match response.headers().get(LOCATION) {
                Some(location) => url = url.join(location.to_str().unwrap()).unwrap(),
                None => {
                    assert!(response.status().is_success(), "{url}: {}", response.text().await.unwrap());
                    return url;
                }
            }
        }
    }

    /// Signs in at the provider, and comes back.
    async fn back(&mut self, start: &str, login: &str) -> Url {
        let form = self.go(Url::parse(start).unwrap(), None).await;
        let back = if form.as_str().starts_with(PUBLIC) {
            form
        } else {
            let login: String = url::form_urlencoded::byte_serialize(login.as_bytes()).collect();
            self.go(form, Some(format!("prompt=login&login={login}&password=x"))).await
        };
        assert_eq!(back.path(), super::CALLBACK_PATH);
        back
    }

    /// The same, and takes the answer out of the URL.
    async fn sign_in(&mut self, start: &str, login: &str) -> Answer {
        let back = self.back(start, login).await;
        let get = |name: &str| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        Answer { code: get("code"), state: get("state"), iss: get("iss"), error: get("error") }
    }
}

/// All of it: the person, or the error. `login` is `NAME/GROUP,GROUP`.
async fn person(oidc: &Oidc, login: &str) -> levada_core::error::Result<Person> {
    let (name, groups) = login.split_once('/').unwrap_or((login, "nothing"));
    let set = format!("{}/test/groups/{name}/{groups}", oidc.settings.issuer.trim_end_matches('/'));
    drop(reqwest::get(set).await);
    let start = oidc.start(now()).await?;
    let answer = Browser::new().sign_in(&start.url, name).await;
    oidc.finish(Some(start.cookie.expose()), &answer, now()).await
}

#[tokio::test]
async fn people_sign_in_however_tokens_are_signed() {
    let provider = Provider::start("").await;
    for client in ["rs256", "es256", "eddsa", "public"] {
        let ada = person(&provider.oidc(client), "ada/staff,others").await.unwrap();
        assert_eq!((ada.name.as_str(), ada.role), ("ada", Some(Role::Editor)), "{client}");
        assert_eq!((ada.display_name.as_str(), ada.email.as_deref()), ("ada of the tests", Some("ada@example.com")));
        assert_eq!((ada.subject.issuer, ada.subject.subject.as_str()), (provider.issuer.clone(), "ada"));
    }
    let error = person(&provider.oidc("hs256"), "ada/staff").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.message().contains("RS256, ES256 or EdDSA"), "{error}");
    // a provider that tells everything in the token
    let provider = Provider::start("in-token").await;
    let ada = person(&provider.oidc("rs256"), "ada/staff,admins").await.unwrap();
    assert_eq!((ada.name.as_str(), ada.role), ("ada", Some(Role::Admin)));
}

#[tokio::test]
async fn an_answer_counts_once_and_in_the_browser_that_asked() {
    let provider = Provider::start("").await;
    let oidc = provider.oidc("rs256");
    let (mine, others) = (oidc.start(now()).await.unwrap(), oidc.start(now()).await.unwrap());
    let answer = Browser::new().sign_in(&mine.url, "ada").await;
    let finish = async |cookie: Option<&Secret>, answer: &Answer| {
        oidc.finish(cookie.map(Secret::expose), answer, now()).await.map(|person| person.name)
    };
    let without = |part: fn(&mut Answer)| {
        let mut answer = answer.clone();
        part(&mut answer);
        answer
    };
    let refused = [
        (None, answer.clone()),
        (Some(&others.cookie), answer.clone()),
        (Some(&mine.cookie), without(|answer| answer.state = None)),
        (Some(&mine.cookie), without(|answer| answer.state = Some("x".repeat(43)))),
        (Some(&mine.cookie), without(|answer| answer.iss = Some("http://127.0.0.1:1".to_owned()))),
        (Some(&mine.cookie), without(|answer| answer.iss = None)),
        (Some(&mine.cookie), without(|answer| answer.code = None)),
        (Some(&mine.cookie), without(|answer| answer.error = Some("access_denied".to_owned()))),
    ];
    for (cookie, answer) in refused {
        assert_eq!(finish(cookie, &answer).await.unwrap_err().kind(), ErrorKind::Auth, "{answer:?}");
    }
    // none of these cost the code, and it is good once
    assert_eq!(finish(Some(&mine.cookie), &answer).await.unwrap(), "ada");
    assert_eq!(finish(Some(&mine.cookie), &answer).await.unwrap_err().kind(), ErrorKind::Auth);
    // a code of one attempt under the state of another: the verifier is another one
    let (first, second) = (oidc.start(now()).await.unwrap(), oidc.start(now()).await.unwrap());
    let stolen = Browser::new().sign_in(&first.url, "ada").await;
    let own = Browser::new().sign_in(&second.url, "eve").await;
    let mixed = Answer { code: stolen.code, ..own };
    let error = finish(Some(&second.cookie), &mixed).await.unwrap_err();
    assert!(error.message().contains("invalid_grant"), "{error}");
    assert!(!error.to_string().contains("a secret"), "{error}");
}

#[tokio::test]
async fn new_keys_are_found_and_asked_for_once_a_minute() {
    let provider = Provider::start("").await;
    let oidc = provider.oidc("rs256");
    for _ in 0..3 {
        person(&oidc, "ada/staff").await.unwrap();
    }
    assert_eq!(provider.call("/test/asked").await, "1");
    provider.call("/test/rotate").await;
    // within the minute the new key is not asked for, and nobody gets in with it
    for _ in 0..3 {
        assert_eq!(person(&oidc, "ada/staff").await.unwrap_err().kind(), ErrorKind::Auth);
    }
    assert_eq!(provider.call("/test/asked").await, "1");
    let start = oidc.start(now()).await.unwrap();
    let answer = Browser::new().sign_in(&start.url, "ada").await;
    let later = now().plus(Duration::from_secs(61));
    assert_eq!(oidc.finish(Some(start.cookie.expose()), &answer, later).await.unwrap().name, "ada");
    assert_eq!(provider.call("/test/asked").await, "2");
}

#[tokio::test]
async fn a_token_that_is_over_and_wrong_settings_are_refused() {
    let provider = Provider::start("").await;
    let oidc = provider.oidc("rs256");
    let start = oidc.start(now()).await.unwrap();
    let answer = Browser::new().sign_in(&start.url, "ada").await;
    let next_day = now().plus(Duration::from_secs(86_400));
    let error = oidc.finish(Some(start.cookie.expose()), &answer, next_day).await.unwrap_err();
    assert!(error.message().contains("is over"), "{error}");
    let wrong = OidcSettings { client_secret: Some(Secret::new("hunter2")), ..provider.settings("rs256") };
    let error = person(&Oidc::new(wrong, PUBLIC, Arc::default()).unwrap(), "ada/staff").await.unwrap_err();
    assert!(error.message().contains("invalid_client") && !error.to_string().contains("hunter2"), "{error}");
    let other = OidcSettings { issuer: format!("{}/", provider.issuer), ..provider.settings("rs256") };
    let error = Oidc::new(other, PUBLIC, Arc::default()).unwrap().start(now()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let nobody = OidcSettings { issuer: "http://127.0.0.1:1".to_owned(), ..provider.settings("rs256") };
    let error = Oidc::new(nobody, PUBLIC, Arc::default()).unwrap().start(now()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    for plain in ["http://id.example.com", "id.example.com", "ftp://localhost", "http://localhost.example.com"] {
        let settings = OidcSettings { issuer: plain.to_owned(), ..provider.settings("rs256") };
        assert_eq!(Oidc::new(settings, PUBLIC, Arc::default()).err().unwrap().kind(), ErrorKind::Config, "{plain}");
    }
}

/// A store that is empty: a file, or a schema of PostgreSQL.
async fn store(folder: &std::path::Path, schema: Option<&str>) -> Store {
    let location = match schema {
        None => Location::File(folder.join("levada.db")),
        Some(schema) => {
            let url = levada_testkit::services::postgres();
            let (place, options) = url.split_once('?').unwrap_or((&url, ""));
            let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
            let dropped = Command::new("psql").args([place, "-X", "-q", "-c", &drop]).status().await;
            assert!(dropped.expect("psql is installed").success());
            Location::Url(Secret::new(format!("{place}?{options}&schema={schema}")))
        }
    };
    Store::open(&location).await.unwrap()
}

#[tokio::test]
async fn groups_decide_each_time_who_somebody_is() {
    for schema in [None, Some("levada_oidc_groups")] {
        groups_decide(schema).await;
    }
}

async fn groups_decide(schema: Option<&str>) {
    let provider = Provider::start("").await;
    let oidc = provider.oidc("rs256");
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), schema).await;
    let enter = async |login: &str| sign_in(&store, &person(&oidc, login).await.unwrap(), now()).await;
    let session =
        async |text: &Secret| store.session(super::random::hash(text.expose()).unwrap(), now()).await.unwrap();
    let (ada, first) = enter("ada/staff").await.unwrap();
    assert_eq!((ada.name.as_str(), ada.role, ada.has_password), ("ada", Role::Editor, false));
    let (again, second) = enter("ada/admins").await.unwrap();
    assert_eq!((again.id, again.role), (ada.id, Role::Admin));
    assert_eq!(session(&first).await.unwrap().user.role, Role::Admin);
    // the last administrator stays one, and gets in
    assert_eq!(enter("ada/staff").await.unwrap().0.role, Role::Admin);
    enter("eve/admins").await.unwrap();
    assert_eq!(enter("ada/staff").await.unwrap().0.role, Role::Editor);
    // without a group nobody gets in, nor stays in
    assert_eq!(enter("bob/others").await.unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!(store.user_by_name("bob").await.unwrap(), None);
    assert_eq!(enter("ada").await.unwrap_err().kind(), ErrorKind::Permission);
    assert!(session(&first).await.is_none() && session(&second).await.is_none());
    // a user of the same name is not taken over
    let local = crate::auth::tests::new_user("mallory", Role::Admin);
    let mallory = store.create_user(local, now()).await.unwrap();
    assert_eq!(enter("mallory/staff").await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(store.user(mallory.id).await.unwrap().unwrap(), mallory);
    // nor does one come in who is disabled
    let disabled = levada_store::UserChange { is_disabled: Some(true), ..Default::default() };
    store.update_user(ada.id, None, disabled, now()).await.unwrap();
    assert_eq!(enter("ada/staff").await.unwrap_err().kind(), ErrorKind::Permission);
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// The way of a browser through the server's own routes.
#[tokio::test]
async fn the_routes_lead_there_and_back() {
    for schema in [None, Some("levada_oidc_routes")] {
        routes_lead(schema).await;
    }
}

async fn routes_lead(schema: Option<&str>) {
    let provider = Provider::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), schema).await;
    let server = async |oidc: Option<Oidc>| {
        let store = store.clone();
        let app = Server::new(Parts {
            store,
            registry: Registry::default(),
            clock: Arc::new(Now),
            env: Arc::new(|_| None),
            secrets: Arc::new(|_| Box::pin(async { Ok(None) })),
            project_dir: folder.path().to_path_buf(),
            data_dir: folder.path().to_path_buf(),
            commands: levada_core::config::Commands::Enabled,
            limits: Limits::default(),
            oidc,
            ui: crate::ui::Ui::Missing,
        });
        router(app)
    };
    let plain = server(None).await;
    let with_provider = server(Some(provider.oidc("rs256"))).await;
    let get = async |router: &axum::Router, path: &str, cookie: &str| {
        let request = Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    let cookies = |response: &Response| -> Vec<String> {
        let all = response.headers().get_all(SET_COOKIE);
        all.iter().map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
    };
    assert_eq!(get(&plain, "/api/v1/oidc/start", "").await.status(), 404);
    let start = get(&with_provider, "/api/v1/oidc/start", "").await;
    assert_eq!(start.status(), 303);
    let attempt = cookies(&start).remove(0);
    drop(person(&provider.oidc("rs256"), "ada/staff").await.unwrap());
    let back = Browser::new().back(start.headers()[LOCATION].to_str().unwrap(), "ada").await;
    let back = format!("{}?{}", back.path(), back.query().unwrap());
    assert_eq!(get(&with_provider, &back, "").await.status(), 403);
    let signed = get(&with_provider, &back, &attempt).await;
    assert_eq!((signed.status().as_u16(), signed.headers()[LOCATION].to_str().unwrap()), (303, "/"));
    let [session, ended] = cookies(&signed).try_into().unwrap();
    assert!(session.starts_with("levada_session=") && ended == "levada_oidc=", "{session} {ended}");
    assert_eq!(get(&with_provider, "/api/v1/session", &session).await.status(), 200);
    assert_eq!(get(&with_provider, &back, &attempt).await.status(), 403);
    // who came and who did not is in the log, and first
    let lines = store.audit_page(AuditFilter { limit: 100, ..AuditFilter::default() }).await.unwrap();
    let told: Vec<String> =
        lines.iter().map(|line| format!("{} {} {}", line.entry.actor, line.entry.action, line.entry.outcome)).collect();
    assert_eq!(told, ["anonymous finishOidc denied", "ada finishOidc asked", "anonymous finishOidc denied"]);
}

/// A provider, or whoever answers in its place, does not send this server round its own network.
#[tokio::test]
async fn no_provider_leads_where_requests_may_not_go() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let own = issuer.clone();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4_096]).await;
            let body = serde_json::json!({
                "issuer": own, "authorization_endpoint": format!("{own}/auth"), "token_endpoint": format!("{own}/token"),
                "jwks_uri": "https://169.254.169.254/latest/meta-data",
            });
            let body = body.to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
            let _ = socket.write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes()).await;
        }
    });
    let settings = |issuer: &str| OidcSettings {
        issuer: issuer.to_owned(),
        client_id: "levada".to_owned(),
        client_secret: None,
        scopes: Vec::new(),
        groups_claim: "groups".to_owned(),
        roles: BTreeMap::new(),
        default_role: None,
        label: None,
    };
    let error = Oidc::new(settings(&issuer), PUBLIC, Arc::default()).unwrap().start(now()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    for issuer in ["https://169.254.169.254", "https://[fd00:ec2::254]", "https://[::ffff:169.254.169.254]/realm"] {
        let refused = Oidc::new(settings(issuer), PUBLIC, Arc::default()).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Refused, "{issuer}");
    }
    // names are looked up under the same rules
    let network = Arc::new(Network::new(Rules::parse("127.0.0.0/8,::1", "").unwrap()));
    let localhost = issuer.replace("127.0.0.1", "localhost");
    let refused = match Oidc::new(settings(&localhost), PUBLIC, network) {
        Ok(oidc) => oidc.start(now()).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(refused.kind(), ErrorKind::Refused);
}
