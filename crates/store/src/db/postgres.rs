//! PostgreSQL: one connection with its prepared statements, and the connection that listens for other processes.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::poll_fn;
use futures_util::stream::FuturesOrdered;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Statement};

use super::{Row, Signal, Signals, Value};

/// The channel of LISTEN and NOTIFY.
const CHANNEL: &str = "levada";
/// The schema of all tables, unless `?schema=` names another.
const SCHEMA: &str = "levada";
/// Prepared statements kept; more start anew.
const STATEMENTS: usize = 512;
/// How long the listener waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(500);

pub(super) struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
    /// What goes out together with the next statement: one round trip less for each.
    waiting: Vec<Waiting>,
}

enum Waiting {
    Script(&'static str),
    Statement(Statement, Vec<Value>),
}

/// Most statements that wait for the next one.
const WAITING_MAX: usize = 16;

impl Connection {
    /// Connects; the schema is made by the migration.
    pub(super) async fn open(url: &Secret) -> Result<Self> {
        let (config, schema) = parse(url)?;
        let (client, connection) = config.connect(NoTls).await.map_err(|error| explain(&error))?;
        tokio::task::spawn_local(connection);
        let quoted = schema.replace('"', "\"\"");
        // plans are kept, and one that was made while a table was small must not read it whole when it has grown
        let start =
            format!("SET search_path TO \"{quoted}\"; SET TIME ZONE 'UTC'; SET jit = off; SET enable_seqscan = off");
        client.batch_execute(&start).await.map_err(|error| explain(&error))?;
        Ok(Self { client, statements: HashMap::new(), waiting: Vec::new() })
    }

    pub(super) fn begin(&mut self, writes: bool) {
        let begin = if writes { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        self.waiting = vec![Waiting::Script(begin)];
    }

    /// Commits, and tells other processes.
    pub(super) async fn commit(&mut self, signals: &[Signal]) -> Result<()> {
        let mut script = String::new();
        for signal in signals {
            script.push_str(&format!("SELECT pg_notify('{CHANNEL}', '{}');", signal.name()));
        }
        script.push_str("COMMIT");
        self.script(&script).await
    }

    pub(super) async fn rollback(&mut self) -> Result<()> {
        self.waiting.clear();
        self.script("ROLLBACK").await
    }

    pub(super) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let statement = self.statement(sql).await?;
        let values = parameters(values);
        self.together(self.client.execute(&statement, &values)).await.inspect(|_| self.waiting.clear())
    }

    pub(super) async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let statement = self.statement(sql).await?;
        let values = parameters(values);
        let rows = self.together(self.client.query(&statement, &values)).await?;
        self.waiting.clear();
        let convert = |row: tokio_postgres::Row| (0..row.len()).map(|index| row.try_get(index)).collect();
        let values = rows.into_iter().map(convert).collect::<Result<Vec<Vec<Value>>, _>>();
        values.map(|rows| rows.into_iter().map(Row::new).collect()).map_err(|error| explain(&error))
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<()> {
        self.together(self.client.batch_execute(sql)).await?;
        self.waiting.clear();
        Ok(())
    }

    /// Runs a statement with the next one that needs an answer.
    pub(super) async fn later(&mut self, sql: &str, values: &[Value]) -> Result<()> {
        let statement = self.statement(sql).await?;
        self.waiting.push(Waiting::Statement(statement, values.to_vec()));
        if self.waiting.len() > WAITING_MAX { self.script("").await } else { Ok(()) }
    }

    /// Sends what waits, and then this one, before the first answer is there. Where an earlier one fails, the later ones do
    /// so for its sake: its failure is the one to be told.
    async fn together<T>(&self, last: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
        let mut earlier: FuturesOrdered<_> = self.waiting.iter().map(|waiting| self.send(waiting)).collect();
        let earlier = async {
            let mut first = Ok(());
            while let Some(end) = earlier.next().await {
                first = first.and(end);
            }
            first
        };
        let (earlier, last) = futures_util::future::join(earlier, last).await;
        earlier.and(last).map_err(|error| explain(&error))
    }

