//! One load: files are written out of sight, published together, and made to count by one new manifest.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data};
use levada_core::destination::{Accepted, Durable, Load, LoadEnd, LoadPlan, LoadSpec, WriteMode, Writer};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::position::Commit;
use levada_core::schema::OnSchemaChange;

use super::blocking;
use super::destination::{Shape, all_commits};
use super::format::csv::Dialect;
use super::format::{self, FileWriter};
use super::manifest::{self, Entry, Manifest};
use super::place::{self, FileMeta, Guard, Place, Upload, join};
use super::quarantine;
use super::settings::Settings;

/// A load from `begin` to its end.
pub struct FilesLoad {
    work: Arc<Work>,
    writers: usize,
}

/// What a load and its writers share.
struct Work {
    place: Arc<dyn Place>,
    shape: Shape,
    dialect: Dialect,
    target_bytes: u64,
    spec: LoadSpec,
    schema: SchemaRef,
    home: String,
    /// The manifest this load builds on, and its number.
    before: Option<(u64, Manifest)>,
    started: AtomicUsize,
    files: Mutex<BTreeMap<String, Pending>>,
    guard: Mutex<Option<Box<dyn Guard>>>,
}

/// A file not published yet.
struct Pending {
    upload: Box<dyn Upload>,
    rows: u64,
}

impl FilesLoad {
    /// Takes the lock, checks that the load still builds on the last commit, and removes what dead loads left.
    pub fn begin(settings: &Arc<Settings>, spec: LoadSpec, plan: LoadPlan) -> Result<Self> {
        let root = place::open(settings)?;
        let shape = Shape::of(&spec.target, settings, &root);
        let home = manifest::home(&spec.target, shape.single);
        let guard = root.place.lock(&home)?;
        let before = manifest::newest(root.place.as_ref(), &home)?;
        let work = Work {
            place: root.place,
            dialect: Dialect::new(shape.format, &settings.csv),
            shape,
            target_bytes: settings.target_size.0 as u64,
            spec,
            schema: plan.schema,
            home,
            before,
            started: AtomicUsize::new(0),
            files: Mutex::default(),
            guard: Mutex::new(Some(guard)),
        };
        work.check_previous(work.before.as_ref().map(|(_, manifest)| manifest))?;
        // Where a lock can be lost, another load may be alive after all: its garbage waits for the next commit.
        if work.place.locks_for_good() {
            work.remove(&work.garbage(work.before.as_ref().map(|(_, m)| m.files.as_slice()).unwrap_or_default())?);
        }
        Ok(Self { work: Arc::new(work), writers: plan.writers })
    }
}

