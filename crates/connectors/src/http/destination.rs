//! Writing: records are sent in batches as they come. The other side keeps no position and takes nothing back, which every
//! plan says.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data, Reject};
use levada_core::destination::{
    Accepted, Destination, Durable, Load, LoadEnd, LoadPlan, LoadSpec, PlannedColumn, Promise, WriteMode, Writer,
};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::naming::{LengthUnit, NameRules};
use levada_core::position::{Commit, StreamKey};
use levada_core::schema::{Fit, Logical};
use levada_core::source::StreamInfo;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::client::Sent;
use super::config::wrong;
use super::endpoint::{RECORD, RECORDS, WriteTo};
use super::pagination::found;
use super::path::Path;
use super::walk::{fill, with_query};
use super::{Api, Remote};
use crate::files::json::ObjectWriter;
use crate::files::values::TextWriter;

impl Remote {
    fn write_to(&self, target: &str) -> Result<&WriteTo> {
        let endpoint = self.api.settings.endpoints.get(target);
        endpoint.and_then(|endpoint| endpoint.write.as_ref()).ok_or_else(|| {
            wrong(format!("the connection does not say how records are sent to `{target}`"))
                .at(self.api.place())
                .advise(format!("Add the endpoint: `endpoints: {{ {target}: {{ write: {{ method: post }} }} }}`."))
        })
    }
}

impl Destination for Remote {
    fn name_rules(&self) -> NameRules {
        NameRules { length_max: 200, unit: LengthUnit::Chars, ignores_case: false, forbidden: &[] }
    }

    fn target(&self, _namespace: Option<&str>, table: &str) -> String {
        table.to_owned()
    }

    fn describe<'a>(&'a self, _target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        Box::pin(async { Ok(None) })
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        Box::pin(async move { self.planned(spec) })
    }

    fn committed<'a>(&'a self, _key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        Box::pin(async { Ok(None) })
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn forget<'a>(&'a self, _key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async { Ok(false) })
    }

    fn rejects<'a>(&'a self, _load: &'a str, _skip: usize, _limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        Box::pin(async move {
            let write_to = self.write_to(&spec.target)?.clone();
            let sending = Sending { api: self.api.clone(), target: spec.target, write_to, plan, number: 0 };
            Ok(Box::new(Sends { sending: Some(sending) }) as Box<dyn Load>)
        })
    }
}

impl Remote {
    fn planned(&self, spec: &LoadSpec) -> Result<LoadPlan> {
        let write_to = self.write_to(&spec.target)?;
        let unsupported = |what: &str, advice: &str| {
            Err(Error::new(ErrorKind::Unsupported, format!("a REST API {what}")).at(self.api.place()).advise(advice))
        };
        if spec.write != WriteMode::Append {
            return unsupported("can only be sent records", "Use `write: append`.");
        }
        if spec.order_column.is_some() {
            return unsupported("keeps no position", "Use `read: full`; every run sends all that it reads.");
        }
        if spec.quarantine {
            return unsupported("keeps no quarantine", "Use `on_bad_row: fail`.");
        }
        let fields = spec.incoming.fields();
        for name in placeholders(write_to, &spec.target) {
            if spec.incoming.field_with_name(name).is_err() {
                return Err(wrong(format!("the path to write to names the column `{name}`, which is not loaded")));
            }
        }
        let columns = fields.iter().map(|field| {
            let (native, fit) = match (field.data_type(), Logical::of(field)) {
                (DataType::Boolean, _) => ("boolean", Fit::Exact),
                (DataType::Utf8, Some(Logical::Json)) => ("value", Fit::Exact),
                (DataType::Utf8, Some(Logical::Number)) => ("number", Fit::Exact),
                (DataType::Float32 | DataType::Float64, _) => ("number", Fit::Exact),
                (other, _) if other.is_numeric() => ("number", Fit::Exact),
                (DataType::Utf8, _) => ("string", Fit::Exact),
                _ => ("string", Fit::Text("canonical text".to_owned())),
            };
            PlannedColumn { name: field.name().clone(), native: native.to_owned(), fit }
        });
        let (method, batch) = (write_to.method.name(), write_to.batch);
        Ok(LoadPlan {
            schema: spec.incoming.clone(),
            columns: columns.collect(),
            ddl: Vec::new(),
            strategy: format!("{method} for every {batch} records, at once"),
            raw: None,
            writers: 1,
            promise: Promise::AtLeastOnce(
                "an API keeps no position and takes nothing back: a load that breaks has sent a part of its records, and the \
                 next one sends all of them again, under the same idempotency keys"
                    .to_owned(),
            ),
        })
    }
}

