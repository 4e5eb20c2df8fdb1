//! Where the tables of a connection lie: a folder of a local disk or of a bucket, with one folder for each table.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableError};
use futures_util::TryStreamExt as _;
use levada_core::error::{Context, Error, ErrorKind, Result};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use url::Url;

use crate::PathRule;
use crate::config::{AsOf, Root, Settings, instant_of};
use crate::disk::Disk;
use crate::error;

/// A place that is open.
#[derive(Clone)]
pub struct Place {
    /// The whole disk or bucket.
    store: Arc<dyn ObjectStore>,
    /// The folder in it that holds the tables.
    folder: Path,
    /// The same as a URL, with a slash at its end.
    url: Url,
    as_of: Option<AsOf>,
    /// Where it may be on this machine.
    rule: PathRule,
}

impl Place {
    /// Opens the place of a connection; does no I/O beyond looking at local paths.
    ///
    /// # Errors
    /// `Config`.
    pub fn open(settings: &Settings, rule: &PathRule) -> Result<Self> {
        let unusable = |what: &str| Error::new(ErrorKind::Config, format!("`location` can not be used: {what}"));
        let (store, url): (Arc<dyn ObjectStore>, Url) = match settings.root()? {
            Root::Local(path) => {
                let path = real(&path);
                rule(&path)?;
                let url = Url::from_directory_path(&path).map_err(|()| unusable("it is no absolute path"))?;
                (Arc::new(Disk::new()), url)
            }
            Root::S3 { bucket, prefix } => {
                let slash = if prefix.is_empty() { "" } else { "/" };
                let url = Url::parse(&format!("s3://{bucket}/{prefix}{slash}"));
                (bucket_of(settings, &bucket)?, url.map_err(|error| unusable(&error.to_string()))?)
            }
        };
        let folder = Path::from_url_path(url.path()).map_err(|error| unusable(&error.to_string()))?;
        Ok(Self { store, folder, url, as_of: settings.as_of.clone(), rule: rule.clone() })
    }

    /// The whole disk or bucket, and its URL: what a query engine finds files by.
    pub fn root_store(&self) -> (Url, Arc<dyn ObjectStore>) {
        let mut root = self.url.clone();
        root.set_path("/");
        (root, self.store.clone())
    }

