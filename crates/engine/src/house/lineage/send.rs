//! How an event reaches a receiver: posted to a server, or added to a file.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use levada_core::config::{LineageHttp, is_file_name};
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use reqwest::header::CONTENT_TYPE;
use url::Url;

use crate::network::{self, Network, Reach};

/// How long a server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What a server made of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It has it.
    Yes,
    /// It does not want it, with this status, and would not want it another time.
    Never(u16),
}

/// Posts an event.
///
/// # Errors
/// `Refused` for an address that may not be asked; `Config` for a URL that is none; `Auth`, `Permission`, `NotFound`, `Busy`,
/// `Connect` and `Tls` where it may be taken another time.
pub async fn post(network: &Network, http: &LineageHttp, event: String) -> Result<Taken> {
    let advice = "Correct `lineage.http` in the project.";
    let url = Url::parse(&http.url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let wrong = || Error::new(ErrorKind::Config, "the URL for lineage is not a web address").advise(advice);
    let url = url.ok_or_else(wrong)?;
    let reach = if http.private { Reach::Private } else { Reach::Public };
    let place = url.origin().ascii_serialization();
    let mut request = network.client(&url, reach).at(place.as_str())?.post(url).timeout(ANSWER_WITHIN);
    request = request.header(CONTENT_TYPE, "application/json");
    if let Some(token) = &http.token {
        request = request.bearer_auth(token.expose());
    }
    let answer = request.body(event).send().await.map_err(|error| failure(error).at(place.as_str()))?;
    let status = answer.status().as_u16();
    let kind = match status {
        200..=299 => return Ok(Taken::Yes),
        400 | 413 | 415 | 422 => return Ok(Taken::Never(status)),
        401 => ErrorKind::Auth,
        403 => ErrorKind::Permission,
        404 | 405 | 300..=399 => ErrorKind::NotFound,
        _ => ErrorKind::Busy,
    };
    // what else it says is not repeated: it may quote what it was sent
    Err(Error::new(kind, format!("the server answered with status {status}")).at(place).advise(advice))
}

fn failure(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if let Some(refused) = network::refused(&error) {
        return refused;
    }
    let chain = std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |&error| error.source());
    let cause = chain.last().map(ToString::to_string).unwrap_or_default();
    let (kind, what) = match () {
        () if error.is_timeout() => (ErrorKind::Connect, "no answer in time".to_owned()),
        () if cause.contains("certificate") || cause.contains("HandshakeFailure") => {
            (ErrorKind::Tls, format!("the server's certificate was not accepted: {cause}"))
        }
        () => (ErrorKind::Connect, cause),
    };
    Error::new(kind, what).advise("Check the host and the port of `lineage.http`, and the network of this machine.")
}

/// Adds events to a file, each a line, and has them on the disk when it comes back.
///
/// # Errors
/// `Io`; `Config` for a name that leads elsewhere.
pub async fn append(data: &Path, name: &str, events: Vec<String>) -> Result<()> {
    if !is_file_name(name) {
        return Err(Error::new(ErrorKind::Config, "the file for lineage is to be a name without folders")
            .advise("Correct `lineage.file` in the project."));
    }
    let (folder, name) = (data.join("lineage"), name.to_owned());
    let write = move || write(&folder, &name, &events);
    let ended = tokio::task::spawn_blocking(write).await;
    ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "writing the file for lineage broke off")))
}

fn write(folder: &Path, name: &str, events: &[String]) -> Result<()> {
    let path = folder.join(name);
    let place = path.display().to_string();
    std::fs::create_dir_all(folder).at(place.as_str())?;
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).at(place.as_str())?;
    let mut text = String::new();
    // a line that broke off stays alone
    if breaks_off(&mut file).at(place.as_str())? {
        text.push('\n');
    }
    for event in events {
        text.push_str(event);
        text.push('\n');
    }
    file.write_all(text.as_bytes()).at(place.as_str())?;
    file.sync_data().at(place)
}

fn breaks_off(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != [b'\n'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn lines_are_added_and_a_broken_one_stays_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lineage/events.jsonl");
        append(folder.path(), "events.jsonl", vec!["{\"a\":1}".to_owned()]).await.unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"brok").unwrap();
        append(folder.path(), "events.jsonl", vec!["{\"b\":2}".to_owned()]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"brok\n{\"b\":2}\n");
        let error = append(folder.path(), "../events.jsonl", vec!["{}".to_owned()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!folder.path().join("events.jsonl").exists());
    }
}
