//! A local disk on which what was written survives a loss of power: files and the names of files are flushed before the
//! answer.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// The whole disk.
#[derive(Debug)]
pub struct Disk(LocalFileSystem);

impl Disk {
    /// All of this machine's files.
    pub fn new() -> Self {
        Self(LocalFileSystem::new())
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Flushes a file, and the folders that lead to it as far as they may be new.
async fn flush(path: PathBuf) -> Result<()> {
    let flushed = tokio::task::spawn_blocking(move || {
        File::open(&path)?.sync_all()?;
        // the table, its log and what holds them
        path.ancestors()
            .skip(1)
            .take(3)
            .filter(|folder| *folder != FilePath::new("/"))
            .try_for_each(|folder| File::open(folder)?.sync_all())
    });
    let done = flushed.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    done.map_err(|error| Error::Generic { store: "LocalFileSystem", source: Box::new(error) })
}

/// Puts a file where none is. Its name is there only once its bytes are on the disk: an empty file after a loss of power would
/// be a commit that nobody can read.
async fn create(path: PathBuf, payload: PutPayload) -> Result<()> {
    let shown = path.display().to_string();
    let created = tokio::task::spawn_blocking(move || {
        let folder = path.parent().unwrap_or(FilePath::new("/"));
        std::fs::create_dir_all(folder)?;
        // what the store does not list: names that end in `#` and digits
        let mut waiting = path.clone().into_os_string();
        waiting.push(format!("#{}", uuid::Uuid::new_v4().as_u128()));
        let mut file = File::create_new(&waiting)?;
        let written = payload.iter().try_for_each(|part| file.write_all(part)).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| std::fs::hard_link(&waiting, &path));
        let _ = std::fs::remove_file(&waiting);
        linked
    });
    let done = created.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    done.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::AlreadyExists { path: shown, source: Box::new(error) },
        std::io::ErrorKind::PermissionDenied => Error::PermissionDenied { path: shown, source: Box::new(error) },
        _ => Error::Generic { store: "LocalFileSystem", source: Box::new(error) },
    })
}

#[async_trait::async_trait]
impl ObjectStore for Disk {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if options.mode == PutMode::Create {
            let path = self.0.path_to_filesystem(location)?;
            create(path.clone(), payload).await?;
            flush(path).await?;
            return Ok(PutResult { e_tag: None, version: None });
        }
        let put = self.0.put_opts(location, payload, options).await?;
        flush(self.0.path_to_filesystem(location)?).await?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.0.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload { upload, path: self.0.path_to_filesystem(location)? }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await?;
        flush(self.0.path_to_filesystem(to)?).await
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait::async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.upload.complete().await?;
        flush(self.path.clone()).await?;
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
