//! An S3-compatible bucket. Files are multipart uploads completed when they are published, reads insist on the version
//! that was listed, and a conditional put stands in for a lock.

use std::future::Future;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use levada_core::error::{Error, ErrorKind, Result};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions,
};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::answer::{self, cause};
use super::lease::{self, LeaseError};
use super::{FileMeta, Guard, Opened, Place, Sink, Upload, changed};
use crate::files::format::{Format, RandomRead};
use crate::files::settings::Settings;

/// The size of the parts of an upload; the last one may be smaller.
const PART_BYTES: usize = 8 << 20;
/// Parts of one upload under way at once.
const PARTS_UNDER_WAY: usize = 2;

pub(super) fn open(settings: &Settings, bucket: &str, prefix: &str) -> Result<Opened> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_allow_http(settings.allow_http);
    if let Some(endpoint) = &settings.endpoint {
        if endpoint.starts_with("http://") && !settings.allow_http {
            return Err(Error::new(ErrorKind::Config, "`endpoint` is not encrypted, and `allow_http` is not set")
                .advise("Use an `https://` endpoint, or set `allow_http: true`."));
        }
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let (Some(key), Some(secret)) = (&settings.access_key, &settings.secret_key) {
        builder = builder.with_access_key_id(key).with_secret_access_key(secret.expose());
    }
    let store = builder
        .build()
        .map_err(|error| Error::new(ErrorKind::Config, format!("the S3 settings are not usable: {}", cause(&error))))?;
    // A prefix with the ending of a file stands for that one file.
    let (folder, single) = match prefix.rsplit_once('/').unwrap_or(("", prefix)) {
        (folder, name) if Format::of(name).is_some() => (folder, Some(name.to_owned())),
        _ => (prefix, None),
    };
    let place = S3 {
        store: Arc::new(store),
        bucket: bucket.to_owned(),
        prefix: folder.to_owned(),
        runtime: Handle::try_current()
            .map_err(|_| Error::new(ErrorKind::Internal, "S3 is used outside the asynchronous runtime"))?,
    };
    Ok(Opened { place: Arc::new(place), single })
}

struct S3 {
    store: Arc<dyn ObjectStore>,
    bucket: String,
    prefix: String,
    runtime: Handle,
}

impl S3 {
    fn path(&self, relative: &str) -> Result<Path> {
        let full = super::join(&self.prefix, relative);
        Path::parse(full.trim_matches('/'))
            .map_err(|_| Error::new(ErrorKind::NotFound, format!("`{relative}` is not a possible name in a bucket")))
    }

    fn wait<T>(&self, path: &str, work: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        self.runtime.block_on(work).map_err(|error| self.error(path, &error))
    }

    fn error(&self, path: &str, error: &StoreError) -> Error {
        if matches!(error, StoreError::Precondition { .. } | StoreError::NotModified { .. }) {
            return changed(path);
        }
        let place = format!("s3://{}", super::join(&self.bucket, &super::join(&self.prefix, path)));
        answer::error(error, &self.bucket, path).at(place)
    }

    fn meta(&self, object: ObjectMeta) -> Option<FileMeta> {
        let full = object.location.as_ref();
        let path = if self.prefix.is_empty() { full } else { full.strip_prefix(&self.prefix)?.strip_prefix('/')? };
        Some(FileMeta {
            path: path.to_owned(),
            size: object.size,
            modified_us: object.last_modified.timestamp_micros(),
            etag: object.e_tag,
        })
    }
}

/// The innermost reason of a store's error, on one line.
impl Place for S3 {
    fn address(&self) -> String {
        format!("s3://{}", super::join(&self.bucket, &self.prefix))
    }

