//! One load: takes the stream's lock, makes a stage, opens the writers, and leaves nothing behind when it is given up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use levada_core::destination::{Durable, Load, LoadEnd, LoadPlan, LoadSpec, WriteMode, Writer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::schema::Change;
use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::commit;
use super::encode::Format;
use super::plan::{Plan, Strategy, alter, definition, plan_on};
use super::state;
use super::target::Target;
use super::writer::{CopyWriter, Scope};
use crate::kit::state::{lock_number, stage_name, stage_prefix};
use crate::postgres::config::Settings;
use crate::postgres::error::Translate;
use crate::postgres::session::Session;
use crate::postgres::sql::{ident, idents, qualified};
use crate::postgres::types::Kind;

/// How long the lock of a load that died may take to vanish.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// A load into one table.
pub struct TableLoad {
    /// The connection's settings.
    pub settings: Settings,
    /// What is loaded.
    pub spec: LoadSpec,
    /// How.
    pub plan: Plan,
    /// Into what.
    pub target: Target,
    /// Where rows wait until the commit.
    pub stage: Target,
    /// The connection that holds the lock and commits.
    pub control: Arc<Session>,
    created_schema: bool,
}

/// Starts a load.
pub async fn begin(settings: &Settings, mut spec: LoadSpec, planned: LoadPlan) -> Result<Box<dyn Load>> {
    let place = format!("table {}", spec.target);
    let target = Target::parse(settings, &spec.target)?;
    let control = Session::open(settings).await?;
    let client = &control.client;
    lock(client, &spec).await?;
    state::ensure(client, settings).await.at(place.as_str())?;
    state::compare(client, settings, &spec, false).await?;
    drop_stages(client, &stage_prefix(&spec.key)).await.at(place.as_str())?;
    let existing = target.describe(client).await.at(place.as_str())?;
    if existing.is_some() != spec.existing.is_some() {
        return Err(changed().at(place));
    }
    spec.existing = existing;
    let plan = plan_on(client, settings, &spec).await.at(place.as_str())?;
    if plan.load.schema != planned.schema || plan.load.raw.is_none() && planned.raw.is_some() {
        return Err(changed().at(place));
    }
    for add in &plan.labels {
        client.batch_execute(add).await.pg().at(place.as_str())?;
    }
    let created_schema = Target::create_schema(client, &target.schema).await.at(place.as_str())?;
    let stage = Target { schema: target.schema.clone(), table: stage_name(&spec.key, &spec.load_id) };
    // What was agreed holds, also where more would be possible by now.
    let load = LoadPlan { raw: planned.raw, writers: planned.writers.min(plan.load.writers), ..plan.load };
    let plan = Plan { load, ..plan };
    let settings = settings.clone();
    Ok(Box::new(TableLoad { settings, spec, plan, target, stage, control: Arc::new(control), created_schema }))
}

fn changed() -> Error {
    Error::new(ErrorKind::Busy, "the target changed after the load was planned").advise("Run again.")
}

async fn lock(client: &Client, spec: &LoadSpec) -> Result<()> {
    let number = lock_number(&spec.key);
    let query = "SELECT pg_catalog.pg_try_advisory_lock($1)";
    let mut waited = Duration::ZERO;
    loop {
        if client.query_typed_one(query, &[(&number, Type::INT8)]).await.pg()?.get(0) {
            return Ok(());
        }
        if waited >= LOCK_WAIT {
            return Err(Error::new(ErrorKind::Busy, "another load of this stream is under way")
                .at(format!("stream {}", spec.key.stream))
                .advise("Wait until it has ended, or look for the session `levada` in pg_stat_activity."));
        }
        sleep(Duration::from_millis(250)).await;
        waited += Duration::from_millis(250);
    }
}

/// Drops what dead loads of the stream left behind; the caller holds the stream's lock.
async fn drop_stages(client: &Client, prefix: &str) -> Result<()> {
    let query = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND pg_catalog.starts_with(c.relname::text, $1)";
    for row in client.query_typed(query, &[(&prefix, Type::TEXT)]).await.pg()? {
        let name = qualified(row.get(0), row.get(1));
        client.batch_execute(&format!("DROP TABLE IF EXISTS {name}")).await.pg()?;
    }
    Ok(())
}

