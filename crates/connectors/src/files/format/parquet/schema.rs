//! What the columns of a Parquet file are: its own annotations, and the Arrow schema a writer may have embedded, brought
//! to the closed type set.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{LOGICAL, Logical, NATIVE};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::super::RandomRead;
use super::super::columns::{canonical_type, meaning_fits};
use super::chunks::Chunks;
use super::malformed;

/// What a column is beyond the Arrow type the library reads it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing more.
    Plain,
    /// A nanosecond time that is read in microseconds for its range, and checked for what that loses.
    Int96,
    /// Twelve bytes: months, days and milliseconds, unsigned and little-endian.
    Interval,
}

/// The columns of a file and how they are read.
pub(super) struct Layout {
    /// For reading it.
    pub(super) metadata: ArrowReaderMetadata,
    /// Its columns in the closed type set.
    pub(super) schema: SchemaRef,
    /// For each column.
    pub(super) kinds: Vec<Kind>,
}

impl Layout {
    /// Reads the footer.
    pub(super) fn load(file: &Arc<dyn RandomRead>) -> Result<Self> {
        if file.len() < 12 {
            return Err(Error::new(ErrorKind::Data, format!("the file has {} bytes: too few for Parquet", file.len()))
                .advise("Check that it was written to its end, or exclude it from the stream."));
        }
        let chunks = Chunks::new(file.clone());
        let mut options = ArrowReaderOptions::new();
        let load = |options: &ArrowReaderOptions| ArrowReaderMetadata::load(&chunks, options.clone());
        let mut loaded = match load(&options) {
            Ok(loaded) => loaded,
            Err(first) => {
                // the embedded Arrow schema may contradict the columns; they are the truth
                options = options.with_skip_arrow_metadata(true);
                load(&options).map_err(|_| chunks.explain(first))?
            }
        };
        let file_type = loaded.parquet_schema().root_schema_ptr();
        if has_interval(&file_type) {
            // the library's interval drops months: the twelve bytes are read as they are
            let raw = SchemaDescriptor::new(Arc::new(without_intervals(&file_type).map_err(malformed)?));
            options = options.with_parquet_schema(Arc::new(raw));
            loaded = load(&options).map_err(|error| chunks.explain(error))?;
        }
        let mut read_as: Vec<Field> = Vec::new();
        let mut fields = Vec::new();
        let mut kinds = Vec::new();
        for (of_file, of_arrow) in file_type.get_fields().iter().zip(loaded.schema().fields()) {
            let (hint, kind) = hint(of_file, of_arrow);
            fields.push(canonical_field(of_file, &hint));
            read_as.push(hint);
            kinds.push(kind);
        }
        if read_as.iter().zip(loaded.schema().fields()).any(|(hint, own)| hint.data_type() != own.data_type()) {
            let hinted = Schema::new_with_metadata(read_as, loaded.schema().metadata().clone());
            let metadata = loaded.metadata().clone();
            loaded = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(Arc::new(hinted)))
                .map_err(malformed)?;
        }
        Ok(Self { metadata: loaded, schema: Arc::new(Schema::new(fields)), kinds })
    }
}

/// The Arrow type to read a column as: the one nearest to the closed set, without a detour.
fn hint(of_file: &Type, of_arrow: &Field) -> (Field, Kind) {
    let of_arrow = of_arrow.clone();
    if !of_file.is_primitive() || of_file.get_basic_info().has_repetition() && is_repeated(of_file) {
        return (of_arrow, Kind::Plain);
    }
    let info = of_file.get_basic_info();
    if of_file.get_physical_type() == Physical::INT96 {
        return (of_arrow.with_data_type(DataType::Timestamp(TimeUnit::Microsecond, None)), Kind::Int96);
    }
    if is_interval(of_file) {
        return (of_arrow, Kind::Interval);
    }
    let as_text =
        matches!(info.logical_type_ref(), Some(LogicalType::Enum)) || info.converted_type() == ConvertedType::ENUM;
    let hint = match of_arrow.data_type() {
        DataType::Binary if as_text => DataType::Utf8,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => match value.as_ref() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
            _ => return (of_arrow, Kind::Plain),
        },
        _ => return (of_arrow, Kind::Plain),
    };
    (of_arrow.with_data_type(hint), Kind::Plain)
}

/// A field of the closed set for a column. What Levada noted of it when it wrote the file is kept if it fits.
fn canonical_field(of_file: &Type, of_arrow: &Field) -> Field {
    let (mut data_type, mut logical) = canonical_type(of_arrow.data_type());
    let noted = Logical::of(of_arrow);
    if of_file.is_primitive() && !is_repeated(of_file) {
        let info = of_file.get_basic_info();
        match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => logical = Some(Logical::Json),
            (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) => {
                (data_type, logical) = (DataType::Utf8, Some(Logical::Enum));
            }
            (Some(LogicalType::Uuid), _) => {
                (data_type, logical) = (DataType::FixedSizeBinary(16), Some(Logical::Uuid));
            }
            _ if is_interval(of_file) => (data_type, logical) = (DataType::Utf8, Some(Logical::Interval)),
            _ if noted == Some(Logical::Uuid) && *of_arrow.data_type() == DataType::FixedSizeBinary(16) => {
                (data_type, logical) = (DataType::FixedSizeBinary(16), noted);
            }
            _ => {}
        }
    }
    let native = of_arrow.metadata().get(NATIVE).cloned();
    let native = native.unwrap_or_else(|| format!("parquet:{}", native_name(of_file, of_arrow)));
    let mut metadata = HashMap::from([(NATIVE.to_owned(), native)]);
    if let Some(logical) = logical.or(noted.filter(|noted| meaning_fits(*noted, &data_type))) {
        metadata.insert(LOGICAL.to_owned(), logical.word().to_owned());
    }
    Field::new(of_arrow.name(), data_type, of_arrow.is_nullable()).with_metadata(metadata)
}

fn native_name(of_file: &Type, of_arrow: &Field) -> String {
    if of_file.is_group() || is_repeated(of_file) {
        return "nested".to_owned();
    }
    match of_file.get_physical_type() {
        Physical::INT96 => "int96".to_owned(),
        _ if is_interval(of_file) => "interval".to_owned(),
        _ => of_arrow.data_type().to_string().to_lowercase(),
    }
}

fn is_repeated(of_file: &Type) -> bool {
    let info = of_file.get_basic_info();
    info.has_repetition() && info.repetition() == parquet::basic::Repetition::REPEATED
}

fn is_interval(of_file: &Type) -> bool {
    of_file.is_primitive() && of_file.get_basic_info().converted_type() == ConvertedType::INTERVAL
}

fn has_interval(of_file: &Type) -> bool {
    is_interval(of_file) || of_file.is_group() && of_file.get_fields().iter().any(|field| has_interval(field))
}

fn without_intervals(of_file: &Type) -> std::result::Result<Type, parquet::errors::ParquetError> {
    let info = of_file.get_basic_info();
    let id = info.has_id().then(|| info.id());
    if is_interval(of_file) {
        return Type::primitive_type_builder(of_file.name(), Physical::FIXED_LEN_BYTE_ARRAY)
            .with_repetition(info.repetition())
            .with_length(12)
            .with_id(id)
            .build();
    }
    if of_file.is_primitive() {
        return Ok(of_file.clone());
    }
    let fields = of_file.get_fields().iter().map(|field| without_intervals(field).map(Arc::new));
    let builder = Type::group_type_builder(of_file.name())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(fields.collect::<Result<_, _>>()?)
        .with_id(id);
    if info.has_repetition() { builder.with_repetition(info.repetition()).build() } else { builder.build() }
}
