//! The one place where statements for rows are put together: names come from the database's quoting function, values are
//! bound, and nothing else gets into the text.

use levada_core::error::Result;
use levada_core::rows::{Cell, Column, DELETED_AT, Filter, Kind, ListRequest, Operator, Sort, Table};

use super::database::{Database, Query};

/// A query under construction.
pub struct Sql<'d, D> {
    database: &'d D,
    query: Query,
}

impl<'d, D: Database> Sql<'d, D> {
    /// An empty one.
    pub fn new(database: &'d D) -> Self {
        Self { database, query: Query::default() }
    }

    /// `SELECT columns FROM table WHERE`; conditions are to follow.
    pub fn select(database: &'d D, table: &Table, columns: &[&Column]) -> Self {
        let mut sql = Self::new(database);
        sql.push("SELECT ");
        for (index, column) in columns.iter().enumerate() {
            let quoted = sql.database.quote(&column.name);
            let read = sql.database.read(&quoted, column.kind);
            sql.push(if index > 0 { ", " } else { "" }).push(&read);
            sql.query.columns.push(column.kind);
        }
        let table = sql.database.table(table);
        sql.push(" FROM ").push(&table).push(" AS r WHERE ");
        sql
    }

    /// Adds SQL that has no name and no value in it.
    pub fn push(&mut self, sql: &str) -> &mut Self {
        self.query.sql.push_str(sql);
        self
    }

    /// Adds a name.
    pub fn name(&mut self, name: &str) -> &mut Self {
        let quoted = self.database.quote(name);
        self.push(&quoted)
    }

    /// Adds a value.
    pub fn bind(&mut self, cell: &Cell, kind: Kind) -> &mut Self {
        self.query.params.push(cell.clone());
        let place = self.database.param(self.query.params.len(), kind);
        self.push(&place)
    }

    /// Adds the condition that rows are not deleted.
    pub fn live(&mut self, table: &Table) -> &mut Self {
        if table.soft_delete { self.name(DELETED_AT).push(" IS NULL") } else { self.push("1 = 1") }
    }

    /// Adds a comparison of a column with a value.
    pub fn compare(&mut self, column: &Column, operator: &str, cell: &Cell) -> &mut Self {
        let name = self.database.quote(&column.name);
        let left = self.database.compared(&name, column.kind);
        self.push(&left).push(operator);
        self.query.params.push(cell.clone());
        let place = self.database.param(self.query.params.len(), column.kind);
        let right = self.database.compared(&place, column.kind);
        self.push(&right)
    }

    /// Adds the condition that a column has one of some values.
    pub fn is_among<'c>(&mut self, column: &Column, cells: impl IntoIterator<Item = &'c Cell>) -> &mut Self {
        let name = self.database.quote(&column.name);
        let left = self.database.compared(&name, column.kind);
        self.push(&left).push(" IN (");
        let mut count = 0;
        for cell in cells {
            self.push(if count > 0 { ", " } else { "" });
            self.query.params.push(cell.clone());
            let place = self.database.param(self.query.params.len(), column.kind);
            let right = self.database.compared(&place, column.kind);
            self.push(&right);
            count += 1;
        }
        // no database takes an empty list
        self.push(if count == 0 { "NULL)" } else { ")" })
    }

    /// Adds a filter.
    pub fn filter(&mut self, table: &Table, filter: &Filter) -> Result<&mut Self> {
        let column = table.known(&filter.column)?;
        let value = filter.values.first().unwrap_or(&Cell::Null);
        Ok(match filter.operator {
            Operator::Eq => self.compare(column, " = ", value),
            Operator::Lt => self.compare(column, " < ", value),
            Operator::Le => self.compare(column, " <= ", value),
            Operator::Gt => self.compare(column, " > ", value),
            Operator::Ge => self.compare(column, " >= ", value),
            Operator::Ne => {
                self.push("(").compare(column, " <> ", value).push(" OR ").name(&column.name).push(" IS NULL)")
            }
            Operator::In => self.is_among(column, &filter.values),
            Operator::IsNull => {
                let is_null = if *value == Cell::Boolean(false) { " IS NOT NULL" } else { " IS NULL" };
                self.name(&column.name).push(is_null)
            }
            Operator::StartsWith => {
                let length = value.to_text().map_or(0, |text| text.chars().count());
                let length = format!(", 1, {length}) = ");
                self.push("substr(").name(&column.name).push(&length).bind(value, column.kind)
            }
        })
    }

    /// Adds the condition that a row comes after another one in an order.
    pub fn after(&mut self, order: &[(&Column, bool)], last: &[Cell]) -> &mut Self {
        self.push("(");
        for (index, ((column, descending), value)) in order.iter().zip(last).enumerate() {
            // nothing comes after what has no value, as that is last
            if value.is_null() {
                self.push(if index == 0 { "1 = 0" } else { " OR 1 = 0" });
                continue;
            }
            self.push(if index == 0 { "" } else { " OR " }).push("(");
            for ((before, _), value) in order.iter().zip(last).take(index) {
                match value.is_null() {
                    true => self.name(&before.name).push(" IS NULL"),
                    false => self.compare(before, " = ", value),
                };
                self.push(" AND ");
            }
            let greater = if *descending { " < " } else { " > " };
            match column.required {
                true => self.compare(column, greater, value),
                false => {
                    self.push("(").compare(column, greater, value).push(" OR ").name(&column.name).push(" IS NULL)")
                }
            };
            self.push(")");
        }
        self.push(")")
    }

    /// Adds an order: rows without a value come last.
    pub fn order(&mut self, order: &[(&Column, bool)]) -> &mut Self {
        self.push(" ORDER BY ");
        for (index, (column, descending)) in order.iter().enumerate() {
            self.push(if index > 0 { ", " } else { "" });
            // without the table in front it would be the column of the answer, which is a text in some databases
            let name = format!("r.{}", self.database.quote(&column.name));
            if !column.required {
                self.push("CASE WHEN ").push(&name).push(" IS NULL THEN 1 ELSE 0 END, ");
            }
            let value = self.database.compared(&name, column.kind);
            self.push(&value).push(if *descending { " DESC" } else { "" });
        }
        self
    }

    /// Adds a limit.
    pub fn limit(&mut self, rows: usize) -> &mut Self {
        self.push(&format!(" LIMIT {rows}"))
    }

    /// Keeps others from changing the rows that are found, or from looking at them to change them.
    pub fn locked(&mut self, to_change: bool) -> &mut Self {
        let words = self.database.words();
        self.push(if to_change { words.for_update } else { words.for_share })
    }

    /// The query.
    pub fn done(&mut self) -> Query {
        std::mem::take(&mut self.query)
    }
}

/// The columns of an order, with the key last, and whether each is descending.
pub fn order_of<'t>(table: &'t Table, request: &ListRequest) -> Result<Vec<(&'t Column, bool)>> {
    let mut order: Vec<(&Column, bool)> = Vec::new();
    for Sort { column, descending } in &request.sort {
        let column = table.known(column)?;
        if !column.kind.is_ordered() {
            return Err(super::usage(format!("rows cannot be sorted by `{}`, which is JSON", column.name)));
        }
        if order.iter().all(|(known, _)| known.name != column.name) {
            order.push((column, *descending));
        }
    }
    let key = table.key_column()?;
    if order.iter().all(|(known, _)| known.name != key.name) {
        order.push((key, false));
    }
    Ok(order)
}
