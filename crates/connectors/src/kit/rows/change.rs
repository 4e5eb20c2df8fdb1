//! What is done with rows of a batch in the database: inserts, changes, and what has to hold before either.

use std::collections::{BTreeMap, HashMap, HashSet};

use levada_core::rows::{self, Cell, CheckedRow, Column, Effect, Kind, Reason, RowError, etag};

use super::PARAMS_MAX;
use super::database::{Database, Fault, Insert, Session};
use super::list::as_row;
use super::sql::Sql;
use super::write::{Done, Job, Numbered, Setback, Step};

/// Values of one list in a query.
const LIST_MAX: usize = 1_000;

impl<D: Database> Job<'_, D> {
    /// Inserts rows; those that bring a key come first.
    pub(super) async fn insert(&self, session: &mut D::Session, rows: Vec<Numbered>) -> Result<Vec<Done>, Setback> {
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
            let columns: Vec<(String, Kind)> = self
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

    /// Changes rows that are known by a column, and inserts the others.
    pub(super) async fn upsert(
        &self,
        session: &mut D::Session,
        by: &str,
        steps: &[&Step],
    ) -> Result<Vec<Done>, Setback> {
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

    /// Changes rows that are known by their key.
    pub(super) async fn update(&self, session: &mut D::Session, steps: &[&Step]) -> Result<Vec<Done>, Setback> {
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
                Some(tag) if step.if_match.as_ref().is_some_and(|wanted| !wanted.contains(tag)) => RowError {
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
