//! The floor of a server: the same web framework with nothing behind it. A process of its own, as Levada is one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::Result;

/// What makes this binary the bare server: `levada-bench bare FILE`.
pub const ARGUMENT: &str = "bare";

/// A bare server that was started here, and ends when it is dropped.
pub struct Bare {
    process: Child,
    pub address: SocketAddr,
}

impl Bare {
    /// Starts one that answers `GET /` with these bytes.
    pub fn start(scratch: &Path, answer: &[u8]) -> Result<Self> {
        let file = scratch.join("bare.json");
        std::fs::write(&file, answer)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ARGUMENT).arg(&file).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse()? })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the process does.
pub fn serve(file: &Path) -> Result<()> {
    let answer: &'static [u8] = std::fs::read(file)?.leak();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        let handler = get(async move || ([(CONTENT_TYPE, "application/json")], answer));
        Ok(axum::serve(listener, axum::Router::new().route("/", handler)).await?)
    })
}
