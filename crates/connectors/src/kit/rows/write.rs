//! Rows in: a batch is tried as a whole, in few statements. If the database refuses it, it is tried again in parts, so that
//! every row that cannot be written is known with its reason.

use futures_util::stream::{BoxStream, StreamExt as _};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{
    self, Action, Batch, Cell, Change, CheckedRow, Column, Effect, Loaded, Mode, Outcome, Purpose, Reason, RowError,
    Table, Tables, Written,
};

use super::database::{Database, Fault, Session};
use super::{Served, usage};

/// How often a batch is tried that another writer came in the way of.
const TRIES_MAX: usize = 4;

/// What is to be done with a row, checked.
pub(super) struct Step {
    /// Its place in the batch.
    pub index: usize,
    /// What it says; for what is deleted or restored, its key only.
    pub row: CheckedRow,
    /// What the row has to be: one of these.
    pub if_match: Option<Vec<String>>,
}

/// A row with its place in the batch.
pub(super) type Numbered = (usize, CheckedRow);

/// What became of a row in the database.
pub(super) type Done = (usize, Cell, Effect);

/// Why some steps could not be done.
pub(super) enum Setback {
    /// These rows cannot be written; nothing is known of the others.
    Rows(Vec<(usize, Vec<RowError>)>),
    /// One of the rows cannot be written.
    Fault(Fault),
}

impl From<Fault> for Setback {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Setback {
    fn from(error: Error) -> Self {
        Self::Fault(Fault { reason: None, column: None, row: None, error: Box::new(error) })
    }
}

/// A batch on its way into a table.
pub(super) struct Job<'a, D: Database> {
    pub database: &'a D,
    pub tables: &'a Tables,
    pub table: &'a Table,
    pub action: &'a Action,
}

/// What is known of the rows of a batch.
type Outcomes = Vec<Option<Outcome>>;

impl<D: Database> Served<D> {
    /// One batch in one transaction.
    pub(super) async fn write_batch(&self, tables: &Tables, table: &str, batch: Batch) -> Result<Written> {
        let Batch { action, mode, changes } = batch;
        let table = tables.get(table)?;
        check_action(table, &action)?;
        let job = Job { database: &self.database, tables, table, action: &action };
        let (steps, mut outcomes) = job.checked(&changes);
        if steps.is_empty() || mode == Mode::All && steps.len() < changes.len() {
            return Ok(written(outcomes, mode));
        }
        let mut tries = 1;
        loop {
            let mut lease = self.lease().await?;
            match job.transaction(&mut lease.session, &steps, mode).await {
                Ok(told) => {
                    self.give_back(lease);
                    for (index, outcome) in told {
                        outcomes[index] = Some(outcome);
                    }
                    return Ok(written(outcomes, mode));
                }
                // a deadlock: the other one has gone through by now
                Err(error) if error.kind() == ErrorKind::Busy && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Batches from a stream, in one transaction or in one each.
    pub(super) async fn load_batches(
        &self,
        tables: &Tables,
        table: &str,
        action: Action,
        mode: Mode,
        mut batches: BoxStream<'_, Result<Vec<Change>>>,
    ) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        if mode == Mode::Each {
            loaded.committed = true;
            while let Some(changes) = batches.next().await {
                let batch = Batch { action: action.clone(), mode, changes: changes? };
                loaded.add(&self.write_batch(tables, table, batch).await?);
            }
            return Ok(loaded);
        }
        let table = tables.get(table)?;
        check_action(table, &action)?;
        let job = Job { database: &self.database, tables, table, action: &action };
        let mut lease = self.lease().await?;
        lease.session.run(self.database.words().begin).await.map_err(Fault::into_error)?;
        while let Some(changes) = batches.next().await {
            let (steps, mut outcomes) = job.checked(&changes?);
            if steps.len() == outcomes.len() {
                for (index, outcome) in job.nested(&mut lease.session, &steps).await? {
                    outcomes[index] = Some(outcome);
                }
            }
            let told = written(outcomes, mode);
            loaded.add(&told);
            if !told.committed {
                lease.session.run("ROLLBACK").await.map_err(Fault::into_error)?;
                self.give_back(lease);
                return Ok(Loaded { inserted: 0, changed: 0, ..loaded });
            }
        }
        lease.session.run("COMMIT").await.map_err(Fault::into_error)?;
        self.give_back(lease);
        Ok(Loaded { committed: true, ..loaded })
    }
}

impl<D: Database> Job<'_, D> {
    /// The rows that are right by themselves, and the outcomes of the others.
    fn checked(&self, changes: &[Change]) -> (Vec<Step>, Outcomes) {
        let mut steps = Vec::with_capacity(changes.len());
        let mut outcomes: Outcomes = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let row = match self.action {
                Action::Insert => rows::check(self.table, &change.row, Purpose::New),
                Action::Upsert { by } => {
                    let row = rows::check(self.table, &change.row, Purpose::New);
                    row.and_then(|row| self.named_by(by, row))
                }
                Action::Replace => rows::check(self.table, &change.row, Purpose::Whole),
                Action::Patch => rows::check(self.table, &change.row, Purpose::Part),
                Action::Delete | Action::Erase | Action::Restore => self.only_key(&change.row),
            };
            match row {
                Ok(row) => {
                    steps.push(Step { index, row, if_match: change.if_match.clone() });
                    outcomes.push(None);
                }
                Err(errors) => outcomes.push(Some(Outcome::Failed(errors))),
            }
        }
        if let Action::Upsert { .. } = self.action {
            // what a row leaves out is not changed, and has its default only if the row turns out to be new
            for step in &mut steps {
                for (column, cell) in self.table.columns.iter().zip(&mut step.row) {
                    if !changes[step.index].row.contains_key(&column.name) {
                        *cell = None;
                    }
                }
            }
        }
        (steps, outcomes)
    }

