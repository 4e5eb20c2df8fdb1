//! `examples/hr` as its README says: one command, with the real binary and a real PostgreSQL; its reports are what psql says.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use levada_core::config::{File, Project};
use tempfile::TempDir;

use crate::support::{Database, LEVADA};

fn psql(url: &str, sql: &str) -> String {
    let place = url.split('?').next().unwrap();
    let script = format!("SET TimeZone = 'UTC'; {sql}");
    let output =
        Command::new("psql").args([place, "-Xq", "--csv", "-v", "ON_ERROR_STOP=1", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The example in a folder of its own, without what it makes.
fn example() -> TempDir {
    let folder = TempDir::new().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hr");
    std::fs::create_dir(folder.path().join("pipelines")).unwrap();
    for part in [".", "pipelines"] {
        let files = std::fs::read_dir(example.join(part)).unwrap().map(Result::unwrap);
        for file in files.filter(|file| file.path().is_file()) {
            std::fs::copy(file.path(), folder.path().join(part).join(file.file_name())).unwrap();
        }
    }
    folder
}

/// Does what `run` does until it serves, and ends it.
fn run(folder: &Path, database: &Database) {
    let programs = Path::new(LEVADA).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(folder.join("run"));
    command.env("HR_URL", database.url()).env("PORT", "0").env("PATH", &path).env_remove("LEVADA_SERVER");
    command.current_dir(folder).process_group(0).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<String> = lines.take_while(|line| !line.starts_with("serving at ")).collect();
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-TERM", "--", &group]).status().unwrap();
    child.wait().unwrap();
    assert!(told.iter().any(|line| line.contains("\"rows\":2400") && line.contains("\"failed\":0")), "{told:?}");
}

#[test]
fn one_command_serves_the_people_and_brings_the_reports() {
    let (database, folder) = (Database::postgres("levada_example_hr"), example());
    // twice: the second time everything is there already
    for _ in 0..2 {
        run(folder.path(), &database);
        let text = std::fs::read_to_string(folder.path().join("levada.yaml")).unwrap();
        for report in Project::of([&File::parse("levada.yaml", &text).unwrap()]).reports {
            let served = std::fs::read_to_string(folder.path().join(format!("{}_2021.csv", report.name))).unwrap();
            let asked = psql(&database.url(), &report.statement.with(|_| "2021".to_owned()));
            assert_eq!(served.replace("\r\n", "\n"), asked, "{}", report.name);
            assert!(asked.lines().count() > 1, "{asked}");
        }
    }
    assert_eq!(psql(&database.url(), "SELECT count(*) FROM employee"), "count\n2400\n");
}

#[test]
fn employees_come_from_files_and_tables_go_there_and_back() {
    let (database, folder) = (Database::postgres("levada_example_hr_files"), example());
    run(folder.path(), &database);
    let files = folder.path().join("files");
    assert!(Command::new(folder.path().join("seed")).args([&files]).status().unwrap().success());
    let pipeline = |name: &str| {
        let mut command = Command::new(LEVADA);
        command.args(["run", &format!("pipelines/{name}.yaml")]).current_dir(folder.path());
        command.env("HR_URL", database.url()).env("HR_FILES", format!("file:{}", files.display()));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let people = "SELECT id, name, email, hired_at, salary, department, job FROM employee ORDER BY id";
    let (all, jobs) = (psql(&database.url(), people), psql(&database.url(), "SELECT * FROM job ORDER BY id"));
    psql(&database.url(), "UPDATE employee SET name = 'nobody', salary = 1 WHERE id % 3 = 0");
    pipeline("employees_from_files");
    assert_eq!(psql(&database.url(), people), all, "the file has them as they were");
    pipeline("keep");
    psql(&database.url(), "DELETE FROM employee WHERE id % 2 = 0; UPDATE job SET title = title || '!'");
    pipeline("bring_back");
    assert_eq!(psql(&database.url(), people), all);
    assert_eq!(psql(&database.url(), "SELECT * FROM job ORDER BY id"), jobs);
    // nothing of the tables is other than the collections say, and new rows get numbers of their own
    run(folder.path(), &database);
    psql(&database.url(), "INSERT INTO employee (name, email, hired_at) VALUES ('new', 'new@example.org', now())");
}
