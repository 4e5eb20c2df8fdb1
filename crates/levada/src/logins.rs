//! Servers, and the tokens for them: which server was meant, and the login file, which only its owner may read.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_server::client::remote::{Remote, Trust};
use serde::{Deserialize, Serialize};

/// The variable with the server to ask.
const SERVER_VARIABLE: &str = "LEVADA_SERVER";
/// The variable with the token for it.
const TOKEN_VARIABLE: &str = "LEVADA_TOKEN";
/// The file with the tokens, in the user's folder for settings.
const FILE: &str = "levada/logins.json";

/// Where servers are, and whom to trust.
#[derive(Debug, Default)]
pub struct Servers {
    /// The server that was given.
    pub server: Option<String>,
    /// Certificates of authorities, PEM.
    pub ca: Option<PathBuf>,
    /// Whether a token may cross a network in the clear.
    pub insecure_http: bool,
}

/// What is kept of having signed in at a server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// The token, as text: this file is the one place where it is written down.
    pub token: String,
    /// Its number at the server; none for one that was made elsewhere.
    pub id: Option<i64>,
    /// Whose it is.
    pub name: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// The login file.
#[derive(Default, Serialize, Deserialize)]
pub struct Logins {
    /// By the address of the server.
    servers: BTreeMap<String, Login>,
}

impl Servers {
    /// The server that was given, else that of the environment.
    pub fn address(&self) -> Option<String> {
        let of_environment = || std::env::var(SERVER_VARIABLE).ok().filter(|address| !address.is_empty());
        self.server.clone().or_else(of_environment)
    }

    /// The server at an address, with a token.
    pub fn at(&self, address: &str, token: Option<&Secret>) -> Result<Remote> {
        let read = |path: &PathBuf| std::fs::read(path).at(path.display().to_string());
        let trust = Trust { authorities: self.ca.as_ref().map(read).transpose()?, insecure_http: self.insecure_http };
        let place = |error: Error| match (&self.ca, error.kind()) {
            (Some(path), ErrorKind::Config) => error.at(path.display().to_string()),
            _ => error,
        };
        Remote::new(address, token, &trust).map_err(place)
    }

    /// The server at an address, with the token of the environment or of the login file; without one, the server says
    /// itself what it lets strangers do.
    pub fn known(&self, address: &str) -> Result<Remote> {
        let bare = self.at(address, None)?;
        let token = match std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()) {
            Some(token) => Some(Secret::new(token.trim())),
            None => Logins::read()?.get(bare.address()).map(|login| Secret::new(login.token.as_str())),
        };
        match token {
            Some(token) => self.at(address, Some(&token)),
            None => Ok(bare),
        }
    }
}

impl Logins {
    /// What the file has; nothing where there is none.
    ///
    /// # Errors
    /// `Refused` where others may read it, `Config` where it is something else.
    pub fn read() -> Result<Self> {
        let Some(path) = path() else { return Ok(Self::default()) };
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::from(error).at(shown)),
        };
        let mode = std::fs::metadata(&path).at(&shown)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::new(ErrorKind::Refused, "others may read this file, which holds tokens")
                .advise(format!("Correct it: `chmod 600 {shown}`; then sign in anew, should somebody have read it."))
                .at(&shown));
        }
        serde_json::from_str(&text).map_err(|_| {
            Error::new(ErrorKind::Config, "the file is not one of logins")
                .at(&shown)
                .advise("Remove it, and sign in again: `levada login URL`.")
        })
    }

    /// What is kept of a server.
    pub fn get(&self, address: &str) -> Option<&Login> {
        self.servers.get(address)
    }

    /// Keeps a login, or forgets it. The file is there whole or as it was, and at no time for others.
    ///
    /// # Errors
    /// Those of writing it.
    pub fn set(mut self, address: &str, login: Option<Login>) -> Result<()> {
        match login {
            Some(login) => drop(self.servers.insert(address.to_owned(), login)),
            None => drop(self.servers.remove(address)),
        }
        let path = path().ok_or_else(|| {
            Error::new(ErrorKind::Config, "there is no folder for settings: HOME is not set")
                .advise(format!("Give the token in {TOKEN_VARIABLE}."))
        })?;
        let text =
            serde_json::to_string_pretty(&self).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        write(&path, &text).at(path.display().to_string())
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_file(&aside);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let written = written.and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    written
}

/// The file, in the user's folder for settings (XDG Base Directory Specification).
fn path() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(folder.join(FILE))
}
