//! One load from its lock to its commit: staging tables, writers, and the transaction or RENAME that makes the rows
//! visible together with the stream's row in `_levada_positions`.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use levada_core::destination::{Durable, Load, LoadEnd, LoadSpec, Writer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::{Commit, StreamKey};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::apply::{Application, Uncommitted, move_rows};
use super::backup::end_statement;
use super::config::Config;
use super::design::{Design, SEQUENCE, Strategy};
use super::encode::Encoding;
use super::error::from_driver;
use super::session::{self, execute, quoted};
use super::state::{self, Pending};
use super::writer::{Home, Scope, TableWriter};
use crate::kit::state::{lock_name, stage_name};

/// Takes dates that are no days, as the tables of others may hold them.
const ANY_DATES: &str = "SET sql_mode = CONCAT(@@sql_mode, ',ALLOW_INVALID_DATES')";
/// How often a load that is given up is rolled back: the end of a statement can reach one that has ended already, and then meets the
/// next one.
const ROLLBACKS_MAX: usize = 3;
/// How long a load waits for another load of the same stream.
const LOCK_WAIT_SECONDS: u32 = 20;

/// One load of one stream.
pub struct TableLoad {
    config: Arc<Config>,
    spec: LoadSpec,
    design: Design,
    /// Holds the lock; commits.
    conn: Conn,
    stage: String,
    home: Home,
    is_committing: bool,
}

impl TableLoad {
    /// Takes the lock, settles what a dead load left, changes the target and creates the staging table.
    ///
    /// # Errors
    /// `Busy` where another live load holds the stream.
    pub async fn begin(config: Arc<Config>, spec: LoadSpec, design: Design) -> Result<Self> {
        let mut conn = session::open(&config).await?;
        lock(&mut conn, &config, &spec.key).await?;
        state::ensure(&mut conn).await?;
        state::recover(&mut conn, &spec.key).await?;
        let current = state::committed(&mut conn, &spec.key).await?.map(|commit| commit.load_id);
        if current != spec.previous {
            return Err(Error::new(ErrorKind::Busy, "another run committed this stream since this one was planned")
                .advise("Run again: it starts from what the other run committed."));
        }
        let stage = stage_name(&spec.key, &spec.load_id);
        if design.has_any_dates() {
            execute(&mut conn, ANY_DATES).await?;
        }
        let mut load = Self { config, spec, design, conn, stage, home: Home::default(), is_committing: false };
        if let Err(error) = load.prepare().await {
            let _ = state::drop_stages(&mut load.conn, &load.spec.key).await;
            return Err(error);
        }
        Ok(load)
    }

