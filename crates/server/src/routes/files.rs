//! The files and objects of a connection that holds such: what lies there, and taking one away.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use futures_util::stream;
use levada_core::connector::FoundFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::browse::{BROWSE_TIME, in_time};
use super::{limit, matches};
use crate::problem::Problem;
use crate::route::{Answer, Call, Download, Page};
use crate::sort::{Rank, Sort, orders};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait for a slow client.
const PIECES_MAX: usize = 4;

orders! {
    /// What files of a connection are in order of.
    FoundOrder(false) { Path = "path", Bytes = "bytes", ModifiedAt = "modified_at" }
}

/// Which files to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The connection.
    pub connection: String,
    /// A path, a wildcard such as `reports/*.csv`, or a folder with all that is below it; everything unless given.
    #[serde(default)]
    pub path: String,
    /// With this text in the path.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<FoundOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// The connection.
    pub connection: String,
    /// The path of the file, as it is listed.
    pub path: String,
}

/// A file or object.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written.
    pub modified_at: String,
}

/// The files of a connection, in the order of their paths.
pub async fn list(call: Call<List>) -> Result<Answer<Page<File>>, Problem> {
    let List { connection, path, search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let (opened, redactor) = call.app.open_connection(&connection).await?;
    let found = in_time(BROWSE_TIME, &connection, opened.connection.list(&path)).await;
    let found = found.map_err(|error| redactor.error(error))?;
    let shown = |FoundFile { path, bytes, modified }| File { path, bytes, modified_at: modified };
    let wanted = found.into_iter().map(shown).filter(|file| matches(search.as_deref(), [file.path.as_str()]));
    let place = |order, file: &File| {
        let rank = match order {
            FoundOrder::Path => None,
            FoundOrder::Bytes => Some(Rank::from(file.bytes)),
            FoundOrder::ModifiedAt => Some(Rank::from(file.modified_at.as_str())),
        };
        (rank, file.path.clone())
    };
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
}

/// Takes a file of a connection away.
pub async fn download(call: Call<One>) -> Result<Download, Problem> {
    let One { connection, path } = call.input;
    let (opened, redactor) = call.app.open_connection(&connection).await?;
    let found = in_time(BROWSE_TIME, &connection, opened.connection.open(&path)).await;
    let (file, bytes) = found.map_err(|error| redactor.error(error))?;
    let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
    // what lies in another system is never shown as a page
    Ok(Download {
        name,
        content_type: "application/octet-stream".to_owned(),
        body: body(bytes),
        bytes: Some(file.bytes),
    })
}

/// What a reader yields, read on a thread of its own no faster than it is sent.
fn body(mut reader: Box<dyn Read + Send>) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES_MAX);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let read = reader.read(&mut piece);
            let piece = match read {
                Ok(0) => return,
                Ok(bytes) => {
                    piece.truncate(bytes);
                    Ok(Bytes::from(piece))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_last = piece.is_err();
            if sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    Body::from_stream(stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}
