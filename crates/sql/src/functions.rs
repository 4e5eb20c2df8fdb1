//! The functions that a query may call: those of DataFusion that are exact and bounded, and our own in place of others.
//! Nothing here tells of the machine, the clock or chance.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion::functions;
use datafusion::functions_aggregate;
use datafusion::functions_window;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use crate::{arithmetic, cast, masks, text, zone};

/// Scalar functions taken from DataFusion as they are.
const SCALAR: &[&str] = &[
    // choices
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "nvl",
    "ifnull",
    // numbers
    "abs",
    "acos",
    "asin",
    "atan",
    "atan2",
    "cbrt",
    "ceil",
    "cos",
    "degrees",
    "exp",
    "floor",
    "isnan",
    "ln",
    "log",
    "log10",
    "log2",
    "pi",
    "pow",
    "power",
    "radians",
    "round",
    "signum",
    "sin",
    "sqrt",
    "tan",
    "trunc",
    // texts
    "ascii",
    "bit_length",
    "btrim",
    "char_length",
    "character_length",
    "chr",
    "contains",
    "ends_with",
    "initcap",
    "left",
    "length",
    "lower",
    "ltrim",
    "octet_length",
    "position",
    "regexp_count",
    "regexp_like",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "translate",
    "trim",
    "upper",
    // days and instants
    "date_part",
    "date_trunc",
    "extract",
    "make_date",
    // digests
    "md5",
    "encode",
];

/// Aggregates, which are window functions too.
const AGGREGATE: &[&str] = &[
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "first_value",
    "last_value",
    "max",
    "mean",
    "min",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var",
    "var_pop",
    "var_samp",
];

const WINDOW: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];

/// Functions whose result is a rounded number by its nature: they may be given whole numbers and decimals.
pub(crate) const APPROXIMATE: &[&str] = &[
    "acos",
    "asin",
    "atan",
    "atan2",
    "cbrt",
    "cos",
    "degrees",
    "exp",
    "ln",
    "log",
    "log10",
    "log2",
    "pow",
    "power",
    "radians",
    "sin",
    "sqrt",
    "tan",
    "avg",
    "mean",
    "corr",
    "covar_pop",
    "covar_samp",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var",
    "var_pop",
    "var_samp",
];

/// Why a function that people will look for is not there, and what to do.
pub(crate) fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "now" | "current_date" | "current_timestamp" | "current_time" | "today" | "localtimestamp" | "localtime" => (
            "a query that is run again has to give the same",
            "Give the moment as a parameter: WHERE day >= CAST($since AS DATE).",
        ),
        "random" | "uuid" | "gen_random_uuid" => (
            "a query that is run again has to give the same",
            "Derive the value from columns, by sha256 or row_number.",
        ),
        "version" | "current_user" | "session_user" | "user" | "current_database" | "current_schema" => {
            ("it tells of the machine", "Leave it out.")
        }
        "median" | "percentile_cont" | "approx_percentile_cont" | "approx_median" | "approx_distinct" | "quantile" => (
            "its answer is not exact",
            "Order the rows by row_number() OVER (ORDER BY ..) and choose by it; count(DISTINCT ..) is exact.",
        ),
        "array_agg" | "unnest" | "make_array" | "struct" | "named_struct" | "map" => {
            ("a column holds no lists", "Use string_agg for texts.")
        }
        "to_timestamp"
        | "to_date"
        | "to_time"
        | "to_timestamp_millis"
        | "to_timestamp_micros"
        | "to_timestamp_nanos"
        | "to_timestamp_seconds" => ("it guesses", "Write CAST(text AS TIMESTAMP) or CAST(text AS DATE)."),
        "repeat" => ("its result has no bound", "Use lpad or rpad."),
        "grouping" => ("there are no grouping sets", "Write a UNION ALL of one SELECT per grouping."),
        _ => return None,
    })
}

/// All functions.
pub(crate) struct Catalogue {
    pub(crate) scalar: BTreeMap<String, Arc<ScalarUDF>>,
    pub(crate) aggregate: BTreeMap<String, Arc<AggregateUDF>>,
    pub(crate) window: BTreeMap<String, Arc<WindowUDF>>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let wanted = |list: &[&str], name: &str| list.contains(&name);
    let mut scalar = BTreeMap::new();
    for function in functions::all_default_functions() {
        let names = std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str));
        for name in names.filter(|name| wanted(SCALAR, name)) {
            scalar.insert(name.to_owned(), function.clone());
        }
    }
    for own in text::functions().into_iter().chain(masks::functions()) {
        scalar.insert(own.name().to_owned(), own);
    }
    let mut aggregate = BTreeMap::new();
    for function in functions_aggregate::all_default_aggregate_functions() {
        let names = std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str));
        for name in names.filter(|name| wanted(AGGREGATE, name)) {
            aggregate.insert(name.to_owned(), function.clone());
        }
    }
    let mut window = BTreeMap::new();
    for function in functions_window::all_default_window_functions() {
        let names = std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str));
        for name in names.filter(|name| wanted(WINDOW, name)) {
            window.insert(name.to_owned(), function.clone());
        }
    }
    Catalogue { scalar, aggregate, window }
});

/// The functions.
pub(crate) fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// Whether users may call it; the name is in lower case.
pub(crate) fn is_known(name: &str) -> bool {
    let known = catalogue();
    known.aggregate.contains_key(name)
        || known.window.contains_key(name)
        || (known.scalar.contains_key(name) && name != text::JOIN)
}

/// Every name that users may call.
pub(crate) fn names() -> Vec<&'static str> {
    let known = catalogue();
    let scalar = known.scalar.keys().filter(|name| *name != text::JOIN);
    scalar.chain(known.aggregate.keys()).chain(known.window.keys()).map(String::as_str).collect()
}

/// A scalar function by name, also those that only a rewritten statement can name.
pub(crate) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    let known = catalogue().scalar.get(name).cloned();
    known.or_else(|| arithmetic::named(name)).or_else(|| cast::named(name)).or_else(|| zone::named(name))
}