    /// A table, not looked at yet.
    ///
    /// # Errors
    /// `NotFound` for a name that is no folder's, `Refused` for a folder that connections keep out of.
    pub fn handle(&self, name: &str) -> Result<DeltaTable> {
        if !is_folder(name) {
            return Err(Error::new(ErrorKind::NotFound, format!("`{name}` is not a possible name of a table here")));
        }
        self.check(name)?;
        let mut url = self.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push(name).push("");
        }
        let options = StorageConfig::default();
        let prefixed = options.decorate_store(self.store.clone(), &url).map_err(error::delta)?;
        Ok(DeltaTable::new(default_logstore(Arc::new(prefixed), self.store.clone(), &url, &options)))
    }

    /// Whether a folder of this machine, wherever links lead, is one that connections may use.
    fn check(&self, name: &str) -> Result<()> {
        match self.url.to_file_path() {
            Ok(path) if self.url.scheme() == "file" => (self.rule)(&real(&path.join(name))),
            _ => Ok(()),
        }
    }

    /// A file in the folder of a table that is none of a table: there must be none where one is made, as upkeep removes files
    /// that no version names.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stranger(&self, name: &str) -> Result<Option<String>> {
        let folder = self.path(name);
        let mut files = self.store.list(Some(&folder));
        loop {
            match files.try_next().await {
                Ok(Some(file)) => {
                    let name = file.location.filename().unwrap_or_default();
                    if !(name.starts_with("part-") && name.ends_with(".parquet")) {
                        return Ok(Some(name.to_owned()));
                    }
                }
                Ok(None) | Err(StoreError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error::store(error)),
            }
        }
    }

    /// A table at its newest version; `None` if there is none.
    ///
    /// # Errors
    /// `Connect` and others of the store; `Data` for a log that can not be read.
    pub async fn newest(&self, name: &str) -> Result<Option<DeltaTable>> {
        let mut table = self.handle(name)?;
        if !self.has_log(name).await? {
            return Ok(None);
        }
        found(table.load().await, table).at(format!("table `{name}`"))
    }

    /// A table as the connection reads it, at `as_of` where that is set; `None` if there is none.
    ///
    /// # Errors
    /// As for [`Place::newest`], and `NotFound` for a version that is not there.
    pub async fn table(&self, name: &str) -> Result<Option<DeltaTable>> {
        let Some(as_of) = &self.as_of else { return self.newest(name).await };
        let Some(mut table) = self.newest(name).await? else { return Ok(None) };
        let newest = table.version().unwrap_or_default();
        let gone = |version: u64| {
            Error::new(ErrorKind::NotFound, format!("there is no version {version}, the newest is {newest}"))
        };
        let done = match as_of {
            AsOf::Version(version) if *version > newest => return Err(gone(*version).at(format!("table `{name}`"))),
            AsOf::Version(version) => table.load_version(*version).await,
            AsOf::Instant(text) => {
                let instant = instant_of(text)?;
                let done = table.load_with_datetime(instant).await;
                let made = table.version().and_then(|version| table.snapshot().ok()?.version_timestamp(version));
                if done.is_ok() && made.is_some_and(|made| made > instant.timestamp_millis()) {
                    return Err(Error::new(ErrorKind::NotFound, format!("its log does not go back to {text}"))
                        .at(format!("table `{name}`"))
                        .advise("The oldest version that is left is newer. Ask for a later instant."));
                }
                done
            }
        };
        found(done, table).at(format!("table `{name}`"))
    }

    /// The names of all tables, ordered.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn names(&self) -> Result<Vec<String>> {
        let listed = match self.store.list_with_delimiter(Some(&self.folder)).await {
            Err(StoreError::NotFound { .. }) => return Ok(Vec::new()),
            listed => listed.map_err(error::store)?,
        };
        let own = |name: &str| name == "_delta_log";
        if listed.common_prefixes.iter().any(|path| path.filename().is_some_and(own)) {
            return Err(
                Error::new(ErrorKind::Config, "`location` is itself a table").advise("Give the folder above it.")
            );
        }
        let mut names = Vec::new();
        for path in &listed.common_prefixes {
            let name = path.filename().unwrap_or_default();
            if is_folder(name) && self.check(name).is_ok() && self.has_log(name).await? {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    async fn has_log(&self, name: &str) -> Result<bool> {
        let log = self.path(&format!("{name}/_delta_log"));
        match self.store.list(Some(&log)).try_next().await {
            Err(StoreError::NotFound { .. }) => Ok(false),
            first => first.map(|first| first.is_some()).map_err(error::store),
        }
    }

    fn path(&self, relative: &str) -> Path {
        relative.split('/').fold(self.folder.clone(), |path, part| path.join(part))
    }

    /// The names of the files below a folder of Levada's own, relative to it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let base = self.path(folder);
        let found: Vec<_> = match self.store.list(Some(&base)).try_collect().await {
            Err(StoreError::NotFound { .. }) => Vec::new(),
            found => found.map_err(error::store)?,
        };
        let name = |path: &Path| -> Option<String> {
            Some(path.prefix_match(&base)?.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
        };
        Ok(found.iter().filter_map(|meta| name(&meta.location)).collect())
    }

    /// A small file; `None` if there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>> {
        match self.store.get(&self.path(path)).await {
            Err(StoreError::NotFound { .. }) => Ok(None),
            found => Ok(Some(found.map_err(error::store)?.bytes().await.map_err(error::store)?)),
        }
    }

    /// Writes a small file; false, and nothing changed, if it is there already.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&self.path(path), bytes.into(), options).await {
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
            done => done.map(|_| true).map_err(error::store),
        }
    }

    /// Removes a file; one that is gone is no error, and neither is one that can not be removed: nothing names it.
    pub async fn remove(&self, path: &str) {
        if let Err(error) = self.store.delete(&self.path(path)).await
            && !matches!(error, StoreError::NotFound { .. })
        {
            tracing::debug!("{path} stays: {error}");
        }
    }
}

fn found(done: Result<(), DeltaTableError>, table: DeltaTable) -> Result<Option<DeltaTable>> {
    match done {
        Ok(()) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => {
            let error = error::delta(error);
            // a log that is not there is told in several ways
            if error.kind() == ErrorKind::NotFound && table.version().is_none() { Ok(None) } else { Err(error) }
        }
    }
}

/// Whether the name can be that of a folder with a table, as others write them.
fn is_folder(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || " _-.,+()=@&'".contains(c);
    !name.is_empty() && !name.starts_with(['_', '.']) && name.chars().all(is_plain)
}

/// The name as one that every store and tool takes for a folder; equal to it if it is one. Others than letters, digits,
/// `_`, `-` and `.` become `_`, and a hash of the name keeps them apart.
pub fn folder_name(name: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let clean: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if clean == name && !name.is_empty() && !name.starts_with(['_', '.']) && !name.ends_with('.') {
        return clean;
    }
    let hash: String = Sha256::digest(name.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let clean = clean.trim_matches(['_', '.']);
    if clean.is_empty() { format!("table_{hash}") } else { format!("{clean}_{hash}") }
}

/// A path without links, as far as it is there.
fn real(path: &FilePath) -> std::path::PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.canonicalize().unwrap_or(absolute)
}

fn bucket_of(settings: &Settings, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    let builder = match (&settings.access_key, &settings.secret_key) {
        // a token in the environment belongs to other keys
        (Some(key), Some(secret)) => {
            let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
            let builder = AmazonS3Builder::new().with_access_key_id(key).with_secret_access_key(secret.expose());
            region.into_iter().fold(builder, AmazonS3Builder::with_region)
        }
        _ => AmazonS3Builder::from_env(),
    };
    let mut builder = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_allow_http(settings.allow_http);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    let built = builder.build();
    built.map(|store| Arc::new(store) as _).map_err(|error| {
        Error::new(ErrorKind::Config, format!("the S3 settings are not usable: {}", error::store(error).message()))
    })
}
