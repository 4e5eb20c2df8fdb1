//! Errors on their way through DataFusion and back: ours keep their kind, place and advice; its own become sentences.

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::Location;
use levada_core::error::{Error, ErrorKind};

use crate::parse::refusal;

/// One of our errors inside of one of DataFusion's.
pub(crate) fn wrap(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// An error of kind `Full`.
pub(crate) fn full(message: String, advice: &str) -> DataFusionError {
    wrap(Error::new(ErrorKind::Full, message).advise(advice))
}

/// An error of kind `Config`.
pub(crate) fn config(message: impl Into<String>, advice: impl Into<String>) -> DataFusionError {
    wrap(Error::new(ErrorKind::Config, message).advise(advice))
}

/// What a failed plan or execution means to the person who wrote the query.
pub(crate) fn told(error: &DataFusionError, memory_bytes: usize) -> Error {
    if let Some(own) = ours(error) {
        return own;
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(message) => exhausted(message, memory_bytes),
        DataFusionError::IoError(error) => Error::from(std::io::Error::new(error.kind(), error.to_string())),
        DataFusionError::SchemaError(inner, _) => wrong(place(error), &inner.to_string()),
        DataFusionError::ArrowError(error, _) => arrow(error),
        DataFusionError::Plan(message) | DataFusionError::SQL(_, Some(message)) => wrong(place(error), message),
        DataFusionError::NotImplemented(message) => {
            Error::new(ErrorKind::Unsupported, first_line(message)).advise("Write the query in another way.")
        }
        DataFusionError::Execution(message) => {
            Error::new(ErrorKind::Data, first_line(message)).advise("Correct the query, or the values that it meets.")
        }
        DataFusionError::Diagnostic(_, inner) => told(inner, memory_bytes),
        other => Error::new(ErrorKind::Internal, first_line(&other.strip_backtrace())),
    }
}

fn wrong(at: Location, message: &str) -> Error {
    refusal(at, format!("the query cannot be planned: {}", first_line(message))).advise("Correct the query.")
}

/// Where in the text, if that is known.
fn place(error: &DataFusionError) -> Location {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => match &diagnostic.span {
            Some(span) => Location { line: span.start.line, column: span.start.column },
            None => place(inner),
        },
        DataFusionError::Context(_, inner) => place(inner),
        DataFusionError::Shared(inner) => place(inner),
        DataFusionError::Collection(all) => all.first().map_or_else(Location::empty, place),
        _ => Location::empty(),
    }
}

fn arrow(error: &arrow_schema::ArrowError) -> Error {
    use arrow_schema::ArrowError as A;
    match error {
        A::ArithmeticOverflow(message) => Error::new(ErrorKind::Data, format!("a number is too large: {message}"))
            .advise("CAST one side to a wider type before, for instance DECIMAL(38,0) or DECIMAL(76,10)."),
        A::DivideByZero => Error::new(ErrorKind::Data, "a number is divided by zero")
            .advise("Divide by NULLIF(x, 0), which gives NULL, or leave such rows out."),
        A::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => told(inner, 0),
            None => Error::new(ErrorKind::Internal, inner.to_string()),
        },
        // what is spilled is written by Arrow, which hands on the limit as an error of I/O
        A::IoError(message, _) if message.contains("max_temp_directory_size") => exhausted(message, 0),
        A::MemoryError(message) => Error::new(ErrorKind::Full, message.clone()).advise("Give the task more `memory`."),
        other => Error::new(ErrorKind::Data, first_line(&other.to_string()))
            .advise("Correct the query, or the values that it meets."),
    }
}

fn exhausted(message: &str, memory_bytes: usize) -> Error {
    let disk = message.contains("disk");
    let what = if disk {
        "what the query spilled to disk is over its limit".to_owned()
    } else {
        format!("the query needs more than its {} MiB of memory", memory_bytes >> 20)
    };
    Error::new(ErrorKind::Full, what)
        .advise("Give it more `memory`, or let it join and sort less at once: filter earlier, read fewer columns.")
}

/// One of our own errors, wherever it is within; it cannot be moved out of what is shared.
fn ours(error: &DataFusionError) -> Option<Error> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(own) = inner.downcast_ref::<Error>() {
            return Some(copy(own));
        }
        source = match inner.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(boxed)) => Some(boxed.as_ref()),
            Some(DataFusionError::Shared(shared)) => Some(shared.as_ref()),
            Some(DataFusionError::Context(_, boxed) | DataFusionError::Diagnostic(_, boxed)) => Some(boxed.as_ref()),
            Some(DataFusionError::ArrowError(boxed, _)) => Some(boxed.as_ref()),
            Some(DataFusionError::Collection(all)) => return all.iter().find_map(ours),
            Some(_) => None,
            None => match inner.downcast_ref::<arrow_schema::ArrowError>() {
                Some(arrow_schema::ArrowError::ExternalError(boxed)) => Some(boxed.as_ref()),
                _ => inner.source(),
            },
        };
    }
    None
}

/// The same error again.
pub(crate) fn copy(error: &Error) -> Error {
    let copied = Error::new(error.kind(), error.message()).advise(error.advice());
    error.place().iter().rev().fold(copied, |copied, place| copied.at(place.clone()))
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(500).collect()
}
