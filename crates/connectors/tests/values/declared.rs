//! The outcomes that are not "the same value", each with its reason.

/// What becomes of a value in a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stays what it is.
    Same,
    /// It reads back as this text.
    Becomes(&'static str),
    /// It is the system's negative zero, which its server was asked for.
    AsTold,
    /// Its row is in the quarantine.
    Rejected,
    /// The whole column is refused by the plan; asked for with an empty value.
    Refused,
}

/// The outcome of one value of a column of the table.
pub fn of(system: &str, column: &str, value: &str) -> Outcome {
    match (system, column, value) {
        // A column of REAL affinity keeps whole numbers as integers, which have no negative zero.
        ("sqlite", "float32" | "float64", "-0") => Outcome::Becomes("0"),
        // MariaDB's FLOAT and DOUBLE have neither NaN nor infinities. What its text `-0` is depends on its version.
        ("mysql", "float32" | "float64", "NaN" | "Infinity" | "-Infinity") => Outcome::Rejected,
        ("mysql", "float32" | "float64", "-0") => Outcome::AsTold,
        _ => Outcome::Same,
    }
}
