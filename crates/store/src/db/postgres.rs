//! PostgreSQL: one connection with its prepared statements, and the connection that listens for other processes.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Weak;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::future::{MaybeDone, maybe_done, poll_fn};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, SimpleQueryMessage, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{Tls, connector};
use super::{Ask, Row, Signal, Signals, Value};

/// The channel of LISTEN and NOTIFY.
const CHANNEL: &str = "levada";
/// The schema of all tables, unless `?schema=` names another.
const SCHEMA: &str = "levada";
/// Prepared statements kept; more start anew.
const STATEMENTS: usize = 512;
/// How long the listener waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(500);

/// How often the listener looks whether anybody is there to be told.
const LOOK: Duration = Duration::from_secs(1);
/// How long a server may take to answer a new connection, or to confirm what it was sent.
const SILENCE: Duration = Duration::from_secs(15);
/// How often, and how many times, a server is asked what became of a transaction whose commit it never answered.
const DOUBT: (Duration, u32) = (Duration::from_millis(20), 1_000);

pub(super) struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
    /// What goes out together with the next statement: one round trip less for each.
    waiting: Vec<Waiting>,
    /// Whether the transaction writes.
    writes: bool,
    /// The number of the transaction that writes, once the server has told it.
    number: Cell<Option<i64>>,
    /// The number of a transaction whose commit was asked for and not answered.
    doubt: Option<i64>,
    /// How often an answer was waited for.
    trips: Cell<u64>,
}

/// What drives a connection.
type Driver = tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

enum Waiting {
    /// Who writes learns the number of the transaction, with which its fate can be asked for later.
    BeginWrite,
    BeginRead,
    Statement(Statement, Vec<Value>),
}

/// Most statements that wait for the next one.
const WAITING_MAX: usize = 256;

impl Connection {
    /// Connects; the schema is made by the migration.
    pub(super) async fn open(url: &Secret) -> Result<Self> {
        let settings = parse(url)?;
        let (client, driver) = dial(&settings).await?;
        tokio::task::spawn_local(driver);
        let quoted = settings.schema.replace('"', "\"\"");
        // plans are kept, and one that was made while a table was small must not read it whole when it has grown
        let start =
            format!("SET search_path TO \"{quoted}\"; SET TIME ZONE 'UTC'; SET jit = off; SET enable_seqscan = off");
        client.batch_execute(&start).await.map_err(|error| explain(&error))?;
        Ok(Self {
            client,
            statements: HashMap::new(),
            waiting: Vec::new(),
            writes: false,
            number: Cell::new(None),
            doubt: None,
            trips: Cell::new(0),
        })
    }

    /// The process of the server that serves this connection.
    pub(super) async fn process(&self) -> Result<i32> {
        let row = self.client.query_one("SELECT pg_backend_pid()", &[]).await.map_err(|error| explain(&error))?;
        row.try_get(0).map_err(|error| explain(&error))
    }

    pub(super) fn begin(&mut self, writes: bool) {
        (self.writes, self.number, self.doubt) = (writes, Cell::new(None), None);
        self.waiting = vec![if writes { Waiting::BeginWrite } else { Waiting::BeginRead }];
    }

    /// Commits, and tells other processes. Nobody has to wait for the end of a transaction that only read.
    pub(super) async fn commit(&mut self, signals: &[Signal]) -> Result<()> {
        if !self.writes {
            if self.waiting.is_empty() {
                drop(sent([self.client.batch_execute("COMMIT")].into_iter()).await);
            }
            self.waiting.clear();
            return Ok(());
        }
        let mut script = String::new();
        for signal in signals {
            script.push_str(&format!("SELECT pg_notify('{CHANNEL}', '{}');", signal.name()));
        }
        script.push_str("COMMIT");
        if self.number.get().is_none() && self.waiting.len() > 1 {
            // its number must be known before it is committed
            self.script("").await?;
        }
        self.doubt = self.number.get();
        self.script(&script).await?;
        self.doubt = None;
        Ok(())
    }

