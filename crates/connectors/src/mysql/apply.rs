//! Brings staged rows into an existing target, in one transaction that the load then commits. Where bad rows are to be
//! put aside, rows that only the target refuses (by another unique key, a foreign key, a trigger) are found by halving.

use std::time::Duration;

use levada_core::batch::{Data, Reject};
use levada_core::destination::Durable;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::text;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use super::config::Config;
use super::decode::Decoder;
use super::design::{Design, SEQUENCE, Strategy};
use super::error::from_driver;
use super::session::{self, execute, quoted};
use super::writer::column_in;

/// Says how the server's log copes with a statement, and nothing about its rows.
const UNSAFE_STATEMENT: u16 = 1592;

/// Rows that are in, but not committed.
pub struct Uncommitted {
    /// The connection with the open transaction.
    pub conn: Conn,
    /// What becomes of the target by it.
    pub durable: Durable,
}

/// How the rows of a staging table get into the target.
#[derive(Debug, Clone)]
pub struct Application {
    /// The design of the load.
    pub design: Design,
    /// The staging table.
    pub stage: String,
    /// The target.
    pub target: String,
    /// The column by which the later of two rows with one key is told, where it is not the order of arrival.
    pub order_column: Option<String>,
}

/// Tries of a transaction, or of a batch, that another one stood in the way of.
pub const TRIES: u64 = 4;

/// How long to wait after a try: connections that met do not come back at the same moment.
pub fn pause(conn: &Conn, tries: u64) -> Duration {
    Duration::from_millis(50 * tries + u64::from(conn.id() % 50))
}

/// The first and last number of some staged rows; `None` for all.
type Part = Option<(u64, u64)>;

impl Application {
    /// What can be done before the transaction: only the last row of each key stays in the stage. Tells how many rows went.
    ///
    /// # Errors
    /// As the server says.
    pub async fn settle(&self, conn: &mut Conn) -> Result<u64> {
        if self.design.strategy == Strategy::Refill { Ok(0) } else { self.drop_superseded(conn).await }
    }

    /// Brings all rows of the settled stage in, and leaves the transaction open.
    ///
    /// # Errors
    /// As the server says.
    pub async fn all(&self, conn: &mut Conn, superseded: u64) -> Result<Durable> {
        let mut durable = self.start(conn, superseded).await?;
        self.part(conn, None, &mut durable).await?;
        Ok(durable)
    }

    /// Brings in what the target takes, tells what it refuses, and leaves the transaction open.
    ///
    /// # Errors
    /// As the server says.
    pub async fn accepted(&self, conn: &mut Conn, config: &Config) -> Result<(Durable, Vec<Reject>)> {
        let superseded = self.settle(conn).await?;
        let mut tries = 0;
        let (durable, refused) = loop {
            tries += 1;
            match self.sifted(conn, superseded).await {
                Err(error) => self.step_back(conn, error, tries).await?,
                Ok(sifted) => break sifted,
            }
        };
        Ok((durable, self.rejects(config, refused).await?))
    }

    /// Takes the transaction back where another one stood in its way, and waits a moment before the next try.
    ///
    /// # Errors
    /// The error itself where there is no next try.
    pub async fn step_back(&self, conn: &mut Conn, error: Error, tries: u64) -> Result<()> {
        // Without transactions a part of the rows may be in already.
        let takes_back = self.design.caveat.is_none();
        if error.kind() != ErrorKind::Busy || tries >= TRIES || !takes_back {
            return Err(error);
        }
        execute(conn, "ROLLBACK").await?;
        tokio::time::sleep(pause(conn, tries)).await;
        Ok(())
    }

