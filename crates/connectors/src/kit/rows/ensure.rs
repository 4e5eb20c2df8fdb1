//! Tables that are made where they are missing, and compared where they are there.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{Column, DELETED_AT, Ensured, Kind, Table, Tables};
use levada_core::schema::{HAS_DEFAULT, type_name};

use super::Served;
use super::database::{Database, Existing, Fault, Session};

impl<D: Database> Served<D> {
    /// Makes missing tables and compares the others.
    pub(super) async fn make(&self, tables: &Tables) -> Result<Vec<Ensured>> {
        let mut lease = self.lease().await?;
        let missing = self.compared(&mut lease.session, tables).await?;
        if !missing.is_empty() {
            let statements = self.database.create(&missing, tables)?;
            let mut made = Ok(());
            for statement in &statements {
                made = lease.session.run(statement).await.map_err(Fault::into_error);
                if made.is_err() {
                    let _ = lease.session.run("ROLLBACK").await;
                    break;
                }
            }
            if let Err(error) = made {
                // another process may have made them at the same time
                if !self.compared(&mut lease.session, tables).await?.is_empty() {
                    return Err(error);
                }
            }
        }
        self.give_back(lease);
        let created = |table: &Table| missing.iter().any(|missing| missing.name == table.name);
        Ok(tables.0.values().map(|table| Ensured { table: table.name.clone(), created: created(table) }).collect())
    }

    /// The tables that are missing; the others fit.
    async fn compared<'t>(&self, session: &mut D::Session, tables: &'t Tables) -> Result<Vec<&'t Table>> {
        let mut missing = Vec::new();
        let mut differences = BTreeMap::new();
        for table in tables.0.values() {
            match self.database.describe(session, table).await? {
                None => missing.push(table),
                Some(existing) => {
                    let found = self.differences(table, &existing);
                    if !found.is_empty() {
                        differences.insert(table.shown(), found);
                    }
                }
            }
        }
        if differences.is_empty() {
            return Ok(missing);
        }
        let told: Vec<String> =
            differences.iter().map(|(table, found)| format!("the table `{table}`: {}", found.join(", "))).collect();
        Err(Error::new(ErrorKind::Schema, format!("tables do not fit their collections: {}", told.join("; "))).advise(
            "Change the collections, or the tables in the database's own client: what is there is never altered.",
        ))
    }

    fn differences(&self, table: &Table, existing: &Existing) -> Vec<String> {
        let mut found = Vec::new();
        let deleted = table.soft_delete.then(|| Column::new(DELETED_AT, Kind::Timestamp));
        for column in table.columns.iter().chain(&deleted) {
            let name = &column.name;
            let Some(field) = existing.fields.iter().find(|field| field.name() == name) else {
                found.push(format!("there is no column `{name}`"));
                continue;
            };
            if !self.database.fits(column.kind, field) {
                found.push(format!("`{name}` is {}, not {}", type_name(field), column.kind));
            }
            let is_key = *name == table.key;
            if column.required && !is_key && field.is_nullable() {
                found.push(format!("`{name}` may be null"));
            }
            if !column.required && !is_key && !field.is_nullable() {
                found.push(format!("`{name}` is never null, but not required"));
            }
            let is_unique = existing.unique.iter().any(|unique| unique.as_slice() == std::slice::from_ref(name));
            if (column.unique || is_key) && !is_unique {
                found.push(format!("`{name}` is not unique"));
            }
            if is_key && table.is_key_given && !field.metadata().contains_key(HAS_DEFAULT) {
                found.push(format!("the database gives no values of `{name}`"));
            }
        }
        for field in &existing.fields {
            let is_known =
                table.column(field.name()).is_some() || deleted.as_ref().is_some_and(|d| d.name == *field.name());
            if !is_known && !field.is_nullable() && !field.metadata().contains_key(HAS_DEFAULT) {
                found.push(format!("the column `{}` needs a value and is not in the collection", field.name()));
            }
        }
        found
    }
}
