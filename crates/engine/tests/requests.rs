//! Requests and notifications, to servers at the other end of real sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use levada_core::config::{Channel, Email, EmailTls, Http, HttpAuth};
use levada_core::error::{Error, ErrorKind};
use levada_core::secret::Secret;
use levada_engine::network::{Network, Reach, Rules};
use levada_engine::task::{Outcome, TaskContext, http, notify};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::tasks::{SECRET, context, log_text};

type Answer = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A server that answers each request as told, and keeps the requests.
pub async fn server(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (kept, answer): (_, Answer) = (requests.clone(), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, answer.clone(), kept.clone()));
        }
    });
    (address, requests)
}

async fn serve(socket: TcpStream, answer: Answer, kept: Arc<Mutex<Vec<String>>>) {
    let mut socket = BufReader::new(socket);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if socket.read_line(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(text) = head[start..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.unwrap();
    let request = head + &String::from_utf8(body).unwrap();
    let answer = answer(&request);
    kept.lock().unwrap().push(request);
    // The client may go away in the middle of a large answer.
    let _ = socket.write_all(answer.as_bytes()).await;
}

pub fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn get(url: String) -> Http {
    Http {
        method: None,
        url,
        headers: BTreeMap::new(),
        query: BTreeMap::new(),
        body: None,
        json: None,
        auth: None,
        expect: Vec::new(),
        outputs: BTreeMap::new(),
        private: true,
    }
}

async fn run(work: &Http, context: &TaskContext) -> Result<Json, Error> {
    match http::execute(work, context).await? {
        Outcome::Done { outputs, .. } => Ok(Json::Object(outputs)),
        other => panic!("{other:?}"),
    }
}

fn one<T>(name: &str, value: T) -> BTreeMap<String, T> {
    BTreeMap::from([(name.to_owned(), value)])
}

#[tokio::test]
async fn a_request_and_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let body = json!({"data": [{"id": 9_007_199_254_740_993_u64, "key": SECRET}]}).to_string();
    let (address, requests) = server(move |_| answer("201 Created", "content-type: application/json\r\n", &body)).await;
    let work = Http {
        query: one("q", format!("a b&{SECRET}")),
        headers: one("X-Key", Secret::new(SECRET)),
        json: Some(json!({"a": 1})),
        auth: Some(HttpAuth::Basic { user: "u".to_owned(), password: Secret::new(SECRET) }),
        outputs: one("id", "/data/0/id".to_owned()),
        ..get(format!("http://{address}/path"))
    };
    let outputs = run(&work, &context).await.unwrap();
    let body = json!({"data": [{"id": 9_007_199_254_740_993_u64, "key": "***"}]});
    assert_eq!(outputs, json!({"status": 201, "body": body, "id": 9_007_199_254_740_993_u64}));
    let request = requests.lock().unwrap().concat();
    assert!(request.starts_with("POST /path?q=a+b%26correct+horse%2Fbattery HTTP/1.1\r\n"), "{request}");
    for part in
        ["x-key: correct horse/battery", "authorization: Basic dTpjb3JyZWN0IGhvcnNlL2JhdHRlcnk=", "\r\n\r\n{\"a\":1}"]
    {
        assert!(request.contains(part), "{request}");
    }
    let log = log_text(&context);
    assert!(log.starts_with(&format!("POST http://{address}/path?***: 201, ")), "{log}");

    let missing = Http { outputs: one("id", "/data/1/id".to_owned()), ..get(format!("http://{address}/path")) };
    let error = run(&missing, &context).await.unwrap_err();
    assert!(error.message().contains("has no value at `/data/1/id`"), "{error}");
}

#[tokio::test]
async fn what_statuses_mean() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let (address, _) = server(|request| {
        let status = request.split(['/', ' ', '?']).nth(2).unwrap();
        answer(&format!("{status} X"), "retry-after: 7\r\n", &format!("why: {SECRET}"))
    })
    .await;
    for (status, kind, retry) in [
        (401, ErrorKind::Auth, false),
        (403, ErrorKind::Permission, false),
        (404, ErrorKind::NotFound, false),
        (429, ErrorKind::Busy, true),
        (503, ErrorKind::Busy, true),
        (500, ErrorKind::Task, true),
    ] {
        let url = format!("http://user:pw@{address}/{status}?key=open");
        let error = run(&get(url.clone()), &context).await.unwrap_err();
        assert_eq!((error.kind(), error.kind().policy().retry), (kind, retry), "{error}");
        let text = error.to_string();
        let start = format!(
            "http://{address}/{status}?***: the server answered with status {status} (try again: 7): why: ***."
        );
        assert!(text.starts_with(&start) && !text.contains("pw@") && !text.contains("open"), "{text}");
        run(&Http { expect: vec!["2xx".to_owned(), format!("{status}")], ..get(url) }, &context).await.unwrap();
    }
    let error = run(&Http { expect: vec!["20".to_owned()], ..get(format!("http://{address}/200")) }, &context).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_in_any_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let (address, requests) = server(|_| answer("200 OK", "", "")).await;
    let port = address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let url = format!("http://{host}:{port}/");
        let error = run(&Http { private: false, ..get(url) }, &context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{host}: {error}");
    }
    assert_eq!(requests.lock().unwrap().len(), 0);
    for url in ["file:///etc/passwd", "gopher://example.org/", "/path"] {
        assert_eq!(run(&get(url.to_owned()), &context).await.unwrap_err().kind(), ErrorKind::Config, "{url}");
    }
}

