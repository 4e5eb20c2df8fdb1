//! Which value of a row a database refused. Most databases name an index or nothing at all, so the row's values are looked
//! up one by one; it happens only when a row was refused.

use levada_core::error::Result;
use levada_core::rows::{self, Action, Cell, CheckedRow, Column, Reason, RowError};

use super::database::{Database, Fault, Query, Session};
use super::delete::still_referred;
use super::sql::Sql;
use super::write::{Job, Step};

impl<D: Database> Job<'_, D> {
    /// What is wrong with a row that was refused; the transaction is as it was before.
    pub(super) async fn blame(&self, session: &mut D::Session, step: &Step, fault: Fault) -> Result<Vec<RowError>> {
        let reason = fault.reason.unwrap_or(Reason::Check);
        let is_removal = matches!(self.action, Action::Delete | Action::Erase);
        if reason == Reason::Reference && is_removal {
            return Ok(vec![still_referred(&fault)]);
        }
        let mut errors = Vec::new();
        let row = if *self.action == Action::Restore { self.deleted(session, step).await? } else { step.row.clone() };
        for (column, cell) in self.table.columns.iter().zip(&row) {
            let Some(cell) = cell.as_ref().filter(|cell| !cell.is_null()) else { continue };
            let is_new_key = column.name == self.table.key && self.is_new();
            if reason == Reason::Unique && (column.unique || is_new_key) {
                let others = session.select(&self.others_with(step, column, cell)?).await;
                if others.map_err(Fault::into_error)?.is_empty() {
                    continue;
                }
                let shown = cell.to_text().unwrap_or_default();
                let what = match column.name == self.table.key && self.table.soft_delete {
                    true => format!("is {shown}, which another row has, or a deleted one that could be restored"),
                    false => format!("is {shown}, which another row has"),
                };
                errors.push(rows::error(column, Reason::Unique, &what));
            }
        }
        if errors.is_empty() {
            let column = fault.column.as_deref().and_then(|name| self.table.column(name));
            errors.push(match (reason, column) {
                (Reason::Required, Some(column)) => rows::error(column, reason, "must be given"),
                _ => RowError {
                    column: column.map(|column| column.name.clone()),
                    reason,
                    message: format!("the database refused the row: {}", fault.error.message()),
                },
            });
        }
        Ok(errors)
    }

    /// Whether rows may be new.
    fn is_new(&self) -> bool {
        matches!(self.action, Action::Insert | Action::Upsert { .. })
    }

    /// What a deleted row says, of which the step has only the key.
    async fn deleted(&self, session: &mut D::Session, step: &Step) -> Result<CheckedRow> {
        let columns: Vec<&Column> = self.table.columns.iter().collect();
        let mut sql = Sql::select(self.database, self.table, &columns);
        let query = sql.is_among(self.table.key_column()?, self.key_of(step)).done();
        let found = session.select(&query).await.map_err(Fault::into_error)?;
        Ok(found.into_iter().next().unwrap_or_default().into_iter().map(Some).collect())
    }

    /// Rows but the step's own that have a value.
    fn others_with(&self, step: &Step, column: &Column, cell: &Cell) -> Result<Query> {
        let key_column = self.table.key_column()?;
        let mut sql = Sql::select(self.database, self.table, &[key_column]);
        sql.compare(column, " = ", cell);
        // a key is taken for good
        if column.name == self.table.key {
            return Ok(sql.limit(1).done());
        }
        sql.push(" AND ").live(self.table);
        if let Some(own) = self.key_of(step).filter(|_| !self.is_new()) {
            sql.push(" AND ").compare(key_column, " <> ", own);
        }
        Ok(sql.limit(1).done())
    }
}
