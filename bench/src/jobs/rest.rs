//! A REST API: 100,000 records over 1,000 pages from this machine, against a script as people write it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::Result;
use crate::job::{Check, Job, Side, Step};
use crate::measure::Invocation;
use crate::places::{LEVADA, OTHER, Places};

const RECORDS: usize = 100_000;
const PAGE: usize = 100;
const FINGERPRINT: &str = "SELECT count(*), sum(id), sum(total), max(name), count(note) FROM items";
/// The same of the records as they are made here.
const EXPECTED: &str = "SELECT count(*), sum(i), sum((i % 1000)::numeric + 0.25), max('item ' || i), 0
     FROM generate_series(0, 99999) i";

/// The job, with its server, which lives as long as the benchmark.
///
/// # Errors
/// If there is no port, or no place for the script and the pipeline.
pub fn job(places: &Places) -> Result<Job> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::Builder::new().name("rest-api".to_owned()).spawn(move || serve(&listener))?;
    let (pipeline, script) = (places.scratch.join("rest.yaml"), places.scratch.join("rest.py"));
    fs::write(&pipeline, pipeline_of(&url, &places.postgres_url(LEVADA)))?;
    fs::write(&script, SCRIPT)?;
    let line = format!(
        "python3 {} {url} | {} -c 'CREATE TABLE items (id bigint PRIMARY KEY, name text, total numeric(12,2), note text)' \
         -c 'COPY items FROM STDIN (FORMAT csv)'",
        script.display(),
        places.psql_words(OTHER)
    );
    let path = pipeline.display().to_string();
    let check = |database| Check::PostgresAs(database, FINGERPRINT.to_owned(), EXPECTED.to_owned());
    Ok(Job {
        name: "REST API, 1,000 pages -> PostgreSQL",
        against: "Python's `urllib`, `json` and `csv`, and `psql \\copy`",
        target: 1.0,
        once: Vec::new(),
        each_round: Vec::new(),
        levada: Side {
            before: vec![Step::FreshPostgres(LEVADA)],
            command: Invocation::levada(places, ["run", &path]),
            check: check(LEVADA),
        },
        other: Side {
            before: vec![Step::FreshPostgres(OTHER)],
            command: Invocation::shell(&line),
            check: check(OTHER),
        },
    })
}

fn pipeline_of(url: &str, target: &str) -> String {
    format!(
        "version: 1\nname: rest\nconnections:\n  \
         api: {{ type: http, url: \"{url}\", private: true, pagination: {{ type: page }}, endpoints: {{ items: {{\n    \
         records: data, key: [id], columns: {{ id: int64, name: text, total: \"decimal(12,2)\", note: text }} }} }} }}\n  \
         warehouse: \"{target}\"\ntasks:\n  load: {{ sync: {{ from: api, to: warehouse, streams: [items] }} }}\n"
    )
}

const SCRIPT: &str = r#"import csv, json, sys, urllib.request
rows, page = csv.writer(sys.stdout), 1
while True:
    with urllib.request.urlopen(f"{sys.argv[1]}/items?page={page}") as answer:
        data = json.load(answer)["data"]
    if not data:
        break
    rows.writerows((record["id"], record["name"], record["total"], record["note"]) for record in data)
    page += 1
"#;

fn serve(listener: &TcpListener) {
    for socket in listener.incoming().map_while(std::result::Result::ok) {
        // whoever asks may go away at any time
        thread::spawn(move || drop(answer(socket)));
    }
}

/// Answers `GET /items?page=n` until the client goes away.
fn answer(socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut writer = socket;
    let mut line = String::new();
    loop {
        let mut page = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some((_, rest)) = line.split_once("?page=") {
                page = rest.split(' ').next().unwrap_or_default().parse()?;
            }
            if line.trim_end().is_empty() {
                break;
            }
        }
        let start = (page - 1_usize) * PAGE;
        let record =
            |id: usize| format!("{{\"id\":{id},\"name\":\"item {id}\",\"total\":{}.25,\"note\":null}}", id % 1000);
        let records: Vec<String> = (start.min(RECORDS)..(start + PAGE).min(RECORDS)).map(record).collect();
        let body = format!("{{\"data\":[{}]}}", records.join(","));
        write!(
            writer,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}