    async fn prepare(&mut self) -> Result<()> {
        let (stage, target) = (self.stage.clone(), self.spec.target.clone());
        match self.design.strategy {
            Strategy::Create => self.run(&self.design.create_sql(&stage, false)).await?,
            Strategy::CreateMerged => self.run(&self.design.create_sql(&stage, true)).await?,
            Strategy::Swap => {
                self.run(&format!("CREATE TABLE {} LIKE {}", quoted(&stage), quoted(&target))).await?;
                self.keep_numbering(&stage, &target).await?;
                if let Some(alter) = self.design.alter_sql(&stage) {
                    self.run(&alter).await?;
                }
                0
            }
            Strategy::Append | Strategy::Refill | Strategy::Align | Strategy::Merge => {
                if let Some(alter) = self.design.alter_sql(&target) {
                    self.run(&alter).await?;
                }
                if self.design.strategy == Strategy::Append { 0 } else { self.create_like_stage().await? }
            }
        };
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<u64> {
        execute(&mut self.conn, sql).await
    }

    /// Lets the rows of a stage be numbered from where those of the target are, which `LIKE` leaves out: numbers of rows that
    /// are gone do not come again.
    async fn keep_numbering(&mut self, stage: &str, target: &str) -> Result<()> {
        let sql =
            "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
        let next: Option<Option<u64>> = self.conn.exec_first(sql, (target,)).await.map_err(from_driver)?;
        if let Some(next) = next.flatten().filter(|next| *next > 1) {
            self.run(&format!("ALTER TABLE {} AUTO_INCREMENT = {next}", quoted(stage))).await?;
        }
        Ok(())
    }

    /// A staging table with the target's columns and checks; where rows are brought in by key, without its unique keys
    /// and with numbered rows, so that rows with one key can meet in it. Rows are numbered as well where those that the
    /// target refuses are to be found.
    async fn create_like_stage(&mut self) -> Result<u64> {
        self.run(&format!("CREATE TABLE {} LIKE {}", quoted(&self.stage), quoted(&self.spec.target))).await?;
        if self.design.stage_changes.is_empty() {
            return Ok(0);
        }
        self.run(&format!("ALTER TABLE {} {}", quoted(&self.stage), self.design.stage_changes.join(", "))).await
    }

    async fn open_writers(&mut self) -> Result<Vec<Box<dyn Writer>>> {
        let encodings: Arc<[Encoding]> = self.design.columns.iter().map(|c| c.encoding.clone()).collect();
        let table = if self.design.strategy == Strategy::Append { &self.spec.target } else { &self.stage };
        let mut writers: Vec<Box<dyn Writer>> = Vec::with_capacity(self.design.writers);
        for _ in 0..self.design.writers {
            let mut conn = session::open(&self.config).await?;
            if self.design.has_any_dates() {
                execute(&mut conn, ANY_DATES).await?;
            }
            let scope = if self.design.strategy == Strategy::Append {
                Scope::Shared(self.home.clone())
            } else if self.design.halves {
                Scope::Applied(self.home.clone(), Box::new(self.application()), self.config.clone())
            } else {
                Scope::Own
            };
            let writer = TableWriter::new(conn, table, encodings.clone(), self.spec.quarantine, scope).await?;
            writers.push(Box::new(writer));
        }
        Ok(writers)
    }

    /// Whether the writer leaves an open transaction.
    fn scope_is_open(&self) -> bool {
        self.design.strategy == Strategy::Append || self.design.halves
    }

    fn application(&self) -> Application {
        Application {
            design: self.design.clone(),
            stage: self.stage.clone(),
            target: self.spec.target.clone(),
            order_column: self.spec.order_column.clone(),
        }
    }

    fn commit_row(&self, end: &LoadEnd) -> Commit {
        Commit {
            key: self.spec.key.clone(),
            target: self.spec.target.clone(),
            load_id: self.spec.load_id.clone(),
            state: end.state.clone(),
            rows_written: end.rows_written,
            rows_rejected: end.rejects.len() as u64,
            committed_at: String::new(),
        }
    }

    async fn commit_load(&mut self, end: LoadEnd) -> Result<Durable> {
        self.is_committing = true;
        // A server that lost this connection gave the lock away: nothing may be committed without it.
        let held: Option<Option<i64>> = self
            .conn
            .exec_first("SELECT IS_USED_LOCK(?) = CONNECTION_ID()", (lock_of(&self.config, &self.spec.key),))
            .await
            .map_err(from_driver)?;
        if held.flatten() != Some(1) {
            return Err(Error::new(ErrorKind::Busy, "the load lost its lock on the stream"));
        }
        state::reserve(&mut self.conn, &self.spec).await?;
        match self.design.strategy {
            Strategy::Append | Strategy::Refill | Strategy::Align | Strategy::Merge => self.commit_open(&end).await,
            Strategy::Create | Strategy::Swap => {
                let stage = self.stage.clone();
                let inserted = end.rows_written;
                let deleted = self.commit_rename(&stage, &end).await?;
                Ok(Durable { inserted, deleted, ..Durable::default() })
            }
            Strategy::CreateMerged => {
                let superseded = self.application().drop_superseded(&mut self.conn).await?;
                let merged = format!("{}_m", self.stage);
                self.run(&self.design.create_sql(&merged, false)).await?;
                let list = self.design.column_list();
                let order = quoted(SEQUENCE);
                let sql = format!(
                    "INSERT INTO {} ({list}) SELECT {list} FROM {} ORDER BY {order}",
                    quoted(&merged),
                    quoted(&self.stage)
                );
                let inserted = move_rows(&mut self.conn, &sql).await?;
                self.commit_rename(&merged, &end).await?;
                Ok(Durable { inserted, superseded, ..Durable::default() })
            }
        }
    }

    /// Commits what the writer, or else this connection, has brought in, together with the stream's row.
    async fn commit_open(&mut self, end: &LoadEnd) -> Result<Durable> {
        let commit = self.commit_row(end);
        let brought_in = self.home.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let durable = match brought_in {
            Some(Uncommitted { mut conn, durable }) => {
                state::put(&mut conn, &self.spec, &commit, end).await?;
                execute(&mut conn, "COMMIT").await.map_err(in_doubt)?;
                let _ = conn.disconnect().await;
                durable
            }
            None if self.scope_is_open() => {
                return Err(Error::new(ErrorKind::Internal, "the load was committed before its writer had finished"));
            }
            None => {
                let application = self.application();
                let superseded = application.settle(&mut self.conn).await?;
                let mut tries = 0;
                loop {
                    tries += 1;
                    match self.apply(&application, superseded, &commit, end).await {
                        Err(error) => application.step_back(&mut self.conn, error, tries).await?,
                        Ok(durable) => break durable,
                    }
                }
            }
        };
        let _ = state::drop_stages(&mut self.conn, &self.spec.key).await;
        Ok(durable)
    }

    async fn apply(
        &mut self,
        application: &Application,
        superseded: u64,
        commit: &Commit,
        end: &LoadEnd,
    ) -> Result<Durable> {
        let durable = application.all(&mut self.conn, superseded).await?;
        state::put(&mut self.conn, &self.spec, commit, end).await?;
        self.run("COMMIT").await.map_err(in_doubt)?;
        Ok(durable)
    }

    async fn count(&mut self, table: &str) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(table));
        Ok(self.conn.query_first(sql).await.map_err(from_driver)?.unwrap_or(0))
    }

    /// What a stage without transactions was sent twice could not be taken back.
    async fn count_stage(&mut self, stage: &str, written: u64) -> Result<()> {
        let rows = self.count(stage).await?;
        if rows == written {
            return Ok(());
        }
        let message =
            format!("{written} rows were sent, and the staging table, which has no transactions, holds {rows}");
        Err(Error::new(ErrorKind::Busy, message))
    }

    /// Gives the staging table the target's name; see [`state`] for why this is one act.
    async fn commit_rename(&mut self, stage: &str, end: &LoadEnd) -> Result<u64> {
        let target = self.spec.target.clone();
        if self.design.plain_stage {
            self.count_stage(stage, end.rows_written).await?;
        }
        let old = (self.design.strategy == Strategy::Swap).then(|| format!("{}_o", self.stage));
        let deleted = if old.is_some() { self.count(&target).await? } else { 0 };
        let pending = Pending { commit: self.commit_row(end), stage: stage.to_owned(), old: old.clone() };
        state::announce(&mut self.conn, &self.spec, &pending, end).await?;
        let rename = match &old {
            Some(old) => {
                format!("RENAME TABLE {} TO {}, {} TO {}", quoted(&target), quoted(old), quoted(stage), quoted(&target))
            }
            None => format!("RENAME TABLE {} TO {}", quoted(stage), quoted(&target)),
        };
        if let Err(error) = self.run(&rename).await {
            return Err(if old.is_none() && error.kind() == ErrorKind::Schema {
                Error::new(
                    ErrorKind::Refused,
                    format!("`{target}` was created by someone else while it was being loaded"),
                )
            } else {
                in_doubt(error)
            });
        }
        state::finalise(&mut self.conn, &pending).await?;
        // The data is durable: what is left over is dropped by the next load if not now.
        let _ = state::drop_stages(&mut self.conn, &self.spec.key).await;
        Ok(deleted)
    }
}

