//! Which column a name means: as it is written if there is such a name, else the one that differs only in the case of its
//! letters. Names in double quotes mean just what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, Query, Select, SelectItem, Statement, TableAlias, TableFactor, Visit, Visitor,
};
use levada_core::error::Result;

use crate::parse::refusal;

/// The names that a statement can mean.
pub(crate) struct Names {
    exact: BTreeSet<String>,
    folded: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    /// The names of columns, and those that the statement itself gives.
    pub(crate) fn new(columns: impl Iterator<Item = String>, statement: &Statement) -> Self {
        let mut given = Given(columns.collect());
        let ControlFlow::Continue(()) = statement.visit(&mut given);
        let mut folded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for name in &given.0 {
            folded.entry(name.to_lowercase()).or_default().insert(name.clone());
        }
        Self { exact: given.0, folded }
    }

    /// Gives a name the case of what it means.
    ///
    /// # Errors
    /// `Config` where several names differ only in their case, and it is none of them.
    pub(crate) fn fold(&self, ident: &mut Ident) -> Result<()> {
        if ident.quote_style.is_some() || self.exact.contains(&ident.value) {
            return Ok(());
        }
        let Some(alike) = self.folded.get(&ident.value.to_lowercase()) else { return Ok(()) };
        let mut alike = alike.iter();
        match (alike.next(), alike.next()) {
            (Some(one), None) => {
                ident.value.clone_from(one);
                Ok(())
            }
            (Some(one), Some(other)) => {
                Err(refusal(ident.span.start, format!("`{}` may mean `{one}` and `{other}`", ident.value))
                    .advise("Write it in double quotes, in the case that is meant."))
            }
            _ => Ok(()),
        }
    }
}

struct Given(BTreeSet<String>);

impl Given {
    fn alias(&mut self, alias: Option<&TableAlias>) {
        let Some(alias) = alias else { return };
        self.0.insert(alias.name.value.clone());
        self.0.extend(alias.columns.iter().map(|column| column.name.value.clone()));
    }
}

impl Visitor for Given {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.alias(Some(&cte.alias));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.0.insert(alias.value.clone());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<Self::Break> {
        if name.0.len() > 1 {
            self.0.extend(name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.clone()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => self.alias(alias.as_ref()),
            TableFactor::NestedJoin { alias, .. } => self.alias(alias.as_ref()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
