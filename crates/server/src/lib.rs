//! Levada over HTTP: the REST API, live events, logins and roles.
