//! Reading from memory: whole tables, or rows from a cursor value on.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use futures_util::future::BoxFuture;
use levada_core::batch::Batch;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::{is_wildcard, matches};
use levada_core::position::Position;
use levada_core::source::{Extract, OVERLAP_COLUMN, ReadMode, ReadRequest, Reader, Source, StreamInfo};

use super::{Memory, Table};
use crate::rows::{self, Row};

impl Source for Memory {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let state = self.lock();
            let wanted =
                |name: &str| selector.is_none_or(|s| if is_wildcard(s) { matches(s, name) } else { s == name });
            Ok(state.tables.iter().filter(|(name, _)| wanted(name)).map(|(n, t)| Self::info(n, t)).collect())
        })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            let table = self.lock().tables.get(&request.stream.name).cloned();
            let table = table
                .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no `{}`", request.stream.name)))?;
            extract(&table, &request)
        })
    }
}

fn extract(table: &Table, request: &ReadRequest) -> Result<Extract> {
    let mut position = None;
    let mut kept: Vec<(Row, bool)> = table.rows.iter().cloned().map(|row| (row, false)).collect();
    let mut marks = false;
    if let ReadMode::Incremental { cursor: Some(cursor), from, lag, mark_overlap } = &request.mode {
        let at = index(&table.schema, cursor)?;
        let lag = lag.as_deref().map_or(Some(0), lag_of).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the memory connector knows whole numbers and `5s` as lags only")
        })?;
        let low = from.as_ref().and_then(|p| p.0["cursor"].as_str()).map(Order::of);
        let high = table.rows.iter().filter_map(|row| row[at].as_deref()).max_by_key(|text| Order::of(text));
        let high = high.filter(|high| low.as_ref().is_none_or(|low| Order::of(high) >= *low)).map(str::to_owned);
        let mark_from = high.as_deref().map(|high| Order::of(high).minus(lag));
        let low = low.map(|low| low.minus(lag));
        kept.retain(|(row, _)| match &row[at] {
            None => from.is_none(),
            Some(text) => low.as_ref().is_none_or(|low| Order::of(text) >= *low),
        });
        for (row, mark) in &mut kept {
            *mark = row[at].as_deref().is_some_and(|text| mark_from.as_ref().is_some_and(|m| Order::of(text) >= *m));
        }
        position = high.map(|high| Position(serde_json::json!({ "cursor": high }))).or_else(|| from.clone());
        marks = *mark_overlap;
    }
    let picks: Vec<usize> =
        request.columns.fields().iter().map(|f| index(&table.schema, f.name())).collect::<Result<_>>()?;
    let mut fields: Vec<Field> = request.columns.fields().iter().map(|f| f.as_ref().clone()).collect();
    if marks {
        fields.push(Field::new(OVERLAP_COLUMN, arrow_schema::DataType::Boolean, false));
    }
    let schema = Arc::new(Schema::new(fields));
    let rows: Vec<Row> = kept
        .into_iter()
        .map(|(row, mark)| {
            let mark = marks.then(|| Some(mark.to_string()));
            picks.iter().map(|at| row[*at].clone()).chain(mark).collect()
        })
        .collect();
    let per_batch = (request.batch_bytes / 64).max(1);
    let mut shares: Vec<Vec<Batch>> = (0..request.readers.max(1)).map(|_| Vec::new()).collect();
    let width = shares.len();
    for (number, chunk) in rows.chunks(per_batch).enumerate() {
        shares[number % width].push(Batch::arrow(rows::batch(&schema, chunk)));
    }
    let readers =
        shares.into_iter().map(|share| Box::new(MemoryReader(share.into_iter())) as Box<dyn Reader>).collect();
    Ok(Extract { readers, position, warnings: Vec::new(), again: Vec::new() })
}

fn index(schema: &Schema, column: &str) -> Result<usize> {
    schema.index_of(column).map_err(|_| Error::new(ErrorKind::NotFound, format!("there is no column `{column}`")))
}

fn lag_of(text: &str) -> Option<i128> {
    text.strip_suffix('s').unwrap_or(text).parse::<i128>().ok()?.checked_mul(1_000_000_000)
}

/// Numbers by size before texts by alphabet.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone)]
pub(super) enum Order {
    Number(i128),
    Text(String),
}

impl Order {
    /// Numbers and instants in units of 10^-9.
    pub(super) fn of(text: &str) -> Self {
        if let Some((negative, digits, scale)) = levada_core::text::parse_decimal(text)
            && let Ok(digits) = digits.parse::<i128>()
            && let Ok(zeros) = u32::try_from(9 - scale)
        {
            return Self::Number(10_i128.pow(zeros) * if negative { -digits } else { digits });
        }
        match levada_core::text::parse_timestamp(text) {
            Some((seconds, nanos, _)) => Self::Number(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)),
            None => Self::Text(text.to_owned()),
        }
    }

    fn minus(self, lag: i128) -> Self {
        match self {
            Self::Number(number) => Self::Number(number - lag),
            text => text,
        }
    }
}

struct MemoryReader(std::vec::IntoIter<Batch>);

impl Reader for MemoryReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async move { Ok(self.0.next()) })
    }
}
