//! Sends batches with LOAD DATA LOCAL from memory. The server turns what does not fit into warnings: a LOAD with any
//! warning, or with another count than the rows sent, is undone and halved until the rows at fault stand alone.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use levada_core::batch::{Batch, Data, Reject};
use levada_core::destination::{Accepted, Durable, Writer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::text;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::apply::{Application, TRIES, Uncommitted, pause};
use super::config::Config;
use super::encode::{Encoded, Encoding, Form, encode};
use super::error::{code, from_driver, from_server};
use super::session::{execute, quoted};

/// Bytes sent to the server in one piece.
const CHUNK: usize = 256 << 10;

/// Where a writer leaves its open transaction for the load.
pub type Home = Arc<Mutex<Option<Uncommitted>>>;

/// How a load that is undone is undone, and who commits.
pub enum Scope {
    /// Each LOAD is a transaction of its own: the table is not visible yet.
    Own,
    /// All LOADs are one transaction, which the load commits.
    Shared(Home),
    /// As `Own`; at the end the rows are brought into the target, in a transaction that the load commits. Until then no
    /// row is called accepted, because the target may refuse it.
    Applied(Home, Box<Application>, Arc<Config>),
}

/// Writes batches into one table over one connection.
pub struct TableWriter {
    conn: Conn,
    statement: String,
    encodings: Arc<[Encoding]>,
    quarantine: bool,
    scope: Scope,
    /// Rows the server has kept.
    kept: u64,
}

impl TableWriter {
    /// A writer into `table`.
    ///
    /// # Errors
    /// `Connect`.
    pub async fn new(
        mut conn: Conn,
        table: &str,
        encodings: Arc<[Encoding]>,
        quarantine: bool,
        scope: Scope,
    ) -> Result<Self> {
        if matches!(scope, Scope::Shared(_)) {
            execute(&mut conn, "START TRANSACTION").await?;
        }
        Ok(Self { conn, statement: statement(table, &encodings), encodings, quarantine, scope, kept: 0 })
    }

    async fn write_batch(&mut self, batch: &RecordBatch) -> Result<Accepted> {
        let mut encoded = encode(batch, &self.encodings)?;
        let mut accepted = Accepted::default();
        for (row, column, reason) in std::mem::take(&mut encoded.bad) {
            let value = batch.column_by_name(&column).and_then(|array| text::value(array.as_ref(), row));
            let reason = match value {
                Some(value) => format!("{} in column `{column}`: {reason}", levada_core::cast::quoted(&value)),
                None => format!("column `{column}`: {reason}"),
            };
            self.refuse(batch, row, Some(column), reason, &mut accepted)?;
        }
        let text = Bytes::from(std::mem::take(&mut encoded.bytes));
        let mut parts = vec![(0, encoded.ends.len())];
        while let Some((from, to)) = parts.pop() {
            if from == to {
                continue;
            }
            match self.load(&text, &encoded, from, to).await? {
                None => accepted.rows += (to - from) as u64,
                Some(reason) if to - from == 1 => {
                    let column = column_in(&reason, &self.encodings);
                    self.refuse(batch, encoded.rows[from], column, reason, &mut accepted)?;
                }
                Some(_) => {
                    let middle = from + (to - from) / 2;
                    parts.push((middle, to));
                    parts.push((from, middle));
                }
            }
        }
        self.kept += accepted.rows;
        if matches!(self.scope, Scope::Applied(..)) {
            accepted.rows = 0;
        }
        Ok(accepted)
    }

    fn refuse(
        &self,
        batch: &RecordBatch,
        row: usize,
        column: Option<String>,
        reason: String,
        accepted: &mut Accepted,
    ) -> Result<()> {
        if !self.quarantine {
            return Err(Error::new(ErrorKind::Data, format!("a row was refused: {reason}")));
        }
        accepted.rejects.push(Reject { row: text::row_json(batch, row), column, reason });
        Ok(())
    }

    /// Loads some rows as a whole; a reason tells why none of them was kept.
    async fn load(&mut self, text: &Bytes, encoded: &Encoded, from: usize, to: usize) -> Result<Option<String>> {
        let start = if from == 0 { 0 } else { encoded.ends[from - 1] };
        let part = text.slice(start..encoded.ends[to - 1]);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.load_once(part.clone(), (to - from) as u64).await {
                Err(error)
                    if error.kind() == ErrorKind::Busy && tries < TRIES && !matches!(self.scope, Scope::Shared(_)) =>
                {
                    tokio::time::sleep(pause(&self.conn, tries)).await;
                }
                other => return other,
            }
        }
    }

    async fn load_once(&mut self, part: Bytes, rows: u64) -> Result<Option<String>> {
        let (open, undo) = match self.scope {
            Scope::Own | Scope::Applied(..) => ("START TRANSACTION", "ROLLBACK"),
            Scope::Shared(_) => ("SAVEPOINT levada", "ROLLBACK TO SAVEPOINT levada"),
        };
        execute(&mut self.conn, open).await?;
        let pieces: Vec<std::io::Result<Bytes>> =
            (0..part.len()).step_by(CHUNK).map(|at| Ok(part.slice(at..part.len().min(at + CHUNK)))).collect();
        self.conn.set_infile_handler(async move { Ok(stream::iter(pieces).boxed()) });
        let reason = match self.conn.query_drop(&self.statement).await {
            Ok(()) if self.conn.get_warnings() == 0 && self.conn.affected_rows() == rows => None,
            Ok(()) => {
                let kept = self.conn.affected_rows();
                Some(self.warning().await?.unwrap_or_else(|| format!("the server kept {kept} of {rows} rows")))
            }
            Err(error) => {
                let number = code(&error);
                let error = from_driver(error);
                if error.kind() != ErrorKind::Data || number.is_none() {
                    let _ = execute(&mut self.conn, undo).await;
                    return Err(error);
                }
                Some(error.message().to_owned())
            }
        };
        match (&reason, &self.scope) {
            (Some(_), _) => execute(&mut self.conn, undo).await?,
            (None, Scope::Own | Scope::Applied(..)) => execute(&mut self.conn, "COMMIT").await?,
            (None, Scope::Shared(_)) => execute(&mut self.conn, "RELEASE SAVEPOINT levada").await?,
        };
        Ok(reason)
    }

    async fn warning(&mut self) -> Result<Option<String>> {
        let warnings: Vec<(String, u16, String)> =
            self.conn.query("SHOW WARNINGS LIMIT 1").await.map_err(from_driver)?;
        Ok(warnings.into_iter().next().map(|(_, code, message)| from_server(code, "", &message).message().to_owned()))
    }
}