    fn list(&self, folder: &str) -> Result<Vec<FileMeta>> {
        let path = self.path(folder)?;
        let prefix = (!path.as_ref().is_empty()).then_some(path);
        let mut stream = self.store.list(prefix.as_ref());
        let mut found = Vec::new();
        while let Some(object) = self.runtime.block_on(stream.next()) {
            found.extend(self.meta(object.map_err(|error| self.error(folder, &error))?));
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn look(&self, path: &str) -> Result<Option<FileMeta>> {
        let location = self.path(path)?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !name.contains('.') {
            // Most likely a folder, which some services refuse to be asked about.
            let folder = self.path(folder)?;
            let prefix = (!folder.as_ref().is_empty()).then_some(folder);
            let listed = self.wait(path, self.store.list_with_delimiter(prefix.as_ref()))?;
            return Ok(listed.objects.into_iter().find(|o| o.location == location).and_then(|o| self.meta(o)));
        }
        match self.runtime.block_on(self.store.head(&location)) {
            Ok(object) => Ok(self.meta(object)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(path, &error)),
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let location = self.path(path)?;
        let bytes = self.wait(path, async { self.store.get(&location).await?.bytes().await })?;
        Ok(bytes.to_vec())
    }

    fn stream(&self, file: &FileMeta) -> Result<Box<dyn Read + Send>> {
        let options = GetOptions { if_match: file.etag.clone(), ..GetOptions::default() };
        let location = self.path(&file.path)?;
        let result = self.wait(&file.path, self.store.get_opts(&location, options))?;
        if result.meta.size != file.size {
            return Err(changed(&file.path));
        }
        Ok(Box::new(S3Stream {
            stream: result.into_stream(),
            rest: Bytes::new(),
            left: file.size,
            path: file.path.clone(),
            runtime: self.runtime.clone(),
        }))
    }

    fn random(&self, file: &FileMeta) -> Result<Arc<dyn RandomRead>> {
        Ok(Arc::new(S3Random {
            store: self.store.clone(),
            location: self.path(&file.path)?,
            file: file.clone(),
            version: OnceLock::new(),
            place: S3 {
                store: self.store.clone(),
                bucket: self.bucket.clone(),
                prefix: self.prefix.clone(),
                runtime: self.runtime.clone(),
            },
        }))
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let location = self.path(path)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.store.put_opts(&location, Bytes::copy_from_slice(bytes).into(), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.error(path, &error)),
        }
    }

    fn create(&self, path: &str) -> Result<Box<dyn Upload>> {
        let location = self.path(path)?;
        let upload = self.wait(path, self.store.put_multipart(&location))?;
        let state = State { upload, under_way: JoinSet::new(), buffer: Vec::new(), bytes: 0, failure: None };
        Ok(Box::new(S3Upload {
            state: Arc::new(Mutex::new(state)),
            path: path.to_owned(),
            place: S3 {
                store: self.store.clone(),
                bucket: self.bucket.clone(),
                prefix: self.prefix.clone(),
                runtime: self.runtime.clone(),
            },
        }))
    }

    fn delete(&self, path: &str) -> Result<()> {
        let location = self.path(path)?;
        match self.runtime.block_on(self.store.delete(&location)) {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(path, &error)),
        }
    }

    fn lock(&self, folder: &str) -> Result<Box<dyn Guard>> {
        let path = super::join(folder, "lock");
        match lease::take(self.store.clone(), self.path(&path)?, &self.runtime) {
            Ok(lease) => Ok(Box::new(lease)),
            Err(LeaseError::Held) => Err(LeaseError::held(&super::join(&self.address(), folder))),
            Err(LeaseError::Store(error)) => Err(self.error(&path, &error)),
        }
    }

    fn try_writing(&self) -> Result<String> {
        // A multipart upload needs the right to put objects, and is no object until it is completed.
        match self.create(&format!(".levada-check-{}", uuid::Uuid::new_v4().simple())) {
            Ok(upload) => {
                upload.discard();
                Ok("yes: objects may be put here".to_owned())
            }
            Err(error) if matches!(error.kind(), ErrorKind::Permission | ErrorKind::Auth) => {
                Ok(format!("no: {} (enough for a source)", error.message()))
            }
            Err(error) => Err(error),
        }
    }

    fn locks_for_good(&self) -> bool {
        false
    }

    fn shows_unfinished(&self) -> bool {
        false
    }
}

struct S3Stream {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    rest: Bytes,
    left: u64,
    path: String,
    runtime: Handle,
}

impl Read for S3Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(error)) => {
                    return Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, cause(&error)));
                }
                None if self.left == 0 => return Ok(0),
                None => return Err(std::io::Error::other(format!("`{}` ended before its length", self.path))),
            }
        }
        let take = self.rest.len().min(buffer.len());
        buffer[..take].copy_from_slice(&self.rest.split_to(take));
        self.left = self.left.saturating_sub(take as u64);
        Ok(take)
    }
}

