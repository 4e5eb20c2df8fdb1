//! Conditions that a source may use to leave out rows. They are a help and no promise: who asks looks at the rows again, so a
//! source that does not understand one, or whose own comparison also takes other values, gives more rows and never fewer.

/// What the wanted rows have in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The column, by its name at the source.
    pub column: String,
    /// What is true of its value.
    pub test: Test,
}

/// A test of a value. Values are canonical texts ([`crate::text`]) of the column's type; days and times are of years 1 to 9999.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is NULL.
    IsNull,
    /// It is not NULL.
    IsNotNull,
    /// It compares so with this value, in the order of the type.
    Compare(Comparison, String),
    /// It is one of these.
    OneOf(Vec<String>),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Comparison {
    /// The operator of SQL.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

impl Test {
    /// The test as SQL: `column` is written as it is, and `value` gives the SQL of a value, or nothing for one that the
    /// system compares in another way. `None` where that makes the test useless. Whether texts have the order of the
    /// canonical ones only the system knows, so `value` is told the comparison.
    pub fn sql(&self, column: &str, value: impl Fn(Comparison, &str) -> Option<String>) -> Option<String> {
        Some(match self {
            Self::IsNull => format!("{column} IS NULL"),
            Self::IsNotNull => format!("{column} IS NOT NULL"),
            Self::Compare(comparison, bound) => format!("{column} {} {}", comparison.sql(), value(*comparison, bound)?),
            Self::OneOf(values) => {
                let values: Option<Vec<String>> = values.iter().map(|one| value(Comparison::Eq, one)).collect();
                format!("{column} IN ({})", values?.join(", "))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_that_has_no_sql_makes_the_whole_test_useless() {
        let number = |_, text: &str| text.parse::<i64>().ok().map(|n| n.to_string());
        let of = |values: &[&str]| Test::OneOf(values.iter().map(|v| (*v).to_owned()).collect()).sql("c", number);
        assert_eq!(of(&["1", "-2"]).as_deref(), Some("c IN (1, -2)"));
        assert_eq!(of(&["1", "x"]), None);
        assert_eq!(Test::Compare(Comparison::Ge, "7".into()).sql("c", number).as_deref(), Some("c >= 7"));
        assert_eq!(Test::Compare(Comparison::Ge, "x".into()).sql("c", number), None);
        assert_eq!(Test::IsNull.sql("c", number).as_deref(), Some("c IS NULL"));
    }
}
