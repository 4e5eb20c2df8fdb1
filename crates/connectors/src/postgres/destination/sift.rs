//! Finds the rows that the table refuses: those that break a unique index, a foreign key, a check, an exclusion
//! constraint, or that a trigger turns down. The stage is cut into ever smaller parts, each tried under a savepoint,
//! until the bad rows stand alone; they go into the quarantine, in the same transaction as the others go into the table.

use levada_core::batch::Reject;
use levada_core::error::{Error, ErrorKind, Result};
use serde_json::{Map, Value};
use tokio_postgres::types::Type;

use super::insert::{Counts, columns, drop_superseded, every_row, insert, rows_where};
use super::load::TableLoad;
use crate::postgres::error::Translate;
use crate::postgres::sql::{ident, literal};
use crate::postgres::types::Kind;

/// The most rows that are searched for one by one.
const REFUSED_MAX: usize = 10_000;
/// How often refused rows are tried again after others got in, which they may refer to.
const ROUNDS_MAX: u32 = 16;
/// Into how many pieces a part is cut. More of them leave less behind of the rows that are inserted in vain.
const PIECES: u64 = 8;
/// More than the number of rows that any block holds.
const PLACES: u64 = 2048;
/// How many refused rows are looked at in one statement.
const CHUNK: usize = 1000;

/// What became of the stage.
#[derive(Debug, Default)]
pub struct Moved {
    /// Rows that are in the table now.
    pub counts: Counts,
    /// Rows that are not.
    pub rejects: Vec<Reject>,
}

impl Moved {
    /// Every row is in the table.
    pub fn all(counts: Counts) -> Self {
        Self { counts, rejects: Vec::new() }
    }
}

/// Moves the stage into the table, but for the rows that are refused; those leave the stage too.
///
/// # Errors
/// `Data` if too many rows are refused; `Busy` where other transactions stand in the way.
pub async fn sift(load: &TableLoad) -> Result<Moved> {
    let client = &load.control.client;
    match attempt(load, &every_row(load)).await {
        Ok(counts) => return Ok(Moved::all(counts)),
        Err(error) if error.kind() != ErrorKind::Data => return Err(error),
        Err(_) => {}
    }
    client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.pg()?;
    if !load.plan.key.is_empty() {
        drop_superseded(load, &load.stage).await?;
    }
    let mut counts = Counts::default();
    let mut refused = round(load, vec![Part::whole(load).await?], &mut counts).await?;
    for _ in 0..ROUNDS_MAX {
        let before = (counts.inserted, counts.updated);
        let again = refused.iter().rev().map(|(part, _)| *part).collect();
        refused = round(load, again, &mut counts).await?;
        if refused.is_empty() || before == (counts.inserted, counts.updated) {
            break;
        }
    }
    Ok(Moved { counts, rejects: set_apart(load, refused).await? })
}

/// Tries parts, the last of the list first, and gives back the rows that are refused, in the order of the stage.
async fn round(load: &TableLoad, mut parts: Vec<Part>, counts: &mut Counts) -> Result<Vec<(Part, String)>> {
    let mut refused = Vec::new();
    while let Some(part) = parts.pop() {
        match attempt(load, &rows_where(load, &part.condition())).await {
            Ok(taken) => {
                counts.inserted += taken.inserted;
                counts.updated += taken.updated;
            }
            Err(error) if error.kind() != ErrorKind::Data => return Err(error),
            Err(error) if refused.len() == REFUSED_MAX => {
                let message = format!("the table refuses more than {REFUSED_MAX} rows, the last: {}", error.message());
                return Err(Error::new(ErrorKind::Data, message)
                    .advise("Nothing was committed. Look at the constraint: load the rows it refers to first."));
            }
            Err(error) if part.is_one_row() => refused.push((part, error.message().to_owned())),
            Err(_) => parts.extend(part.pieces().into_iter().rev()),
        }
    }
    Ok(refused)
}

/// Inserts rows and checks every constraint on them, deferred ones included; leaves no trace if one is refused.
async fn attempt(load: &TableLoad, rows: &str) -> Result<Counts> {
    let client = &load.control.client;
    client.batch_execute("SAVEPOINT levada").await.pg()?;
    let mut taken = insert(load, rows).await;
    if let (Ok(_), Err(error)) = (&taken, client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.pg()) {
        taken = Err(error);
    }
    let end = if taken.is_ok() { "RELEASE levada" } else { "ROLLBACK TO levada; RELEASE levada" };
    match (client.batch_execute(end).await.pg(), taken) {
        (Err(lost), Ok(_)) => Err(lost),
        (_, taken) => taken,
    }
}