#[tokio::test]
async fn redirects_take_no_credentials_to_another_host() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let (other, at_other) = server(|_| answer("200 OK", "", "there")).await;
    let (address, at_first) = server(move |request| match request.split(' ').nth(1).unwrap() {
        "/same" => answer("302 Found", "location: /end\r\n", ""),
        "/away" => answer("302 Found", &format!("location: http://localhost:{}/end\r\n", other.port()), ""),
        "/keep" => answer("307 X", &format!("location: http://localhost:{}/end\r\n", other.port()), ""),
        "/file" => answer("302 Found", "location: file:///etc/passwd\r\n", ""),
        "/round" => answer("302 Found", "location: /round\r\n", ""),
        _ => answer("200 OK", "", "here"),
    })
    .await;
    let to = |path: &str| Http {
        headers: one("X-Key", Secret::new(SECRET)),
        auth: Some(HttpAuth::Bearer(Secret::new(SECRET))),
        json: Some(json!(1)),
        ..get(format!("http://{address}{path}"))
    };
    assert_eq!(run(&to("/same"), &context).await.unwrap()["body"], "here");
    assert!(at_first.lock().unwrap()[1].starts_with("GET /end"));
    assert!(at_first.lock().unwrap()[1].contains(SECRET));
    assert_eq!(run(&to("/away"), &context).await.unwrap()["body"], "there");
    assert!(!at_other.lock().unwrap()[0].contains("correct"));
    for (path, kind) in [("/keep", ErrorKind::Refused), ("/file", ErrorKind::Refused), ("/round", ErrorKind::Task)] {
        assert_eq!(run(&to(path), &context).await.unwrap_err().kind(), kind, "{path}");
    }
    assert_eq!(at_other.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_has_a_limit_and_a_stop_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let (address, _) = server(|request| match request.starts_with("GET /large") {
        true => answer("200 OK", "", &"x".repeat(11_000_000)),
        false => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_owned(),
    })
    .await;
    let error = run(&get(format!("http://{address}/large")), &context).await.unwrap_err();
    assert!(error.message().contains("more than 10000000 bytes"), "{error}");
    let error = run(&get(format!("http://{address}/short")), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = run(&get(format!("http://{closed}/")), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    context.stop.cancel();
    let error = run(&get(format!("http://{address}/")), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

fn note() -> notify::Note {
    notify::Note {
        state: "failed".to_owned(),
        title: "Orders <failed>\r\nBcc: thief@example.org".to_owned(),
        text: format!("wörd {SECRET}\n.\nend"),
    }
}

#[tokio::test]
async fn webhooks_tell_and_keep_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let (address, requests) = server(|request| match request.starts_with("POST /gone") {
        true => answer("410 Gone", "", ""),
        false => answer("200 OK", "", "ok"),
    })
    .await;
    let url = |path: &str| Secret::new(format!("http://{address}/{path}"));
    notify::execute(&Channel::Webhook(url("k3y")), &note(), Reach::Private, &context).await.unwrap();
    notify::execute(&Channel::Slack(url("k3y")), &note(), Reach::Private, &context).await.unwrap();
    let bodies: Vec<Json> = requests
        .lock()
        .unwrap()
        .iter()
        .map(|request| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect();
    let (title, text) = ("Orders <failed>\r\nBcc: thief@example.org", "wörd ***\n.\nend");
    let full = json!({"pipeline": "orders", "run": 7, "state": "failed", "title": title, "text": text});
    assert_eq!(bodies[0], full);
    assert_eq!(bodies[1], json!({"text": format!("*Orders &lt;failed&gt;\r\nBcc: thief@example.org*\n{text}")}));

    let error = notify::execute(&Channel::Slack(url("gone/k3y")), &note(), Reach::Private, &context).await.unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("http://{address}/***: the server answered with status 410")),
        "{error}"
    );
    let error = notify::execute(&Channel::Slack(url("k3y")), &note(), Reach::Public, &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(!log_text(&context).contains("k3y"));
}

/// A mail server for one conversation, which refuses a recipient named `nobody`. Gives what it was told.
async fn mail_server() -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let conversation = tokio::spawn(async move {
        let mut socket = BufReader::new(listener.accept().await.unwrap().0);
        socket.write_all(b"220 test ESMTP\r\n").await.unwrap();
        let (mut told, mut data) = (String::new(), false);
        loop {
            let start = told.len();
            if socket.read_line(&mut told).await.unwrap() == 0 {
                return told;
            }
            let line = &told[start..];
            let reply = match line.split(['\r', ' ', ':']).next().unwrap() {
                _ if data && line != ".\r\n" => continue,
                "EHLO" => "250-test\r\n250 AUTH PLAIN\r\n",
                "RCPT" if line.contains("nobody") => "550 no such user\r\n",
                "AUTH" if !line.contains("AHVzZXIAY29ycmVjdCBob3JzZS9iYXR0ZXJ5") => "535 who are you\r\n",
                "AUTH" => "235 ok\r\n",
                "DATA" => "354 go on\r\n",
                _ => "250 ok\r\n",
            };
            data = line == "DATA\r\n";
            socket.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (port, conversation)
}

fn email(port: u16, to: &str, password: &str) -> Channel {
    Channel::Email(Email {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        tls: EmailTls::Never,
        user: Some("user".to_owned()),
        password: Some(Secret::new(password)),
        from: "Levada <levada@example.org>".to_owned(),
        to: vec![to.to_owned()],
    })
}

#[tokio::test]
async fn mail_over_smtp() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let (port, conversation) = mail_server().await;
    notify::execute(&email(port, "ops@example.org", SECRET), &note(), Reach::Private, &context).await.unwrap();
    let told = conversation.await.unwrap();
    let headers = told.split_once("DATA\r\n").unwrap().1.split_once("\r\n\r\n").unwrap().0;
    assert!(headers.contains("Subject: Orders <failed>  Bcc: thief@example.org"), "{headers}");
    assert!(!headers.contains("\nBcc"), "{headers}");
    assert!(told.contains("RCPT TO:<ops@example.org>") && !told.contains("RCPT TO:<thief"), "{told}");
    assert!(told.contains("w=C3=B6rd ***\r\n..\r\nend"), "{told}");

    for (to, password, kind) in
        [("nobody@example.org", SECRET, ErrorKind::Task), ("ops@example.org", "wrong", ErrorKind::Auth)]
    {
        let (port, _conversation) = mail_server().await;
        let error = notify::execute(&email(port, to, password), &note(), Reach::Private, &context).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    for to in ["ops@example.org\r\nBcc: thief@example.org", "ops", "a@b@c"] {
        let error = notify::execute(&email(1, to, SECRET), &note(), Reach::Private, &context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    // A server without STARTTLS gets nothing when encryption is asked for.
    let (port, conversation) = mail_server().await;
    let Channel::Email(plain) = email(port, "ops@example.org", SECRET) else { panic!() };
    let channel = Channel::Email(Email { tls: EmailTls::Start, ..plain });
    notify::execute(&channel, &note(), Reach::Private, &context).await.unwrap_err();
    assert!(!conversation.await.unwrap().contains("MAIL"));
}

/// Whatever the document says, requests go neither to Levada itself nor to what tells of the machine, and no redirect leads
/// there.
#[tokio::test]
async fn some_addresses_are_not_asked_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut context = context(folder.path());
    let (own, at_own) = server(|_| answer("200 OK", "", "figures")).await;
    let (address, _) = server(move |request| {
        let to = request.split(' ').nth(1).and_then(|path| path.strip_prefix("/to?")).unwrap_or_default();
        answer("302 Found", &format!("location: http://{to}\r\n"), "")
    })
    .await;
    let rules = Rules::parse("127.1.0.0/16,10.0.0.0/8", "127.1.0.1").unwrap();
    context.network = Arc::new(Network::new(rules));
    context.network.answers_at(own.port());
    let forbidden = [
        "169.254.169.254/latest/meta-data".to_owned(),
        "[fd00:ec2::254]/".to_owned(),
        "[::ffff:169.254.169.254]/".to_owned(),
        "0xA9FEA9FE/".to_owned(),
        "0.0.0.0/".to_owned(),
        "127.1.2.3/".to_owned(),
        "10.1.2.3/".to_owned(),
        own.to_string(),
        format!("127.9.9.9:{}/", own.port()),
        format!("[::1]:{}/", own.port()),
        format!("localhost:{}/", own.port()),
        format!("2130706433:{}/", own.port()),
    ];
    for place in &forbidden {
        for url in [format!("http://{place}"), format!("http://{address}/to?{place}")] {
            let error = run(&get(url.clone()), &context).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{url}: {error}");
        }
        let webhook = Channel::Webhook(Secret::new(format!("http://{place}")));
        let error = notify::execute(&webhook, &note(), Reach::Private, &context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{place}: {error}");
    }
    let Channel::Email(mail) = email(own.port(), "ops@example.org", SECRET) else { panic!() };
    for host in ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1"] {
        let channel = Channel::Email(Email { host: host.to_owned(), ..mail.clone() });
        let error = notify::execute(&channel, &note(), Reach::Private, &context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{host}: {error}");
    }
    assert_eq!(at_own.lock().unwrap().len(), 0, "nothing came through");
    // the team's own network is in reach
    let (inside, _) = server(|_| answer("200 OK", "", "ok")).await;
    for place in [inside.to_string(), format!("127.1.0.1:{}", inside.port()), format!("localhost:{}", inside.port())] {
        let reached = run(&get(format!("http://{place}/")), &context).await;
        let is_refused = reached.as_ref().is_err_and(|error| error.kind() == ErrorKind::Refused);
        assert!(!is_refused, "{place}: {reached:?}");
    }
}