    /// The transaction of which nobody knows whether it was committed.
    pub(super) fn doubt(&self) -> Option<i64> {
        self.doubt
    }

    /// What became of a transaction of another connection.
    pub(super) async fn was_committed(&mut self, number: i64) -> Result<bool> {
        for _ in 0..DOUBT.1 {
            let rows = self.rows("SELECT txid_status($1)", &[number.into()]).await?;
            let status = rows.into_iter().next().map(|mut row| row.text_or_null()).transpose()?.flatten();
            match status.as_deref() {
                Some("committed") => return Ok(true),
                Some("aborted") => return Ok(false),
                _ => tokio::time::sleep(DOUBT.0).await,
            }
        }
        Err(Error::new(ErrorKind::Connect, "PostgreSQL does not tell whether it kept what was written last")
            .at(PLACE)
            .advise("Look at what is stored before you ask for the same again."))
    }

    pub(super) async fn rollback(&mut self) -> Result<()> {
        self.waiting.clear();
        self.script("ROLLBACK").await
    }

    pub(super) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let statement = self.statement(sql).await?;
        let values = parameters(values);
        let changed = self.together(vec![self.client.execute(&statement, &values)]).await?;
        self.waiting.clear();
        Ok(changed.into_iter().sum())
    }

    pub(super) async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let statement = self.statement(sql).await?;
        let values = parameters(values);
        let rows = self.together(vec![self.client.query(&statement, &values)]).await?;
        self.waiting.clear();
        rows.into_iter().next().map_or_else(|| Ok(Vec::new()), read)
    }

    /// Sends statements in their order, and then waits for their answers.
    pub(super) async fn all(&mut self, asks: &[Ask]) -> Result<Vec<Vec<Row>>> {
        let mut statements = Vec::with_capacity(asks.len());
        for ask in asks {
            statements.push((self.statement(&ask.sql).await?, parameters(&ask.values)));
        }
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let sent = statements.iter().map(|(statement, values)| self.client.query(statement, values));
        let answers = self.together(sent.collect()).await?;
        self.waiting.clear();
        answers.into_iter().map(read).collect()
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<()> {
        self.together(vec![self.client.batch_execute(sql)]).await?;
        self.waiting.clear();
        Ok(())
    }

    /// Runs a statement with the next one that needs an answer.
    pub(super) async fn later(&mut self, sql: &str, values: &[Value]) -> Result<()> {
        let statement = self.statement(sql).await?;
        self.waiting.push(Waiting::Statement(statement, values.to_vec()));
        if self.waiting.len() > WAITING_MAX { self.script("").await } else { Ok(()) }
    }

    /// The same for a change that fails, with all that comes after it, unless it meets so many rows. The server sees to that
    /// by a division by zero: by the time the answer is here the commit is on its way.
    pub(super) async fn later_exactly(&mut self, rows: usize, sql: &str, values: &[Value]) -> Result<()> {
        let expected = values.len() + 1;
        let checked = format!(
            "WITH changed AS ({sql} RETURNING 1) SELECT 1 / CASE WHEN COUNT(*) = ${expected} THEN 1 ELSE 0 END FROM changed"
        );
        let values = [values, &[rows.into()]].concat();
        self.later(&checked, &values).await
    }

    /// How often an answer was waited for since this was last asked.
    pub(super) fn take_trips(&self) -> u64 {
        self.trips.take()
    }

    /// Sends what waits, and then these, before the first answer is there. Where an earlier one fails, the later ones do so
    /// for its sake: its failure is the one to be told.
    async fn together<T, F>(&self, last: Vec<F>) -> Result<Vec<T>>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        self.trips.set(self.trips.get() + 1);
        let earlier = sent(self.waiting.iter().map(|waiting| self.send(waiting))).await;
        let last = sent(last.into_iter()).await;
        let (earlier, last) = (answers(earlier).await, answers(last).await);
        earlier.and(last).map_err(|error| explain(&error))
    }

    async fn send(&self, waiting: &Waiting) -> Result<(), tokio_postgres::Error> {
        match waiting {
            Waiting::BeginWrite => {
                let begun = self.client.simple_query("BEGIN; SELECT txid_current()").await?;
                self.number.set(begun.iter().find_map(|message| match message {
                    SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                    _ => None,
                }));
                Ok(())
            }
            Waiting::BeginRead => self.client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await,
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
        self.trips.set(self.trips.get() + 1);
        let statement = self.client.prepare(sql).await.map_err(|error| explain(&error))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Polls each once, in order: a request goes out with the first poll.
async fn sent<F: Future>(requests: impl Iterator<Item = F>) -> Vec<Pin<Box<MaybeDone<F>>>> {
    let mut sent = Vec::new();
    for request in requests {
        let mut request = Box::pin(maybe_done(request));
        let _ = futures_util::poll!(&mut request);
        sent.push(request);
    }
    sent
}

/// All answers, or the first failure.
async fn answers<T, E, F: Future<Output = Result<T, E>>>(sent: Vec<Pin<Box<MaybeDone<F>>>>) -> Result<Vec<T>, E> {
    let mut all = Ok(Vec::with_capacity(sent.len()));
    for mut request in sent {
        (&mut request).await;
        match (request.as_mut().take_output(), &mut all) {
            (Some(Ok(answer)), Ok(answers)) => answers.push(answer),
            (Some(Err(error)), Ok(_)) => all = Err(error),
            _ => {}
        }
    }
    all
}

fn read(rows: Vec<tokio_postgres::Row>) -> Result<Vec<Row>> {
    let convert = |row: tokio_postgres::Row| (0..row.len()).map(|index| row.try_get(index)).collect();
    let values = rows.into_iter().map(convert).collect::<Result<Vec<Vec<Value>>, _>>();
    values.map(|rows| rows.into_iter().map(Row::new).collect()).map_err(|error| explain(&error))
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// What the URL of a metadata store says.
struct Settings {
    config: Config,
    schema: String,
    tls: Tls,
    tls_ca: Option<PathBuf>,
}

impl Settings {
    /// `host:port/database`, without user and password.
    fn place(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("{host}:{port}/{}", self.config.get_dbname().unwrap_or_default())
    }
}

fn parse(url: &Secret) -> Result<Settings> {
    let wrong = |what: &str| {
        Error::new(ErrorKind::Config, format!("the URL of the metadata store {what}"))
            .advise("Write postgres://user:password@host:port/database?schema=levada&tls=verify-full&tls_ca=FILE.")
    };
    let (base, query) = url.expose().split_once('?').unwrap_or((url.expose(), ""));
    let (mut schema, mut tls, mut tls_ca) = (SCHEMA.to_owned(), Tls::VerifyFull, None);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let value = percent_decode_str(value).decode_utf8().map_err(|_| wrong("is not UTF-8"))?;
        match key {
            "schema" if !value.is_empty() => schema = value.into_owned(),
            "tls" => {
                tls = Tls::from_name(&value)
                    .ok_or_else(|| wrong("has a `tls` that is not verify-full, verify-ca, require or disable"))?;
            }
            "tls_ca" if !value.is_empty() => tls_ca = Some(PathBuf::from(value.into_owned())),
            _ => return Err(wrong("has an option that is not schema, tls or tls_ca, or one without a value")),
        }
    }
    let mut config: Config = base.parse().map_err(|_| wrong("cannot be read"))?;
    config
        .ssl_mode(if tls == Tls::Disable { SslMode::Disable } else { SslMode::Require })
        .connect_timeout(SILENCE)
        .keepalives_idle(SILENCE)
        .tcp_user_timeout(SILENCE)
        .application_name("levada");
    Ok(Settings { config, schema, tls, tls_ca })
}

/// The schema that a URL names.
pub(crate) fn schema(url: &Secret) -> Result<String> {
    parse(url).map(|settings| settings.schema)
}

/// Where a URL leads, without user and password.
pub(super) fn place(url: &Secret) -> Result<String> {
    parse(url).map(|settings| format!("postgres://{}?schema={}", settings.place(), settings.schema))
}

/// A connection without a transaction, for questions that need no table.
pub(super) async fn session(url: &Secret) -> Result<Client> {
    let (client, driver) = dial(&parse(url)?).await?;
    tokio::spawn(driver);
    Ok(client)
}

async fn dial(settings: &Settings) -> Result<(Client, Driver)> {
    let tls = connector(settings.tls, settings.tls_ca.as_deref()).map_err(|error| error.at(PLACE))?;
    let connected = settings.config.connect(tls).await;
    connected.map_err(|error| {
        let told = explain(&error);
        let advice = match told.kind() {
            ErrorKind::Connect => "Check that PostgreSQL runs there, and host and port in the URL.",
            ErrorKind::Auth => "Check user and password in the URL.",
            ErrorKind::NotFound => "Create the database, or correct its name in the URL.",
            ErrorKind::Tls => {
                "Set `tls_ca` in the URL to the file of the authority that signed the server's certificate; \
                 `tls=disable` where the network is trusted."
            }
            _ => return told,
        };
        Error::new(told.kind(), told.message()).at(format!("{PLACE} {}", settings.place())).advise(advice)
    })
}

/// Hears what other processes commit, for as long as somebody is there to be told.
pub(super) fn listen(url: Secret, signals: Weak<Signals>) -> Result<()> {
    parse(&url)?;
    tokio::spawn(async move {
        while signals.strong_count() > 0 {
            let _ = listen_once(&url, &signals).await;
            tokio::time::sleep(RECONNECT).await;
        }
    });
    Ok(())
}

async fn listen_once(url: &Secret, signals: &Weak<Signals>) -> Result<()> {
    let (client, mut connection) = dial(&parse(url)?).await?;
    let command = format!("LISTEN {CHANNEL}");
    let mut command = std::pin::pin!(client.batch_execute(&command));
    let mut is_listening = false;
    loop {
        let message = poll_fn(|context| {
            if !is_listening && command.as_mut().poll(context).is_ready() {
                is_listening = true;
                // whatever was said before was missed
                signals.upgrade().iter().for_each(|signals| signals.send_all());
            }
            connection.poll_message(context)
        });
        let Ok(message) = tokio::time::timeout(LOOK, message).await else {
            if signals.strong_count() == 0 {
                return Ok(());
            }
            continue;
        };
        match message {
            Some(Ok(AsyncMessage::Notification(notification))) => {
                let Some(signals) = signals.upgrade() else { return Ok(()) };
                let is_own = notification.process_id() == signals.own.load(Relaxed);
                let known = Signal::ALL.into_iter().find(|signal| signal.name() == notification.payload());
                let found = known.filter(|_| !is_own);
                found.into_iter().for_each(|signal| signals.send(signal));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(explain(&error)),
            None => return Ok(()),
        }
    }
}

/// A division by zero: a change that did not meet as many rows as it has to.
const NOT_EXACTLY: &str = "22012";
/// Where errors happen.
const PLACE: &str = "the metadata store";

pub(super) fn explain(error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        let cause = std::error::Error::source(error);
        let io = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
        let rustls = io.and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>());
        let text = cause.map_or_else(|| error.to_string(), ToString::to_string);
        // the driver has no other sign of a server without TLS than the words
        let kind = if rustls.is_some() || text.contains("TLS") {
            ErrorKind::Tls
        } else if error.is_closed() || io.is_some() || error.to_string().contains("connect") {
            ErrorKind::Connect
        } else {
            ErrorKind::Internal
        };
        return Error::new(kind, text).at(PLACE);
    };
    let code = db.code().code();
    if code == NOT_EXACTLY {
        return Error::new(ErrorKind::Busy, "what was to be changed was changed by somebody else").at(PLACE);
    }
    let kind = match code {
        "40001" | "40P01" | "55P03" => ErrorKind::Busy,
        "53100" => ErrorKind::Full,
        "42501" => ErrorKind::Permission,
        "3D000" => ErrorKind::NotFound,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300" => ErrorKind::Connect,
        _ if code.starts_with("28") => ErrorKind::Auth,
        _ if code.starts_with("08") => ErrorKind::Connect,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, db.message()).at(PLACE)
}
