//! The whole answer to a query as a file. It is written before the first byte of it is sent, so that whoever gets one gets all
//! of it, and everybody else an error.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use axum::body::Body;
use levada_core::config::ReportFormat;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_engine::browse::Rows;
use parquet::arrow::ArrowWriter;

use super::next;
use crate::data::{csv, reports};
use crate::queries::{QueryLimits, Room};
use crate::route::Download;

/// Bytes of Parquet that are kept in memory before they go to the disk.
const GROUP_BYTES: usize = 16 << 20;

/// A file with all rows.
///
/// # Errors
/// `Usage` for more rows or bytes than a file may have; else as of reading and writing.
pub(super) async fn written(
    rows: &mut Rows,
    format: ReportFormat,
    limits: QueryLimits,
    room: &Room,
) -> Result<Download> {
    let mut sink = Sink::new(&room.folder, format, &rows.stream.schema)?;
    let mut count = 0_u64;
    while let Some(batch) = next(rows).await? {
        count += batch.num_rows() as u64;
        if count > limits.file_rows_max {
            return Err(too_large(&format!("{} rows", limits.file_rows_max)));
        }
        sink.write(&batch)?;
        if sink.bytes() > limits.file_bytes_max {
            return Err(too_large(&format!("{} MiB", limits.file_bytes_max >> 20)));
        }
    }
    let mut file = sink.finish()?;
    let bytes = file.seek(SeekFrom::End(0)).and_then(|bytes| file.rewind().map(|()| bytes)).at("the file")?;
    // its folder goes now, and the file itself when it was sent
    let body = Body::from_stream(tokio_util::io::ReaderStream::new(tokio::fs::File::from_std(file)));
    let name = format!("query.{}", format.name());
    let content_type = reports::media_type(format).to_owned();
    Ok(Download { name, content_type, body, bytes: Some(bytes) })
}

fn too_large(limit: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("the answer has more than {limit}, the most that a file may have"))
        .advise("Ask for less by WHERE or LIMIT, or load it with a `sql` task, which has no such limit.")
}

/// A file that is being written.
enum Sink {
    Csv { file: BufWriter<File>, text: String, bytes: u64 },
    Parquet { writer: Box<ArrowWriter<File>>, schema: SchemaRef },
}

impl Sink {
    fn new(folder: &Path, format: ReportFormat, schema: &SchemaRef) -> Result<Self> {
        std::fs::create_dir_all(folder).at("the folder of the query")?;
        let path = folder.join("answer");
        let file = File::options().read(true).write(true).create_new(true).open(path).at("the file of the answer")?;
        match format {
            ReportFormat::Parquet => {
                let schema = reports::plain(schema);
                let writer = ArrowWriter::try_new(file, schema.clone(), None).map_err(|error| broken(&error))?;
                Ok(Self::Parquet { writer: Box::new(writer), schema })
            }
            _ => {
                let mut text = String::new();
                csv::write_names(&mut text, schema.fields().iter().map(|field| field.name().as_str()));
                let mut sink = Self::Csv { file: BufWriter::new(file), text, bytes: 0 };
                sink.flush()?;
                Ok(sink)
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Csv { text, .. } => {
                csv::write_rows(text, batch);
                self.flush()
            }
            Self::Parquet { writer, schema } => {
                let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec());
                let batch = batch.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
                writer.write(&batch).map_err(|error| broken(&error))?;
                if writer.in_progress_size() > GROUP_BYTES {
                    writer.flush().map_err(|error| broken(&error))?;
                }
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        if let Self::Csv { file, text, bytes } = self {
            file.write_all(text.as_bytes()).at("the file of the answer")?;
            *bytes += text.len() as u64;
            text.clear();
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Csv { bytes, .. } => *bytes,
            Self::Parquet { writer, .. } => (writer.bytes_written() + writer.in_progress_size()) as u64,
        }
    }

    fn finish(self) -> Result<File> {
        match self {
            Self::Csv { file, .. } => {
                file.into_inner().map_err(|error| error.into_error()).at("the file of the answer")
            }
            Self::Parquet { writer, .. } => writer.into_inner().map_err(|error| broken(&error)),
        }
    }
}

fn broken(error: &parquet::errors::ParquetError) -> Error {
    Error::new(ErrorKind::Io, format!("the answer could not be written as Parquet: {error}"))
}
