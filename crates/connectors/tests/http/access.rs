//! Who asks, and where requests may go: credentials of every kind, tokens that wear out, secrets that stay out of errors,
//! and addresses that no document leads to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use levada_connectors::OffLimits;
use levada_core::error::ErrorKind;
use levada_core::network::{Guard, Rules};
use levada_core::source::ReadMode;
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{connect, holds_none, ids, read, source};

const SECRET: &str = "geheim/7+f3a9==";

fn items() -> Value {
    json!({ "items": { "columns": { "id": "int64" } } })
}

#[tokio::test]
async fn every_kind_of_credentials_is_sent_where_it_belongs() {
    let basic = "Basic dXNlcjpnZWhlaW0vNytmM2E5PT0=";
    let cases: [(Value, &str, &str); 4] = [
        (json!({ "type": "basic", "user": "user", "password": SECRET }), "authorization", basic),
        (json!({ "type": "bearer", "token": SECRET }), "authorization", "Bearer geheim/7+f3a9=="),
        (json!({ "type": "api_key", "key": SECRET }), "x-api-key", SECRET),
        (json!({ "type": "api_key", "key": SECRET, "header": "Shop-Key" }), "shop-key", SECRET),
    ];
    for (auth, header, value) in cases {
        let server = Server::new(|_| Reply::json(&json!([{ "id": 1 }]))).await;
        let settings =
            json!({ "auth": auth, "headers": { "X-Tenant": "t" }, "query": { "v": "2" }, "endpoints": items() });
        ids(source(&server, settings).as_ref(), "items").await.unwrap();
        let asked = server.asked().remove(0);
        assert_eq!(asked.headers[header], value, "{auth}");
        assert_eq!((asked.headers["x-tenant"].as_str(), asked.query["v"].as_str()), ("t", "2"));
    }
}

#[tokio::test]
async fn a_key_in_the_query_is_on_every_page_and_in_no_error() {
    let auth = json!({ "type": "api_key", "key": SECRET, "parameter": "api_key" });
    let endpoints = json!({ "items": {
        "columns": { "id": "int64" }, "records": "data", "raw": true, "pagination": { "type": "next", "next": "next" }
    } });
    let server = Server::new(|asked| {
        assert_eq!(asked.query["api_key"], SECRET);
        match asked.number("page") {
            // a server that repeats the key in the next URL
            None => {
                Reply::json(&json!({ "data": [{ "id": 1 }], "next": "/items?page=2&api_key=geheim%2F7%2Bf3a9%3D%3D" }))
            }
            Some(_) => Reply::status(400, format!("bad key {SECRET} in geheim%2F7%2Bf3a9%3D%3D")),
        }
    })
    .await;
    let source = source(&server, json!({ "auth": auth, "endpoints": endpoints }));
    for stream in ["items", "raw:items"] {
        let error = read(source.as_ref(), stream, ReadMode::Full).await.unwrap_err();
        assert!(error.to_string().contains("bad key ***"), "{error}");
        holds_none(&error, &["geheim"]);
    }
}

#[tokio::test]
async fn raw_answers_are_kept_without_keys() {
    let auth = json!({ "type": "api_key", "key": SECRET, "parameter": "api_key" });
    let server = Server::new(|_| Reply::json(&json!([{ "id": 1 }]))).await;
    let endpoints = json!({ "items": { "raw": true, "query": { "a": "b" } } });
    let source = source(&server, json!({ "auth": auth, "endpoints": endpoints }));
    let (rows, _) = read(source.as_ref(), "raw:items", ReadMode::Full).await.unwrap();
    assert_eq!(rows[0][0].as_deref(), Some(format!("{}/items?a=b", server.url()).as_str()));
}

