//! Rows in: a batch is tried as a whole, in few statements. If the database refuses it, it is tried again in parts, so that
//! every row that cannot be written is known with its reason.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::stream::{BoxStream, StreamExt as _};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{
    self, Action, Batch, Cell, Change, CheckedRow, Column, Effect, Loaded, Mode, Outcome, Purpose, Reason, RowError,
    Table, Tables, Written, etag,
};

use super::database::{Database, Fault, Insert, Session};
use super::list::as_row;
use super::sql::Sql;
use super::{PARAMS_MAX, Served, usage};

/// How often a batch is tried that another writer came in the way of.
const TRIES_MAX: usize = 4;
/// Values of one list in a query.
const LIST_MAX: usize = 1_000;

/// What is to be done with a row, checked.
pub(super) struct Step {
    /// Its place in the batch.
    pub index: usize,
    /// What it says; for what is deleted or restored, its key only.
    pub row: CheckedRow,
    /// What the row has to be.
    pub if_match: Option<String>,
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

    async fn insert(&self, session: &mut D::Session, rows: Vec<Numbered>) -> Result<Vec<Done>, Setback> {
        let key = self.key_index();
        let (with_key, without): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, row)| row[key].is_some());
        let table = self.database.table(self.table);
        let mut done = Vec::with_capacity(with_key.len() + without.len());
        let around = self.database.around_given_keys(self.table).filter(|_| !with_key.is_empty());
        let around = around.filter(|_| self.table.is_key_given);
        if let Some((before, _)) = &around {
            session.run(before).await?;
        }
        for (rows, has_key) in [(with_key, true), (without, false)] {
            let columns: Vec<(String, levada_core::rows::Kind)> = self
                .table
                .columns
                .iter()
                .filter(|column| has_key || column.name != self.table.key)
                .map(|column| (self.database.quote(&column.name), column.kind))
                .collect();
            let key_column = self.table.key_column()?;
            let returned = (!has_key).then(|| (self.database.quote(&key_column.name), key_column.kind));
            for rows in rows.chunks((PARAMS_MAX / columns.len().max(1)).max(1)) {
                let values: Vec<Vec<Cell>> = rows
                    .iter()
                    .map(|(_, row)| {
                        let of_columns = row.iter().enumerate().filter(|(index, _)| has_key || *index != key);
                        of_columns.map(|(_, cell)| cell.clone().unwrap_or(Cell::Null)).collect()
                    })
                    .collect();
                let insert = Insert { table: &table, columns: &columns, rows: &values, key: returned.clone() };
                let keys = session.insert(&insert).await.map_err(|fault| {
                    let row = fault.row.and_then(|row| rows.get(row)).map(|(index, _)| *index);
                    Fault { row, ..fault }
                })?;
                for (at, (index, row)) in rows.iter().enumerate() {
                    let key = if has_key { row[key].clone() } else { keys.get(at).cloned() };
                    done.push((*index, key.unwrap_or(Cell::Null), Effect::Inserted));
                }
            }
        }
        if let Some((_, after)) = &around {
            session.run(after).await?;
        }
        Ok(done)
    }

    async fn upsert(&self, session: &mut D::Session, by: &str, steps: &[&Step]) -> Result<Vec<Done>, Setback> {
        let by_index = self.index(by);
        let column = self.table.known(by)?;
        // rows of one batch come one after the other: what a later one gives counts
        let mut merged: Vec<(Vec<usize>, CheckedRow)> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for step in steps {
            let name = step.row[by_index].as_ref().and_then(Cell::to_text).unwrap_or_default().into_owned();
            match seen.get(&name) {
                Some(at) => {
                    let (indexes, row) = &mut merged[*at];
                    indexes.push(step.index);
                    for (cell, given) in row.iter_mut().zip(&step.row).filter(|(_, given)| given.is_some()) {
                        cell.clone_from(given);
                    }
                }
                None => {
                    seen.insert(name, merged.len());
                    merged.push((vec![step.index], step.row.clone()));
                }
            }
        }
        let key_column = self.table.key_column()?;
        let mut found: HashMap<String, Cell> = HashMap::new();
        let wanted: Vec<&Cell> = merged.iter().filter_map(|(_, row)| row[by_index].as_ref()).collect();
        for wanted in wanted.chunks(LIST_MAX) {
            let mut sql = Sql::select(self.database, self.table, &[column, key_column]);
            sql.is_among(column, wanted.iter().copied()).push(" AND ").live(self.table).locked(true);
            for mut cells in session.select(&sql.done()).await? {
                let (key, value) = (cells.pop().unwrap_or(Cell::Null), cells.pop().unwrap_or(Cell::Null));
                found.insert(value.to_text().unwrap_or_default().into_owned(), key);
            }
        }
        let key = self.key_index();
        let (mut new, mut changed, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
        for (indexes, mut row) in merged {
            let name = row[by_index].as_ref().and_then(Cell::to_text).unwrap_or_default().into_owned();
            let first = indexes[0];
            repeats.push(indexes);
            match found.get(&name) {
                Some(known) => {
                    // the key of a row never changes
                    row[key] = Some(known.clone());
                    changed.push((first, row));
                }
                None => {
                    for (column, cell) in self.table.columns.iter().zip(&mut row) {
                        if cell.is_none() && column.name != self.table.key {
                            *cell = Some(column.default.clone().unwrap_or(Cell::Null));
                        }
                    }
                    new.push((first, row));
                }
            }
        }
        self.refer(session, new.iter().chain(&changed)).await?;
        let mut done = self.set(session, changed).await?;
        done.extend(self.insert(session, new).await?);
        let by_first: HashMap<usize, (Cell, Effect)> =
            done.into_iter().map(|(index, key, effect)| (index, (key, effect))).collect();
        let mut all = Vec::with_capacity(steps.len());
        for indexes in repeats {
            let Some((key, effect)) = by_first.get(&indexes[0]) else { continue };
            for (place, index) in indexes.iter().enumerate() {
                all.push((*index, key.clone(), if place == 0 { *effect } else { Effect::Updated }));
            }
        }
        Ok(all)
    }

    async fn update(&self, session: &mut D::Session, steps: &[&Step]) -> Result<Vec<Done>, Setback> {
        self.hold(session, steps, true).await?;
        let rows: Vec<Numbered> = steps.iter().map(|step| (step.index, step.row.clone())).collect();
        self.refer(session, &rows).await?;
        self.set(session, rows).await
    }

    /// Sets what rows give; they are there.
    async fn set(&self, session: &mut D::Session, rows: Vec<Numbered>) -> Result<Vec<Done>, Setback> {
        let key = self.key_index();
        // one statement for all rows that give the same columns; a key that comes again comes later
        let mut groups: BTreeMap<(usize, Vec<usize>), Vec<Numbered>> = BTreeMap::new();
        let mut rounds: HashMap<String, usize> = HashMap::new();
        let mut done = Vec::with_capacity(rows.len());
        for (index, row) in rows {
            let Some(own) = row[key].clone() else { continue };
            done.push((index, own.clone(), Effect::Updated));
            let round = rounds.entry(own.to_text().unwrap_or_default().into_owned()).or_default();
            let given = row.iter().enumerate().filter(|(at, cell)| *at != key && cell.is_some());
            let given: Vec<usize> = given.map(|(at, _)| at).collect();
            groups.entry((*round, given)).or_default().push((index, row));
            *round += 1;
        }
        for ((_, given), rows) in groups.into_iter().filter(|((_, given), _)| !given.is_empty()) {
            let mut sql = Sql::new(self.database);
            sql.push("UPDATE ").push(&self.database.table(self.table)).push(" SET ");
            for (place, at) in given.iter().enumerate() {
                let column = &self.table.columns[*at];
                sql.push(if place > 0 { ", " } else { "" }).name(&column.name).push(" = ");
                sql.bind(&Cell::Null, column.kind);
            }
            let column = &self.table.columns[key];
            sql.push(" WHERE ").name(&column.name).push(" = ").bind(&Cell::Null, column.kind);
            let sql = sql.done().sql;
            let values: Vec<Vec<Cell>> = rows
                .iter()
                .map(|(_, row)| given.iter().chain([&key]).filter_map(|at| row[*at].clone()).collect())
                .collect();
            session.each(&sql, &values).await.map_err(|fault| {
                let row = fault.row.and_then(|row| rows.get(row)).map(|(index, _)| *index);
                Fault { row, ..fault }
            })?;
        }
        Ok(done)
    }

    /// Locks the rows of steps, and finds those that are not there or not as they have to be.
    pub(super) async fn hold(&self, session: &mut D::Session, steps: &[&Step], live: bool) -> Result<(), Setback> {
        let key_column = self.table.key_column()?;
        let has_condition = steps.iter().any(|step| step.if_match.is_some());
        let columns: Vec<&Column> = if has_condition { self.table.columns.iter().collect() } else { vec![key_column] };
        let at = columns.iter().position(|column| column.name == key_column.name).unwrap_or_default();
        let mut found: HashMap<String, String> = HashMap::new();
        for part in steps.chunks(LIST_MAX) {
            let mut sql = Sql::select(self.database, self.table, &columns);
            sql.is_among(key_column, part.iter().filter_map(|step| self.key_of(step)));
            if live {
                sql.push(" AND ").live(self.table);
            }
            for cells in session.select(&sql.locked(true).done()).await? {
                let tag = if has_condition { etag(&as_row(&columns, &cells)) } else { String::new() };
                found.insert(cells[at].to_text().unwrap_or_default().into_owned(), tag);
            }
        }
        let mut failed = Vec::new();
        for step in steps {
            let key = self.key_of(step).and_then(Cell::to_text).unwrap_or_default();
            let error = match found.get(key.as_ref()) {
                None => rows::error(key_column, Reason::Missing, &format!("names no row: there is none with {key}")),
                Some(tag) if step.if_match.as_ref().is_some_and(|wanted| wanted != tag) => RowError {
                    column: None,
                    reason: Reason::Stale,
                    message: "the row has changed since it was read".to_owned(),
                },
                Some(_) => continue,
            };
            failed.push((step.index, vec![error]));
        }
        if failed.is_empty() { Ok(()) } else { Err(Setback::Rows(failed)) }
    }

    /// Finds references to rows that are not there or deleted; the others stay as they are until the end.
    pub(super) async fn refer<'r>(
        &self,
        session: &mut D::Session,
        rows: impl IntoIterator<Item = &'r Numbered> + Clone,
    ) -> Result<(), Setback> {
        let mut failed: BTreeMap<usize, Vec<RowError>> = BTreeMap::new();
        for (at, column) in self.table.columns.iter().enumerate() {
            let Some(reference) = &column.references else { continue };
            let other = self.tables.get(&reference.table)?;
            let target = other.known(&reference.column)?;
            // rows may refer to rows that come with them
            let own =
                self.table.columns.iter().position(|own| other.name == self.table.name && own.name == target.name);
            let mut known: HashSet<String> = HashSet::new();
            if let Some(own) = own {
                let given = rows.clone().into_iter().filter_map(|(_, row)| row[own].as_ref()?.to_text());
                known.extend(given.map(|text| text.into_owned()));
            }
            let mut wanted: HashMap<String, &Cell> = HashMap::new();
            for cell in rows.clone().into_iter().filter_map(|(_, row)| row[at].as_ref()) {
                if let Some(text) = cell.to_text().filter(|text| !known.contains(text.as_ref())) {
                    wanted.insert(text.into_owned(), cell);
                }
            }
            let cells: Vec<&Cell> = wanted.into_values().collect();
            for part in cells.chunks(LIST_MAX) {
                let mut sql = Sql::select(self.database, other, &[target]);
                sql.is_among(target, part.iter().copied()).push(" AND ").live(other).locked(false);
                let found = session.select(&sql.done()).await?;
                known.extend(found.iter().filter_map(|cells| Some(cells.first()?.to_text()?.into_owned())));
            }
            for (index, row) in rows.clone() {
                let text = row[at].as_ref().and_then(Cell::to_text);
                if let Some(text) = text.filter(|text| !known.contains(text.as_ref())) {
                    let what = format!("refers to `{}` {text}, which does not exist", reference.table);
                    failed.entry(*index).or_default().push(rows::error(column, Reason::Reference, &what));
                }
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(Setback::Rows(failed.into_iter().collect())) }
    }

    /// The key that a step gives.
    pub(super) fn key_of<'s>(&self, step: &'s Step) -> Option<&'s Cell> {
        step.row.get(self.key_index()).and_then(Option::as_ref)
    }

    fn key_index(&self) -> usize {
        self.index(&self.table.key)
    }

    fn index(&self, name: &str) -> usize {
        self.table.columns.iter().position(|column| column.name == name).unwrap_or_default()
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