    fn named_by(&self, by: &str, row: CheckedRow) -> Result<CheckedRow, Vec<RowError>> {
        let named = self.table.columns.iter().zip(&row).find(|(column, _)| column.name == by);
        match named {
            Some((column, None | Some(Cell::Null))) => {
                Err(vec![rows::error(column, Reason::Required, "must be given")])
            }
            _ => Ok(row),
        }
    }

    fn only_key(&self, row: &rows::Row) -> Result<CheckedRow, Vec<RowError>> {
        let key = rows::key(self.table, row)?;
        let is_key = |column: &Column| column.name == self.table.key;
        Ok(self.table.columns.iter().map(|column| is_key(column).then(|| key.clone())).collect())
    }

    /// The steps in a transaction of their own: whole, or if that fails, again in parts.
    async fn transaction(&self, session: &mut D::Session, steps: &[Step], mode: Mode) -> Result<Vec<(usize, Outcome)>> {
        let begin = self.database.words().begin;
        session.run(begin).await.map_err(Fault::into_error)?;
        let all: Vec<&Step> = steps.iter().collect();
        match self.perform(session, &all).await {
            Ok(done) => {
                session.run("COMMIT").await.map_err(Fault::into_error)?;
                return Ok(done.into_iter().map(as_outcome).collect());
            }
            Err(Setback::Fault(Fault { reason: None, error, .. })) => {
                let _ = session.run("ROLLBACK").await;
                return Err(*error);
            }
            Err(_) => session.run("ROLLBACK").await.map_err(Fault::into_error)?,
        }
        session.run(begin).await.map_err(Fault::into_error)?;
        let told = match self.in_parts(session, steps).await {
            Ok(told) => told,
            Err(error) => {
                let _ = session.run("ROLLBACK").await;
                return Err(error);
            }
        };
        let has_failed = told.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
        let end = if mode == Mode::All && has_failed { "ROLLBACK" } else { "COMMIT" };
        session.run(end).await.map_err(Fault::into_error)?;
        Ok(told)
    }

    /// The steps within a transaction that is open: whole, or if that fails, again in parts.
    async fn nested(&self, session: &mut D::Session, steps: &[Step]) -> Result<Vec<(usize, Outcome)>> {
        let all: Vec<&Step> = steps.iter().collect();
        match self.saved(session, &all).await? {
            Ok(done) => Ok(done.into_iter().map(as_outcome).collect()),
            Err(_) => self.in_parts(session, steps).await,
        }
    }

