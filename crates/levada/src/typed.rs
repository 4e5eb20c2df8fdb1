//! What a person types, or pipes in: secrets, which the terminal does not show, and never the command line.

use std::io::{IsTerminal as _, Read as _, Write as _};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Most bytes read of a value.
const BYTES_MAX: u64 = 1 << 20;

/// A value from standard input: typed without being shown, or all that is piped in, but for the end of its last line.
pub async fn secret(prompt: &str) -> Result<Secret> {
    if std::io::stdin().is_terminal() {
        return hidden(prompt).await.at("the terminal");
    }
    piped()
}

/// All that is piped in, but for the end of its last line.
pub fn piped() -> Result<Secret> {
    let mut text = String::new();
    std::io::stdin().lock().take(BYTES_MAX).read_to_string(&mut text).at("standard input")?;
    Ok(Secret::new(without_end(text)))
}

/// A line that is typed, and shown.
///
/// # Errors
/// `Usage` where there is no terminal.
pub async fn line(prompt: &str, instead: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::new(ErrorKind::Usage, "there is no terminal to ask at").advise(instead));
    }
    let _ = write!(std::io::stderr(), "{prompt}");
    read_line().await.at("the terminal")
}

/// The next line that is typed, and shown, at a prompt; nothing once there are no more.
///
/// # Errors
/// `Io` where standard input cannot be read.
pub async fn next_line(prompt: &str) -> Result<Option<String>> {
    let _ = write!(std::io::stderr(), "{prompt}");
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next().transpose()).await;
    line.map_err(std::io::Error::other).and_then(|line| line).at("standard input")
}

/// A terminal that does not show what is typed; it does again when this goes, also on Ctrl-C.
struct Hidden(Termios);

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
        let _ = writeln!(std::io::stderr());
    }
}

async fn hidden(prompt: &str) -> std::io::Result<Secret> {
    let shown = tcgetattr(std::io::stdin())?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let _ = write!(std::io::stderr(), "{prompt}");
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden)?;
    let _shown_again = Hidden(shown);
    read_line().await.map(Secret::new)
}

async fn read_line() -> std::io::Result<String> {
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next().transpose()).await;
    Ok(without_end(line.map_err(std::io::Error::other)??.unwrap_or_default()))
}

fn without_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
