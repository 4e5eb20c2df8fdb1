//! SQL over streams of several connections, executed in this process: what a query may say, what its values mean, and the
//! query as a source. The only crate that names DataFusion; its public surface is one type.

mod arithmetic;
mod cast;
mod computed;
mod confine;
mod exact;
mod fakes;
mod fault;
mod functions;
mod keys;
mod lineage;
mod masks;
mod meaning;
mod memory;
mod names;
mod origin;
mod output;
mod parse;
mod plan;
mod pushdown;
mod query;
mod rewrite;
mod row;
mod stack;
mod table;
mod text;
mod types;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use levada_core::error::{Error, Result};
use levada_core::query::{Outline, Query, QueryEngine};
use levada_core::secret::Secret;
use levada_core::source::Source;

/// Executes SQL by DataFusion, within the bounds of ADR 7.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sql;

impl Sql {
    /// The engine; it keeps nothing between queries.
    pub fn new() -> Self {
        Self
    }
}

impl QueryEngine for Sql {
    fn check(&self, sql: &str) -> Result<Outline> {
        stack::deep(|| parse::statement(sql).map(|parsed| parsed.outline))
    }

    fn check_columns(&self, columns: &BTreeMap<String, String>, keys: &BTreeSet<String>) -> Vec<(String, Error)> {
        let wrong = |(name, text): (&String, &String)| {
            stack::deep(|| parse::expression(text, keys).map(drop)).err().map(|error| (name.clone(), error))
        };
        columns.iter().filter_map(wrong).collect()
    }

    fn computed(
        &self,
        source: Arc<dyn Source>,
        columns: BTreeMap<String, String>,
        keys: BTreeMap<String, Secret>,
    ) -> Arc<dyn Source> {
        Arc::new(computed::Computed::new(source, columns, keys))
    }

    fn source(&self, query: Query) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(query::QuerySource::new(query)?))
    }
}
