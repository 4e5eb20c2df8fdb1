//! The project of `examples/api-to-warehouse`: an awkward API into buckets and a warehouse, twice, and its past once more
//! without it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Database, LEVADA, psql};

const ORDERS: usize = 700;

struct Api {
    process: Child,
    url: String,
}

impl Api {
    fn start(example: &Path) -> Self {
        let mut process = Command::new("python3")
            .arg(example.join("api"))
            .args(["--port", "0", "--orders", &ORDERS.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }

    fn ask(&self, method: &str, path: &str) -> String {
        let output =
            Command::new("curl").args(["-fsS", "-X", method, &format!("{}{path}", self.url)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Project {
    folder: TempDir,
    api: String,
    warehouse: Database,
}

impl Project {
    fn run(&self, pipeline: &str) {
        let output = Command::new(LEVADA)
            .args(["run", pipeline])
            .current_dir(self.folder.path())
            .env_remove("LEVADA_DATA")
            .env_remove("LEVADA_DATABASE")
            .env("API_URL", &self.api)
            .env("API_TOKEN", "demo-token")
            .env("RAW", "./raw")
            .env("CLEAN", "./clean")
            .env("WAREHOUSE_URL", self.warehouse.url())
            .output()
            .unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{pipeline}: {told}");
        assert!(!told.contains("demo-token"), "{told}");
    }

    fn sql(&self, sql: &str) -> String {
        psql(&self.warehouse, sql)
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn an_api_ends_in_a_warehouse_and_its_past_is_loaded_again_without_it() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/api-to-warehouse");
    let api = Api::start(&example);
    let folder = TempDir::new().unwrap();
    copy(&example, folder.path());
    let project = Project { folder, api: api.url.clone(), warehouse: Database::postgres("levada_api_to_warehouse") };

    project.run("pipelines/orders.yaml");
    let told = "SELECT count(*), count(DISTINCT id), sum(total), max(reference) - min(reference) FROM orders";
    let total: u64 = (0..ORDERS as u64).map(|n| n * 7919 % 1_000_000 * 100 + n % 100).sum();
    let first = format!("{ORDERS}|{ORDERS}|{}.{:02}|{}", total / 100, total % 100, ORDERS - 1);
    assert_eq!(project.sql(told), first);
    assert_eq!(project.sql("SELECT count(*), count(note) FROM customers"), "97|0");
    assert_eq!(project.sql("SELECT max(updated_at) AT TIME ZONE 'UTC' FROM orders"), "2026-01-01 11:39:00");

    api.ask("POST", "/changes?count=30");
    project.run("pipelines/orders.yaml");
    let last = "SELECT count(*) FROM orders WHERE updated_at > '2026-01-01 11:39:00+00'";
    assert_eq!((project.sql(told), project.sql(last)), (first.clone(), "30".to_owned()));

    // the API counts what it is asked: nothing more, and then it is gone
    let asked = api.ask("GET", "/requests");
    project.run("pipelines/reprocess.yaml");
    assert_eq!(api.ask("GET", "/requests"), asked);
    drop(api);
    project.run("pipelines/reprocess.yaml");
    let differences = "SELECT count(*) FROM ((TABLE orders EXCEPT TABLE orders_anew) UNION ALL
         (TABLE orders_anew EXCEPT TABLE orders)) d";
    assert_eq!(project.sql(differences), "0");
    assert_eq!(project.sql("SELECT count(*) FROM orders_anew"), ORDERS.to_string());
}