    /// Steps that leave nothing behind if they cannot be done.
    async fn saved(&self, session: &mut D::Session, steps: &[&Step]) -> Result<Result<Vec<Done>, Setback>> {
        session.run("SAVEPOINT levada").await.map_err(Fault::into_error)?;
        match self.perform(session, steps).await {
            Ok(done) => {
                session.run("RELEASE SAVEPOINT levada").await.map_err(Fault::into_error)?;
                Ok(Ok(done))
            }
            Err(Setback::Fault(Fault { reason: None, error, .. })) => Err(*error),
            Err(setback) => {
                session.run("ROLLBACK TO SAVEPOINT levada").await.map_err(Fault::into_error)?;
                session.run("RELEASE SAVEPOINT levada").await.map_err(Fault::into_error)?;
                Ok(Err(setback))
            }
        }
    }

    /// Every step that can be done, in the order of the rows; the reasons of the others.
    async fn in_parts(&self, session: &mut D::Session, steps: &[Step]) -> Result<Vec<(usize, Outcome)>> {
        let mut told = Vec::with_capacity(steps.len());
        let mut left: Vec<Vec<&Step>> = vec![steps.iter().collect()];
        let mut raced = 0;
        while let Some(part) = left.pop() {
            if part.is_empty() {
                continue;
            }
            match self.saved(session, &part).await? {
                Ok(done) => {
                    raced = 0;
                    told.extend(done.into_iter().map(as_outcome));
                }
                Err(Setback::Rows(failed)) => {
                    let is_left = |step: &&Step| failed.iter().all(|(index, _)| *index != step.index);
                    left.push(part.into_iter().filter(is_left).collect());
                    told.extend(failed.into_iter().map(|(index, errors)| (index, Outcome::Failed(errors))));
                }
                Err(Setback::Fault(fault)) => match part.as_slice() {
                    // another writer may have added the row after it was looked for
                    [_] if self.is_race(&fault) && raced < TRIES_MAX => {
                        raced += 1;
                        left.push(part);
                    }
                    [step] => {
                        raced = 0;
                        let errors = self.blame(session, step, fault).await?;
                        told.push((step.index, Outcome::Failed(errors)));
                    }
                    _ => {
                        let mut part = part;
                        let middle = part.len() / 2;
                        match fault.row.and_then(|row| part.iter().position(|step| step.index == row)) {
                            Some(row) => {
                                left.push(part.split_off(row + 1));
                                left.push(part.split_off(row));
                            }
                            None => left.push(part.split_off(middle)),
                        }
                        left.push(part);
                    }
                },
            }
        }
        Ok(told)
    }

    fn is_race(&self, fault: &Fault) -> bool {
        matches!(self.action, Action::Upsert { .. }) && fault.reason == Some(Reason::Unique)
    }

    /// Does steps; after a setback the transaction is good for nothing but to be taken back.
    async fn perform(&self, session: &mut D::Session, steps: &[&Step]) -> Result<Vec<Done>, Setback> {
        match self.action {
            Action::Insert => {
                let rows: Vec<Numbered> = steps.iter().map(|step| (step.index, step.row.clone())).collect();
                self.refer(session, &rows).await?;
                self.insert(session, rows).await
            }
            Action::Upsert { by } => self.upsert(session, by, steps).await,
            Action::Replace | Action::Patch => self.update(session, steps).await,
            Action::Delete | Action::Erase => self.delete(session, steps).await,
            Action::Restore => self.restore(session, steps).await,
        }
    }
}

fn as_outcome((index, key, effect): Done) -> (usize, Outcome) {
    (index, Outcome::Done { key: key.to_json(), effect })
}

fn check_action(table: &Table, action: &Action) -> Result<()> {
    match action {
        Action::Upsert { by } => {
            let column = table.known(by)?;
            if column.name == table.key || column.unique {
                return Ok(());
            }
            Err(usage(format!("`{by}` is neither the key of `{}` nor unique, so it tells no row", table.name)))
        }
        Action::Restore if !table.soft_delete => {
            Err(usage(format!("`{}` keeps no deleted rows, so none can be restored", table.name)))
        }
        _ => Ok(()),
    }
}

fn written(outcomes: Outcomes, mode: Mode) -> Written {
    let has_failed = outcomes.iter().any(|outcome| matches!(outcome, Some(Outcome::Failed(_))));
    let is_kept = mode == Mode::Each || !has_failed;
    let outcomes: Vec<Outcome> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Some(Outcome::Done { .. }) if !is_kept => Outcome::Left,
            Some(outcome) => outcome,
            None => Outcome::Left,
        })
        .collect();
    Written { committed: is_kept, outcomes }
}