impl Load for FilesLoad {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        let writer = |_| Box::new(FilesWriter { work: self.work.clone(), open: None }) as Box<dyn Writer>;
        let writers = (0..self.writers.max(1)).map(writer).collect();
        Box::pin(async move { Ok(writers) })
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        let work = self.work.clone();
        blocking(move || {
            let durable = work.commit(&end)?;
            work.release();
            Ok(durable)
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        let work = self.work;
        Box::pin(async move {
            let _ = blocking(move || {
                work.discard();
                work.release();
                Ok(())
            })
            .await;
        })
    }
}

impl Work {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Pending>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of the next file of this load.
    fn next_path(&self) -> String {
        if self.shape.single {
            return self.spec.target.clone();
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let load: String = self.spec.load_id.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let ending = format!("{}{}", self.shape.format.ending(), self.shape.compression.ending());
        join(&self.spec.target, &format!("part-{load}-{number:05}.{ending}"))
    }

    /// A path as people know it, for messages.
    fn in_full(&self, path: &str) -> String {
        join(&self.place.address(), path)
    }

    fn create(&self) -> Result<OpenFile> {
        let path = self.next_path();
        let mut upload = self.place.create(&path)?;
        let sink = upload.sink()?;
        self.files().insert(path.clone(), Pending { upload, rows: 0 });
        let writer = format::writer(self.shape.format, sink, &self.schema, &self.dialect, self.shape.compression)?;
        Ok(OpenFile { writer, path, rows: 0 })
    }

    fn close(&self, file: OpenFile) -> Result<()> {
        file.writer.finish().at(self.in_full(&file.path))?;
        if let Some(pending) = self.files().get_mut(&file.path) {
            pending.rows = file.rows;
        }
        Ok(())
    }

    fn lost_place() -> Error {
        Error::new(ErrorKind::Busy, "another run committed to this target meanwhile")
            .advise("Run again: nothing of this load was committed.")
    }

    fn check_previous(&self, manifest: Option<&Manifest>) -> Result<()> {
        let stored = manifest.and_then(|m| m.commits.iter().find(|commit| commit.key == self.spec.key));
        let stored = match stored {
            Some(commit) => Some(commit.load_id.clone()),
            // The stream may have been loaded into another target before.
            None if self.spec.previous.is_some() => {
                let all = all_commits(self.place.as_ref())?;
                all.into_iter().find(|commit| commit.key == self.spec.key).map(|commit| commit.load_id)
            }
            None => None,
        };
        if stored == self.spec.previous { Ok(()) } else { Err(Self::lost_place().at(self.spec.target.clone())) }
    }

    /// Files in the target that look like Levada's and do not count.
    fn garbage(&self, live: &[Entry]) -> Result<Vec<FileMeta>> {
        let live: HashSet<&str> = live.iter().map(|entry| entry.path.as_str()).collect();
        let (folder, name) = if self.shape.single {
            self.spec.target.rsplit_once('/').unwrap_or(("", &self.spec.target))
        } else {
            (self.spec.target.as_str(), "part-")
        };
        let base = if folder.is_empty() { 0 } else { folder.len() + 1 };
        let hidden = format!(".{name}");
        let ours = |file: &FileMeta| {
            let inner = file.path.get(base..).unwrap_or_default();
            let temporary = inner.starts_with(&hidden) && inner.ends_with(".tmp") && !inner.contains('/');
            let part = !self.shape.single && inner.starts_with(name) && !inner.contains('/');
            let meta = file.path.strip_prefix(&self.home).is_some_and(|rest| rest.ends_with(".tmp"));
            (temporary || part || meta) && !live.contains(file.path.as_str())
        };
        Ok(self.place.list(folder)?.into_iter().filter(ours).collect())
    }

    fn remove(&self, files: &[FileMeta]) {
        for file in files {
            let _ = self.place.delete(&file.path);
        }
    }

    fn release(&self) {
        let guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(guard) = guard {
            guard.release();
        }
    }

    fn discard(&self) {
        for (_, pending) in std::mem::take(&mut *self.files()) {
            pending.upload.discard();
        }
    }

    fn commit(&self, end: &LoadEnd) -> Result<Durable> {
        if end.replayed.is_some() {
            // the manifest is the commit, and the file of the quarantine is no part of it
            return Err(Error::new(ErrorKind::Unsupported, "rows do not leave the quarantine of a folder")
                .advise("Correct them at the source, and load the stream again."));
        }
        let number = self.before.as_ref().map_or(0, |(number, _)| *number);
        let newest = manifest::newest(self.place.as_ref(), &self.home)?;
        if newest.as_ref().map_or(0, |(number, _)| *number) != number {
            return Err(Self::lost_place().at(self.spec.target.clone()));
        }
        let keeps = self.spec.write != WriteMode::Replace;
        let old = self.before.as_ref().map(|(_, m)| m.files.clone()).unwrap_or_default();
        let live = if keeps { old.clone() } else { Vec::new() };
        if self.files().is_empty() && live.is_empty() {
            let empty = self.create()?;
            self.close(empty)?;
        }
        // Listed before the commit: whoever wrote a file by now builds on the old manifest and cannot commit any more.
        let stale = self.garbage(&live)?;
        let published = self.publish()?;
        let manifest = self.manifest(live, &published, end).inspect_err(|_| self.withdraw(&published))?;
        self.commit_manifest(number, &manifest, &published)?;
        let fresh: HashSet<&str> = published.iter().map(|entry| entry.path.as_str()).collect();
        self.remove(&stale.into_iter().filter(|file| !fresh.contains(file.path.as_str())).collect::<Vec<_>>());
        if !keeps && !self.shape.single {
            let gone = old.iter().filter(|entry| !fresh.contains(entry.path.as_str()));
            gone.for_each(|entry| drop(self.place.delete(&entry.path)));
        }
        manifest::prune(self.place.as_ref(), &self.home, number + 1);
        let deleted = if keeps { 0 } else { old.iter().map(|entry| entry.rows).sum() };
        Ok(Durable { inserted: published.iter().map(|entry| entry.rows).sum(), deleted, ..Durable::default() })
    }

    fn publish(&self) -> Result<Vec<Entry>> {
        let mut published = Vec::new();
        loop {
            let next = self.files().pop_first();
            let Some((path, pending)) = next else { return Ok(published) };
            match pending.upload.publish() {
                Ok(bytes) => published.push(Entry { path, rows: pending.rows, bytes }),
                Err(error) => {
                    self.withdraw(&published);
                    return Err(error);
                }
            }
        }
    }

    /// Takes files away again that no manifest names, nor ever will.
    fn withdraw(&self, published: &[Entry]) {
        if !self.shape.single {
            published.iter().for_each(|entry| drop(self.place.delete(&entry.path)));
        }
    }

    /// The manifest that makes files count, as it is stored.
    fn manifest(&self, live: Vec<Entry>, published: &[Entry], end: &LoadEnd) -> Result<Vec<u8>> {
        let commit = Commit {
            key: self.spec.key.clone(),
            target: self.spec.target.clone(),
            load_id: self.spec.load_id.clone(),
            state: end.state.clone(),
            rows_written: end.rows_written,
            rows_rejected: end.rejects.len() as u64,
            committed_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        };
        quarantine::write(self.place.as_ref(), &self.home, &self.spec, &end.rejects, &commit.committed_at)?;
        let mut commits = self.before.as_ref().map(|(_, m)| m.commits.clone()).unwrap_or_default();
        commits.retain(|known| known.key != commit.key);
        commits.push(commit);
        let manifest = Manifest {
            version: 1,
            format: self.shape.format,
            compression: self.shape.compression,
            columns: Manifest::columns(&self.final_schema()?),
            files: live.into_iter().chain(published.iter().cloned()).collect(),
            commits,
        };
        serde_json::to_vec_pretty(&manifest).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }

    /// The commit. An error of the store may be no more than a lost answer, and the manifest may even come to be later:
    /// the files stay, and the next load removes them if nothing names them.
    fn commit_manifest(&self, number: u64, manifest: &[u8], published: &[Entry]) -> Result<()> {
        let put = self.place.put_new(&manifest::path(&self.home, number + 1), manifest);
        if matches!(put, Ok(true)) {
            return Ok(());
        }
        let is_own = |manifest: &Manifest| manifest.commits.iter().any(|commit| commit.load_id == self.spec.load_id);
        match (put, manifest::at(self.place.as_ref(), &self.home, number + 1)) {
            (_, Ok(there)) if is_own(&there) => Ok(()),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(_)) => {
                self.withdraw(published);
                Err(Self::lost_place().at(self.spec.target.clone()))
            }
        }
    }

