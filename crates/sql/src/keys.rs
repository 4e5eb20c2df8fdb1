//! Keys of functions that hide values. A statement has only their names: no plan, error or log can tell what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Spanned, Value,
    ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use levada_core::error::{Error, Result};
use levada_core::secret::Secret;

use crate::masks::Mask;
use crate::parse::refusal;

/// Stands before the name of a function whose key is the name of one; users cannot write it.
const PREFIX: &str = "BY KEY ";

/// Keys by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys(BTreeMap<String, Secret>);

impl Hash for Keys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.keys().for_each(|name| name.hash(state));
    }
}

impl From<BTreeMap<String, Secret>> for Keys {
    fn from(keys: BTreeMap<String, Secret>) -> Self {
        Self(keys)
    }
}

impl Keys {
    pub(crate) fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// The names.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }
}

/// The function of a name that [`bind`] wrote.
pub(crate) fn named(name: &str, keys: &Arc<Keys>) -> Option<Arc<ScalarUDF>> {
    let mask = mask(name.strip_prefix(PREFIX)?)?;
    Some(Arc::new(mask.function(Some(keys.clone()))))
}

fn mask(word: &str) -> Option<Mask> {
    Mask::ALL.into_iter().find(|mask| mask.name().eq_ignore_ascii_case(word))
}

/// Lets calls name the keys that they use.
///
/// # Errors
/// `Config` for a key that is not among `known`, and for a parameter anywhere else.
pub(crate) fn bind(expr: &mut Expr, known: &BTreeSet<String>) -> Result<()> {
    if let ControlFlow::Break(error) = VisitMut::visit(expr, &mut Bind { known }) {
        return Err(*error);
    }
    match Visit::visit(expr, &mut Elsewhere) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Bind<'a> {
    known: &'a BTreeSet<String>,
}

impl VisitorMut for Bind<'_> {
    type Break = Box<Error>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        match self.call(call) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

impl Bind<'_> {
    fn call(&self, call: &mut Function) -> Result<()> {
        let [ObjectNamePart::Identifier(word)] = call.name.0.as_slice() else { return Ok(()) };
        let Some((mask, at)) = mask(&word.value).and_then(|mask| Some((mask, mask.key_at()?))) else { return Ok(()) };
        let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
        let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ValueWithSpan { value, span })))) =
            list.args.get_mut(at)
        else {
            return Ok(());
        };
        let Value::Placeholder(name) = value else { return Ok(()) };
        let name = name.trim_start_matches('$').to_owned();
        if !self.known.contains(&name) {
            return Err(refusal(span.start, format!("there is no key `{name}`"))
                .advise(format!("Add `keys: {{ {name}: \"${{secret:..}}\" }}` to the sync.")));
        }
        *value = Value::SingleQuotedString(name);
        call.name = ObjectName::from(Ident::with_quote('"', format!("{PREFIX}{}", mask.name())));
        Ok(())
    }
}

/// Finds parameters that are no keys.
struct Elsewhere;

impl Visitor for Elsewhere {
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) = expr else {
            return ControlFlow::Continue(());
        };
        let what = format!("`{name}` can only be the key of {}", keyed().join(", "));
        let advice = "A key must not get into a column; write other values themselves, or use a `sql` task.";
        ControlFlow::Break(Box::new(refusal(expr.span().start, what).advise(advice)))
    }
}

fn keyed() -> Vec<&'static str> {
    Mask::ALL.into_iter().filter(|mask| mask.key_at().is_some()).map(Mask::name).collect()
}
