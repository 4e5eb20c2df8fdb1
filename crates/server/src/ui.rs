//! The pages for browsers: files that were built beforehand. Every address that is no operation's is a page, which draws
//! itself from the operations; nothing here tells of anybody's data, and so nobody is asked who they are.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};

use crate::guard;
use crate::problem::Problem;

/// What begins like this is never a page, however it is spelled.
const RESERVED: [&str; 6] = ["api", "v1", "healthz", "readyz", "metrics", "assets"];
/// The page that draws all others.
const INDEX: &str = "index.html";
/// What a page may do: its own scripts, styles and requests, and nothing of anybody else's.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";
/// What stands in place of the pages where they were not built.
const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Levada</title>\n\
    <h1>The web UI is not part of this build</h1>\n\
    <p>Levada runs, and its API answers. <code>make ui</code> builds the pages, and <code>make build</code> a program \
    that has them; both need Node.js. <code>levada --help</code> tells what works without.</p>\n</html>\n";

/// Where the built files are.
#[derive(Debug, Clone, Default)]
pub enum Ui {
    /// Nowhere.
    #[default]
    Missing,
    /// In a folder, read whenever they are asked for.
    Folder(PathBuf),
    /// In the program, by their paths in order.
    Built(&'static [(&'static str, &'static [u8])]),
}

/// Answers a request that no operation answers.
pub(crate) fn answer(ui: &Ui, request: &Request) -> Response {
    let is_head = request.method() == Method::HEAD;
    let found = match is_head || request.method() == Method::GET {
        true => find(ui, request.uri().path(), request.headers()),
        false => None,
    };
    let mut response =
        found.unwrap_or_else(|| Problem::NotFound("There is nothing at this path.".to_owned()).into_response());
    if is_head {
        *response.body_mut() = Body::empty();
    }
    guard::secure(response.headers_mut(), guard::is_tls(request.extensions()));
    response
}

fn find(ui: &Ui, path: &str, headers: &HeaderMap) -> Option<Response> {
    if path.starts_with("/assets/") {
        return file(ui, path.trim_start_matches('/'), headers, "public, max-age=31536000, immutable");
    }
    if !is_page(path) {
        return None;
    }
    let named = Some(path.trim_start_matches('/')).filter(|path| path.contains('.') && *path != INDEX);
    if let Some(found) = named.and_then(|path| file(ui, path, headers, "no-cache")) {
        return Some(found);
    }
    let page = file(ui, INDEX, headers, "no-cache");
    Some(page.unwrap_or_else(|| page_of(Cow::Borrowed(NOT_BUILT.as_bytes()), "text/html; charset=utf-8", "no-cache")))
}

/// Whether a path may be a page: no way of writing one of the others, or of leading out of a folder, is.
fn is_page(path: &str) -> bool {
    let Ok(decoded) = percent_encoding::percent_decode_str(path).decode_utf8() else { return false };
    let Some(rest) = decoded.strip_prefix('/') else { return false };
    if rest.is_empty() {
        return true;
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    rest.split('/').all(is_plain)
        && !rest.chars().any(|c| c.is_control() || c == '\\')
        && !RESERVED.contains(&word.to_ascii_lowercase().as_str())
}

/// A file, compressed if there is such a one and the browser takes it.
fn file(ui: &Ui, path: &str, headers: &HeaderMap, cache: &'static str) -> Option<Response> {
    let takes_brotli = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim() == "br");
    let packed = if takes_brotli { ui.read(&format!("{path}.br")) } else { None };
    let is_packed = packed.is_some();
    let mut response = page_of(packed.or_else(|| ui.read(path))?, media_type(path), cache);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    Some(response)
}

fn page_of(bytes: Cow<'static, [u8]>, media_type: &'static str, cache: &'static str) -> Response {
    let length = bytes.len();
    let body = match bytes {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_LENGTH, HeaderValue::from(length)),
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (headers, body).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

impl Ui {
    /// The bytes of a file.
    fn read(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        match self {
            Self::Missing => None,
            Self::Folder(folder) => {
                let is_below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
                let path = folder.join(path);
                (is_below && path.is_file()).then(|| std::fs::read(path).ok()).flatten().map(Cow::Owned)
            }
            Self::Built(files) => {
                let place = files.binary_search_by_key(&path, |(path, _)| path).ok()?;
                files.get(place).map(|(_, bytes)| Cow::Borrowed(*bytes))
            }
        }
    }
}