    async fn send(&self, waiting: &Waiting) -> Result<(), tokio_postgres::Error> {
        match waiting {
            Waiting::Script(sql) => self.client.batch_execute(sql).await,
            Waiting::Statement(statement, values) => {
                self.client.execute(statement, &parameters(values)).await.map(drop)
            }
        }
    }

    async fn statement(&mut self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        let statement = self.client.prepare(sql).await.map_err(|error| explain(&error))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// The settings of a URL, and the schema it names.
fn parse(url: &Secret) -> Result<(Config, String)> {
    let wrong = |what: &str| {
        Error::new(ErrorKind::Config, format!("the URL of the metadata store {what}"))
            .advise("Write postgres://user:password@host:port/database?schema=levada.")
    };
    let (base, query) = url.expose().split_once('?').unwrap_or((url.expose(), ""));
    let mut schema = SCHEMA.to_owned();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("schema", name)) if !name.is_empty() => name.clone_into(&mut schema),
            Some(("tls", "disable")) => {}
            _ => return Err(wrong("has an option that is not known")),
        }
    }
    let config: Config = base.parse().map_err(|_| wrong("cannot be read"))?;
    Ok((config, schema))
}

/// The schema that a URL names.
pub(crate) fn schema(url: &Secret) -> Result<String> {
    parse(url).map(|(_, schema)| schema)
}

/// Hears what other processes commit, for as long as somebody is there to be told.
pub(super) fn listen(url: Secret, signals: Weak<Signals>) -> Result<()> {
    parse(&url)?;
    tokio::spawn(async move {
        while signals.strong_count() > 0 {
            let _ = listen_once(&url, &signals).await;
            // whatever was said meanwhile was missed
            if let Some(signals) = signals.upgrade() {
                signals.send_all();
            }
            tokio::time::sleep(RECONNECT).await;
        }
    });
    Ok(())
}

async fn listen_once(url: &Secret, signals: &Weak<Signals>) -> Result<()> {
    let (config, _) = parse(url)?;
    let (client, mut connection) = config.connect(NoTls).await.map_err(|error| explain(&error))?;
    let command = format!("LISTEN {CHANNEL}");
    let mut command = std::pin::pin!(client.batch_execute(&command));
    let mut is_listening = false;
    loop {
        let message = poll_fn(|context| {
            if !is_listening && command.as_mut().poll(context).is_ready() {
                is_listening = true;
            }
            connection.poll_message(context)
        });
        match message.await {
            Some(Ok(AsyncMessage::Notification(notification))) => {
                let Some(signals) = signals.upgrade() else { return Ok(()) };
                let found = Signal::ALL.into_iter().find(|signal| signal.name() == notification.payload());
                found.into_iter().for_each(|signal| signals.send(signal));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(explain(&error)),
            None => return Ok(()),
        }
    }
}

fn explain(error: &tokio_postgres::Error) -> Error {
    let place = "the metadata store";
    let Some(db) = error.as_db_error() else {
        let kind = if error.is_closed() || std::error::Error::source(error).is_some_and(|e| e.is::<std::io::Error>()) {
            ErrorKind::Connect
        } else {
            ErrorKind::Internal
        };
        let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        return Error::new(kind, cause).at(place);
    };
    let code = db.code().code();
    let kind = match code {
        // a key that two made at once: who tries again finds the one of the other
        "40001" | "40P01" | "55P03" | "23505" => ErrorKind::Busy,
        "53100" => ErrorKind::Full,
        "42501" => ErrorKind::Permission,
        "3D000" => ErrorKind::NotFound,
        "57P01" | "57P02" | "57P03" => ErrorKind::Connect,
        _ if code.starts_with("28") => ErrorKind::Auth,
        _ if code.starts_with("08") => ErrorKind::Connect,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, db.message()).at(place)
}
