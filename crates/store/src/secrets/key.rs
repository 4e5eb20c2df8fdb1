//! The master key, and where it comes from: the environment variable `LEVADA_MASTER_KEY`, which is read here and nowhere
//! else, or a file that only its owner may read.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use levada_core::error::{Context, Error, ErrorKind, Result};
use zeroize::Zeroizing;

/// The environment variable with the master key.
pub const KEY_VARIABLE: &str = "LEVADA_MASTER_KEY";
/// The file with the master key, in the data folder.
pub const KEY_FILE: &str = "secret.key";
/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Rights of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The key under which the keys of the store are kept.
#[derive(Clone)]
pub struct MasterKey(pub(super) Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

impl MasterKey {
    /// A new key.
    ///
    /// # Errors
    /// `Internal` where the system gives no random numbers.
    pub fn generate() -> Result<Self> {
        random().map(Self)
    }

    /// A key from 64 hexadecimal digits, or from base64 of 32 bytes; white space around it does not count.
    ///
    /// # Errors
    /// `Config` where it is neither; the text is not shown.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        let bytes =
            Zeroizing::new(if text.len() == 2 * KEY_BYTES && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                (0..KEY_BYTES).filter_map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect()
            } else {
                let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
                engines.iter().find_map(|engine| engine.decode(text).ok()).unwrap_or_default()
            });
        let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map_err(|_| {
            Error::new(ErrorKind::Config, "the master key of the secrets is not 32 bytes as hexadecimal or base64 text")
                .advise("Make one with `openssl rand -base64 32`.")
        })?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The key as base64 text, for the one file that holds it.
    fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    /// Reads a key file, if there is one.
    ///
    /// # Errors
    /// `Permission` where others may read it, `Config` where it holds no key.
    pub fn read_file(path: &Path) -> Result<Option<Self>> {
        let place = || path.display().to_string();
        let mut file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.at(place())?,
        };
        if file.metadata().at(place())?.mode() & OTHERS != 0 {
            return Err(Error::new(ErrorKind::Permission, "others than its owner may read the file of the master key")
                .at(place())
                .advise(format!("Run `chmod 600 {}`, and think of the key as known to them.", path.display())));
        }
        let mut text = Zeroizing::new(String::new());
        std::io::Read::read_to_string(&mut file, &mut text).at(place())?;
        Self::from_text(&text).map(Some).at(place())
    }

    /// Writes the key into a new file for its owner only. Answers whether there was none.
    pub(super) fn write_file(&self, path: &Path) -> Result<bool> {
        let place = || path.display().to_string();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).at(folder.display().to_string())?;
        }
        // written aside and linked into place: two programs that start at once agree on one key, and none is half there
        let aside = beside(path, &format!(".{}.new", std::process::id()));
        let _ = fs::remove_file(&aside);
        let write = || -> std::io::Result<bool> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
            file.write_all(self.to_text().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            match fs::hard_link(&aside, path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        };
        let written = write();
        let _ = fs::remove_file(&aside);
        let written = written.at(place())?;
        sync_folder(path)?;
        Ok(written)
    }
}

/// Where the master key comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// It was given.
    Given(MasterKey),
    /// It is in a file, which is made when the first secret is kept.
    File(PathBuf),
}

impl KeySource {
    /// The environment variable where it is set, else the file in the data folder. Reads the environment.
    ///
    /// # Errors
    /// `Config` where the variable holds no key.
    pub fn find(data: &Path) -> Result<Self> {
        match std::env::var(KEY_VARIABLE) {
            Ok(text) if !text.trim().is_empty() => {
                MasterKey::from_text(&Zeroizing::new(text)).map(Self::Given).at(KEY_VARIABLE)
            }
            Err(std::env::VarError::NotUnicode(_)) => MasterKey::from_text("").map(Self::Given).at(KEY_VARIABLE),
            _ => Ok(Self::File(data.join(KEY_FILE))),
        }
    }
}

/// Random bytes for a key.
pub(super) fn random<const LENGTH: usize>() -> Result<Zeroizing<[u8; LENGTH]>> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}

/// A path with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Sees the names in a file's folder on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).at(folder.display().to_string())
}