/// The error of an act that commits: after a broken connection only the server knows whether it did.
fn in_doubt(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Connect => Error::new(ErrorKind::Connect, "the connection broke while the commit was under way")
            .advise("Run again: the run finds out whether the commit took effect, and goes on from there."),
        _ => error,
    }
}

/// The lock's name: locks belong to the server, streams to a database.
fn lock_of(config: &Config, key: &StreamKey) -> String {
    lock_name(&StreamKey { pipeline: format!("{}/{}", config.database, key.pipeline), stream: key.stream.clone() })
}

async fn lock(conn: &mut Conn, config: &Config, key: &StreamKey) -> Result<()> {
    let sql = "SELECT GET_LOCK(?, ?)";
    let got: Option<Option<i64>> =
        conn.exec_first(sql, (lock_of(config, key), LOCK_WAIT_SECONDS)).await.map_err(from_driver)?;
    if got.flatten() == Some(1) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Busy, format!("another load of `{}` is running", key.stream))
        .advise("Wait until it has ended, or stop it."))
}

impl Load for TableLoad {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        async move {
            let target = self.spec.target.clone();
            self.open_writers().await.at(target)
        }
        .boxed()
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        async move {
            let target = self.spec.target.clone();
            self.commit_load(end).await.at(target)
        }
        .boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            let mut this = *self;
            if this.is_committing {
                // a statement that waits for others would be carried out long after the end of the run
                end_statement(&this.config, this.conn.id()).await;
            }
            let brought_in = this.home.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if let Some(Uncommitted { mut conn, .. }) = brought_in {
                let _ = execute(&mut conn, "ROLLBACK").await;
                let _ = conn.disconnect().await;
            }
            for _ in 0..ROLLBACKS_MAX {
                if execute(&mut this.conn, "ROLLBACK").await.is_ok() {
                    let _ = state::recover(&mut this.conn, &this.spec.key).await;
                    let _ = this.conn.disconnect().await;
                    return;
                }
            }
            // The connection is gone, and the lock with it: the next load cleans up.
        }
        .boxed()
    }
}
