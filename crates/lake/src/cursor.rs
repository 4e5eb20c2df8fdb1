//! Incremental reads by a cursor column, within one version of a table: what is read, what will be read again, and where
//! the stream stands afterwards.

use arrow_schema::{DataType, Field};
use deltalake::datafusion::common::ScalarValue;
use deltalake::datafusion::functions::core::expr_fn::greatest as greatest_of;
use deltalake::datafusion::logical_expr::{Expr, lit};
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use levada_core::builder::ColumnBuilder;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::order::{self, Key};
use levada_core::position::Position;
use levada_core::source::OVERLAP_COLUMN;
use levada_core::text;

use crate::session::quoted;
use crate::{columns, error};

/// A read that begins at a position, or at the start.
pub struct Cursor {
    /// Rows below are not read; without it all are, also those without a value.
    from: Option<Expr>,
    /// Rows from here on are read again next time; none of them without a value.
    again: Option<Expr>,
    /// Where the stream stands.
    pub position: Option<Position>,
}

fn column(name: &str) -> Expr {
    deltalake::datafusion::prelude::ident(name)
}

/// A value of a column from its text.
///
/// # Errors
/// `Internal` for a text that is none.
pub fn value(data_type: &DataType, text: &str) -> Result<Expr> {
    let broken =
        |reason: &str| Error::new(ErrorKind::Internal, format!("`{text}` is no value of the cursor: {reason}"));
    let mut builder = ColumnBuilder::new(data_type)?;
    builder.push_text(text).map_err(broken)?;
    let scalar = ScalarValue::try_from_array(&builder.finish(), 0).map_err(error::query)?;
    Ok(lit(scalar))
}

/// A column that is compared: of a function, no bounds are known.
fn compared(field: &Field) -> Expr {
    match columns::has_exact_bounds(field) {
        true => column(field.name()),
        false => greatest_of(vec![column(field.name())]),
    }
}

/// Nothing above it has a place in the order of floats: NaN is none.
fn ordered(field: &Field) -> Option<Expr> {
    match field.data_type() {
        DataType::Float64 => Some(compared(field).lt_eq(lit(f64::INFINITY))),
        DataType::Float32 => Some(compared(field).lt_eq(lit(f32::INFINITY))),
        _ => None,
    }
}

impl Cursor {
    /// Looks for the greatest value in the table `stream` of a session.
    ///
    /// # Errors
    /// `Config` for a lag that is none; `Refused` for a position of another column.
    pub async fn open(
        session: &SessionContext,
        stored: &Field,
        from: Option<&Position>,
        lag: Option<&str>,
    ) -> Result<Self> {
        let field = columns::canonical(stored);
        let (name, data_type) = (field.name(), field.data_type());
        let key_of = |text: &str| {
            Key::of_text(data_type, text)
                .ok_or_else(|| Error::new(ErrorKind::Internal, format!("`{text}` has no order")))
        };
        let lag = lag.map(|lag| Key::of_lag(name, data_type, lag)).transpose()?;
        let from = from.map(|from| Key::of_position(name, data_type, from)).transpose()?;
        let mut frame = session.table("stream").await.map_err(error::query)?;
        if let Some(ordered) = ordered(&field) {
            frame = frame.filter(ordered).map_err(error::query)?;
        }
        let found = greatest(session, frame, &field).await?;
        let found = found.map(|text| Ok::<_, Error>((key_of(&text)?, text))).transpose()?;
        let top = match (&found, &from) {
            (Some(found), Some(from)) if found.0 < from.0 => Some(from),
            (Some(found), _) => Some(found),
            (None, from) => from.as_ref(),
        };
        let low = |key: &Key| value(data_type, &key.minus(lag.as_ref()).text(data_type));
        let at_least = |key: &Key| -> Result<Expr> {
            let reached = compared(&field).gt_eq(low(key)?);
            Ok(ordered(&field).map_or(reached.clone(), |ordered| reached.and(ordered)))
        };
        Ok(Self {
            from: from.as_ref().map(|(key, _)| at_least(key)).transpose()?,
            again: top.map(|(key, _)| at_least(key)).transpose()?,
            position: top.map(|(_, text)| order::position(name, text)),
        })
    }

    /// The rows of the read, with the mark of those that come again where it is wanted.
    ///
    /// # Errors
    /// None that the columns can cause.
    pub fn rows(&self, mut frame: DataFrame, mut columns: Vec<Expr>, mark: bool) -> Result<DataFrame> {
        if let Some(from) = &self.from {
            frame = frame.filter(from.clone()).map_err(error::query)?;
        }
        if mark {
            let again = self.again.clone().unwrap_or_else(|| lit(false));
            // NULL is not marked
            let marked = deltalake::datafusion::logical_expr::when(again, lit(true)).otherwise(lit(false));
            columns.push(marked.map_err(error::query)?.alias(OVERLAP_COLUMN));
        }
        frame.select(columns).map_err(error::query)
    }
}

async fn greatest(session: &SessionContext, frame: DataFrame, field: &Field) -> Result<Option<String>> {
    session.register_table("ordered", frame.into_view()).map_err(error::query)?;
    let sql = format!("SELECT max({}) AS top FROM ordered", quoted(field.name()));
    let batches = session.sql(&sql).await.map_err(error::query)?.collect().await.map_err(error::query)?;
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let top = arrow_cast::cast(batch.column(0), field.data_type()).map_err(error::arrow)?;
        if let Some(text) = text::value(top.as_ref(), 0) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}
