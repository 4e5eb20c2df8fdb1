//! A local folder. Files are written under a hidden temporary name, flushed to the disk and renamed; symbolic links are
//! followed only where they stay inside the root.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use levada_core::error::{Context, Error, ErrorKind, Result};

use super::{FileMeta, Guard, Opened, Place, Sink, Upload, changed};
use crate::files::format::RandomRead;
use crate::kit::off_limits::{self, OffLimits};

/// How often a lock is tried for whose file is being removed by the load before.
const LOCK_TRIES: u32 = 20;

pub(super) fn open(path: &Path, off_limits: &OffLimits) -> Result<Opened> {
    off_limits.check(path)?;
    let absolute = std::path::absolute(path).at(path.display().to_string())?;
    if absolute.is_file() {
        let name = absolute.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let place = Arc::new(Local { root: real(folder)?, off_limits: off_limits.clone() });
        return Ok(Opened { place, single: Some(name) });
    }
    // A root that does not exist yet is a target to be; an ending of a known format makes it a file.
    let named = absolute.file_name().and_then(|n| n.to_str()).filter(|n| !absolute.exists() && has_format(n));
    let (root, single) = match (named, absolute.parent()) {
        (Some(name), Some(folder)) => (folder, Some(name.to_owned())),
        _ => (absolute.as_path(), None),
    };
    Ok(Opened { place: Arc::new(Local { root: real(root)?, off_limits: off_limits.clone() }), single })
}

fn has_format(name: &str) -> bool {
    crate::files::format::Format::of(name).is_some()
}

fn real(folder: &Path) -> Result<PathBuf> {
    if folder.exists() { folder.canonicalize().at(folder.display().to_string()) } else { Ok(folder.to_owned()) }
}

struct Local {
    root: PathBuf,
    /// What may lie below the root, and is none of its files.
    off_limits: OffLimits,
}

impl Local {
    /// The absolute path of a relative one, refused if links lead it out of the root, or if it is off limits.
    fn path(&self, relative: &str) -> Result<PathBuf> {
        let path = if relative.is_empty() { self.root.clone() } else { self.root.join(relative) };
        let mut known = path.as_path();
        let real = loop {
            match known.canonicalize() {
                Ok(real) => break real,
                Err(_) => match known.parent() {
                    Some(parent) => known = parent,
                    None => return self.off_limits.check(&path).map(|()| path),
                },
            }
        };
        // While the root itself does not exist yet, the nearest existing folder above it is all there is to look at.
        if real.starts_with(&self.root) || (!self.root.exists() && self.root.starts_with(&real)) {
            self.off_limits.check(&path)?;
            return Ok(path);
        }
        Err(Error::new(ErrorKind::Config, format!("`{relative}` is a link that leads out of the connection's root"))
            .advise("Copy the file below the root, or give the connection another root."))
    }

    fn walk(&self, folder: &Path, relative: &str, found: &mut Vec<FileMeta>) -> Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(Error::from(error).at(folder.display().to_string())),
        };
        let real = off_limits::real(folder);
        for entry in entries {
            let entry = entry.at(folder.display().to_string())?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if self.off_limits.hold(&real.join(name)) {
                continue;
            }
            let inner = super::join(relative, name);
            let kind = entry.file_type().at(inner.clone())?;
            if kind.is_dir() {
                self.walk(&entry.path(), &inner, found)?;
            } else if kind.is_file() || self.path(&inner).is_ok() {
                match fs::metadata(entry.path()) {
                    Ok(metadata) if metadata.is_file() => found.push(meta(inner, &metadata)),
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Error::from(error).at(inner)),
                }
            }
        }
        Ok(())
    }

    fn opened(&self, file: &FileMeta) -> Result<(File, PathBuf)> {
        let path = self.path(&file.path)?;
        let handle = File::open(&path).at(file.path.clone())?;
        if meta(file.path.clone(), &handle.metadata().at(file.path.clone())?) != *file {
            return Err(changed(&file.path));
        }
        Ok((handle, path))
    }
}

fn meta(path: String, metadata: &Metadata) -> FileMeta {
    let modified_us = metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1000;
    FileMeta { path, size: metadata.len(), modified_us, etag: None }
}