/// An API whose tokens are good for some requests, and the place that gives them out.
async fn with_tokens(good_for: usize) -> (Server, Server) {
    let given = Arc::new(AtomicUsize::new(0));
    let used = Arc::new(AtomicUsize::new(0));
    let (count, spent) = (given.clone(), used.clone());
    let tokens = Server::new(move |asked| {
        let form: std::collections::BTreeMap<_, _> =
            url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        spent.store(0, Ordering::SeqCst);
        let is_known = match form["grant_type"].as_str() {
            "client_credentials" => {
                asked.headers.get("authorization").is_some_and(|sent| sent == "Basic YXBwOmdlaGVpbS83K2YzYTk9PQ==")
            }
            // each refresh token is good for one time
            "refresh_token" => {
                form["refresh_token"] == if number == 1 { SECRET.to_owned() } else { format!("refresh-{}", number - 1) }
            }
            _ => false,
        };
        if !is_known || asked.method != "POST" {
            return Reply::status(
                400,
                json!({ "error": "invalid_grant", "error_description": asked.body }).to_string(),
            );
        }
        Reply::json(&json!({
            "access_token": format!("token-{number}"), "expires_in": 3600, "refresh_token": format!("refresh-{number}")
        }))
    })
    .await;
    let api = Server::new(move |asked| {
        let current = format!("Bearer token-{}", given.load(Ordering::SeqCst));
        if asked.headers["authorization"] != current || used.fetch_add(1, Ordering::SeqCst) >= good_for {
            return Reply::status(401, format!("no longer: {}", asked.headers["authorization"]));
        }
        let page = asked.number("page").unwrap();
        Reply::json(&json!(super::numbered((page - 1).min(9)..page.min(9))))
    })
    .await;
    (tokens, api)
}

fn oauth(kind: &str, token_url: &str) -> Value {
    let mut auth = json!({ "type": kind, "token_url": token_url });
    if kind == "client_credentials" {
        auth["client_id"] = json!("app");
        auth["client_secret"] = json!(SECRET);
        auth["scope"] = json!("read");
    } else {
        auth["refresh_token"] = json!(SECRET);
    }
    json!({ "auth": auth, "endpoints": items(), "pagination": { "type": "page" } })
}

#[tokio::test]
async fn a_token_that_wears_out_in_the_middle_is_asked_for_anew() {
    for kind in ["client_credentials", "refresh_token"] {
        let (tokens, api) = with_tokens(4).await;
        let source = source(&api, oauth(kind, &tokens.url()));
        assert_eq!(ids(source.as_ref(), "items").await.unwrap(), (0..9).collect::<Vec<_>>(), "{kind}");
        // nine pages and an empty one, four for a token
        assert_eq!(tokens.asked().len(), 3, "{kind}");
    }
}

#[tokio::test]
async fn a_token_that_is_never_taken_ends_the_read_and_is_not_told() {
    let (tokens, api) = with_tokens(0).await;
    let source = source(&api, oauth("client_credentials", &tokens.url()));
    let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    holds_none(&error, &["geheim", "token-1", "token-2"]);
    assert_eq!(tokens.asked().len(), 2, "one token, and one more after it was refused");
}

#[tokio::test]
async fn a_token_that_is_not_given_out_is_told_without_what_was_sent() {
    let (tokens, api) = with_tokens(1).await;
    let mut settings = oauth("client_credentials", &tokens.url());
    settings["auth"]["client_secret"] = json!("another-geheim");
    settings["auth"]["in_body"] = json!(true);
    let error = read(source(&api, settings).as_ref(), "items", ReadMode::Full).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("invalid_grant"), "{error}");
    holds_none(&error, &["geheim"]);
}

#[tokio::test]
async fn settings_that_are_wrong_are_told_without_their_secrets() {
    let url = "https://api.invalid";
    for (settings, told) in [
        (json!({ "url": url, "auth": { "type": "bearer" } }), "`token`"),
        (json!({ "url": url, "auth": { "type": "bearer", "token": 987_654_321 } }), "***"),
        (json!({ "url": url, "auth": { "type": "bearer", "token": ["geheim-9"] } }), ""),
        (json!({ "url": url, "headers": { "a b": "geheim-9" } }), "`a b`"),
        (json!({ "url": url, "headers": { "a": "geheim-9\n" } }), "`a`"),
        (json!({ "url": "ftp://geheim-9@api.invalid" }), "web address"),
        (json!({ "url": url, "endpointz": {} }), "endpoints"),
        (json!({ "url": url, "rate": "often" }), "10/s"),
        (json!({ "url": url, "endpoints": { "a": { "pth": "b" } } }), "`a`"),
        (json!({ "url": url, "endpoints": { "a": { "columns": { "b": "integer64" } } } }), "integer64"),
        (json!({ "url": url, "endpoints": { "a": { "path": "x/{id}" } } }), "parent"),
        (json!({ "url": url, "endpoints": { "a": { "parent": { "endpoint": "b" } } } }), "`b`"),
        (json!({ "url": url, "endpoints": { "a": { "parent": { "endpoint": "a" } } } }), "lead back"),
        (json!({ "url": url, "pagination": { "type": "cursor" } }), "`next`"),
        (json!({}), "`url`"),
    ] {
        let Err(error) = connect(settings.clone()) else { panic!("{settings}") };
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(told), "{error}");
        holds_none(&error, &["geheim-9", "987654321", "987_654_321"]);
    }
}

