//! What a stream of files looks like: from its manifest, from the files themselves, or from a sample of their text.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::field;
use levada_core::source::StreamInfo;

use super::chunks::{Chunk, Piece};
use super::format::csv::{Field as CsvField, Guess, record};
use super::format::json::Keys;
use super::format::{Format, self_describing};
use super::listing::{FileSet, format_of, partitions};
use super::open::{TextOptions, open_text};
use super::place::Place;
use super::settings::Settings;

/// Files of one stream whose rows are looked at; of the others only the header.
const SAMPLED_FILES: usize = 32;

/// The one format of a stream's files.
pub fn format(set: &FileSet, settings: &Settings) -> Result<Format> {
    let mut formats = set.files.iter().map(|file| (format_of(&file.path, settings.format), &file.path));
    let first = formats.next().map(|(format, path)| (format, path.clone()));
    let (first, path) = match (set.manifest.as_ref().map(|m| m.format), first) {
        (Some(format), _) => return Ok(format),
        (None, Some((Some(format), path))) => (format, path),
        (None, Some((None, path))) => {
            return Err(Error::new(ErrorKind::Config, format!("the format of `{path}` is not told by its ending"))
                .advise("Set `format:` to csv, tsv, json, jsonl, parquet or avro."));
        }
        (None, None) => return Err(Error::new(ErrorKind::NotFound, format!("`{}` has no files", set.name))),
    };
    match formats.find(|(format, _)| *format != Some(first)) {
        None => Ok(first),
        Some((_, other)) => {
            Err(Error::new(ErrorKind::Config, format!("`{}` mixes formats: `{path}` and `{other}`", set.name))
                .advise("Name one kind of file, for instance `folder/*.csv`."))
        }
    }
}

/// Describes a stream.
pub fn describe(place: &dyn Place, set: &FileSet, settings: &Settings) -> Result<StreamInfo> {
    let bytes: u64 = set.files.iter().map(|file| file.size).sum();
    let format = format(set, settings)?;
    let (schema, rows) = match &set.manifest {
        Some(manifest) => (manifest.schema()?, Some(manifest.rows())),
        None if format.is_text() => text_schema(place, set, settings, format)?,
        None => described_schema(place, set, format)?,
    };
    Ok(StreamInfo {
        name: set.name.clone(),
        namespace: None,
        table: set.table.clone(),
        schema: with_partitions(&schema, set),
        key: Vec::new(),
        rows_estimate: rows,
        bytes_estimate: Some(bytes),
        raw: None,
        typed_by_request: format.is_text(),
    })
}

fn with_partitions(schema: &SchemaRef, set: &FileSet) -> SchemaRef {
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    for (key, _) in set.files.iter().flat_map(|file| partitions(&file.path)) {
        if fields.iter().all(|field| *field.name() != key) {
            fields.push(field(&key, DataType::Utf8, true, "files:partition", None));
        }
    }
    Arc::new(Schema::new(fields))
}

fn described_schema(place: &dyn Place, set: &FileSet, format: Format) -> Result<(SchemaRef, Option<u64>)> {
    let mut fields: Vec<Field> = Vec::new();
    let mut rows = Some(0);
    for (number, file) in set.files.iter().enumerate() {
        let described = self_describing(format, place.random(file)?)?;
        let info = described.info();
        rows = rows.zip(info.rows).map(|(a, b)| a + b);
        for known in &mut fields {
            if info.schema.field_with_name(known.name()).is_err() {
                known.set_nullable(true);
            }
        }
        for new in info.schema.fields() {
            match fields.iter_mut().find(|known| known.name() == new.name()) {
                Some(known) if known.data_type() == new.data_type() => {
                    known.set_nullable(known.is_nullable() || new.is_nullable());
                }
                Some(known) => {
                    let message = format!(
                        "the column `{}` is {} in `{}` and {} in other files of the stream",
                        new.name(),
                        levada_core::schema::type_name(new),
                        file.path,
                        levada_core::schema::type_name(known)
                    );
                    return Err(Error::new(ErrorKind::Schema, message)
                        .advise("Read the files with different types as different streams."));
                }
                None => fields.push(new.as_ref().clone().with_nullable(new.is_nullable() || number > 0)),
            }
        }
    }
    Ok((Arc::new(Schema::new(fields)), rows))
}