impl Place for Local {
    fn address(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self, folder: &str) -> Result<Vec<FileMeta>> {
        let mut found = Vec::new();
        self.walk(&self.path(folder)?, folder, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn look(&self, path: &str) -> Result<Option<FileMeta>> {
        match fs::metadata(self.path(path)?) {
            Ok(metadata) if metadata.is_file() => Ok(Some(meta(path.to_owned(), &metadata))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::from(error).at(path)),
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        fs::read(self.path(path)?).at(path)
    }

    fn stream(&self, file: &FileMeta) -> Result<Box<dyn Read + Send>> {
        let (handle, _) = self.opened(file)?;
        Ok(Box::new(LocalStream { handle, file: file.clone(), read: 0 }))
    }

    fn random(&self, file: &FileMeta) -> Result<Arc<dyn RandomRead>> {
        let (handle, _) = self.opened(file)?;
        Ok(Arc::new(LocalRandom { handle, file: file.clone() }))
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let target = self.path(path)?;
        let (temporary, place) = (temporary(&target), target.display().to_string());
        create_folders(&target).at(&place)?;
        let linked = (|| {
            let mut file = File::create_new(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::hard_link(&temporary, &target)
        })();
        let _ = fs::remove_file(&temporary);
        match linked {
            Ok(()) => sync_folder(&target).at(place).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(Error::from(error).at(place)),
        }
    }

    fn create(&self, path: &str) -> Result<Box<dyn Upload>> {
        let target = self.path(path)?;
        create_folders(&target).at(target.display().to_string())?;
        Ok(Box::new(LocalUpload { temporary: temporary(&target), target }))
    }

    fn delete(&self, path: &str) -> Result<()> {
        match fs::remove_file(self.path(path)?) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::from(error).at(path)),
            _ => Ok(()),
        }
    }

    fn lock(&self, folder: &str) -> Result<Box<dyn Guard>> {
        let path = self.path(&super::join(folder, "lock"))?;
        let place = self.root.join(folder).display().to_string();
        let (made, mut gone) = (missing_folders(&path), None);
        for _ in 0..LOCK_TRIES {
            let opened = create_folders(&path)
                .and_then(|()| File::options().create(true).truncate(false).read(true).write(true).open(&path));
            let file = match opened {
                // The folder went with the lock of a load that was given up.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    gone = Some(error);
                    continue;
                }
                opened => opened.at(&place)?,
            };
            gone = None;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(Error::from(error).at(place)),
            }
            // A file that its last holder removed in the meantime keeps nobody out.
            if !is_at(&file, &path) {
                continue;
            }
            let holder = format!("process {} since {}\n", std::process::id(), chrono::Utc::now().to_rfc3339());
            file.set_len(0).and_then(|()| file.write_all_at(holder.as_bytes(), 0)).at(&place)?;
            return Ok(Box::new(LocalLock { _file: file, path, made }));
        }
        if let Some(error) = gone {
            return Err(Error::from(error).at(place));
        }
        let holder = fs::read_to_string(&path).unwrap_or_default();
        Err(Error::new(ErrorKind::Busy, format!("another load is writing here ({})", holder.trim()))
            .at(place)
            .advise("Wait until it has ended and run again."))
    }

    fn try_writing(&self) -> Result<String> {
        self.off_limits.check(&self.root)?;
        let there = self.root.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
        let probe = temporary(&there.join("check"));
        if let Err(error) = File::create_new(&probe) {
            return Ok(format!("no: {error} (enough for a source)"));
        }
        let _ = fs::remove_file(&probe);
        Ok(match there == self.root {
            true => "yes: files may be made here".to_owned(),
            false => "yes: the folder does not exist yet, and will be made".to_owned(),
        })
    }

    fn locks_for_good(&self) -> bool {
        true
    }

    fn shows_unfinished(&self) -> bool {
        true
    }
}

/// Released when the file is closed, also by the death of the process.
struct LocalLock {
    _file: File,
    path: PathBuf,
    /// The folders made for it, the innermost first.
    made: Vec<PathBuf>,
}

impl Guard for LocalLock {
    /// The file goes while it is still locked: whoever opens that name afterwards makes another one. The folders go where
    /// the load put nothing into them.
    fn release(self: Box<Self>) {
        let _ = fs::remove_file(&self.path);
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

/// The folders above a path that are not there, the innermost first.
fn missing_folders(path: &Path) -> Vec<PathBuf> {
    path.ancestors().skip(1).take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect()
}

/// Whether an open file is the one that a path leads to.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: std::io::Result<Metadata>| metadata.ok().map(|it| (it.dev(), it.ino()));
    identity(file.metadata()).is_some_and(|open| identity(fs::metadata(path)) == Some(open))
}

fn create_folders(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn temporary(target: &Path) -> PathBuf {
    let name = target.file_name().and_then(|n| n.to_str()).unwrap_or("file");
    let random = uuid::Uuid::new_v4().simple().to_string();
    target.with_file_name(format!(".{name}.{}.tmp", &random[..8]))
}

struct LocalStream {
    handle: File,
    file: FileMeta,
    read: u64,
}

impl Read for LocalStream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.handle.read(buffer)?;
        self.read += read as u64;
        if read == 0 && !buffer.is_empty() {
            let now = meta(self.file.path.clone(), &self.handle.metadata()?);
            if now != self.file || self.read != self.file.size {
                return Err(std::io::Error::other(format!("`{}` changed while it was read", self.file.path)));
            }
        }
        Ok(read)
    }
}

struct LocalRandom {
    handle: File,
    file: FileMeta,
}

impl RandomRead for LocalRandom {
    fn name(&self) -> &str {
        &self.file.path
    }

    fn len(&self) -> u64 {
        self.file.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.handle.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => changed(&self.file.path),
            _ => Error::from(error).at(self.file.path.clone()),
        })?;
        let now = meta(self.file.path.clone(), &self.handle.metadata().at(self.file.path.clone())?);
        if now == self.file { Ok(()) } else { Err(changed(&self.file.path)) }
    }
}

struct LocalUpload {
    temporary: PathBuf,
    target: PathBuf,
}

impl Upload for LocalUpload {
    fn sink(&mut self) -> Result<Sink> {
        let file = File::create_new(&self.temporary).at(self.target.display().to_string())?;
        Ok(Box::new(BufWriter::with_capacity(256 << 10, file)))
    }

    fn publish(self: Box<Self>) -> Result<u64> {
        let publish = || {
            let file = File::open(&self.temporary)?;
            file.sync_all()?;
            fs::rename(&self.temporary, &self.target)?;
            sync_folder(&self.target)?;
            Ok::<u64, std::io::Error>(file.metadata()?.len())
        };
        publish().inspect_err(|_| drop(fs::remove_file(&self.temporary))).at(self.target.display().to_string())
    }

    fn discard(self: Box<Self>) {
        let _ = fs::remove_file(&self.temporary);
    }
}
