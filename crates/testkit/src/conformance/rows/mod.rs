//! What every connection that serves tables must do.

pub mod attacks;
pub mod changes;
pub mod deletes;
pub mod lists;
pub mod reports;
pub mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use levada_core::rows::{
    Action, Batch, Cell, Change, Column, Effect, Kind, ListRequest, Look, Mode, OnDelete, Outcome, Page, Reason,
    Reference, Row, Rows, Table, Tables, Written,
};
use serde_json::Value;

use super::Harness;

/// One test of each function of the suite.
#[macro_export]
macro_rules! rows_suite {
    ($harness:expr) => {
        mod lists {
            use super::*;
            $crate::conformance_tests!(
                rows_lists,
                $harness,
                [
                    every_type_comes_back,
                    pages_hold_every_row_once_in_order,
                    filters_find_what_they_say,
                    references_are_expanded,
                ]
            );
        }
        mod changes {
            use super::*;
            $crate::conformance_tests!(
                rows_changes,
                $harness,
                [
                    keys_belong_to_their_rows,
                    every_refused_row_is_named_and_the_others_are_kept_or_not,
                    rows_that_are_known_by_a_unique_column_are_changed,
                    two_writers_of_the_same_rows_agree,
                    keys_that_are_given_never_come_again,
                    a_row_is_changed_only_as_it_was_read,
                    streams_are_all_or_nothing_or_row_by_row,
                ]
            );
        }
        mod deletes {
            use super::*;
            $crate::conformance_tests!(
                rows_deletes,
                $harness,
                [
                    a_deleted_row_does_not_keep_its_unique_values,
                    rows_that_are_referred_to_stay_or_go_together,
                    nothing_refers_to_a_deleted_row,
                    rows_are_removed_for_good,
                ]
            );
        }
        mod tables {
            use super::*;
            $crate::conformance_tests!(
                rows_tables,
                $harness,
                [
                    tables_are_made_once_and_fit_afterwards,
                    every_difference_is_told_and_nothing_altered,
                    several_make_the_same_tables_at_once,
                ]
            );
        }
        mod attacks {
            use super::*;
            $crate::conformance_tests!(rows_attacks, $harness, [odd_names_are_only_names, odd_values_are_only_values]);
        }
        mod reports {
            use super::*;
            $crate::conformance_tests!(
                rows_reports,
                $harness,
                [parameters_are_bound, reports_change_nothing, answers_are_whole_or_refused,]
            );
        }
    };
}

/// A place with tables that are made.
struct Place {
    rows: Arc<dyn Rows>,
    tables: Tables,
}

impl Place {
    async fn new(harness: &dyn Harness, tables: impl IntoIterator<Item = Table>) -> Self {
        let tables = Tables(tables.into_iter().map(|table| (table.name.clone(), table)).collect::<BTreeMap<_, _>>());
        let place = Self { rows: harness.connection().rows().unwrap(), tables };
        place.rows.ensure(&place.tables).await.unwrap_or_else(|error| panic!("{error}"));
        place
    }

    /// Another one that leads to the same tables.
    fn again(&self, harness: &dyn Harness) -> Self {
        Self { rows: harness.connection().rows().unwrap(), tables: self.tables.clone() }
    }

    async fn write(&self, table: &str, action: Action, mode: Mode, rows: Vec<Value>) -> Written {
        let changes = rows.into_iter().map(|value| Change::from(row(value))).collect();
        let batch = Batch { action, mode, changes };
        self.rows.write(&self.tables, table, batch).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes rows of which none is refused; gives their keys.
    async fn written(&self, table: &str, action: Action, rows: Vec<Value>) -> Vec<Value> {
        let written = self.write(table, action, Mode::All, rows).await;
        assert!(written.committed, "{written:?}");
        written
            .outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Outcome::Done { key, .. } => key,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    async fn insert(&self, table: &str, rows: Vec<Value>) -> Vec<Value> {
        self.written(table, Action::Insert, rows).await
    }

    /// What one row is refused for: the column and the reason.
    async fn refused(&self, table: &str, action: Action, value: Value) -> (Option<String>, Reason) {
        let written = self.write(table, action, Mode::All, vec![value]).await;
        assert!(!written.committed, "{written:?}");
        match &written.outcomes[0] {
            Outcome::Failed(errors) => (errors[0].column.clone(), errors[0].reason),
            other => panic!("{other:?}"),
        }
    }

    async fn page(&self, table: &str, request: &ListRequest) -> Page {
        self.rows.list(&self.tables, table, request).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Values of a column of all rows that are there, by the key.
    async fn all(&self, table: &str, column: &str) -> Vec<Value> {
        let page = self.page(table, &ListRequest { limit: 100_000, ..ListRequest::default() }).await;
        page.rows.into_iter().map(|mut row| row.remove(column).unwrap()).collect()
    }

    async fn get(&self, table: &str, key: &Value) -> Option<Row> {
        self.look(table, key, &Look::default()).await
    }

    async fn look(&self, table: &str, key: &Value, look: &Look) -> Option<Row> {
        let kind = self.tables.get(table).unwrap().key_column().unwrap().kind;
        let key = Cell::from_json(kind, key).unwrap();
        self.rows.get(&self.tables, table, &key, look).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        other => panic!("{other} is no row"),
    }
}

/// A table with the key `id`, which the database gives.
fn table(name: &str, columns: impl IntoIterator<Item = Column>) -> Table {
    let mut id = Column::new("id", Kind::Bigint);
    id.required = true;
    Table {
        name: name.to_owned(),
        namespace: None,
        table: name.to_owned(),
        columns: std::iter::once(id).chain(columns).collect(),
        key: "id".to_owned(),
        is_key_given: true,
        soft_delete: true,
    }
}

fn required(name: &str, kind: Kind) -> Column {
    Column { required: true, ..Column::new(name, kind) }
}

fn unique(name: &str) -> Column {
    Column { unique: true, ..required(name, Kind::Text) }
}

fn referring(name: &str, table: &str, on_delete: OnDelete) -> Column {
    let references = Some(Reference { table: table.to_owned(), column: "id".to_owned(), on_delete });
    Column { references, ..Column::new(name, Kind::Bigint) }
}

fn effects(written: &Written) -> Vec<Option<Effect>> {
    let effect = |outcome: &Outcome| match outcome {
        Outcome::Done { effect, .. } => Some(*effect),
        _ => None,
    };
    written.outcomes.iter().map(effect).collect()
}
