//! What an error of the driver or the server means: the one place where SQLSTATE codes become kinds of errors.

use std::error::Error as _;

use levada_core::error::{Error, ErrorKind};
use tokio_postgres::error::DbError;

/// Translates an error of the driver.
pub fn translate(error: &tokio_postgres::Error) -> Error {
    if let Some(db) = error.as_db_error() {
        return from_server(db);
    }
    if error.is_closed() {
        return lost();
    }
    let mut detail = error.to_string();
    let mut io = None;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<std::io::Error>() {
            io = Some(cause.kind());
        }
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    let text = detail.to_lowercase();
    if text.contains("password missing") {
        return Error::new(ErrorKind::Auth, "the server asks for a password and none is set")
            .advise("Set `password` in the connection.");
    }
    if text.contains("tls") || text.contains("certificate") {
        return tls(&detail);
    }
    match io {
        Some(std::io::ErrorKind::InvalidData) => tls(&detail),
        Some(_) => Error::new(ErrorKind::Connect, detail),
        None if text.contains("connect") || text.contains("timeout") => Error::new(ErrorKind::Connect, detail),
        None => Error::new(ErrorKind::Internal, detail),
    }
}

fn tls(detail: &str) -> Error {
    Error::new(ErrorKind::Tls, detail).advise(
        "Set `tls_ca` to the file of the authority that signed the server's certificate, or choose `tls: require` \
         (encrypted, server not verified) or `tls: disable`.",
    )
}

/// The connection broke while it was used.
pub fn lost() -> Error {
    Error::new(ErrorKind::Connect, "the connection to the server was lost")
        .advise("Nothing was committed; run again, and look into the server's log if it happens again.")
}

/// What a SQLSTATE means; see appendix A of the PostgreSQL manual.
pub fn kind(code: &str) -> ErrorKind {
    match code {
        "42501" => ErrorKind::Permission,
        "25006" => ErrorKind::Permission,
        "42P01" | "3D000" | "3F000" | "42703" | "42704" | "42883" => ErrorKind::NotFound,
        "40001" | "40P01" | "55P03" | "53300" | "57P03" | "55006" | "57014" => ErrorKind::Busy,
        "53100" => ErrorKind::Full,
        "0A000" => ErrorKind::Unsupported,
        "54001" | "54011" | "54023" | "42P07" | "42701" | "2BP01" | "42804" => ErrorKind::Schema,
        // A row too wide for a page or an index; a trigger that refuses a row.
        "54000" | "P0001" => ErrorKind::Data,
        "58030" => ErrorKind::Io,
        _ => match code.get(..2) {
            Some("28") => ErrorKind::Auth,
            Some("22" | "23") => ErrorKind::Data,
            Some("08" | "57") => ErrorKind::Connect,
            Some("53") => ErrorKind::Busy,
            Some("42") => ErrorKind::Schema,
            _ => ErrorKind::Internal,
        },
    }
}

fn from_server(db: &DbError) -> Error {
    let code = db.code().code();
    let mut message = db.message().to_owned();
    if let Some(detail) = db.detail() {
        message = format!("{message} ({})", detail.trim_end_matches('.'));
    }
    if kind(code) == ErrorKind::Data
        && let Some(place) = db.where_().and_then(place_in)
    {
        message = format!("{message}, in {place}");
    }
    let error = Error::new(kind(code), format!("{message} [{code}]"));
    match advice(code, db) {
        Some(advice) => error.advise(advice),
        None => error,
    }
}

/// Where a value was refused, from the context that the server gives. Of a COPY only the column means something to people:
/// its table may be a stage, and its lines are counted anew in each statement.
fn place_in(context: &str) -> Option<String> {
    let first = context.lines().next()?;
    match first.strip_prefix("COPY ") {
        Some(copy) => copy.split_once(", column ").map(|(_, column)| format!("column {column}")),
        None => Some(first.to_owned()),
    }
}

fn advice(code: &str, db: &DbError) -> Option<String> {
    let fixed = match code {
        "3D000" => "Check `database` in the connection; `psql -l` lists the databases of a server.",
        "28P01" | "28000" => "Check `user` and `password` of the connection, and the server's pg_hba.conf.",
        "25006" => "The server is a read-only replica: point the connection at the primary.",
        "53100" => "Free space on the server's disk and run again: nothing was committed.",
        "53300" => "Raise `max_connections` of the server, or use fewer readers and writers.",
        "40001" if db.message().contains("conflict with recovery") => {
            "The replica removed rows that this read still needed. Set `hot_standby_feedback = on` or raise \
             `max_standby_streaming_delay` on the replica, or read from the primary; then run again."
        }
        "42501" if db.message().contains("row-level security") => {
            "Policies hide rows of this table from the user, so not all of it could be moved: connect as its owner or \
             as a user with BYPASSRLS, or read a view of the rows that are meant."
        }
        "22P02" if db.message().starts_with("invalid input value for enum") => {
            "Under `on_schema_change: evolve` a load adds the labels that the source's type of the same name has, if the \
             user owns the type; labels that come up while it runs are added by the next one."
        }
        "0A000" if db.message().contains("used by a view") => {
            "A view uses the column: drop and create the view around the change, or cast the column."
        }
        _ => return db.hint().map(|hint| format!("{}.", hint.trim_end_matches('.'))),
    };
    Some(fixed.to_owned())
}

/// The result of a call of the driver, with the driver's error translated.
pub trait Translate<T> {
    /// Translates the error.
    fn pg(self) -> levada_core::error::Result<T>;
}

impl<T> Translate<T> for Result<T, tokio_postgres::Error> {
    fn pg(self) -> levada_core::error::Result<T> {
        self.map_err(|error| translate(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_no_table_or_line_that_people_never_saw() {
        for (context, place) in [
            ("COPY _levada_stage_1a2b_3c, line 1, column n: \"x\"", Some("column n: \"x\"")),
            ("COPY _levada_stage_1a2b_3c, line 1", None),
            ("PL/pgSQL function no() line 1 at RAISE\nCOPY b, line 2", Some("PL/pgSQL function no() line 1 at RAISE")),
            ("", None),
        ] {
            assert_eq!(place_in(context).as_deref(), place, "{context}");
        }
    }
}
