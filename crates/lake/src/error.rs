//! What errors of stores, of the table format and of the query engine mean.

use std::error::Error as StdError;

use deltalake::datafusion::error::DataFusionError;
use deltalake::kernel::transaction::TransactionError;
use deltalake::{DeltaTableError, ObjectStoreError};
use levada_core::error::{Error, ErrorKind};

/// Of the table format.
pub fn delta(error: impl Into<DeltaTableError>) -> Error {
    let error = error.into();
    match &error {
        DeltaTableError::NotATable(_) => {
            Error::new(ErrorKind::NotFound, "there is no table").advise("List what there is.")
        }
        DeltaTableError::Transaction { source: TransactionError::UnsupportedTableFeatures(features) } => Error::new(
            ErrorKind::Unsupported,
            format!("the table needs features that are not known here: {features:?}"),
        ),
        DeltaTableError::Transaction { source: TransactionError::DeltaTableAppendOnly } => {
            Error::new(ErrorKind::Refused, "the table says that its rows are never removed (`delta.appendOnly`)")
                .advise("Append, or lift that property by hand.")
        }
        _ => of(&error),
    }
}

/// Of the query engine.
pub fn query(error: DataFusionError) -> Error {
    of(&error)
}

/// Of a store of objects.
pub fn store(error: ObjectStoreError) -> Error {
    of(&error)
}

/// Of columns in memory.
pub fn arrow(error: arrow_schema::ArrowError) -> Error {
    of(&error)
}

/// The innermost error that is known says what it was.
fn of(error: &(dyn StdError + 'static)) -> Error {
    let mut kind = None;
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    let mut last = error.to_string();
    while let Some(error) = next {
        last = error.to_string();
        kind = kind_of(error).or(kind);
        next = error.source();
    }
    let kind = kind.unwrap_or(ErrorKind::Data);
    let message = last.lines().next().unwrap_or_default().trim().to_owned();
    let error = Error::new(kind, message);
    match kind {
        ErrorKind::Full => error.advise("Give the connection more `memory_mb`, or free some space."),
        ErrorKind::Busy => error.advise("Run again: nothing was committed."),
        ErrorKind::Data => error.advise("Look at the table with another tool: its log or a file may be damaged."),
        _ => error,
    }
}

fn kind_of(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return Some(Error::from(std::io::Error::from(error.kind())).kind());
    }
    if let Some(DataFusionError::ResourcesExhausted(_)) = error.downcast_ref::<DataFusionError>() {
        return Some(ErrorKind::Full);
    }
    match error.downcast_ref::<ObjectStoreError>()? {
        ObjectStoreError::NotFound { .. } => Some(ErrorKind::NotFound),
        ObjectStoreError::Unauthenticated { .. } => Some(ErrorKind::Auth),
        ObjectStoreError::PermissionDenied { .. } => Some(ErrorKind::Permission),
        ObjectStoreError::AlreadyExists { .. } | ObjectStoreError::Precondition { .. } => Some(ErrorKind::Busy),
        ObjectStoreError::Generic { .. } => Some(ErrorKind::Connect),
        _ => None,
    }
}