struct S3Random {
    store: Arc<dyn ObjectStore>,
    location: Path,
    file: FileMeta,
    /// The mark and the time of what the first answer was about: not every service tells the mark in a listing.
    version: OnceLock<(Option<String>, DateTime<Utc>)>,
    place: S3,
}

impl RandomRead for S3Random {
    fn name(&self) -> &str {
        &self.file.path
    }

    fn len(&self) -> u64 {
        self.file.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let range = GetRange::Bounded(offset..offset + buffer.len() as u64);
        let options = GetOptions { if_match: self.file.etag.clone(), range: Some(range), ..GetOptions::default() };
        let (meta, got) = self.place.wait(&self.file.path, async {
            let result = self.store.get_opts(&self.location, options).await?;
            Ok((result.meta.clone(), result.bytes().await?))
        })?;
        let version = (meta.e_tag, meta.last_modified);
        let is_same = *self.version.get_or_init(|| version.clone()) == version && meta.size == self.file.size;
        if !is_same || got.len() != buffer.len() {
            return Err(changed(&self.file.path));
        }
        buffer.copy_from_slice(&got);
        Ok(())
    }
}

struct State {
    upload: Box<dyn MultipartUpload>,
    under_way: JoinSet<object_store::Result<()>>,
    buffer: Vec<u8>,
    bytes: u64,
    failure: Option<String>,
}

impl State {
    /// Starts the upload of the buffer as one part; waits while too many are under way.
    fn send(&mut self, runtime: &Handle, under_way_max: usize) -> std::io::Result<()> {
        if !self.buffer.is_empty() {
            let part = std::mem::take(&mut self.buffer);
            let upload = self.upload.put_part(Bytes::from(part).into());
            self.under_way.spawn_on(upload, runtime);
        }
        while self.under_way.len() > under_way_max {
            let outcome = match runtime.block_on(self.under_way.join_next()) {
                Some(Ok(Ok(()))) | None => continue,
                Some(Ok(Err(error))) => cause(&error),
                Some(Err(error)) => error.to_string(),
            };
            self.failure = Some(outcome.clone());
            return Err(std::io::Error::other(outcome));
        }
        Ok(())
    }
}

struct S3Sink {
    state: Arc<Mutex<State>>,
    runtime: Handle,
}

impl Write for S3Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let take = bytes.len().min(PART_BYTES - state.buffer.len().min(PART_BYTES - 1));
        state.buffer.extend_from_slice(&bytes[..take]);
        state.bytes += take as u64;
        if state.buffer.len() >= PART_BYTES {
            state.send(&self.runtime, PARTS_UNDER_WAY)?;
        }
        Ok(take)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct S3Upload {
    state: Arc<Mutex<State>>,
    path: String,
    place: S3,
}

impl Upload for S3Upload {
    fn sink(&mut self) -> Result<Sink> {
        Ok(Box::new(S3Sink { state: self.state.clone(), runtime: self.place.runtime.clone() }))
    }

    fn publish(self: Box<Self>) -> Result<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match &state.failure {
            Some(failure) => Err(failure.clone()),
            None => state.send(&self.place.runtime, 0).map_err(|error| error.to_string()),
        };
        if let Err(failure) = sent {
            let _ = self.place.runtime.block_on(state.upload.abort());
            return Err(
                Error::new(ErrorKind::Connect, format!("S3 did not take a part: {failure}")).at(self.path.clone())
            );
        }
        self.place.wait(&self.path, state.upload.complete())?;
        Ok(state.bytes)
    }

    fn discard(self: Box<Self>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.under_way.abort_all();
        let _ = self.place.runtime.block_on(state.upload.abort());
    }
}