    /// Brings in what the target takes, and gives the numbers of the other rows with their reasons.
    async fn sifted(&self, conn: &mut Conn, superseded: u64) -> Result<(Durable, Vec<(u64, String)>)> {
        let mut durable = self.start(conn, superseded).await?;
        let sequence = quoted(SEQUENCE);
        let ends = format!("SELECT MIN({sequence}), MAX({sequence}) FROM {}", quoted(&self.stage));
        let ends: Option<(Option<u64>, Option<u64>)> = conn.query_first(ends).await.map_err(from_driver)?;
        let mut parts: Vec<(u64, u64)> = ends.and_then(|(first, last)| first.zip(last)).into_iter().collect();
        let mut refused = Vec::new();
        while let Some((first, last)) = parts.pop() {
            execute(conn, "SAVEPOINT levada").await?;
            let mut with_part = durable.clone();
            match self.part(conn, Some((first, last)), &mut with_part).await {
                Ok(()) => {
                    execute(conn, "RELEASE SAVEPOINT levada").await?;
                    durable = with_part;
                }
                Err(error) if error.kind() == ErrorKind::Data => {
                    execute(conn, "ROLLBACK TO SAVEPOINT levada").await?;
                    if first == last {
                        refused.push((first, error.message().to_owned()));
                    } else {
                        let middle = first + (last - first) / 2;
                        parts.extend([(middle + 1, last), (first, middle)]);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if self.design.strategy == Strategy::Align {
            for (row, _) in &refused {
                durable.deleted += execute(conn, &self.delete_matched(*row)).await?;
            }
        }
        Ok((durable, refused))
    }

    /// Opens the transaction; what the load replaces goes.
    async fn start(&self, conn: &mut Conn, superseded: u64) -> Result<Durable> {
        execute(conn, "START TRANSACTION").await?;
        let deleted = match self.design.strategy {
            Strategy::Refill => execute(conn, &format!("DELETE FROM {}", quoted(&self.target))).await?,
            // Before the new rows, which may have the unique values of the old ones.
            Strategy::Align => execute(conn, &self.delete_missing()).await?,
            _ => 0,
        };
        Ok(Durable { superseded, deleted, ..Durable::default() })
    }

    async fn part(&self, conn: &mut Conn, part: Part, durable: &mut Durable) -> Result<()> {
        if self.design.strategy == Strategy::Refill {
            durable.inserted += move_rows(conn, &self.insert_all(part)).await?;
            return Ok(());
        }
        durable.updated += match self.update(part) {
            Some(update) => move_rows(conn, &update).await?,
            None => conn.query_first(self.count_matched(part)).await.map_err(from_driver)?.unwrap_or(0),
        };
        durable.inserted += move_rows(conn, &self.insert_missing(part)).await?;
        Ok(())
    }

    /// Leaves only the last row of each key in the staging table.
    ///
    /// # Errors
    /// As the server says.
    pub async fn drop_superseded(&self, conn: &mut Conn) -> Result<u64> {
        let parts: Vec<String> = self
            .design
            .key
            .iter()
            .map(|name| {
                let column = self.design.columns.iter().find(|c| &c.encoding.name == name);
                let is_long = column.is_some_and(|c| {
                    ["text", "blob"].iter().any(|word| c.ddl.contains(word)) || c.ddl.starts_with("json")
                });
                if is_long { format!("{}(191)", quoted(name)) } else { quoted(name) }
            })
            .collect();
        let stage = quoted(&self.stage);
        alone(conn, &format!("ALTER TABLE {stage} ADD INDEX _levada_key ({})", parts.join(", "))).await?;
        let same = joined(&self.design.key, "s", "l", " AND ");
        let sequence = quoted(SEQUENCE);
        let later = match &self.order_column {
            Some(order) => {
                let order = quoted(order);
                format!(
                    "(l.{order} > s.{order} OR (s.{order} IS NULL AND l.{order} IS NOT NULL) \
                     OR (l.{order} <=> s.{order} AND l.{sequence} > s.{sequence}))"
                )
            }
            None => format!("l.{sequence} > s.{sequence}"),
        };
        alone(conn, &format!("DELETE s FROM {stage} s JOIN {stage} l ON {same} AND {later}")).await
    }

    /// The refused rows as the quarantine keeps them. The stage is committed, so another connection sees it.
    async fn rejects(&self, config: &Config, refused: Vec<(u64, String)>) -> Result<Vec<Reject>> {
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        let schema = self.design.schema();
        let list: Vec<String> = self.design.columns.iter().map(|c| c.read_sql()).collect();
        let sql = format!("SELECT {} FROM {} WHERE {} = ?", list.join(", "), quoted(&self.stage), quoted(SEQUENCE));
        let encodings: Vec<_> = self.design.columns.iter().map(|c| c.encoding.clone()).collect();
        let mut reader = session::open_reader(config).await?;
        let mut decoder = Decoder::new(&schema, false)?;
        let mut rejects = Vec::with_capacity(refused.len());
        for (number, reason) in refused {
            let mut rows = reader.query(&sql, &[Value::UInt(number)]).await?;
            while let Some(row) = rows.next().await? {
                decoder.push(row)?;
            }
            let Some(batch) = decoder.finish()? else {
                return Err(Error::new(ErrorKind::Internal, "a refused row is not in its staging table"));
            };
            let row = match (&batch.data, batch.rejects.first()) {
                (_, Some(unreadable)) => unreadable.row.clone(),
                (Data::Arrow(batch), None) => text::row_json(batch, 0),
                (Data::Raw(_), None) => String::new(),
            };
            rejects.push(Reject { row, column: column_in(&reason, &encodings), reason });
        }
        reader.close().await;
        Ok(rejects)
    }

    fn on(&self) -> String {
        joined(&self.design.key, "t", "s", " AND ")
    }

    fn first_key(&self) -> String {
        self.design.key.first().map(|name| quoted(name)).unwrap_or_default()
    }

    fn insert_all(&self, part: Part) -> String {
        let list = self.design.column_list();
        let order = part.map(|_| format!(" ORDER BY s.{}", quoted(SEQUENCE))).unwrap_or_default();
        format!(
            "INSERT INTO {} ({list}) SELECT {list} FROM {} s WHERE {}{order}",
            quoted(&self.target),
            quoted(&self.stage),
            within(part)
        )
    }

    fn update(&self, part: Part) -> Option<String> {
        let names = self.design.columns.iter().map(|c| c.encoding.name.clone());
        let rest: Vec<String> = names.filter(|name| !self.design.key.contains(name)).collect();
        let (target, stage, on) = (quoted(&self.target), quoted(&self.stage), self.on());
        let set = joined(&rest, "t", "s", ", ");
        (!rest.is_empty()).then(|| format!("UPDATE {target} t JOIN {stage} s ON {on} AND {} SET {set}", within(part)))
    }

    fn count_matched(&self, part: Part) -> String {
        let (target, stage) = (quoted(&self.target), quoted(&self.stage));
        format!("SELECT COUNT(*) FROM {target} t JOIN {stage} s ON {} AND {}", self.on(), within(part))
    }

    fn insert_missing(&self, part: Part) -> String {
        let (target, stage, list) = (quoted(&self.target), quoted(&self.stage), self.design.column_list());
        let staged: Vec<String> =
            self.design.columns.iter().map(|c| format!("s.{}", quoted(&c.encoding.name))).collect();
        format!(
            "INSERT INTO {target} ({list}) SELECT {} FROM {stage} s LEFT JOIN {target} t ON {} WHERE t.{} IS NULL \
             AND {} ORDER BY s.{}",
            staged.join(", "),
            self.on(),
            self.first_key(),
            within(part),
            quoted(SEQUENCE)
        )
    }

    fn delete_missing(&self) -> String {
        let (target, stage) = (quoted(&self.target), quoted(&self.stage));
        format!("DELETE t FROM {target} t LEFT JOIN {stage} s ON {} WHERE s.{} IS NULL", self.on(), self.first_key())
    }

    /// A refused row takes the place of none: what it would have replaced goes as in any other replacing load.
    fn delete_matched(&self, row: u64) -> String {
        let (target, stage) = (quoted(&self.target), quoted(&self.stage));
        format!("DELETE t FROM {target} t JOIN {stage} s ON {} AND {}", self.on(), within(Some((row, row))))
    }
}

/// The condition for a part of the stage.
fn within(part: Part) -> String {
    match part {
        Some((first, last)) => format!("s.{} BETWEEN {first} AND {last}", quoted(SEQUENCE)),
        None => "TRUE".to_owned(),
    }
}

fn joined(names: &[String], left: &str, right: &str, by: &str) -> String {
    names.iter().map(|name| format!("{left}.{0} = {right}.{0}", quoted(name))).collect::<Vec<_>>().join(by)
}

/// A statement that is a transaction of its own, tried again where another stood in its way: definitions of tables do so
/// too, because the server's statistics of all tables are rows of one.
async fn alone(conn: &mut Conn, sql: &str) -> Result<u64> {
    let mut tries = 0;
    loop {
        tries += 1;
        match execute(conn, sql).await {
            Err(error) if error.kind() == ErrorKind::Busy && tries < TRIES => {
                tokio::time::sleep(pause(conn, tries)).await;
            }
            done => return done,
        }
    }
}

/// Runs a statement that brings rows in; one that the server changed on its way is an error. Each statement is asked
/// for by itself, because the next one clears what the server says.
///
/// # Errors
/// `Data` for rows that the server refuses or changes.
pub async fn move_rows(conn: &mut Conn, sql: &str) -> Result<u64> {
    let rows = execute(conn, sql).await?;
    if conn.get_warnings() == 0 {
        return Ok(rows);
    }
    let said: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await.map_err(from_driver)?;
    match said.into_iter().find(|(_, code, _)| *code != UNSAFE_STATEMENT) {
        Some((_, _, said)) => {
            Err(Error::new(ErrorKind::Data, format!("the target would not keep a row as it is: {said}")))
        }
        None => Ok(rows),
    }
}
