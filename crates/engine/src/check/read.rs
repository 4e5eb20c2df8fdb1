//! Reads a stream from one consistent view, with few batches in memory, and shows each of them to whoever wants it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::batch::Data;
use levada_core::connector::Connection;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::schema::{LOGICAL, Logical};
use levada_core::source::{ReadMode, ReadRequest, Source, StreamInfo};

use super::blocking;
use crate::browse::choose;

/// A stream that can be read.
pub struct Stream {
    source: Arc<dyn Source>,
    info: StreamInfo,
}

impl Stream {
    /// The stream of a name.
    ///
    /// # Errors
    /// Of connecting; `NotFound`, and `Usage` for a name that means several.
    pub async fn find(connection: Arc<dyn Connection>, name: &str) -> Result<Self> {
        let address = connection.address();
        let source = connection.source().at(&address)?;
        let info = choose(source.as_ref(), Some(name)).await.at(address)?;
        if info.name != name {
            let error = Error::new(ErrorKind::Config, format!("`{name}` is not the whole name of the stream"));
            return Err(error.advise(format!("Write `{}`.", info.name)));
        }
        Ok(Self { source, info })
    }

    /// All columns.
    pub fn all(&self) -> SchemaRef {
        self.of(self.info.schema.fields().iter().map(|field| field.name().as_str()).collect())
    }

    /// These columns with those of the key, by which people find a row; some column if there are none.
    ///
    /// # Errors
    /// `Config` for a column that is not there.
    pub fn columns<'a>(&'a self, wanted: impl Iterator<Item = &'a str>) -> Result<SchemaRef> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for name in wanted {
            self.check(name)?;
            names.insert(name);
        }
        if !names.is_empty() {
            names.extend(self.info.key.iter().map(String::as_str));
        } else {
            // there is no row without a column; the one that costs least
            let width = |field: &&Arc<Field>| field.data_type().primitive_width().unwrap_or(usize::MAX);
            names.extend(self.info.schema.fields().iter().min_by_key(width).map(|field| field.name().as_str()));
        }
        Ok(self.of(names))
    }

    /// One column.
    ///
    /// # Errors
    /// `Config` if it is not there.
    pub fn only(&self, name: &str) -> Result<SchemaRef> {
        self.check(name)?;
        Ok(self.of(BTreeSet::from([name])))
    }

    fn check(&self, name: &str) -> Result<()> {
        if self.info.schema.field_with_name(name).is_ok() {
            return Ok(());
        }
        let known: Vec<&str> = self.info.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let error = Error::new(ErrorKind::Config, format!("there is no column `{name}`"));
        Err(error.advise(format!("{}Columns: {}.", did_you_mean(nearest(name, &known)), known.join(", "))))
    }

    fn of(&self, names: BTreeSet<&str>) -> SchemaRef {
        let fields = self.info.schema.fields().iter().filter(|field| names.contains(field.name().as_str()));
        Arc::new(Schema::new(fields.map(|field| self.asked(field)).collect::<Vec<_>>()))
    }

    /// A column as it is read: a decimal that can be NaN as its text.
    fn asked(&self, field: &Arc<Field>) -> Arc<Field> {
        let is_decimal = matches!(field.data_type(), DataType::Decimal128(..) | DataType::Decimal256(..));
        if !is_decimal || !self.source.reads_as_text(field) {
            return field.clone();
        }
        let mut metadata = field.metadata().clone();
        metadata.insert(LOGICAL.to_owned(), Logical::Number.word().to_owned());
        Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8).with_metadata(metadata))
    }

    /// Shows every batch of these columns to `see`, which hands on what it gathers and says whether it wants more. Gives what was
    /// gathered, and how many rows were shown.
    ///
    /// # Errors
    /// Of reading; `Data` for a row that cannot be read; those of `see`.
    pub async fn each<T: Send + 'static>(
        &self,
        columns: &SchemaRef,
        batch_bytes: usize,
        mut gathered: T,
        see: impl Fn(T, &RecordBatch) -> Result<(T, bool)> + Send + Sync + 'static,
    ) -> Result<(T, u64)> {
        let request = ReadRequest {
            stream: self.info.clone(),
            columns: columns.clone(),
            mode: ReadMode::Full,
            raw: None,
            only: Vec::new(),
            limit: None,
            readers: 1,
            batch_bytes,
        };
        let see = Arc::new(see);
        let mut extract = self.source.read(request).await?;
        let mut rows = 0;
        for reader in &mut extract.readers {
            while let Some(batch) = reader.next().await? {
                if let Some(reject) = batch.rejects.first() {
                    let column =
                        reject.column.as_ref().map(|column| format!("column `{column}`: ")).unwrap_or_default();
                    return Err(Error::new(
                        ErrorKind::Data,
                        format!("a row cannot be read: {column}{}", reject.reason),
                    )
                    .advise("Correct it at the source: what cannot be read cannot be tested."));
                }
                let Data::Arrow(batch) = batch.data else {
                    return Err(Error::new(ErrorKind::Internal, "the source gave raw rows without being asked"));
                };
                rows += batch.num_rows() as u64;
                let see = see.clone();
                let goes_on;
                (gathered, goes_on) = blocking(move || see(gathered, &batch)).await?;
                if !goes_on {
                    return Ok((gathered, rows));
                }
            }
        }
        Ok((gathered, rows))
    }
}