#[tokio::test]
async fn a_url_can_stand_for_the_settings() {
    let server = Server::new(|asked| {
        assert_eq!(asked.headers["authorization"], "Basic dTpwOnc=");
        assert_eq!((asked.path.as_str(), asked.query["v"].as_str()), ("/base/things/all", "1"));
        Reply::json(&json!([{ "id": 1 }]))
    })
    .await;
    let url = url::Url::parse(&format!("http://u:p%3Aw@{}/base?v=1", server.address)).unwrap();
    let connector = levada_connectors::registry().for_scheme("http").unwrap().clone();
    let mut settings = connector.settings_from_url(&url).unwrap();
    settings["private"] = json!(true);
    let connection = connector.connect(settings).unwrap();
    assert_eq!(connection.address(), format!("{}/base", server.url()));
    // without declared endpoints a name is a path
    let source = connection.source().unwrap();
    assert_eq!(ids(source.as_ref(), "things/all").await.unwrap(), [1]);
}

#[tokio::test]
async fn addresses_of_this_machine_and_of_private_networks_are_asked_only_if_the_settings_say_so() {
    let server = Server::new(|_| Reply::json(&json!([{ "id": 1 }]))).await;
    let localhost = format!("http://localhost:{}", server.address.port());
    for url in [server.url(), localhost, format!("http://[::ffff:127.0.0.1]:{}", server.address.port())] {
        let source = source(&server, json!({ "url": url, "private": false, "endpoints": items() }));
        let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{url}: {error}");
        assert!(error.advice().contains("private: true"), "{error}");
    }
    for url in ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://0.0.0.0:1/", "http://100.100.100.200/"] {
        let source = source(&server, json!({ "url": url, "endpoints": items() }));
        let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{url}: {error}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn redirects_and_token_urls_go_no_further_than_requests() {
    let inner = Server::new(|_| Reply::json(&json!([{ "id": 1 }]))).await;
    let lead = inner.url();
    for location in [lead, "http://169.254.169.254/latest".to_owned(), "file:///etc/passwd".to_owned()] {
        let server = Server::new(move |_| Reply::status(302, "").with("location", location.clone())).await;
        let error = read(source(&server, json!({ "endpoints": items() })).as_ref(), "items", ReadMode::Full).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
    }
    let server = Server::new(|_| Reply::json(&json!([{ "id": 1 }]))).await;
    let settings = oauth("client_credentials", "http://169.254.169.254/token");
    let error = read(source(&server, settings).as_ref(), "items", ReadMode::Full).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(inner.asked().is_empty() && server.asked().is_empty());
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed() {
    let server = Server::new(|asked| match asked.path.as_str() {
        "/items" => Reply::status(301, "").with("location", "/v2/items?moved=1"),
        _ => Reply::json(&json!([{ "id": 3 }])),
    })
    .await;
    let source = source(&server, json!({ "endpoints": items(), "auth": { "type": "bearer", "token": SECRET } }));
    assert_eq!(ids(source.as_ref(), "items").await.unwrap(), [3]);
    assert!(server.asked().iter().all(|asked| asked.headers.contains_key("authorization")));
}

#[tokio::test]
async fn whoever_runs_the_process_has_the_last_word() {
    let server = Server::new(|_| Reply::json(&json!([{ "id": 1 }]))).await;
    let settings = json!({ "url": server.url(), "private": true, "endpoints": items() });
    let own = Arc::new(Guard::default());
    own.answers_at(server.address.port());
    for guard in [Arc::new(Guard::new(Rules::parse("127.0.0.0/8", "").unwrap())), own, Arc::new(Guard::closed())] {
        let registry = levada_connectors::registry_within(guard, &OffLimits::default());
        let source = registry.get("http").unwrap().connect(settings.clone()).unwrap().source().unwrap();
        let error = read(source.as_ref(), "items", ReadMode::Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    }
    assert!(server.asked().is_empty());
}
