//! Rows out: pages of a list, one row, and the rows that rows refer to.

use std::collections::HashMap;

use levada_core::error::Result;
use levada_core::rows::{Cell, Column, DELETED_AT, Kind, ListRequest, Look, Page, Row, Table, Tables};
use serde_json::Value;

use super::database::{Database, Fault, Session};
use super::sql::{Sql, order_of};
use super::{Served, usage};

impl<D: Database> Served<D> {
    /// A page of rows.
    pub(super) async fn page(&self, tables: &Tables, table: &str, request: &ListRequest) -> Result<Page> {
        let table = tables.get(table)?;
        let order = order_of(table, request)?;
        let deleted = deleted_column();
        let columns = shown(table, &request.look, &deleted);
        let mut sql = Sql::select(&self.database, table, &columns);
        match request.look.with_deleted {
            true => sql.push("1 = 1"),
            false => sql.live(table),
        };
        for filter in &request.filters {
            sql.push(" AND ");
            sql.filter(table, filter)?;
        }
        if let Some(after) = &request.after {
            let last = cells(&order, after)?;
            sql.push(" AND ").after(&order, &last);
        }
        // one more tells whether there is a next page
        let query = sql.order(&order).limit(request.limit.saturating_add(1)).done();
        let mut lease = self.lease().await?;
        let mut found = lease.session.select(&query).await.map_err(Fault::into_error)?;
        let has_next = found.len() > request.limit;
        found.truncate(request.limit);
        let next = found.last().filter(|_| has_next).map(|last| {
            let place = |column: &Column| columns.iter().position(|shown| shown.name == column.name);
            order.iter().map(|(column, _)| place(column).map_or(Value::Null, |at| last[at].to_json())).collect()
        });
        let rows = self.expanded(&mut lease.session, tables, table, &request.look, &columns, found).await?;
        self.give_back(lease);
        Ok(Page { rows, next })
    }

    /// One row.
    pub(super) async fn one(&self, tables: &Tables, table: &str, key: &Cell, look: &Look) -> Result<Option<Row>> {
        let table = tables.get(table)?;
        let deleted = deleted_column();
        let columns = shown(table, look, &deleted);
        let mut sql = Sql::select(&self.database, table, &columns);
        sql.compare(table.key_column()?, " = ", key);
        if !look.with_deleted {
            sql.push(" AND ").live(table);
        }
        let query = sql.done();
        let mut lease = self.lease().await?;
        let found = lease.session.select(&query).await.map_err(Fault::into_error)?;
        let rows = self.expanded(&mut lease.session, tables, table, look, &columns, found).await?;
        self.give_back(lease);
        Ok(rows.into_iter().next())
    }

    /// Rows as JSON, with the rows that they refer to in the place of references that are to be expanded.
    async fn expanded(
        &self,
        session: &mut D::Session,
        tables: &Tables,
        table: &Table,
        look: &Look,
        columns: &[&Column],
        found: Vec<Vec<Cell>>,
    ) -> Result<Vec<Row>> {
        let mut rows: Vec<Row> = found.iter().map(|cells| as_row(columns, cells)).collect();
        for name in &look.expand {
            let column = table.known(name)?;
            let Some(reference) = &column.references else {
                return Err(usage(format!("`{name}` refers to nothing that could be expanded")));
            };
            let other = tables.get(&reference.table)?;
            let target = other.known(&reference.column)?;
            let at = columns.iter().position(|shown| shown.name == *name).unwrap_or_default();
            let wanted: HashMap<String, &Cell> =
                found.iter().filter_map(|cells| Some((cells[at].to_text()?.into_owned(), &cells[at]))).collect();
            if wanted.is_empty() {
                continue;
            }
            let others: Vec<&Column> = other.columns.iter().collect();
            // also what is deleted by now: the row refers to it
            let query = Sql::select(&self.database, other, &others).is_among(target, wanted.into_values()).done();
            let place = others.iter().position(|column| column.name == target.name).unwrap_or_default();
            let mut by_value = HashMap::new();
            for cells in session.select(&query).await.map_err(Fault::into_error)? {
                if let Some(value) = cells[place].to_text() {
                    by_value.insert(value.into_owned(), as_row(&others, &cells));
                }
            }
            for (row, cells) in rows.iter_mut().zip(&found) {
                let other = cells[at].to_text().and_then(|value| by_value.get(value.as_ref()));
                if let Some(other) = other {
                    row.insert(name.clone(), Value::Object(other.clone()));
                }
            }
        }
        Ok(rows)
    }
}

/// The column that tells when a row was deleted.
pub(super) fn deleted_column() -> Column {
    Column::new(DELETED_AT, Kind::Timestamp)
}

/// The columns of an answer.
fn shown<'t>(table: &'t Table, look: &Look, deleted: &'t Column) -> Vec<&'t Column> {
    let deleted = (look.with_deleted && table.soft_delete).then_some(deleted);
    table.columns.iter().chain(deleted).collect()
}

/// Values by the names of their columns.
pub(super) fn as_row(columns: &[&Column], cells: &[Cell]) -> Row {
    columns.iter().zip(cells).map(|(column, cell)| (column.name.clone(), cell.to_json())).collect()
}

/// The values of the last row of a page, as the page told them.
fn cells(order: &[(&Column, bool)], values: &[Value]) -> Result<Vec<Cell>> {
    let wrong = || usage("the place in the list is not one that a page of this list ended with");
    if values.len() != order.len() {
        return Err(wrong());
    }
    let pairs = order.iter().zip(values);
    pairs.map(|((column, _), value)| Cell::from_json(column.kind, value).map_err(|_| wrong())).collect()
}
