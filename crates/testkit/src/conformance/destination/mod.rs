//! The contract of [`levada_core::destination`], one file for each write mode and one each for what holds in all of them:
//! data and state are one act, a load that did not commit leaves nothing, and every row is accounted for.

mod append;
mod commits;
mod merge;
mod refusals;
mod replace;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

pub use append::*;
pub use commits::*;
pub use merge::*;
pub use refusals::*;
pub use replace::*;

use super::people;

/// Makes one test of every function of this suite; the expression is a future of a [`Harness`].
#[macro_export]
macro_rules! destination_suite {
    ($harness:expr) => {
        $crate::conformance_tests!(
            destination,
            $harness,
            [
                a_new_target_without_rows_exists,
                a_new_target_gets_one_batch,
                a_new_target_gets_many_batches_from_many_writers,
                state_is_stored_listed_and_forgotten,
                rejects_are_read_back,
                rejects_leave_the_quarantine_as_they_are_loaded,
                a_stale_previous_is_refused_and_changes_nothing,
                an_aborted_load_leaves_nothing,
                a_dropped_load_is_cleaned_by_the_next,
                a_second_replace_leaves_just_its_rows,
                an_interrupted_replace_leaves_the_first,
                an_append_adds,
                a_merge_inserts_updates_and_supersedes,
                a_merge_follows_the_order_column,
                a_merge_by_two_columns,
                evolve_adds_a_column,
                evolve_fills_a_missing_column_with_null,
                evolve_widens_a_column,
                evolve_lifts_not_null,
                freeze_refuses_a_new_column,
                ignore_new_leaves_a_new_column_out,
                refused_rows_go_into_the_quarantine,
                a_refused_row_fails_the_load_and_changes_nothing,
                replace_keeps_a_view,
                odd_names_are_kept_apart,
                a_live_load_holds_its_stream,
                two_streams_load_at_once,
            ]
        );
    };
}

fn with_column(name: &str, data_type: DataType) -> SchemaRef {
    let mut fields: Vec<_> = people().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new(name, data_type, true));
    Arc::new(Schema::new(fields))
}