    /// The columns after the load: what it brings, and what was there before as far as it stays.
    fn final_schema(&self) -> Result<Schema> {
        let renews = self.spec.write == WriteMode::Replace && self.spec.on_schema_change == OnSchemaChange::Evolve;
        let old = match &self.before {
            Some((_, manifest)) => manifest.schema()?,
            None => return Ok(self.schema.as_ref().clone()),
        };
        let mut fields: Vec<Field> = Vec::new();
        for known in old.fields() {
            fields.push(match self.schema.field_with_name(known.name()) {
                Ok(new) if renews => new.clone(),
                Ok(new) => new.clone().with_nullable(new.is_nullable() || known.is_nullable()),
                Err(_) => known.as_ref().clone().with_nullable(true),
            });
        }
        for new in self.schema.fields() {
            if old.field_with_name(new.name()).is_err() {
                fields.push(new.as_ref().clone().with_nullable(new.is_nullable() || !renews));
            }
        }
        Ok(Schema::new(fields))
    }
}

struct OpenFile {
    writer: Box<dyn FileWriter>,
    path: String,
    rows: u64,
}

struct FilesWriter {
    work: Arc<Work>,
    open: Option<OpenFile>,
}

impl FilesWriter {
    fn write_rows(work: &Work, open: Option<OpenFile>, rows: &RecordBatch) -> Result<Option<OpenFile>> {
        let mut file = match open {
            Some(file) => file,
            None => work.create()?,
        };
        file.writer.write(rows).at(work.in_full(&file.path))?;
        file.rows += rows.num_rows() as u64;
        if !work.shape.single && file.writer.size() >= work.target_bytes {
            work.close(file)?;
            return Ok(None);
        }
        Ok(Some(file))
    }
}

impl Writer for FilesWriter {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        Box::pin(async move {
            let Data::Arrow(rows) = batch.data else {
                return Err(Error::new(ErrorKind::Internal, "raw rows were given to files"));
            };
            let count = rows.num_rows() as u64;
            if count > 0 {
                let (work, open) = (self.work.clone(), self.open.take());
                self.open = blocking(move || Self::write_rows(&work, open, &rows)).await?;
            }
            Ok(Accepted { rows: count, rejects: Vec::new() })
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        blocking(move || {
            if let Some(file) = self.open {
                self.work.close(file)?;
            }
            Ok(Accepted::default())
        })
    }
}
