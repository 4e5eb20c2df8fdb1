//! SQL over streams of several connections, executed in this process: what a query may say, what its values mean, and the
//! query as a source. The only crate that names DataFusion; its public surface is one type.

mod arithmetic;
mod cast;
mod confine;
mod exact;
mod fault;
mod functions;
mod lineage;
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
mod stack;
mod table;
mod text;
mod types;
mod zone;

use std::sync::Arc;

use levada_core::error::Result;
use levada_core::query::{Outline, Query, QueryEngine};
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

    fn source(&self, query: Query) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(query::QuerySource::new(query)?))
    }
}
