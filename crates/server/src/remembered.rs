//! What was found out with the store and is still so: kept with the moment of the store that it was asked at, and given again
//! only to who asks at that very moment. Nobody has to say what a change makes untrue: any change of the store, by whichever
//! process, is another moment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use levada_store::Moment;

use crate::caller::CallerKind;

/// What was found out at one moment.
pub(crate) struct Remembered<K, V> {
    size_max: usize,
    found: Mutex<Found<K, V>>,
}

struct Found<K, V> {
    moment: Option<Moment>,
    entries: HashMap<K, V>,
    size: usize,
}

impl<K: Hash + Eq, V: Clone> Remembered<K, V> {
    /// Nothing yet, and later no more than this in all.
    pub fn new(size_max: usize) -> Self {
        let found = Found { moment: None, entries: HashMap::new(), size: 0 };
        Self { size_max, found: Mutex::new(found) }
    }

    /// What was found out at this moment; nothing if it cannot be told which moment it is.
    pub fn get(&self, moment: Option<Moment>, key: &K) -> Option<V> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let value = found.entries.get(key).filter(|_| moment.is_some() && moment == found.moment);
        value.cloned()
    }

    /// Keeps what the store was asked for after it had told this moment.
    pub fn put(&self, moment: Option<Moment>, key: K, value: V, size: usize) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        // who asked earlier may come later
        if moment.is_none() || moment < found.moment || size > self.size_max {
            return;
        }
        if moment > found.moment || found.size + size > self.size_max {
            (found.moment, found.size) = (moment, 0);
            found.entries.clear();
        }
        found.size += size;
        found.entries.insert(key, value);
    }
}

/// Answers of operations that follow from the store, from who asks and from what the URL names, and from nothing else.
pub(crate) type Answers = Remembered<(CallerKind, Uri), Answer>;

/// Bytes of the longest answer that is kept.
const ANSWER_MAX: u64 = 64 << 10;

/// An answer, good for any number of requests.
#[derive(Clone)]
pub(crate) struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answers {
    /// Keeps an answer, if it is a success and not too long, and hands it on.
    pub async fn keep(&self, moment: Option<Moment>, key: (CallerKind, Uri), response: Response) -> Response {
        let length = response.body().size_hint().exact();
        if response.status() != StatusCode::OK || length.is_none_or(|length| length > ANSWER_MAX) {
            return response;
        }
        let (head, body) = response.into_parts();
        let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let answer = Answer { headers: head.headers, body };
        self.put(moment, key, answer.clone(), answer.size());
        answer.again()
    }
}

impl Answer {
    /// The answer to a further request.
    pub fn again(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.headers_mut() = self.headers;
        response
    }

    /// Bytes that it takes up, roughly.
    fn size(&self) -> usize {
        size_of::<Self>() + self.headers.len() * 64 + self.body.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use axum::extract::Request;
    use axum::http::header::AUTHORIZATION;
    use levada_core::access::Role;
    use levada_core::connector::Registry;
    use levada_core::time::{Clock, Timestamp};
    use levada_store::{Kind, Location, NewDocument, NewToken, Store};
    use tower::ServiceExt as _;

    use super::*;
    use crate::auth::{random, token};
    use crate::{Limits, Parts, Server, router};

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            NOW
        }
    }

    /// A later moment of a store with each call.
    async fn later(store: &Store) -> Option<Moment> {
        let before = store.moment().await;
        store.set_setting("a", Some(format!("{before:?}")), NOW).await.unwrap();
        let moment = store.moment().await;
        assert!(moment > before);
        moment
    }

    #[tokio::test]
    async fn what_is_remembered_is_of_one_moment_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::File(folder.path().join("levada.db"))).await.unwrap();
        let (first, second) = (later(&store).await, later(&store).await);
        let known = Remembered::new(10);
        known.put(None, "a", 0, 1);
        assert_eq!(known.get(None, &"a"), None);
        known.put(first, "a", 1, 6);
        assert_eq!((known.get(first, &"a"), known.get(second, &"a"), known.get(None, &"a")), (Some(1), None, None));
        known.put(second, "b", 2, 6);
        assert_eq!((known.get(first, &"a"), known.get(second, &"a"), known.get(second, &"b")), (None, None, Some(2)));
        // who asked before, and comes later
        known.put(first, "b", 1, 1);
        assert_eq!((known.get(first, &"b"), known.get(second, &"b")), (None, Some(2)));
        // more than there is room for
        known.put(second, "c", 3, 6);
        assert_eq!((known.get(second, &"b"), known.get(second, &"c")), (None, Some(3)));
        known.put(second, "d", 4, 11);
        assert_eq!(known.get(second, &"d"), None);
    }
    /// A server over a file of its own, which has a pipeline.
    async fn server(folder: &std::path::Path) -> crate::App {
        let store = Store::open(&Location::File(folder.join("levada.db"))).await.unwrap();
        let graph = serde_json::from_str(r#"{"nodes": [], "concurrency": null, "priority": 0}"#).unwrap();
        let (name, path, text) = ("nightly".to_owned(), "nightly.yaml".to_owned(), "name: nightly".to_owned());
        let document = NewDocument { kind: Kind::Pipeline, name, path, text, graph: Some(graph) };
        store.keep_document(document, NOW).await.unwrap();
        Server::new(Parts {
            store,
            registry: Registry::default(),
            clock: Arc::new(Still),
            env: Arc::new(|_| None),
            secrets: Arc::new(|_| Box::pin(async { Ok(None) })),
            project_dir: folder.to_path_buf(),
            data_dir: folder.to_path_buf(),
            commands: levada_core::config::Commands::Enabled,
            limits: Limits::default(),
            oidc: None,
            ui: crate::ui::Ui::Missing,
        })
    }

    #[tokio::test]
    async fn an_answer_is_given_again_until_something_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let app = server(folder.path()).await;
        let user = crate::auth::tests::new_user("vera", Role::Editor);
        let user = app.store.create_user(user, NOW).await.unwrap().id;
        let secret = random::text().unwrap();
        let hash = random::hash(secret.expose()).unwrap();
        let expires_at = NOW.plus(std::time::Duration::from_secs(100));
        let new = NewToken { user, name: "t".to_owned(), hash, role: Role::Admin, tags: None, expires_at };
        let token = app.store.create_token(new, NOW).await.unwrap().id;
        let value = format!("Bearer {}", token::text(token, &secret).expose());
        let router = router::router(app.clone());
        let get = async || {
            let request = Request::get("/api/v1/pipelines/nightly").header(AUTHORIZATION, &value);
            let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            (status, headers, body)
        };
        // the first use of a token is noted, which is a commit
        get().await;
        let first = get().await;
        let key = (CallerKind::Token { user: user.0, token: token.0 }, "/api/v1/pipelines/nightly".parse().unwrap());
        let moment = app.store.moment().await;
        let kept = app.answers.get(moment, &key).unwrap();
        assert_eq!((first.0, &first.2), (StatusCode::OK, &kept.body));
        assert_eq!(get().await, first);
        app.answers.put(moment, key, Answer { body: Bytes::from_static(b"by heart"), ..kept }, 1);
        assert_eq!(get().await.2, "by heart");
        later(&app.store).await;
        assert_eq!(get().await, first);
    }
}
