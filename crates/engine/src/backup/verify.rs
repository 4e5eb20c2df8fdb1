//! Looks whether a backup is whole: every file, or some of them, is read again, and its length, hash and rows are compared.

use levada_core::backup::Archive;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::manifest::{self, Backup, FileOf};
use super::{Place, at, take, unless};

/// What was found of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Its name.
    pub backup: String,
    /// How many files were read.
    pub files: u64,
    /// How many it has.
    pub files_in_all: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Rows of the files that were read.
    pub rows: u64,
    /// What is wrong; nothing, if all is well.
    pub problems: Vec<Problem>,
}

/// A file that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The file, in the folder of the backup.
    pub file: String,
    /// What is wrong with it, a sentence.
    pub what: String,
}

/// Reads a backup again; of a sample, so many of a hundred files of each table, at least one.
///
/// # Errors
/// `NotFound` where there is no such backup, `Data` where its manifest is damaged; what reading failed with.
pub async fn verify(place: &Place, name: &str, sample: Option<u8>, stop: &CancellationToken) -> Result<Verified> {
    let work = async {
        let backup = manifest::read(place.archive.as_ref(), name).await?;
        let mut verified = Verified {
            backup: backup.name.clone(),
            files: 0,
            files_in_all: backup.files().count() as u64,
            bytes: 0,
            rows: 0,
            problems: Vec::new(),
        };
        for table in &backup.tables {
            for file in chosen(&table.files, sample) {
                verified.files += 1;
                verified.bytes += file.bytes;
                verified.rows += file.rows.unwrap_or_default();
                verified.problems.extend(compare(place.archive.as_ref(), &backup, file).await?);
            }
            let rows: u64 = table.files.iter().filter_map(|file| file.rows).sum();
            if rows != table.rows {
                let what = format!("its files hold {rows} rows, and it had {}", table.rows);
                verified.problems.push(Problem { file: table.folder.clone(), what });
            }
        }
        Ok::<_, Error>(verified)
    };
    unless(stop, work).await.at(at(&place.name))
}

/// Some of the files: other ones each time.
fn chosen(files: &[FileOf], sample: Option<u8>) -> Vec<&FileOf> {
    let Some(sample) = sample else { return files.iter().collect() };
    let count = (files.len() * usize::from(sample)).div_ceil(100).clamp(files.len().min(1), files.len());
    let mut shuffled: Vec<(u64, &FileOf)> =
        files.iter().map(|file| (uuid::Uuid::new_v4().as_u64_pair().0, file)).collect();
    shuffled.sort_by_key(|(order, _)| *order);
    shuffled.into_iter().take(count).map(|(_, file)| file).collect()
}

/// What is wrong with a file of a backup.
///
/// # Errors
/// What reading failed with, where it is not the file's fault.
pub async fn compare(archive: &dyn Archive, backup: &Backup, file: &FileOf) -> Result<Option<Problem>> {
    let problem = |what: String| Ok(Some(Problem { file: file.path.clone(), what }));
    let path = format!("{}/{}", backup.name, file.path);
    let found = match take::read(archive, &path, file.rows.is_some()).await {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return problem("is gone".to_owned()),
        Err(error) => return Err(error),
    };
    if found.bytes != file.bytes {
        return problem(format!("has {} bytes, and had {}", found.bytes, file.bytes));
    }
    if found.sha256 != file.sha256 {
        return problem("was changed: its hash does not match".to_owned());
    }
    if found.rows != file.rows {
        return problem("does not hold the rows that it had".to_owned());
    }
    Ok(None)
}
