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

#[test]
fn one_command_serves_the_people_and_brings_the_reports() {
    let (database, folder) = (Database::postgres("levada_example_hr"), TempDir::new().unwrap());
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hr");
    for file in std::fs::read_dir(&example).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let programs = Path::new(LEVADA).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    // twice: the second time everything is there already
    for _ in 0..2 {
        let mut command = Command::new(folder.path().join("run"));
        command.env("HR_URL", database.url()).env("PORT", "0").env("PATH", &path).env_remove("LEVADA_SERVER");
        command.current_dir(folder.path()).process_group(0).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told: Vec<String> = lines.take_while(|line| !line.starts_with("serving at ")).collect();
        let group = format!("-{}", child.id());
        Command::new("kill").args(["-TERM", "--", &group]).status().unwrap();
        child.wait().unwrap();
        assert!(told.iter().any(|line| line.contains("\"rows\":2400") && line.contains("\"failed\":0")), "{told:?}");
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
