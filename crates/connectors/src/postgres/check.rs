//! Tries a connection step by step: name, port, encryption, credentials, rights.

use std::time::{Duration, Instant};

use levada_core::connector::CheckStep;
use levada_core::error::{Context, Error, ErrorKind, Result};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_postgres::types::Type;

use super::config::Settings;
use super::error::Translate;
use super::session::Session;
use crate::kit::tls::Tls;

/// Every step up to the first that fails.
pub async fn check(settings: &Settings) -> Vec<CheckStep> {
    let mut steps = Vec::new();
    if !settings.host.starts_with('/')
        && (!add(&mut steps, "name", Instant::now(), name(settings).await)
            || !add(&mut steps, "tcp", Instant::now(), tcp(settings).await))
    {
        return steps;
    }
    let start = Instant::now();
    let session = match Session::open(settings).await {
        Ok(session) => session,
        Err(error) => {
            let step = if error.kind() == ErrorKind::Tls { "tls" } else { "auth" };
            if step == "auth" && settings.tls != Tls::Disable {
                add(&mut steps, "tls", start, Ok(settings.tls.in_words().to_owned()));
            }
            add(&mut steps, step, start, Err(error));
            return steps;
        }
    };
    add(&mut steps, "tls", start, Ok(settings.tls.in_words().to_owned()));
    if add(&mut steps, "auth", start, auth(&session).await)
        && add(&mut steps, "read", Instant::now(), read(&session).await)
    {
        add(&mut steps, "write", Instant::now(), write(&session, settings).await);
    }
    session.close().await;
    steps
}

fn add(steps: &mut Vec<CheckStep>, step: &'static str, start: Instant, outcome: Result<String>) -> bool {
    let good = outcome.is_ok();
    steps.push(CheckStep { step, took: start.elapsed(), outcome });
    good
}

async fn name(settings: &Settings) -> Result<String> {
    let place = settings.address();
    let found = lookup_host((settings.host.as_str(), settings.port)).await.map_err(|error| {
        Error::new(ErrorKind::Connect, format!("the name `{}` is not known: {error}", settings.host))
            .at(&place)
            .advise("Check `host` for a typing error, and the DNS of this machine.")
    })?;
    let addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
    Ok(format!("{} is {}", settings.host, addresses.join(", ")))
}

async fn tcp(settings: &Settings) -> Result<String> {
    let wait = Duration::from_secs(settings.connect_timeout_s);
    let connected = timeout(wait, TcpStream::connect((settings.host.as_str(), settings.port))).await;
    let failed = |what: String| Error::new(ErrorKind::Connect, what).at(settings.address());
    match connected {
        Ok(Ok(_)) => Ok(format!("port {} answers", settings.port)),
        Ok(Err(error)) => Err(failed(format!("port {} does not answer: {error}", settings.port))
            .advise("Check `port`, that the server runs, its `listen_addresses`, and the firewall.")),
        Err(_) => Err(failed(format!("port {} does not answer within {} s", settings.port, wait.as_secs()))
            .advise("Check `host` and `port`, and whether a firewall drops the packets.")),
    }
}

async fn auth(session: &Session) -> Result<String> {
    let query = "SELECT current_user::text, current_setting('server_version')";
    let row = session.client.query_typed_one(query, &[]).await.pg()?;
    Ok(format!("user {}, PostgreSQL {}", row.get::<_, String>(0), row.get::<_, String>(1)))
}

async fn read(session: &Session) -> Result<String> {
    let query = "SELECT count(*), count(*) FILTER (WHERE pg_catalog.has_table_privilege(c.oid, 'SELECT')
            AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'))
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'";
    let row = session.client.query_typed_one(query, &[]).await.pg().at("rights")?;
    Ok(format!("{} of {} tables and views may be read", row.get::<_, i64>(1), row.get::<_, i64>(0)))
}

async fn write(session: &Session, settings: &Settings) -> Result<String> {
    let query = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.to_regnamespace(pg_catalog.quote_ident($1)) IS NULL,
        CASE WHEN pg_catalog.to_regnamespace(pg_catalog.quote_ident($1)) IS NULL
             THEN pg_catalog.has_database_privilege(current_database(), 'CREATE')
             ELSE pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace(pg_catalog.quote_ident($1))::oid, 'CREATE') END";
    let row = session.client.query_typed_one(query, &[(&settings.schema, Type::TEXT)]).await.pg().at("rights")?;
    let (replica, missing, may): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    let schema = &settings.schema;
    Ok(match (replica, missing, may) {
        (true, ..) => "no: the server is a read-only replica (enough for a source)".to_owned(),
        (_, _, false) => format!("no: may not create tables in schema {schema} (enough for a source)"),
        (_, true, _) => format!("yes: schema {schema} will be created"),
        _ => format!("yes: tables may be created in schema {schema}"),
    })
}