/// Takes the refused rows out of the stage.
async fn set_apart(load: &TableLoad, refused: Vec<(Part, String)>) -> Result<Vec<Reject>> {
    let client = &load.control.client;
    let stage = load.stage.quoted();
    let texts: Vec<String> = load.plan.load.schema.fields().iter().map(|field| canonical(field)).collect();
    let names = columns(load);
    let mut rejects = Vec::with_capacity(refused.len());
    for chunk in refused.chunks(CHUNK) {
        let places: Vec<String> = chunk.iter().map(|(part, _)| format!("\"{}\"", address(part.first))).collect();
        let here = format!("ctid = ANY ({}::pg_catalog.tid[])", literal(&format!("{{{}}}", places.join(","))));
        let query =
            format!("SELECT ARRAY[{}]::pg_catalog.text[] FROM {stage} WHERE {here} ORDER BY ctid", texts.join(", "));
        let rows = client.query_typed(&query, &[]).await.pg()?;
        if rows.len() != chunk.len() {
            return Err(Error::new(ErrorKind::Internal, "the refused rows are not in the stage any more"));
        }
        for (row, (_, reason)) in rows.iter().zip(chunk) {
            let values: Vec<Option<String>> = row.try_get(0).pg()?;
            let object: Map<String, Value> =
                names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value.into())).collect();
            rejects.push(Reject { row: Value::Object(object).to_string(), column: None, reason: reason.clone() });
        }
        client.execute_typed(&format!("DELETE FROM {stage} WHERE {here}"), &[]).await.pg()?;
    }
    Ok(rejects)
}

/// A column as the text that its values have between connectors.
fn canonical(field: &arrow_schema::Field) -> String {
    let text = format!("{}::pg_catalog.text", ident(field.name()));
    match Kind::of_field(field) {
        Kind::Timestamp(_) => format!("pg_catalog.replace({text}, ' ', 'T')"),
        Kind::TimestampTz(_) => format!("pg_catalog.replace(pg_catalog.replace({text}, ' ', 'T'), '+00', 'Z')"),
        _ => text,
    }
}

/// Rows of the stage by their addresses, from `first` to before `end`. An address is the number of the block times
/// [`PLACES`], plus the place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    first: u64,
    end: u64,
}

impl Part {
    async fn whole(load: &TableLoad) -> Result<Self> {
        let query = "SELECT pg_catalog.pg_relation_size($1::pg_catalog.text::pg_catalog.regclass)
            / current_setting('block_size')::int8";
        let blocks: i64 =
            load.control.client.query_typed_one(query, &[(&load.stage.quoted(), Type::TEXT)]).await.pg()?.get(0);
        Ok(Self { first: 0, end: blocks.unsigned_abs() * PLACES })
    }

    fn is_one_row(self) -> bool {
        self.end - self.first <= 1
    }

    fn pieces(self) -> Vec<Self> {
        let step = (self.end - self.first).div_ceil(PIECES);
        let firsts = (self.first..self.end).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        firsts.map(|first| Self { first, end: (first + step).min(self.end) }).collect()
    }

    fn condition(self) -> String {
        if self.is_one_row() {
            return format!("ctid = '{}'", address(self.first));
        }
        format!("ctid >= '{}' AND ctid < '{}'", address(self.first), address(self.end))
    }
}

fn address(place: u64) -> String {
    format!("({},{})", place / PLACES, place % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_meet_without_gap_until_each_is_one_row() {
        let mut open = vec![Part { first: 0, end: 3 * PLACES }];
        let mut next = 0;
        while let Some(part) = open.pop() {
            if part.is_one_row() {
                assert_eq!((part.first, part.end), (next, next + 1));
                next += 1;
            } else {
                open.extend(part.pieces().into_iter().rev());
            }
        }
        assert_eq!(next, 3 * PLACES);
        assert_eq!(Part { first: 2049, end: 2050 }.condition(), "ctid = '(1,1)'");
    }
}
