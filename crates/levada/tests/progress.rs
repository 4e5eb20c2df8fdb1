//! What a run shows of itself while it lasts: a live line for each stream on a terminal, else a line every ten seconds.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use tempfile::TempDir;

use crate::support::{LEVADA, skipped};

/// An API that answers once the sender is dropped.
struct Api {
    port: u16,
    hold: Sender<()>,
}

impl Api {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (hold, held) = channel();
        std::thread::spawn(move || listener.incoming().for_each(|client| answer(&mut client.unwrap(), &held)));
        Self { port, hold }
    }

    /// A folder with a pipeline that loads the list.
    fn pipeline(&self) -> TempDir {
        let folder = TempDir::new().unwrap();
        let document = format!(
            "version: 1\nconnections:\n  api:\n    type: http\n    url: http://127.0.0.1:{}\n    private: true\n    endpoints:\n      \
             orders: {{ columns: {{ id: int64 }} }}\n  dw: ./dw.db\nsync: {{ from: api, to: dw, streams: [orders] }}\n",
            self.port
        );
        std::fs::write(folder.path().join("p.yaml"), document).unwrap();
        folder
    }
}

fn answer(client: &mut TcpStream, held: &Receiver<()>) {
    BufReader::new(&mut *client).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).for_each(drop);
    held.recv().unwrap_err();
    let body = r#"[{"id":1},{"id":2},{"id":3}]"#;
    let kind = "content-type: application/json\r\nconnection: close";
    write!(client, "HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
}

#[test]
fn without_a_terminal_a_run_writes_lines() {
    let api = Api::new();
    let folder = api.pipeline();
    let mut command = Command::new(LEVADA);
    command.args(["run", "p.yaml"]).current_dir(folder.path()).stdin(Stdio::null());
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("rows/s")).expect("the run ended before it said how far it is");
    for word in ["orders", " 0 rows  ", "B/s", "bound by "] {
        assert!(line.contains(word), "`{word}` is missing: {line}");
    }
    assert!(!line.contains(char::is_control), "{line:?}");
    drop(api.hold);
    let rest: Vec<String> = lines.collect();
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{rest:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("3 rows read = 3 written"));
}

#[test]
fn on_a_terminal_a_run_draws_a_line() {
    const NAME: &str = "progress::on_a_terminal_a_run_draws_a_line";
    if !Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return skipped(NAME, "`script` of util-linux, which makes a terminal, is not installed");
    }
    let api = Api::new();
    let folder = api.pipeline();
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &format!("stty cols 120; exec '{LEVADA}' run p.yaml"), "/dev/null"]);
    terminal.current_dir(folder.path()).env("TERM", "xterm").stdin(Stdio::null()).stderr(Stdio::null());
    let mut terminal = terminal.stdout(Stdio::piped()).spawn().unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let (mut seen, mut part) = (String::new(), [0; 4096]);
    while !(seen.contains(" 0 rows  ") && seen.contains("bound by ")) {
        let count = screen.read(&mut part).unwrap();
        assert!(count > 0, "the run ended before it drew a line: {seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    drop(api.hold);
    screen.read_to_string(&mut seen).unwrap();
    assert!(terminal.wait().unwrap().success(), "{seen}");
    assert!(seen.contains("3 rows read = 3 written"), "{seen}");
}