/// The column a message of the server names first: a foreign key's own comes before the one it refers to.
pub fn column_in(message: &str, encodings: &[Encoding]) -> Option<String> {
    let place = |name: &str| {
        let quoted = [format!("'{name}'"), format!("`{name}`")];
        quoted.iter().filter_map(|quoted| message.find(quoted)).min()
    };
    encodings.iter().filter_map(|e| Some((place(&e.name)?, &e.name))).min().map(|(_, name)| name.clone())
}

/// The LOAD DATA statement; the file's name means nothing, for the driver sends what the writer gives it.
fn statement(table: &str, encodings: &[Encoding]) -> String {
    let mut columns = Vec::with_capacity(encodings.len());
    let mut sets = Vec::new();
    let has_sets = encodings.iter().any(|encoding| encoding.form.expression("").is_some());
    for (index, encoding) in encodings.iter().enumerate() {
        let variable = format!("@v{index}");
        match encoding.form.expression(&variable) {
            Some(expression) => {
                sets.push(format!("{} = {expression}", quoted(&encoding.name)));
                columns.push(variable);
            }
            // beside a SET, MariaDB forgets that an AUTO_INCREMENT column was given its zero, and numbers the row anew
            None if has_sets && encoding.form == Form::Plain => {
                sets.push(format!("{} = {variable}", quoted(&encoding.name)));
                columns.push(variable);
            }
            None => columns.push(quoted(&encoding.name)),
        }
    }
    if columns.is_empty() {
        columns.push("@nothing".to_owned());
    }
    let set = if sets.is_empty() { String::new() } else { format!(" SET {}", sets.join(", ")) };
    format!(
        "LOAD DATA LOCAL INFILE 'levada' INTO TABLE {} CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' \
         LINES TERMINATED BY '\\n' ({}){set}",
        quoted(table),
        columns.join(", ")
    )
}

impl Writer for TableWriter {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        async move {
            match batch.data {
                Data::Arrow(batch) => self.write_batch(&batch).await,
                Data::Raw(_) => Err(Error::new(ErrorKind::Internal, "raw rows were not asked for")),
            }
        }
        .boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        async move {
            let Self { mut conn, scope, kept, .. } = *self;
            let leave = |home: &Home, conn, durable| {
                let open = Some(Uncommitted { conn, durable });
                *home.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = open;
            };
            match scope {
                Scope::Shared(home) => leave(&home, conn, Durable { inserted: kept, ..Durable::default() }),
                Scope::Applied(home, application, config) => {
                    let (durable, rejects) = application.accepted(&mut conn, &config).await.at(&application.target)?;
                    leave(&home, conn, durable);
                    return Ok(Accepted { rows: kept - rejects.len() as u64, rejects });
                }
                Scope::Own => {
                    let _ = conn.disconnect().await;
                }
            }
            Ok(Accepted::default())
        }
        .boxed()
    }
}
