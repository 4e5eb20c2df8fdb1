//! A root as a place that keeps backups: folders of Avro files below it, and small files beside them.

use std::io::Read;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use levada_core::backup::Archive;
use levada_core::connector::{Connection, FoundFile};
use levada_core::error::{Error, ErrorKind, Result};

use super::format::Format;
use super::place::{self, Opened, checked};
use super::settings::{Root, Settings};
use super::{Files, blocking, source};

/// Opens the root, which has to be a folder.
fn open(settings: &Settings) -> Result<Opened> {
    let root = place::open(settings)?;
    if root.single.is_some() {
        return Err(Error::new(ErrorKind::Config, "this is a file, and backups are kept in a folder")
            .at(settings.root.clone())
            .advise("Give the path of a folder."));
    }
    Ok(root)
}

/// Folders of a disk that hold nothing any more go with their last file.
fn remove_empty_folders(settings: &Settings, path: &str) {
    let Ok(Root::Local(root)) = settings.place() else { return };
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/') {
        if std::fs::remove_dir(root.join(above)).is_err() {
            return;
        }
        folder = above;
    }
}

impl Archive for Files {
    fn folder(&self, path: &str) -> Result<Arc<dyn Connection>> {
        let path = checked(path)?;
        let root = format!("{}/{path}", self.settings.root.trim_end_matches('/'));
        let settings =
            Settings { root, format: Some(Format::Avro), compression: None, ..self.settings.as_ref().clone() };
        Ok(Arc::new(Files { settings: Arc::new(settings) }))
    }

    fn files<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FoundFile>>> {
        let (settings, folder) = (self.settings.clone(), folder.to_owned());
        blocking(move || {
            let root = open(&settings)?;
            Ok(root.place.list(checked(&folder)?)?.into_iter().map(source::found).collect())
        })
    }

    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Box<dyn Read + Send>>> {
        let (settings, path) = (self.settings.clone(), path.to_owned());
        blocking(move || {
            let root = open(&settings)?;
            let gone =
                || Error::new(ErrorKind::NotFound, format!("there is no file `{path}`")).at(root.place.address());
            let file = root.place.look(checked(&path)?)?.ok_or_else(gone)?;
            root.place.stream(&file)
        })
    }

    fn put_new<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>> {
        let (settings, path) = (self.settings.clone(), path.to_owned());
        blocking(move || open(&settings)?.place.put_new(checked(&path)?, &bytes))
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        let (settings, path) = (self.settings.clone(), path.to_owned());
        blocking(move || {
            open(&settings)?.place.delete(checked(&path)?)?;
            remove_empty_folders(&settings, &path);
            Ok(())
        })
    }
}
