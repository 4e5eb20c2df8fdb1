//! SQLite's result codes as Levada's errors.

use levada_core::error::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The one translation of what SQLite answers.
pub fn of(error: rusqlite::Error) -> Error {
    let message = match &error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    let new = |kind| Error::new(kind, message.clone());
    if message.starts_with("no such table") || message.starts_with("no such column") {
        return new(ErrorKind::NotFound);
    }
    if error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_READONLY_DBMOVED) {
        return Error::new(ErrorKind::Busy, "another process has taken the SQLite file away");
    }
    let Some(code) = error.sqlite_error_code() else { return new(ErrorKind::Internal) };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            Error::new(ErrorKind::Busy, "another process holds the write lock of the SQLite file")
        }
        ErrorCode::DiskFull => Error::new(ErrorKind::Full, "the disk is full, or the SQLite file at its largest size"),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            new(ErrorKind::Permission).advise("Let the user of this process write to the file and to its folder.")
        }
        ErrorCode::CannotOpen => new(ErrorKind::NotFound)
            .advise("Check that the folder exists, and that the file may be read and the folder written."),
        ErrorCode::NotADatabase => Error::new(ErrorKind::Config, "the file is not a SQLite database")
            .advise("Check `path`; encrypted databases can not be read."),
        ErrorCode::DatabaseCorrupt => Error::new(ErrorKind::Data, format!("the SQLite file is damaged: {message}"))
            .advise("Run `PRAGMA integrity_check` and recover the file first."),
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => new(ErrorKind::Data),
        ErrorCode::SystemIoFailure => new(ErrorKind::Io),
        ErrorCode::OperationInterrupted => new(ErrorKind::Interrupted),
        ErrorCode::OutOfMemory => new(ErrorKind::Full).advise("Free some memory."),
        _ => new(ErrorKind::Internal),
    }
}

/// Whether an error concerns the row at hand and not the connection or the file.
pub fn is_row(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}
