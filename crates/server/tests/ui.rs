//! The pages for browsers, and that nothing else is taken for one.

use axum::body::Body;
use axum::http::Request;

use crate::harness::{Place, Reply, Who};

async fn asked(place: &Place, method: &str, path: &str, encoding: &str) -> Reply {
    let request = Request::builder().method(method).uri(path).header("accept-encoding", encoding);
    place.ask(&Who::Nobody, request.body(Body::empty()).unwrap()).await
}

async fn built() -> Place {
    let place = Place::new().await;
    let ui = place.data().join("ui");
    std::fs::create_dir_all(ui.join("assets")).unwrap();
    for (path, text) in [
        ("index.html", "<!doctype html><title>the page</title>"),
        ("favicon.svg", "<svg/>"),
        ("assets/app-1.js", "console.log(1)"),
        ("assets/app-1.js.br", "packed"),
    ] {
        std::fs::write(ui.join(path), text).unwrap();
    }
    std::fs::write(place.data().join("secret.txt"), "not for anybody").unwrap();
    place
}

#[tokio::test]
async fn every_other_address_is_a_page() {
    let place = built().await;
    for path in [
        "/",
        "/pipelines",
        "/pipelines/m%C3%BCll%20x/graph",
        "/runs/17?task=a&line=3",
        "/setup",
        "/a.b/c",
        "/apis",
        "/nowhere",
    ] {
        let reply = asked(&place, "GET", path, "gzip, br").await.is(200);
        assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(reply.headers["cache-control"], "no-cache", "{path}");
        assert!(reply.text().contains("the page"), "{path}");
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        let head = asked(&place, "HEAD", path, "").await.is(200);
        assert!(head.body.is_empty() && head.headers["content-length"] != "0");
        asked(&place, "POST", path, "").await.is(404);
    }
    let icon = asked(&place, "GET", "/favicon.svg", "").await.is(200);
    assert_eq!((icon.headers["content-type"].to_str().unwrap(), icon.text().as_str()), ("image/svg+xml", "<svg/>"));
}

#[tokio::test]
async fn files_by_their_content_are_kept_for_good() {
    let place = built().await;
    let plain = asked(&place, "GET", "/assets/app-1.js", "gzip, brx").await.is(200);
    assert_eq!(
        (plain.text().as_str(), plain.headers["content-type"].to_str().unwrap()),
        ("console.log(1)", "text/javascript; charset=utf-8")
    );
    assert!(plain.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(!plain.headers.contains_key("content-encoding"));
    let packed = asked(&place, "GET", "/assets/app-1.js", "gzip, br").await.is(200);
    assert_eq!((packed.text().as_str(), packed.headers["content-encoding"].to_str().unwrap()), ("packed", "br"));
    assert_eq!(packed.headers["vary"], "accept-encoding");
    // a file of an older build is gone, and no page comes in its place
    asked(&place, "GET", "/assets/app-0.js", "").await.is(404);
    asked(&place, "GET", "/assets/", "").await.is(404);
    asked(&place, "GET", "/assets", "").await.is(404);
}

#[tokio::test]
async fn no_spelling_of_an_operation_is_a_page_and_none_leads_out() {
    let place = built().await;
    for path in [
        "/api",
        "/api/",
        "/API/v1/runs",
        "/%61pi/v1/runs",
        "//api/v1/runs",
        "/api;x/v1",
        "/v1",
        "/V1/department",
        "/healthz/",
        "/Healthz",
        "/metrics%2e",
        "/metrics%00",
        "/readyz.",
        "/x/../api/v1/runs",
        "/./api",
        "/x//y",
        "/x/%2e%2e/y",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%ff",
    ] {
        let reply = asked(&place, "GET", path, "").await;
        assert!(matches!(reply.status.as_u16(), 401 | 404), "{path}: {}", reply.status);
        assert!(!reply.text().contains("not for anybody") && !reply.text().contains("the page"), "{path}");
    }
}

#[tokio::test]
async fn a_build_without_pages_says_so() {
    let place = Place::new().await;
    let reply = asked(&place, "GET", "/pipelines", "br").await.is(200);
    assert!(reply.text().contains("make ui") && reply.headers["cache-control"] == "no-cache", "{}", reply.text());
    asked(&place, "GET", "/assets/app-1.js", "").await.is(404);
}