fn placeholders<'a>(write_to: &'a WriteTo, target: &'a str) -> impl Iterator<Item = &'a str> {
    super::endpoint::placeholders(write_to.path.as_deref().unwrap_or(target))
}

/// A load; its one writer does everything.
struct Sends {
    sending: Option<Sending>,
}

impl Load for Sends {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        let sending = self.sending.take();
        Box::pin(async move { Ok(sending.into_iter().map(|sending| Box::new(sending) as Box<dyn Writer>).collect()) })
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        Box::pin(async move { Ok(Durable { inserted: end.rows_written, ..Durable::default() }) })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// The writer of a load.
struct Sending {
    api: Arc<Api>,
    target: String,
    write_to: WriteTo,
    plan: LoadPlan,
    /// How many requests were made.
    number: u64,
}

impl Writer for Sending {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        Box::pin(async move {
            let Data::Arrow(rows) = batch.data else {
                return Err(Error::new(ErrorKind::Internal, "raw rows cannot be sent"));
            };
            let records = records(&rows, &self.plan);
            for chunk in records.chunks(self.write_to.batch.max(1) as usize) {
                self.send(chunk).await?;
            }
            Ok(Accepted { rows: rows.num_rows() as u64, rejects: Vec::new() })
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        Box::pin(async { Ok(Accepted::default()) })
    }
}

impl Sending {
    async fn send(&mut self, records: &[String]) -> Result<()> {
        let url = self.url(records)?;
        let array = || format!("[{}]", records.join(","));
        let body = match &self.write_to.body {
            None => array(),
            Some(template) => {
                // one at a time, so that what a record holds is not taken for a part of the template
                let (name, value) = match template.contains(RECORDS) {
                    true => (RECORDS, array()),
                    false => (RECORD, records.concat()),
                };
                template.split(name).collect::<Vec<_>>().join(&value)
            }
        };
        let key = self.idempotency_key(&url, &body);
        let header = self.write_to.idempotency_header.as_str();
        let sent = Sent {
            method: self.write_to.method.method(),
            body: Some(body.as_str()),
            key: Some((header, key.as_str())),
        };
        self.number += 1;
        self.api.client.send(&url, &sent).await.at(format!("endpoint `{}`", self.target))
    }

    fn url(&self, records: &[String]) -> Result<Url> {
        let path = self.write_to.path.as_deref().unwrap_or(&self.target).trim_start_matches('/');
        let first = records.first().map_or("{}", String::as_str);
        let value = |path: &Path| -> Result<Option<String>> { Ok(found(path, first)?.map(str::to_owned)) };
        let url = self.api.url(&fill(path, &self.target, &value)?)?;
        Ok(with_query(&url, self.api.settings.query.iter()))
    }

    /// The same for equal records in an equal place of a load, so that a load that is tried again is told from a new one.
    fn idempotency_key(&self, url: &Url, body: &str) -> String {
        let mut hash = Sha256::new();
        for part in [self.write_to.method.name(), url.as_str(), &self.number.to_string(), body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn records(rows: &RecordBatch, plan: &LoadPlan) -> Vec<String> {
    let mut objects = ObjectWriter::new(&plan.schema);
    let columns: Vec<TextWriter<'_>> = rows.columns().iter().map(|column| TextWriter::new(column.as_ref())).collect();
    let record = |row| {
        let mut text = String::new();
        objects.write(&mut text, rows, &columns, row);
        text
    };
    (0..rows.num_rows()).map(record).collect()
}