impl TableLoad {
    fn columns(&self) -> Vec<&str> {
        self.plan.load.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// The name of the key of a stage whose bad rows go into the quarantine.
    pub fn stage_key(&self) -> String {
        format!("{}_key", self.stage.table)
    }

    /// The statements that make the stage.
    fn create_stage(&self) -> String {
        let (stage, schema) = (self.stage.quoted(), &self.plan.load.schema);
        let Some(existing) = &self.spec.existing else {
            let columns: Vec<String> = schema.fields().iter().map(|field| definition(field)).collect();
            return format!("CREATE TABLE {stage} ({})", columns.join(", "));
        };
        // Copied from the target, the stage has its very types, domains included. It is never renamed into place, so
        // it need not be in the log of the server: were that to crash, this load would end too.
        let kept = self.columns().into_iter().filter(|name| existing.schema.field_with_name(name).is_ok());
        let mut sql = format!(
            "CREATE UNLOGGED TABLE {stage} AS SELECT {} FROM {} WITH NO DATA",
            idents(kept),
            self.target.quoted()
        );
        for change in &self.plan.changes {
            if !matches!(change, Change::DropNotNull { .. }) {
                sql = format!("{sql}; {}", alter(&self.stage, change, schema));
            }
        }
        for field in schema.fields().iter().filter(|field| Kind::of_field(field) == Kind::Money) {
            let column = ident(field.name());
            // Money rounds what a number has beyond its digits.
            sql = format!(
                "{sql}; ALTER TABLE {stage} ALTER COLUMN {column} TYPE numeric, \
                 ADD CHECK ({column} = {column}::pg_catalog.money::pg_catalog.numeric)"
            );
        }
        sql
    }

    /// What the target refuses is better refused by the stage, where the row can still be told: NOT NULL, CHECK, and
    /// the key where every row is to be a new one.
    async fn constraints(&self) -> Result<String> {
        let stage = self.stage.quoted();
        let mut rules = Vec::new();
        let replaces = self.spec.write == WriteMode::Replace;
        let mut key = if replaces { self.plan.key.clone() } else { Vec::new() };
        if let Some(existing) = &self.spec.existing {
            let lifted = |name: &str| {
                self.plan.changes.iter().any(|c| matches!(c, Change::DropNotNull { column } if column == name))
            };
            let strict = self.columns().into_iter().filter(|name| {
                existing.schema.field_with_name(name).is_ok_and(|old| !old.is_nullable()) && !lifted(name)
            });
            rules.extend(strict.map(|name| format!("ALTER COLUMN {} SET NOT NULL", ident(name))));
            let checks = self.target.checks(&self.control.client, &self.columns()).await?;
            rules.extend(checks.into_iter().map(|check| format!("ADD {check}")));
            if replaces && existing.key.iter().all(|name| self.columns().contains(&name.as_str())) {
                key.clone_from(&existing.key);
            }
        }
        if !key.is_empty() {
            rules.extend(key.iter().map(|name| format!("ALTER COLUMN {} SET NOT NULL", ident(name))));
            rules.push(format!("ADD CONSTRAINT {} UNIQUE ({})", ident(&self.stage_key()), idents(&key)));
        }
        Ok(rules.into_iter().map(|rule| format!("; ALTER TABLE {stage} {rule}")).collect())
    }

    fn writer(&self, session: Arc<Session>, into: &Target, scope: Scope, freeze: bool) -> Box<dyn Writer> {
        let format = if self.plan.load.raw.is_some() { Format::Binary } else { Format::of(&self.plan.load.schema) };
        let columns = self.columns();
        let list = if columns.is_empty() { String::new() } else { format!(" ({})", idents(columns)) };
        let freeze = if freeze { ", FREEZE" } else { "" };
        Box::new(CopyWriter {
            session,
            copy: format!("COPY {}{list} FROM STDIN (FORMAT {}{freeze})", into.quoted(), format.word()),
            format,
            quarantine: self.spec.quarantine,
            scope,
            open: None,
            place: format!("table {}", self.spec.target),
        })
    }

    async fn open_writers(&self) -> Result<Vec<Box<dyn Writer>>> {
        let control = &self.control.client;
        let constraints = if self.spec.quarantine { self.constraints().await? } else { String::new() };
        let create_stage = format!("{}{constraints}", self.create_stage());
        if self.plan.strategy == Strategy::Append {
            control.batch_execute("BEGIN").await.pg()?;
            return Ok(vec![self.writer(self.control.clone(), &self.target, Scope::Load, false)]);
        }
        let new = self.plan.strategy == Strategy::New;
        if self.plan.load.writers < 2 {
            // A table made in the transaction that fills it is filled strictly from front to back: the order of rows in
            // it is the order of their arrival, which tells the later of two with one key.
            let session = Session::open(&self.settings).await?;
            session.client.batch_execute(&format!("BEGIN; {create_stage}")).await.pg()?;
            let freeze = new && !self.spec.quarantine;
            return Ok(vec![self.writer(Arc::new(session), &self.stage, Scope::Own, freeze)]);
        }
        control.batch_execute(&create_stage).await.pg()?;
        let mut writers = Vec::new();
        for _ in 0..self.plan.load.writers {
            let session = match Session::open(&self.settings).await {
                Err(error) if error.kind() == ErrorKind::Busy && !writers.is_empty() => break,
                session => session?,
            };
            // The stage is as safe as the commit that comes after it, which waits for the log.
            session.client.batch_execute("SET synchronous_commit = off").await.pg()?;
            writers.push(self.writer(Arc::new(session), &self.stage, Scope::Each, false));
        }
        Ok(writers)
    }

    async fn clean_up(&self) {
        let client = &self.control.client;
        let drop = format!("DROP TABLE IF EXISTS {}", self.stage.quoted());
        let _ = client.batch_execute("ROLLBACK").await;
        // A writer that was dropped a moment ago may still hold the stage.
        let dropped = client.batch_execute(&format!("SET lock_timeout = '5s'; {drop}")).await;
        if dropped.is_err()
            && let Ok(session) = Session::open(&self.settings).await
        {
            let _ = session.client.batch_execute(&format!("SET lock_timeout = '5s'; {drop}")).await;
            session.close().await;
        }
        if self.created_schema {
            let _ = client.batch_execute(&format!("DROP SCHEMA IF EXISTS {}", ident(&self.target.schema))).await;
        }
    }
}

impl Load for TableLoad {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        Box::pin(async { self.open_writers().await.at(format!("table {}", self.spec.target)) })
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        Box::pin(async move { commit::commit(self, &end).await.at(format!("table {}", self.spec.target)) })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.clean_up().await;
            if let Ok(control) = Arc::try_unwrap(self.control) {
                control.close().await;
            }
        })
    }
}
