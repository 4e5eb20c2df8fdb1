//! Deleting and restoring rows, and what that means for the rows that refer to them. Databases know nothing of rows that
//! are deleted softly, so what holds for them is seen to here, under locks, in the same way for both.

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use levada_core::rows::{Cell, Column, DELETED_AT, Effect, Kind, OnDelete, Reason, RowError, Table};

use super::database::{Database, Fault, Session};
use super::sql::Sql;
use super::write::{Done, Job, Setback, Step};

/// How far deletion goes from one table to the next.
const DEPTH_MAX: usize = 16;
/// Values of one list in a query.
const LIST_MAX: usize = 1_000;

/// How rows go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// They are kept, where their table does that.
    Softly,
    /// They are removed.
    ForGood,
}

impl<D: Database> Job<'_, D> {
    /// Deletes the rows of steps.
    pub(super) async fn delete(&self, session: &mut D::Session, steps: &[&Step]) -> Result<Vec<Done>, Setback> {
        let way = match self.action {
            levada_core::rows::Action::Erase => Way::ForGood,
            _ => Way::Softly,
        };
        self.hold(session, steps, way == Way::Softly).await?;
        let keys: Vec<Cell> = steps.iter().filter_map(|step| self.key_of(step).cloned()).collect();
        let mut gone = HashSet::new();
        self.remove(session, self.table, keys, way, &mut gone, 0).await?;
        let is_kept = way == Way::Softly && self.table.soft_delete;
        let effect = if is_kept { Effect::Deleted } else { Effect::Erased };
        Ok(steps.iter().filter_map(|step| Some((step.index, self.key_of(step)?.clone(), effect))).collect())
    }

    /// Removes rows that are locked, and does with those that refer to them what their columns say.
    fn remove<'a>(
        &'a self,
        session: &'a mut D::Session,
        table: &'a Table,
        keys: Vec<Cell>,
        way: Way,
        gone: &'a mut HashSet<(String, String)>,
        depth: usize,
    ) -> BoxFuture<'a, Result<(), Setback>> {
        Box::pin(async move {
            let name = |cell: &Cell| (table.name.clone(), cell.to_text().unwrap_or_default().into_owned());
            let keys: Vec<Cell> = keys.into_iter().filter(|key| gone.insert(name(key))).collect();
            if keys.is_empty() {
                return Ok(());
            }
            if depth > DEPTH_MAX {
                return Err(refused("too many tables refer to each other for them all to be deleted from").into());
            }
            let key_column = table.key_column()?;
            for (other, column, reference) in self.tables.referring(&table.name) {
                let target = table.known(&reference.column)?;
                let other_key = other.key_column()?;
                for part in keys.chunks(LIST_MAX) {
                    let values = match target.name == table.key {
                        true => part.to_vec(),
                        false => {
                            let query = Sql::select(self.database, table, &[target]).is_among(key_column, part).done();
                            session.select(&query).await?.into_iter().flatten().collect()
                        }
                    };
                    let mut sql = Sql::select(self.database, other, &[other_key]);
                    sql.is_among(column, &values);
                    if way == Way::Softly {
                        sql.push(" AND ").live(other);
                    }
                    let found = session.select(&sql.locked(true).done()).await?;
                    let of_other = |key: &Cell| (other.name.clone(), key.to_text().unwrap_or_default().into_owned());
                    let found: Vec<Cell> =
                        found.into_iter().flatten().filter(|key| !gone.contains(&of_other(key))).collect();
                    if found.is_empty() {
                        continue;
                    }
                    match reference.on_delete {
                        OnDelete::Restrict => {
                            let message = format!("rows of `{}` refer to it by `{}`", other.name, column.name);
                            return Err(refused(&message).into());
                        }
                        OnDelete::Cascade => self.remove(session, other, found, way, gone, depth + 1).await?,
                        OnDelete::SetNull => {
                            self.update_all(session, other, &found, column, &Cell::Null).await?;
                        }
                    }
                }
            }
            if way == Way::Softly && table.soft_delete {
                let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
                // micros are what a timestamp holds
                let now = Cell::from_text(Kind::Timestamp, &now).unwrap_or(Cell::Null);
                let column = super::list::deleted_column();
                return self.update_all(session, table, &keys, &column, &now).await;
            }
            for part in keys.chunks(LIST_MAX) {
                let mut sql = Sql::new(self.database);
                sql.push("DELETE FROM ").push(&self.database.table(table)).push(" WHERE ").is_among(key_column, part);
                let query = sql.done();
                session.each(&query.sql, &[query.params]).await.map_err(|fault| Fault { row: None, ..fault })?;
            }
            Ok(())
        })
    }

    /// Sets a column of rows to a value.
    async fn update_all(
        &self,
        session: &mut D::Session,
        table: &Table,
        keys: &[Cell],
        column: &Column,
        value: &Cell,
    ) -> Result<(), Setback> {
        for part in keys.chunks(LIST_MAX) {
            let mut sql = Sql::new(self.database);
            sql.push("UPDATE ").push(&self.database.table(table)).push(" SET ").name(&column.name).push(" = ");
            sql.bind(value, column.kind).push(" WHERE ").is_among(table.key_column()?, part);
            let query = sql.done();
            session.each(&query.sql, &[query.params]).await.map_err(|fault| Fault { row: None, ..fault })?;
        }
        Ok(())
    }

    /// Takes back the deletion of rows; of those that are not deleted there is nothing to take back.
    pub(super) async fn restore(&self, session: &mut D::Session, steps: &[&Step]) -> Result<Vec<Done>, Setback> {
        self.hold(session, steps, false).await?;
        let key_column = self.table.key_column()?;
        let columns: Vec<&Column> = self.table.columns.iter().collect();
        let keys: Vec<Cell> = steps.iter().filter_map(|step| self.key_of(step).cloned()).collect();
        let at = columns.iter().position(|column| column.name == key_column.name).unwrap_or_default();
        let mut rows = Vec::with_capacity(steps.len());
        for part in keys.chunks(LIST_MAX) {
            let mut sql = Sql::select(self.database, self.table, &columns);
            let query = sql.is_among(key_column, part).push(" AND ").name(DELETED_AT).push(" IS NOT NULL").done();
            for cells in session.select(&query).await? {
                let index = steps.iter().find(|step| self.key_of(step) == cells.get(at)).map(|step| step.index);
                rows.extend(index.map(|index| (index, cells.into_iter().map(Some).collect::<Vec<_>>())));
            }
        }
        // what it refers to may have been deleted since
        self.refer(session, &rows).await?;
        let deleted = super::list::deleted_column();
        self.update_all(session, self.table, &keys, &deleted, &Cell::Null).await?;
        Ok(steps.iter().filter_map(|step| Some((step.index, self.key_of(step)?.clone(), Effect::Restored))).collect())
    }
}

/// That a row stays, as others refer to it.
fn refused(message: &str) -> Fault {
    let error = levada_core::error::Error::new(levada_core::error::ErrorKind::Data, message);
    Fault { reason: Some(Reason::Reference), column: None, row: None, error: Box::new(error) }
}

/// The reason why a row that others refer to stays.
pub(super) fn still_referred(fault: &Fault) -> RowError {
    RowError { column: None, reason: Reason::Reference, message: fault.error.message().to_owned() }
}