/// What a sample of CSV tells.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    guesses: Vec<Guess>,
}

impl Columns {
    fn place(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.guesses.push(Guess::Nothing);
            self.names.len() - 1
        })
    }
}

fn text_schema(
    place: &dyn Place,
    set: &FileSet,
    settings: &Settings,
    format: Format,
) -> Result<(SchemaRef, Option<u64>)> {
    let step = set.files.len().div_ceil(SAMPLED_FILES).max(1);
    let sampled = set.files.len().div_ceil(step).max(1);
    let budget = (settings.sample.0 / sampled).max(64 << 10);
    let options = TextOptions::new(settings, format, budget.min(1 << 20));
    let (mut columns, mut keys) = (Columns::default(), Keys::default());
    let (mut seen_rows, mut seen_bytes) = (0_u64, 0_u64);
    for (number, file) in set.files.iter().enumerate() {
        let is_csv = matches!(format, Format::Csv | Format::Tsv);
        if !is_csv && number % step != 0 {
            continue;
        }
        let mut open = open_text(place, file, &options)?;
        let places: Vec<usize> = open.names.iter().map(|name| columns.place(name)).collect();
        let mut left = if number % step == 0 { budget } else { 0 };
        while left > 0 {
            let Some(piece) = open.chunker.next()? else { break };
            let Piece::Chunk(chunk) = piece else { continue };
            seen_rows += if is_csv {
                see_csv(&chunk, &places, &mut columns.guesses, &options)
            } else {
                see_json(&chunk, &mut keys, format)
            };
            seen_bytes += chunk.bytes().len() as u64;
            left = left.saturating_sub(chunk.bytes().len());
        }
    }
    let fields = match format {
        Format::Csv | Format::Tsv => columns.names.iter().zip(&columns.guesses).map(|(n, g)| g.field(n)).collect(),
        _ if keys.is_empty() && seen_rows == 0 && seen_bytes > 0 => {
            return Err(Error::new(ErrorKind::Data, format!("`{}` holds no JSON objects", set.name))
                .advise("Each record must be an object; check the format of the file."));
        }
        _ => keys.fields(),
    };
    let total: u64 = set.files.iter().map(|file| file.size).sum();
    let rows = (seen_bytes > 0).then(|| (total as f64 / seen_bytes as f64 * seen_rows as f64) as u64);
    Ok((Arc::new(Schema::new(fields)), rows))
}

/// Rows that will be rejected (not UTF-8, too few fields) tell nothing.
fn see_csv(chunk: &Chunk, places: &[usize], guesses: &mut [Guess], options: &TextOptions) -> u64 {
    let text = String::from_utf8_lossy(chunk.bytes());
    let (mut at, mut rows) = (0, 0);
    let mut scratch = String::new();
    let mut seen = vec![Guess::Nothing; places.len()];
    while at < text.len() {
        seen.fill(Guess::Nothing);
        let shape = record(&text, at, &options.dialect, &mut scratch, |index, field| {
            if let (Some(guess), Some(place)) = (seen.get_mut(index), places.get(index)) {
                match field {
                    CsvField::Bare(value) if value == options.dialect.null => {}
                    // Nothing can be learnt about a column that is text already.
                    _ if guesses[*place] == Guess::Text => {}
                    CsvField::Bare(value) | CsvField::Quoted(value) => guess.see(value),
                }
            }
        });
        if shape.fields == places.len() {
            seen.iter().zip(places).for_each(|(guess, place)| guesses[*place].join(*guess));
            rows += 1;
        }
        at = shape.next;
    }
    rows
}

fn see_json(chunk: &Chunk, keys: &mut Keys, format: Format) -> u64 {
    let text = String::from_utf8_lossy(chunk.bytes());
    let mut rows = 0;
    if format == Format::Jsonl {
        for line in text.lines().filter(|line| line.trim_start().starts_with('{')) {
            rows += u64::from(keys.see(line));
        }
        return rows;
    }
    let mut rest = text.as_ref();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',', ']']);
        let mut documents = serde_json::Deserializer::from_str(rest).into_iter::<&serde_json::value::RawValue>();
        let Some(Ok(raw)) = documents.next() else { return rows };
        rows += u64::from(keys.see(raw.get()));
        rest = &rest[documents.byte_offset()..];
    }
}
